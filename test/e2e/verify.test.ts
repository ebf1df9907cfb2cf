/** `ringlog verify` over real processes and their disks. */
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import type { VerifyJson } from '../../src/cli/verify-pages.js';
import { connect } from '../../src/client/index.js';
import { freePort } from '../support/free-port.js';
import { NodeProcess } from '../support/node-process.js';
import { ringlogAt } from '../support/ringlog-at.js';

/** Many starts of real processes: on a busy machine each takes its time. */
const limitMs = 400_000;
vi.setConfig({ testTimeout: limitMs, hookTimeout: limitMs });

const nodes: NodeProcess[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.remove()));
});

async function verified(node: NodeProcess): Promise<{ code: number | null; told: VerifyJson }> {
  const { code, out, err } = await ringlogAt(node, 'verify', '--json');
  expect(err).toBe('');
  return { code, told: JSON.parse(out) as VerifyJson };
}

test('proves that all nodes hold the same, and says so of none that cannot be reached', async () => {
  const ports = [await freePort(), await freePort(), await freePort()];
  const found = ports.map((port) => `127.0.0.1:${port}`).join();
  const cluster = `test-${randomBytes(6).toString('hex')}`;
  const started = ports.map((port) =>
    NodeProcess.start({ cluster, args: ['--join', found, '--peer-listen', `127.0.0.1:${port}`] }),
  );
  const all = await Promise.all(started);
  nodes.push(...all);
  const [a, b, c] = all as [NodeProcess, NodeProcess, NodeProcess];
  const client = connect(a.url);
  try {
    for (let i = 0; i < 200; i++) await client.publish(`room:${i % 20}`, { i });
  } finally {
    await client.close();
  }
  // Once all three are one ring that has settled, and until then what is not known to be equal is not said to be.
  const clean = async (node: NodeProcess): Promise<VerifyJson> => {
    for (;;) {
      const { code, told } = await verified(node);
      expect(code).toBe(told.equal ? 0 : 1);
      if (told.equal && told.homes.length === 3) return told;
      await pause(200);
    }
  };
  for (const node of all) {
    const { channels, entries, homes, differences } = await clean(node);
    expect([channels, entries >= 200, differences]).toEqual([20, true, []]);
    expect(homes.map(({ state }) => state)).toEqual(['equal', 'equal', 'equal']);
  }
  expect((await ringlogAt(a, 'verify', '--after', 'nowhere')).err).toContain('`after`');

  await b.kill();
  const without = async (): Promise<VerifyJson> => {
    for (;;) {
      const { code, told } = await verified(c);
      expect([code, told.equal]).toEqual([1, false]);
      if (told.homes.some(({ state }) => state === 'unreachable')) return told;
    }
  };
  expect((await without()).homes.map(({ state }) => state).sort()).toEqual(['equal', 'equal', 'unreachable']);
  await b.start();
  await clean(c);
});
