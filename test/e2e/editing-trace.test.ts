/** What somebody typed, in a document on three real nodes of which one dies. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot } from '../support/project-root.js';

const program = join(projectRoot(), 'dist-tools/examples/editing-trace/main.js');

function run(args: readonly string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [program, ...args]);
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}

test('all nodes and followers have the recorded text in the end', async () => {
  const { code, out, err } = await run(['--changes', '400', '--json']);
  expect({ code, err: err.replace(/^editing-trace: the test data is not here.*\n/, '') }).toEqual({
    code: 0,
    err: '',
  });
  expect(JSON.parse(out)).toMatchObject({ changes: 400, version: 401, problems: [] });
}, 400_000);

test.each([
  [['--loud'], 2],
  [['--changes', '1'], 2],
  [['/no/such/file'], 2],
])(
  '%j ends with %i',
  async (args, code) => {
    expect(await run(args)).toMatchObject({ code, out: '' });
  },
  60_000,
);
