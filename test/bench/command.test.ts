import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NodeProcess } from '../support/node-process.js';
import { projectRoot } from '../support/project-root.js';

const limitMs = 120_000;

interface Line {
  readonly measured: string;
  readonly perSecond: number;
  readonly operations: number;
}

describe('ringlog bench', () => {
  let node: NodeProcess;
  beforeAll(async () => void (node = await NodeProcess.start()), limitMs);
  afterAll(() => node.remove());

  test(
    'tells publishes and both kinds of deliveries, a line of JSON each in a pipe',
    { timeout: limitMs },
    async () => {
      const sizes = ['--seconds', '1', '--subscribers', '5', '--in-flight', '8', '--connections', '2'];
      const { code, stdout } = await ringlogBench(['--url', node.url, ...sizes]);
      expect(code).toBe(0);
      const lines = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Line);
      expect(lines.map(({ measured }) => measured)).toEqual([
        'published',
        'delivered entries',
        'delivered signals',
      ]);
      for (const { operations } of lines) expect(operations).toBeGreaterThan(0);
    },
  );

  test('leaves a node elsewhere alone unless it is told to', async () => {
    const { code, stderr } = await ringlogBench(['--url', 'http://192.0.2.1:8080']);
    expect(code).toBe(2);
    expect(stderr).toMatch('--yes');
  });

  test('says what is wrong with a number', async () => {
    const { code, stderr } = await ringlogBench(['--url', node.url, '--in-flight', 'many']);
    expect(code).toBe(2);
    expect(stderr).toMatch('--in-flight takes a whole number');
  });

  test('says when nobody is there', async () => {
    const { code, stderr } = await ringlogBench(['--url', 'http://127.0.0.1:1']);
    expect(code).toBe(3);
    expect(stderr).toMatch('No node answers');
  });
});

function ringlogBench(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = join(projectRoot(), 'dist/cli/main.js');
  return new Promise((resolve) => {
    execFile(process.execPath, [command, 'bench', ...args], { timeout: limitMs }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
    );
  });
}
