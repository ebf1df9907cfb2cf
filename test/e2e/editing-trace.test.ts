/** What somebody typed, in a document on three real nodes of which one dies. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { runProgram } from '../support/run-program.js';

const run = (args: readonly string[]) => runProgram('dist-tools/examples/editing-trace/main.js', args);

test('all nodes and followers have the text that the changes give in the end', async () => {
  const { code, out, err } = await run(['--changes', '400', '--json']);
  expect({ code, err: err.replace(/^editing-trace: the test data is not here.*\n/, '') }).toEqual({
    code: 0,
    err: '',
  });
  expect(JSON.parse(out)).toMatchObject({ changes: 400, isRecorded: false, version: 401, problems: [] });
}, 400_000);

/** A trace of our own, of the same form. */
function traceFile(endContent: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'ringlog-trace-'));
  folders.push(folder);
  const edits = [
    [[0, 0, 'Grüße "']],
    [[7, 0, '🌍\\']],
    [
      [0, 5, 'Hello'],
      [9, 1, '!'],
    ],
    [[6, 1, '']],
  ];
  const file = join(folder, 'trace.json.gz');
  const txns = edits.map((patches) => ({ time: '2026-11-27T00:00:00Z', patches }));
  writeFileSync(file, gzipSync(JSON.stringify({ startContent: '', endContent, txns })));
  return file;
}

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

test('of a whole trace it is the text recorded with it that all must have', async () => {
  const { code, out, err } = await run([traceFile('Hello 🌍!'), '--json']);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(JSON.parse(out)).toMatchObject({
    changes: 4,
    bytes: 11,
    isRecorded: true,
    version: 5,
    problems: [],
  });
}, 400_000);

test('a trace whose edits give another text than the recorded one is refused', async () => {
  expect(await run([traceFile('Hello 🌍?')])).toMatchObject({ code: 2, out: '' });
}, 60_000);

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
