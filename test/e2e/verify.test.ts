/** `ringlog verify` over real processes and their disks. */
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

async function startThree(...args: string[]): Promise<[NodeProcess, NodeProcess, NodeProcess]> {
  const ports = [await freePort(), await freePort(), await freePort()];
  const found = ports.map((port) => `127.0.0.1:${port}`).join();
  const cluster = `test-${randomBytes(6).toString('hex')}`;
  const started = ports.map((port) =>
    NodeProcess.start({
      cluster,
      args: ['--join', found, '--peer-listen', `127.0.0.1:${port}`, ...args],
    }),
  );
  const all = await Promise.all(started);
  nodes.push(...all);
  return all as [NodeProcess, NodeProcess, NodeProcess];
}

test('proves that all nodes hold the same, and says so of none that cannot be reached', async () => {
  const all = await startThree();
  const [a, b, c] = all;
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

/** Flips a bit of that text on the disk of a node that is stopped; so often it stands there. */
function damage(node: NodeProcess, text: string): number {
  let found = 0;
  for (const name of readdirSync(node.segmentsPath)) {
    const path = join(node.segmentsPath, name);
    const bytes = readFileSync(path);
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) {
      bytes[at]! ^= 1;
      found++;
    }
    writeFileSync(path, bytes);
  }
  return found;
}

test('names a copy that is damaged, and --repair mends it', async () => {
  // What is damaged is also found and mended in the background: not before somebody asks.
  const [a, b, c] = await startThree('--storage-maintenance-interval-ms', '40000');
  const client = connect(a.url);
  try {
    for (let i = 0; i < 60; i++) await client.publish(`room:${i % 6}`, { text: `of ${i} only` });
  } finally {
    await client.close();
  }
  const becomesEqual = async (): Promise<VerifyJson> => {
    for (;;) {
      const { told } = await verified(a);
      if (told.equal && told.homes.length === 3) return told;
      await pause(200);
    }
  };
  const before = await becomesEqual();
  const idOfB = JSON.parse(readFileSync(join(b.dataPath, 'node.json'), 'utf8')) as { nodeId: string };
  // While the node comes back it may be late, and then nothing is said to be equal.
  const named = async (): Promise<VerifyJson> => {
    for (;;) {
      const { code, told } = await verified(c);
      expect(code).toBe(told.equal ? 0 : 1);
      if (told.equal || told.homes.some(({ state }) => state === 'differs')) return told;
      await pause(200);
    }
  };
  const damagedAndNamed = async (): Promise<VerifyJson> => {
    for (;;) {
      expect((await b.stop()).code).toBe(0);
      expect(damage(b, 'of 33 only')).toBeGreaterThan(0);
      await b.start();
      const told = await named();
      // On a very busy machine the background may have come first.
      if (!told.equal) return told;
    }
  };
  const told = await damagedAndNamed();
  expect(told.differences.map(({ channel, kind }) => [channel, kind])).toEqual([['room:3', 'unreadable']]);
  expect(told.differences[0]!.homes).toContain(idOfB.nodeId);
  const repaired = async (): Promise<VerifyJson> => {
    for (;;) {
      const { code, out } = await ringlogAt(a, 'verify', '--repair', '--json');
      if (code === 0) return JSON.parse(out) as VerifyJson;
    }
  };
  expect((await repaired()).equal).toBe(true);
  const after = await becomesEqual();
  expect([after.channels, after.entries >= before.entries, after.differences]).toEqual([6, true, []]);
});
