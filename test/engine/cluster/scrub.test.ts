/** Homes that compare what they hold: what one missed it gets although nobody uses the channel, and what is wrong is told. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/base/limits.js';
import type { VerifyReport } from '../../../src/engine/api.js';
import { TestSession, anonymous } from '../harness.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';
import { filledWorld } from './filled-world.js';

async function restartAll(world: ClusterWorld): Promise<void> {
  for (const node of world.nodes) await world.run(node.engine.stop());
  await world.run(Promise.all(world.nodes.map((node) => node.start(false))));
}

function isStored({ disk }: TestNode, text: string): boolean {
  return [...disk.names.files()].some(
    ([path, { data }]) => path.includes('segments') && Buffer.from(data).includes(text),
  );
}

/** Flips a bit where this text is stored. */
function rot({ disk }: TestNode, text: string): void {
  for (const [path, inode] of disk.names.files()) {
    if (!path.includes('segments')) continue;
    inode.corrupt((bytes) => {
      const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(text);
      if (at >= 0) bytes[at]! ^= 1;
    });
  }
}

const alarms = (world: ClusterWorld): string[] =>
  world.nodes.flatMap(({ observations }) =>
    observations.flatMap((each) => (each.type === 'alarm' ? [each.code] : [])),
  );

async function verify(world: ClusterWorld, node: TestNode): Promise<VerifyReport> {
  return (await world.run(node.engine.cluster!.verify()))!;
}

const named = ({ peers }: VerifyReport): string[] =>
  [
    ...new Set(
      peers.flatMap(({ differences }) =>
        differences.map(({ ref: { channel }, difference }) => `${channel} ${difference}`),
      ),
    ),
  ].sort();

const names = Array.from({ length: 60 }, (_, i) => `c:${i}`);

test('homes that do not know how far they are learn what they lack, before homes compare in the background', async () => {
  const all = Object.fromEntries(names.map((name) => [name, ['x', 'y']]));
  const world = await filledWorld([all, {}, { 'c:7': ['x'], 'c:8': ['x', 'y'] }]);
  for (const node of world.nodes) {
    const report = await verify(world, node);
    expect([report.isEqual, report.peers.map(({ channels }) => channels)]).toEqual([true, [60, 60]]);
  }
  expect(alarms(world)).toEqual([]);
});

describe('in the background', () => {
  test('a home gets what it missed of channels that nobody uses', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const [a, , c] = world.nodes as [TestNode, TestNode, TestNode];
    const session = new TestSession(a as never, { principal: anonymous });
    for (const name of names) await session.publish(name, 'before');
    world.isolate(c);
    await world.pass(2_000);
    for (const name of names.slice(0, 20)) await session.publish(name, 'meanwhile');
    await session.publish('new', 'only there');
    world.mend();
    await restartAll(world);
    await world.pass(3_000 + limits.scrubSoonMs + 3_000);
    for (const name of ['c:0', 'c:19', 'c:20', 'new']) {
      expect((await world.digests(name)).size).toBe(1);
    }
    expect((await verify(world, c)).isEqual).toBe(true);
    expect(alarms(world)).toEqual([]);
  });

  test('stores that hold the same, and others that do not, both ways', async () => {
    const all = Object.fromEntries(names.map((name) => [name, ['x', 'y']]));
    const some = Object.fromEntries(names.slice(0, 50).map((name) => [name, ['x', 'y']]));
    const less = { ...all, 'c:1': ['x'], more: ['z'] };
    const world = await filledWorld([all, some, less]);
    await world.pass(limits.scrubSoonMs + 5_000);
    for (const node of world.nodes) {
      const report = await verify(world, node);
      expect([report.isEqual, named(report)]).toEqual([true, []]);
      expect(report.peers.map(({ channels, entries }) => [channels, entries >= 121])).toEqual([
        [61, true],
        [61, true],
      ]);
    }
    expect(alarms(world)).toEqual([]);
  });

  test('the same entries with other records are told, once both have read them anew', async () => {
    const all = Object.fromEntries(names.map((name) => [name, ['x', 'y']]));
    const world = await filledWorld([all, { ...all, 'c:7': ['x', 'forged'] }, all]);
    await world.pass(limits.scrubSoonMs + 5_000);
    expect(new Set(alarms(world))).toEqual(new Set(['DIGEST_DIFFERS']));
    const [, b] = world.nodes as [TestNode, TestNode, TestNode];
    expect(named(await verify(world, b))).toEqual(['c:7 content']);
  });
});

describe('a proof', () => {
  test('sees what rotted on a disk since it was summed up', async () => {
    const all = Object.fromEntries(names.map((name) => [name, ['x', `marked ${name}!`]]));
    const world = await filledWorld([all, all, all]);
    const [a, b, c] = world.nodes as [TestNode, TestNode, TestNode];
    await world.pass(limits.scrubSoonMs + 5_000);
    expect((await verify(world, a)).isEqual).toBe(true);
    rot(b, 'marked c:9!');
    expect(isStored(b, 'marked c:9!')).toBe(false);
    // The other end is asked, reads its disk anew, and may have it mended before it answers.
    const { isEqual, peers } = await verify(world, c);
    const differing = peers.flatMap(({ differences }) => differences.map(({ ref: { channel } }) => channel));
    expect(differing).toEqual(isEqual ? [] : ['c:9']);
    expect(b.observations).toContainEqual(expect.objectContaining({ type: 'damage' }));
    // It was read, and so is looked for elsewhere without anybody using the channel.
    await world.pass(5_000);
    expect((await verify(world, a)).isEqual).toBe(true);
    expect((await verify(world, b)).isEqual).toBe(true);
    expect(isStored(b, 'marked c:9!')).toBe(true);
  });

  test('tells of homes that it could not ask', async () => {
    const all = Object.fromEntries(names.map((name) => [name, ['x']]));
    const world = await filledWorld([all, all, all]);
    const [a, b] = world.nodes as [TestNode, TestNode, TestNode];
    b.kill();
    await world.pass(1_000);
    const report = await verify(world, a);
    expect(report.isEqual).toBe(false);
    expect(report.peers.map(({ state }) => state).sort()).toEqual(['compared', 'unreachable']);
  });

  test('while somebody publishes: what only grows is not said to differ', async () => {
    const all = Object.fromEntries(names.map((name) => [name, ['x']]));
    const world = await filledWorld([all, all, all]);
    const [a] = world.nodes as [TestNode, TestNode, TestNode];
    const session = new TestSession(a as never, { principal: anonymous });
    let isOver = false;
    const publishing = (async () => {
      for (let i = 0; !isOver && i < 2_000; i++) {
        session.sendText(JSON.stringify({ publish: { channel: `c:${i % 3}`, data: i } }));
        await world.clock.sleep(7);
      }
    })();
    const report = await verify(world, a);
    isOver = true;
    await world.run(publishing);
    expect([report.isEqual, named(report)]).toEqual([true, []]);
  });
});
