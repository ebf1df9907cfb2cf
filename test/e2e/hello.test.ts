/** The example a newcomer reads first does what it says. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { projectRoot } from '../support/project-root.js';

test('examples/hello goes on where it was after the node was stopped and started', async () => {
  const program = join(projectRoot(), 'dist-tools/examples/hello.js');
  const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 30_000 });
  const lines = stdout.trim().split('\n');
  expect(lines[0]).toMatch(/^published [0-9a-f]{24}-1: level quorum, copies 1$/);
  expect(lines.slice(1)).toEqual([
    "first reader: { text: 'hello' }",
    'the node was stopped and started again',
    "second reader: { text: 'how are you?' }",
    "second reader: { text: 'good bye' }",
  ]);
});
