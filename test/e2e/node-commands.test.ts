/** What operators do to a cluster by commands: a key, a list, letting nodes go. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import type { ClusterJson } from '../../src/cli/node-command.js';
import { connect } from '../../src/client/index.js';
import { freePort } from '../support/free-port.js';
import { NodeProcess } from '../support/node-process.js';
import { ringlogAt } from '../support/ringlog-at.js';
import { areTogether } from '../support/rings.js';
import { runProgram } from '../support/run-program.js';

/** Many starts of real processes: on a busy machine each takes its time. */
const limitMs = 800_000;
vi.setConfig({ testTimeout: limitMs, hookTimeout: limitMs });

const nodes: NodeProcess[] = [];
const folder = mkdtempSync(join(tmpdir(), 'ringlog-key-'));
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.remove()));
  rmSync(folder, { recursive: true, force: true });
});

async function until<T>(look: () => Promise<T | false>, what: string): Promise<T> {
  const end = performance.now() + limitMs / 4;
  for (;;) {
    const found = await look().catch(() => false as const);
    if (found !== false) return found;
    if (performance.now() > end) throw new Error(`${what}\n${nodes.map(({ output }) => output).join('\n')}`);
    await pause(200);
  }
}

async function listedAt(node: NodeProcess): Promise<ClusterJson> {
  const { code, out, err } = await ringlogAt(node, 'node', 'list', '--json');
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out) as ClusterJson;
}

const membersOf = ({ ring }: ClusterJson): string[] => (ring?.members ?? []).map(({ node }) => node).sort();

/** `key new`, in a file. */
async function newKey(name: string): Promise<string> {
  const { code, out, err } = await runProgram('dist/cli/main.js', ['key', 'new']);
  expect([code, err, out.split('\n').length]).toEqual([0, '', 2]);
  const path = join(folder, name);
  writeFileSync(path, out, { mode: 0o600 });
  return path;
}

test('a key is made, nodes with it are listed, and are let go by `node drain` and `node remove`', async () => {
  const keys = [await newKey('ours'), await newKey('another')];
  const ports = await Promise.all(Array.from({ length: 5 }, () => freePort()));
  const cluster = `test-${randomBytes(6).toString('hex')}`;
  const found = ports.map((port) => `127.0.0.1:${port}`).join();
  const start = async (port: number, key: string): Promise<NodeProcess> => {
    const listen = ['--peer-listen', `127.0.0.1:${port}`, '--advertise', '127.0.0.1'];
    const args = ['--join', found, ...listen, '--cluster-key-file', key];
    const node = await NodeProcess.start({ cluster, args });
    nodes.push(node);
    return node;
  };
  const all = await Promise.all(ports.slice(0, 4).map((port) => start(port, keys[0]!)));
  const [a, b, c, d] = all as [NodeProcess, NodeProcess, NodeProcess, NodeProcess];
  // Two keys make two clusters.
  const other = await start(ports[4]!, keys[1]!);
  await until(async () => await areTogether(all), 'four are one ring');
  const ids = new Map<NodeProcess, string>();
  for (const node of all) ids.set(node, (await listedAt(node)).node);
  const listed = await listedAt(a);
  expect(membersOf(listed)).toEqual([...ids.values()].sort());
  expect(listed.ring!.members.map(({ state }) => state)).toEqual(Array(4).fill('active'));
  expect(membersOf(await listedAt(other))).not.toContain(ids.get(a));

  const client = connect(a.url);
  try {
    for (let i = 0; i < 40; i++) await client.publish(`room:${i % 10}`, { i });
  } finally {
    await client.close();
  }
  const unknown = await ringlogAt(a, 'node', 'drain', 'nobody');
  expect([unknown.code, unknown.err.includes('`ringlog node list` shows them')]).toEqual([2, true]);

  // One that is there gives away what it holds, and then is listed no more.
  const drained = await ringlogAt(b, 'node', 'drain', ids.get(a)!, '--json');
  expect([drained.code, drained.err]).toEqual([0, '']);
  const withoutA = [b, c, d].map((node) => ids.get(node)!).sort();
  await until(async () => {
    const now = await listedAt(b);
    return now.ring?.change === undefined && membersOf(now).join() === withoutA.join();
  }, 'it is listed no more');
  expect((await a.stop()).code).toBe(0);

  // One that does not come back.
  await c.kill();
  const removed = await ringlogAt(b, 'node', 'remove', ids.get(c)!.slice(0, 12), '--json');
  expect([removed.code, removed.err]).toEqual([0, '']);
  const left = [b, d].map((node) => ids.get(node)!).sort();
  await until(async () => {
    const now = await listedAt(d);
    return now.ring?.change === undefined && membersOf(now).join() === left.join();
  }, 'it is listed no more');

  // Nothing went with them.
  const entries = async (): Promise<number> => {
    const counts = Array.from({ length: 10 }, async (_, i) => {
      const answer = await fetch(`${d.url}/v1/hubs/default/channels/room:${i}/history?limit=1000`);
      const page = (await answer.json()) as { entries: { kind: string }[] };
      return page.entries.filter(({ kind }) => kind === 'publish').length;
    });
    return (await Promise.all(counts)).reduce((sum, count) => sum + count);
  };
  await until(async () => (await entries()) === 40, 'all is there');
});
