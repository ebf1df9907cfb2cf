/** A list that several change on three real nodes, of which one dies. */
import { expect, test } from 'vitest';
import { runProgram } from '../support/run-program.js';

const run = (args: readonly string[]) => runProgram('dist-tools/examples/contacts/main.js', args);

test('nothing is lost, and all people and nodes have one list in the end', async () => {
  const { code, out, err } = await run(['--rounds', '90', '--json']);
  expect({ code, err, out: code === 0 ? '' : out }).toEqual({ code: 0, err: '', out: '' });
  const result = JSON.parse(out) as {
    readonly people: readonly { readonly name: string; readonly changes: number; readonly queued: number }[];
    readonly nodes: readonly { readonly hash: string }[];
  };
  expect(result).toMatchObject({ problems: [] });
  expect(result.people.map(({ name, changes }) => [name, changes])).toEqual([
    ['ada', 90],
    ['ben', 90],
    ['cem', 90],
  ]);
  expect(new Set(result.nodes.map(({ hash }) => hash)).size).toBe(1);
}, 400_000);

test('nodes that live and were parted have one list afterwards, with all that either side took', async () => {
  const { code, out, err } = await run(['--rounds', '60', '--part', '--json']);
  expect({ code, err, out: code === 0 ? '' : out }).toEqual({ code: 0, err: '', out: '' });
  const { people, nodes, problems } = JSON.parse(out) as {
    readonly people: readonly { readonly changes: number }[];
    readonly nodes: readonly { readonly hash: string }[];
    readonly problems: readonly string[];
  };
  expect(problems).toEqual([]);
  expect(people.map(({ changes }) => changes)).toEqual([80, 80, 80]);
  expect(new Set(nodes.map(({ hash }) => hash)).size).toBe(1);
}, 400_000);

test('what only the node had that is lost with its disk is told to its author, and said again', async () => {
  const { code, out, err } = await run(['--rounds', '90', '--lose', '--json']);
  expect({ code, err, out: code === 0 ? '' : out }).toEqual({ code: 0, err: '', out: '' });
  const { people, problems } = JSON.parse(out) as {
    readonly people: readonly { readonly lost: number; readonly again: number }[];
    readonly problems: readonly string[];
  };
  expect(problems).toEqual([]);
  const [, ben] = people;
  expect(ben!.lost).toBeGreaterThan(0);
  expect(ben!.again).toBeGreaterThan(0);
}, 400_000);

test.each([
  [['--loud'], 2],
  [['--rounds', '0'], 2],
  [['more'], 2],
])(
  '%j ends with %i',
  async (args, code) => {
    expect(await run(args)).toMatchObject({ code, out: '' });
  },
  60_000,
);
