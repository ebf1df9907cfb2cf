/** The way out of a full disk, on a real one that is small: publishes are refused, a trim is forced by the command, and what
 *  it frees is published into. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { SmallDisk } from '../../simulations/chaos/small-disk.js';
import { NodeProcess } from '../support/node-process.js';
import { projectRoot } from '../support/project-root.js';

const disk = SmallDisk.mount('n1');
afterAll(() => disk?.unmount());

const payload = 'x'.repeat(600_000);

/** The status; 0 where the connection ended, as it does when the node opens its store anew. */
async function publish(node: NodeProcess, channel: string, data: unknown): Promise<number> {
  const request = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ data }),
    signal: AbortSignal.timeout(30_000),
  };
  const url = `${node.url}/v1/hubs/default/channels/${channel}/publish`;
  return await fetch(url, request).then(
    ({ status }) => status,
    () => 0,
  );
}

const isTaken = (status: number): boolean => status === 200 || status === 201;

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const late = AbortSignal.timeout(60_000);
  while (!(await condition())) {
    if (late.aborted) throw new Error(`did not happen: ${what}`);
    await pause(100);
  }
}

async function ringlog(node: NodeProcess, ...args: string[]): Promise<unknown[]> {
  const program = join(projectRoot(), 'dist/cli/main.js');
  const env = { PATH: process.env['PATH'], RINGLOG_URL: node.url, RINGLOG_DATA: node.dataPath };
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args], {
    env,
    timeout: 60_000,
  });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}

test.skipIf(disk === undefined)('a full disk is left by a forced trim, without any other space', async () => {
  const node = await NodeProcess.start({
    below: disk!.folder,
    args: ['--storage-segment-bytes', '8388608'],
  });
  try {
    for (let i = 0; i < 150; i++) {
      const isKept = i % 10 === 0;
      const one = async (): Promise<boolean> =>
        isTaken(await publish(node, isKept ? 'kept' : 'logs', isKept ? i : payload));
      await until(one, 'publishes are taken');
    }
    disk!.fill();
    await until(async () => (await publish(node, 'kept', 'refused')) === 507, 'publishes are refused');
    expect(await ringlog(node, 'channel', 'trim', '--largest', '1', '--keep', '10', '--force')).toMatchObject(
      [{ channel: 'logs', trimmed: true }],
    );
    await until(async () => isTaken(await publish(node, 'kept', 'again')), 'publishes are taken again');
    const answer = await fetch(`${node.url}/v1/hubs/default/channels/logs/history?limit=100`);
    const { gaps } = (await answer.json()) as { gaps: { reason: string }[] };
    expect(gaps.map(({ reason }) => reason)).toEqual(['forced']);
    const kept = await ringlog(node, 'log', 'kept', '--json', '--limit', '100');
    expect(kept.length).toBeGreaterThanOrEqual(16);
    // It is killed and comes back, on the same full disk.
    await node.kill();
    await node.start();
    await until(
      async () => isTaken(await publish(node, 'kept', 'after')),
      'publishes are taken after a start',
    );
  } finally {
    await node.remove();
  }
});
