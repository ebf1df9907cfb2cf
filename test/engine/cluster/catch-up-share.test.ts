/** What other homes catch up by takes a share of a node's time while publishes need it. */
import { expect, test } from 'vitest';
import { encodeContent } from '../../../src/log/content-wire.js';
import { admin } from '../harness.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';

const content = encodeContent({ payload: new Uint8Array(100).fill(65) });
const channels = Array.from({ length: 20 }, (_, i) => `room:${i}`);
const lookMs = 10;
const pollMs = 20;
const limitMs = 30_000;

interface Caught {
  readonly world: ClusterWorld;
  readonly tookMs: number;
  /** What a publish took, at most; virtual milliseconds. */
  readonly publishMs: number;
}

/** One of three is back and lacks the entries of many channels, which nobody uses. */
async function caughtUp(load: 'none' | 'publishes'): Promise<Caught> {
  const world = await ClusterWorld.start({ nodes: 3, lookMs, catchUpShare: 0.25 });
  const [a, , c] = world.nodes as [TestNode, TestNode, TestNode];
  c.kill();
  await world.pass(3_000);
  for (const channel of [...channels, 'live']) await publish(world, a, channel);
  const publishing = { isOver: load === 'none', mostMs: 0 };
  const next = async (): Promise<void> => {
    if (publishing.isOver) return;
    const begun = world.clock.monotonicMs();
    const [result] = await a.engine.publish(admin, 'default', [
      { type: 'publish', channel: 'live', content },
    ]);
    expect(result!.ok).toBe(true);
    publishing.mostMs = Math.max(publishing.mostMs, world.clock.monotonicMs() - begun);
    world.clock.after(pollMs, () => void next());
  };
  void next();
  await world.pass(500);
  await world.run(c.start(false));
  const begun = world.clock.monotonicMs();
  while ((await lackedBy(world, c)) > 0 && world.clock.monotonicMs() < begun + limitMs)
    await world.pass(pollMs);
  const tookMs = world.clock.monotonicMs() - begun;
  publishing.isOver = true;
  await world.pass(3_000);
  return { world, tookMs, publishMs: publishing.mostMs };
}

async function publish(world: ClusterWorld, node: TestNode, channel: string): Promise<void> {
  const [result] = await world.run(
    node.engine.publish(admin, 'default', [{ type: 'publish', channel, content }]),
  );
  expect(result!.ok).toBe(true);
}

async function lackedBy(world: ClusterWorld, node: TestNode): Promise<number> {
  const page = await world.run(node.engine.channels('default', { limit: 1_000 }));
  if (!page.ok) return channels.length;
  const held = new Set<string>(page.value.filter(({ entries }) => entries > 0).map(({ ref }) => ref.channel));
  return channels.filter((channel) => !held.has(channel)).length;
}

test('while publishes need a node, what it gives to one that catches up takes a share of its time', async () => {
  const { world, tookMs, publishMs } = await caughtUp('publishes');
  expect(tookMs).toBeLessThan(limitMs);
  // Each of them is looked at before and after it is read, and a rest is three times as long.
  expect(tookMs).toBeGreaterThan(channels.length * 3 * lookMs);
  expect(publishMs).toBeLessThan(3 * lookMs);
  for (const channel of ['live', ...channels]) expect((await world.digests(channel)).size).toBe(1);
});

test('while nobody publishes nothing rests', async () => {
  const { tookMs } = await caughtUp('none');
  expect(tookMs).toBeLessThan(channels.length * lookMs);
});
