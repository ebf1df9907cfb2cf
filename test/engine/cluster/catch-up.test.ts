/** A node that was away gets what it missed, at the cost of that and little more. */
import { expect, test } from 'vitest';
// First: it must be there before the code that it plants bugs in.
import { plant } from '../../../simulations/replication/planting.js';
import { limits } from '../../../src/base/limits.js';
import { encodeContent } from '../../../src/log/content-wire.js';
import { admin } from '../harness.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';

interface Missed {
  readonly channels: number;
  readonly each: number;
  readonly payloadBytes: number;
}

interface Cost {
  /** Records of all channels as stored. */
  readonly stored: number;
  /** The same at the node that was away. */
  readonly held: number;
  /** What came to the node over its links. */
  readonly received: number;
}

const names = ({ channels }: Missed): string[] => Array.from({ length: channels }, (_, i) => `room:${i}`);

/** Entries are written while one of three nodes is away; then it comes back, and nobody uses the channels any more. */
async function missing(missed: Missed): Promise<{ readonly world: ClusterWorld; readonly cost: Cost }> {
  const world = await ClusterWorld.start({ nodes: 3 });
  const [a, , c] = world.nodes as [TestNode, TestNode, TestNode];
  c.kill();
  await world.pass(3_000);
  await write(world, a, missed);
  // Whoever owned and wrote starts anew: nothing is in memory that would be sent anyway.
  await world.pass(70_000);
  const stored = await storedAt(world, a);
  const before = world.wires.received.get(c) ?? 0;
  await world.run(c.start(false));
  // Before homes compare what they hold, which brings it too.
  for (let i = 0; i < 60 && (await storedAt(world, c)) < stored; i++) {
    await world.pass(100);
  }
  const held = await storedAt(world, c);
  const received = (world.wires.received.get(c) ?? 0) - before;
  return { world, cost: { stored, held, received } };
}

async function write(world: ClusterWorld, node: TestNode, missed: Missed): Promise<void> {
  const content = encodeContent({ payload: new Uint8Array(missed.payloadBytes).fill(65) });
  for (let i = 0; i < missed.each; i += 50) {
    for (const channel of names(missed)) {
      const count = Math.min(50, missed.each - i);
      const messages = Array.from({ length: count }, () => ({ type: 'publish', channel, content }) as const);
      const results = await world.run(node.engine.publish(admin, 'default', messages));
      expect(results.every(({ ok }) => ok)).toBe(true);
    }
  }
}

async function storedAt(world: ClusterWorld, node: TestNode): Promise<number> {
  let bytes = 0;
  for (let after: string | undefined; ;) {
    const limit = 1_000;
    const page = await world.run(
      node.engine.channels('default', after === undefined ? { limit } : { after, limit }),
    );
    if (!page.ok) return -1;
    for (const size of page.value) bytes += size.bytes;
    if (page.value.length < limit) return bytes;
    after = page.value.at(-1)!.ref.channel;
  }
}

test('what a node missed comes at hardly more than its size, and channels leave memory again', async () => {
  const { world, cost } = await missing({ channels: 50, each: 100, payloadBytes: 200 });
  expect(cost.held).toBe(cost.stored);
  expect(cost.received).toBeLessThan(1.1 * cost.stored);
  await world.pass(1_000);
  const [, , c] = world.nodes as [TestNode, TestNode, TestNode];
  expect(c.engine.status().channelsInMemory).toBeLessThan(10);
  for (const name of ['room:0', 'room:49']) expect((await world.digests(name)).size).toBe(1);
});

test('without it the node stays behind until homes compare what they hold (planted: no-catch-up)', async () => {
  plant('no-catch-up');
  try {
    const { world, cost } = await missing({ channels: 5, each: 10, payloadBytes: 20 });
    expect(cost.held).toBeLessThan(cost.stored);
    // Nor does it take over what it lacks, until that was waited for long enough.
    const [, , c] = world.nodes as [TestNode, TestNode, TestNode];
    const isSettled = () => c.engine.status().cluster!.settled;
    await world.pass(limits.settleMs);
    expect(isSettled()).toBe(false);
    await world.pass(limits.settleLackingMs);
    expect(isSettled()).toBe(true);
  } finally {
    plant(undefined);
  }
});

test('a node that missed nothing is asked and told little', async () => {
  const { world } = await missing({ channels: 20, each: 50, payloadBytes: 100 });
  const [a, b, c] = world.nodes as [TestNode, TestNode, TestNode];
  await world.pass(11_000);
  for (const other of [a, b]) world.wires.cut(c, other);
  await world.pass(300);
  world.mend();
  const before = world.wires.received.get(c) ?? 0;
  await world.pass(1_000);
  expect((world.wires.received.get(c) ?? 0) - before).toBeLessThan(8_000);
});
