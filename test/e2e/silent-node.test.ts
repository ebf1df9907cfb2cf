/** A node whose machine falls silent closes nothing and refuses nothing: its system goes on taking what is sent. A stopped process is
 *  just that. */
import { afterEach, expect, test, vi } from 'vitest';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type Client, connect } from '../../src/client/index.js';
import { NodeProcess } from '../support/node-process.js';
import { areTogether } from '../support/rings.js';

const testTimeoutMs = 400_000;
vi.setConfig({ testTimeout: testTimeoutMs, hookTimeout: testTimeoutMs });

const nodes: NodeProcess[] = [];
let client: Client | undefined;
afterEach(async () => {
  for (const node of nodes) node.signal('SIGCONT');
  await client?.close({ timeoutMs: 0 });
  await Promise.all(nodes.splice(0).map((node) => node.remove()));
});

test('a client of a node that stands still goes on at another one while that stands, with nothing lost and nothing twice', async () => {
  const cluster = `silent-${randomBytes(6).toString('hex')}`;
  for (let i = 0; i < 3; i++) nodes.push(await NodeProcess.start({ cluster }));
  while (!(await areTogether(nodes).catch(() => false))) await pause(200);
  const [first] = nodes;
  client = connect({ url: nodes.map(({ url }) => url), reconnectMaxMs: 500 });
  await client.ready();
  const before = client.session!.nodeId;
  const seen: unknown[] = [];
  client.subscribe('lobby', { start: 'beginning', onEntry: ({ data }) => seen.push(data) });
  await client.publish('lobby', 0);

  expect(first!.signal('SIGSTOP')).toBe(true);
  // Each is acknowledged although nobody let the first node go on.
  for (let i = 1; i <= 5; i++) await client.publish('lobby', i);
  expect(client.session!.nodeId).not.toBe(before);
  while (seen.length < 6) await pause(50);
  expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
});
