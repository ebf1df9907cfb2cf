/** Nodes that hold nothing, as real processes: what is published at one is seen at the others, whatever core falls. */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { type Client, connect } from '../../src/client/index.js';
import { freePort } from '../support/free-port.js';
import { NodeProcess } from '../support/node-process.js';
import { areTogether } from '../support/rings.js';

/** Many starts of real processes: on a busy machine each takes its time. */
const limitMs = 400_000;
vi.setConfig({ testTimeout: limitMs, hookTimeout: limitMs });

const nodes: NodeProcess[] = [];
const clients: Client[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await Promise.all(nodes.splice(0).map((node) => node.remove()));
});

async function start(...args: string[]): Promise<NodeProcess> {
  const node = await NodeProcess.start({ cluster, args: ['--join', join, ...args] });
  nodes.push(node);
  return node;
}

let cluster = '';
let join = '';

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + limitMs / 2;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`${what}\n${nodes.map(({ output }) => output).join('\n')}`);
    await pause(50);
  }
}

/** What comes to a client of that node alone. */
function listener(node: NodeProcess): { readonly client: Client; readonly seen: unknown[] } {
  const client = connect(node.url);
  clients.push(client);
  const seen: unknown[] = [];
  client.subscribe('room', { start: 'beginning', onEntry: ({ data }) => void seen.push(data) });
  return { client, seen };
}

test('what is published at an edge is seen at another, and goes on when cores are killed one after the other', async () => {
  cluster = `test-${randomBytes(6).toString('hex')}`;
  const ports = [await freePort(), await freePort(), await freePort()];
  join = ports.map((port) => `127.0.0.1:${port}`).join();
  const cores = await Promise.all(ports.map((port) => start('--peer-listen', `127.0.0.1:${port}`)));
  const edges = await Promise.all([start('--role', 'edge'), start('--role', 'edge')]);
  // Of two that wait for a third each is needed.
  await until(() => areTogether(cores).catch(() => false), 'the cores are one ring');
  const [one, two] = edges.map(listener) as [ReturnType<typeof listener>, ReturnType<typeof listener>];
  const said: string[] = [];
  const say = async (from: Client, text: string): Promise<void> => {
    // What the owner alone has may come behind what another one writes when it falls.
    await from.publish('room', text, { degrade: false });
    said.push(text);
  };
  await say(one.client, 'first');
  await say(two.client, 'second');
  for (const core of cores) {
    await core.kill();
    await say(one.client, `without ${said.length}`);
    await say(two.client, `without ${said.length}`);
    await core.start();
    await until(() => one.seen.length >= said.length, 'one has all');
  }
  await until(() => one.seen.length >= said.length && two.seen.length >= said.length, 'both have all');
  expect(one.seen).toEqual(said);
  expect(two.seen).toEqual(said);
  for (const edge of edges) {
    expect(readdirSync(edge.dataPath)).not.toContain('store');
    expect((await edge.stop()).code).toBe(0);
  }
});
