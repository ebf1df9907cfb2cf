/** A chat of people and groups on three real nodes, of which one dies. */
import { expect, test } from 'vitest';
import { runProgram } from '../support/run-program.js';

const run = (args: readonly string[], input = '') =>
  runProgram('dist-tools/examples/chat/main.js', args, { input });

test('nothing is lost or there twice, all is read, and who leaves hears no more', async () => {
  const { code, out, err } = await run(['--rounds', '90', '--json']);
  expect({ code, err, out: code === 0 ? '' : out }).toEqual({ code: 0, err: '', out: '' });
  const result = JSON.parse(out) as {
    readonly people: readonly { readonly name: string; readonly said: number; readonly heard: number }[];
    readonly nodes: readonly { readonly messages: Readonly<Record<string, number>> }[];
  };
  expect(result).toMatchObject({ problems: [] });
  expect(result.people.map(({ name }) => name)).toEqual(['ada', 'ben', 'cem']);
  for (const { said, heard } of result.people) {
    expect(said).toBeGreaterThanOrEqual(90);
    expect(heard).toBeGreaterThanOrEqual(270);
  }
  for (const { messages } of result.nodes) expect(messages['lobby']).toBeGreaterThan(30);
  expect(new Set(result.nodes.map(({ messages }) => JSON.stringify(messages))).size).toBe(1);
}, 400_000);

test('in the terminal: a group is made, written to, and looked at', async () => {
  const channel = ['/channel lobby', 'anybody here?', '/channels'];
  const lines = [...channel, '/group team', 'hello', '/who', '/users', '/to nobody', 'lost', '/quit'];
  const { code, out } = await run(['--name', 'ada'], `${lines.join('\n')}\n`);
  expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('team is made') as string });
  expect(out).toContain('* ada (owner)');
  expect(out).toContain('lobby ada: anybody here?');
  expect(out).toMatch(/\* (.*, )?lobby/);
  expect(out).toContain('team ada: hello');
  expect(out).toContain('lost to u:nobody');
}, 400_000);

test.each([
  [['--loud'], 2],
  [['--rounds', '0'], 2],
  [['--at', 'http://127.0.0.1:1'], 2],
])(
  '%j ends with %i',
  async (args, code) => {
    expect(await run(args)).toMatchObject({ code, out: '' });
  },
  60_000,
);
