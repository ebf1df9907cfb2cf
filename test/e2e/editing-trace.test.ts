/** What somebody typed, in a document on three real nodes of which one dies. */
import { expect, test } from 'vitest';
import { runProgram } from '../support/run-program.js';

const run = (args: readonly string[]) => runProgram('dist-tools/examples/editing-trace/main.js', args);

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
