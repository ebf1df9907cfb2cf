/** A session that comes back over real processes: its node is killed, and it is the same at another. */
import { afterEach, expect, test, vi } from 'vitest';
import { type Client, connect } from '../../src/client/index.js';
import { type ClusterNode, ProcessCluster } from '../../simulations/processes/cluster.js';

/** Many starts of real processes: on a busy machine each takes its time. */
const limitMs = 400_000;
vi.setConfig({ testTimeout: limitMs, hookTimeout: limitMs });

const clients: Client[] = [];
let cluster: ProcessCluster | undefined;
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close({ timeoutMs: 0 })));
  await cluster?.remove();
});

const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: limitMs / 4, interval: 50 });

test('is the same session at another node, and misses nothing', async () => {
  cluster = await ProcessCluster.start({ nodes: 3 });
  const [first, second] = cluster.nodes as [ClusterNode, ClusterNode];
  const client = connect({ url: [first.url, second.url], restore: true, reconnectMaxMs: 200 });
  const writer = connect({ url: second.url, reconnectMaxMs: 200 });
  clients.push(client, writer);
  const restored: string[] = [];
  client.on('restored', ({ sessionId }) => restored.push(sessionId));
  const numbers: unknown[] = [];
  client.subscribe('lobby', { onEntry: ({ data }) => numbers.push(data) });
  await until(() => expect(client.restoreKey).toBeDefined());
  const kept: string[] = [];
  client.on('kept', ({ channels }) => kept.push(...channels));
  client.subscribe('hall');
  await until(() => expect(kept).toContain('hall'));
  await writer.publish('lobby', 1);
  await until(() => expect(numbers).toEqual([1]));
  const before = client.session?.sessionId;
  await first.kill();
  await writer.publish('lobby', 2);
  await until(() => expect(restored).toEqual([before]));
  await writer.publish('lobby', 3);
  await until(() => expect(numbers).toEqual([1, 2, 3]));
  expect(client.session?.sessionId).toBe(before);
});
