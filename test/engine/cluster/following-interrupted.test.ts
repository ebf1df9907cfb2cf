/** Followed channels through whatever happens: homes that go away, state that does not fit, nodes that are slow, stops. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/base/limits.js';
import { RemoteUnavailableError } from '../../../src/engine/cluster/following.js';
import { order, room, short } from './following-edge.js';
import { FollowingWorld } from './following-world.js';

function make(homes = 2) {
  const world = new FollowingWorld(homes);
  const [one, two] = world.homes;
  return { world, edge: world.edge, one: one!, two: two!, homes: world.homes };
}

describe('when the home goes away', () => {
  test('another one goes on where it was', async () => {
    const { world, edge, one, two } = make();
    one.publish(4);
    two.copyFrom(one);
    const reader = await world.run(edge.read());
    await world.pass(30);
    one.publish(2);
    two.copyFrom(one);
    await world.pass(5);
    world.peers.cut(edge.peer, one.peer);
    await world.pass(20);
    expect(edge.replaced).toBe(1);
    two.publish(2);
    await world.pass(20);
    expect(reader.had).toEqual(order(two.log));
    expect(reader.had.length).toBe(8);
    expect([edge.lost, reader.gaps, reader.faults]).toEqual([[], [], []]);
  });

  test('the next one fetches what it lacks before it answers', async () => {
    const { world, edge, one, two } = make();
    one.publish(4);
    const reader = await world.run(edge.read());
    await world.pass(30);
    two.fetch = async (dots) => {
      await world.peers.clock.sleep(30);
      two.copyFrom(one);
      return two.lacking(dots);
    };
    world.peers.cut(edge.peer, one.peer);
    await world.pass(20);
    expect(edge.replaced).toBe(0);
    await world.pass(50);
    expect(edge.replaced).toBe(1);
    two.publish();
    await world.pass(20);
    expect(reader.had).toEqual(order(two.log));
  });

  test('a home that does not get what it lacks does not answer, and no such answer is taken', async () => {
    const { world, edge, one, two } = make();
    one.publish(4);
    await world.run(edge.read());
    two.fetch = () => Promise.resolve({ type: 'held' });
    world.peers.cut(edge.peer, one.peer);
    await world.pass(200);
    expect([world.count('following'), edge.replaced]).toEqual([1, 0]);
    two.fetch = () => new Promise(() => undefined);
    await world.pass(300);
    const last = world.peers.told.findLast(({ message }) => message.type === 'follow')!.message;
    const answer = {
      type: 'following',
      id: last.type === 'follow' ? last.id : 0,
      lost: [],
      unknown: [],
      signals: [],
    } as const;
    two.peer.tell(edge.peer.self, { ...answer, log: two.log.encode() });
    two.peer.tell(edge.peer.self, { ...answer, log: new Uint8Array([1, 2, 3]) });
    await world.pass(100);
    expect(edge.replaced).toBe(0);
    two.fetch = () => {
      two.copyFrom(one);
      return Promise.resolve({ type: 'held' });
    };
    await world.pass(2_000);
    expect(edge.replaced).toBe(1);
  });

  test('what no home has any more is told, and the rest goes on', async () => {
    const { world, edge, one, two } = make();
    one.publish(3);
    two.copyFrom(one);
    const reader = await world.run(edge.read());
    await world.pass(30);
    const tip = one.write(2);
    one.tell(tip);
    await world.pass(5);
    expect(reader.had.length).toBe(5);
    world.peers.cut(edge.peer, one.peer);
    await world.pass(20);
    expect(edge.lost.map(short)).toEqual(['1.5']);
    expect(reader.gaps).toEqual(['lost 5']);
    two.publish(2);
    await world.pass(20);
    expect(reader.had).toEqual(['1.1', '1.2', '1.3', '1.4', '1.5', '2.1', '2.2']);
    // It is not asked for again.
    world.acts(two);
    world.peers.linkAll();
    world.peers.cut(edge.peer, two.peer);
    one.copyFrom(two);
    await world.pass(50);
    expect(edge.lost.map(short)).toEqual(['1.5']);
  });

  test('what a home may have that cannot be reached does not keep others waiting', async () => {
    const { world, edge, one, two } = make();
    one.publish(3);
    two.copyFrom(one);
    const reader = await world.run(edge.read());
    await world.pass(30);
    one.tell(one.write(2));
    await world.pass(20);
    expect(reader.had.length).toBe(5);
    two.fetch = async () => {
      await world.peers.clock.sleep(2_000);
      return { type: 'unknown' };
    };
    world.peers.cut(edge.peer, one.peer);
    await world.pass(1_900);
    expect(edge.replaced).toBe(0);
    await world.pass(200);
    expect([edge.replaced, edge.unknown.map(short), edge.lost]).toEqual([1, ['1.5'], []]);
    two.publish();
    await world.pass(20);
    expect(order(edge.remote.peek(room)!)).toEqual(order(two.log));
  });

  test.each([0.2, 1.2, 1.8, 2.4, 3.2, 4.5])(
    'opening goes on elsewhere (%d ms after it began)',
    async (ms) => {
      const { world, edge, one, two } = make();
      one.publish(4);
      one.write(2);
      two.copyFrom(one);
      const opening = edge.read();
      await world.pass(ms);
      world.peers.cut(edge.peer, one.peer);
      const reader = await world.run(opening);
      two.publish(2);
      await world.pass(50);
      expect(reader.had).toEqual(order(two.log));
      expect(reader.faults).toEqual([]);
    },
  );

  test('a read that is under way is asked of the next one', async () => {
    const { world, edge, one, two } = make();
    one.publish(10);
    two.copyFrom(one);
    await world.run(edge.remote.open(room));
    const reading = edge.remote.read(room, [{ writer: one.writer, firstSeq: 3, count: 4 }], 10_000);
    await world.pass(1.5);
    world.peers.cut(edge.peer, one.peer);
    const { slices, missing } = await world.run(reading);
    expect(slices.map(({ firstSeq }) => firstSeq)).toEqual([3, 4, 5, 6]);
    expect(missing).toEqual([]);
  });

  test('a read of what the next one does not have fails', async () => {
    const { world, edge, one, two } = make();
    one.publish(3);
    two.copyFrom(one);
    one.write(5);
    await world.run(edge.remote.open(room));
    const reading = edge.remote.read(room, [{ writer: one.writer, firstSeq: 5, count: 2 }], 10_000);
    world.peers.cut(edge.peer, one.peer);
    await expect(world.run(reading)).rejects.toThrow(RemoteUnavailableError);
  });

  test('a home that says it is none any more is left', async () => {
    const { world, edge, one, two } = make();
    one.publish(4);
    two.copyFrom(one);
    const reader = await world.run(edge.read());
    await world.pass(30);
    for (const node of world.peers.nodes.values()) node.homes.set('*', [two.peer.self]);
    world.acts(two);
    one.followers.changed(room);
    await world.pass(20);
    two.publish();
    await world.pass(20);
    expect(reader.had).toEqual(order(two.log));
    expect([one.held, two.held]).toEqual([0, 1]);
  });

  test('and comes back, its entries are not delivered twice', async () => {
    const { world, edge, one } = make(1);
    one.publish(4);
    const reader = await world.run(edge.read());
    await world.pass(30);
    world.peers.cut(edge.peer, one.peer);
    one.publish(3);
    await world.pass(700);
    expect(reader.had.length).toBe(4);
    world.peers.linkAll();
    await world.pass(limits.followPauseMsMax + 50);
    expect(reader.had).toEqual(order(one.log));
    expect(reader.faults).toEqual([]);
  });

  test('a store that failed is followed anew', async () => {
    const { world, edge, one } = make(1);
    one.publish(4);
    const reader = await world.run(edge.read());
    await world.pass(30);
    one.followers.endAll();
    one.publish(2);
    await world.pass(100);
    expect(reader.had).toEqual(order(one.log));
    expect(edge.replaced).toBe(1);
  });
});

test('a home whose runs do not follow is followed anew from its state', async () => {
  const { world, edge, one } = make(1);
  one.publish(4);
  const reader = await world.run(edge.read());
  await world.pass(30);
  // A run that its followers are not told of.
  one.tellsNobody = true;
  one.write(1);
  one.tellsNobody = false;
  one.publish(1);
  await world.pass(100);
  expect(reader.had).toEqual(order(one.log));
  expect(edge.replaced).toBe(1);
});

describe('a node that takes in too little', () => {
  test('is sent no more, and comes back for the rest', async () => {
    const { world, edge, one } = make(1);
    one.publish(2);
    const reader = await world.run(edge.read());
    await world.pass(30);
    world.peers.delayMs = () => 200;
    for (let i = 0; i < 24; i++) one.commit(one.write(1, undefined, 1_000_000));
    expect(one.followers.has(room)).toBe(false);
    world.peers.delayMs = () => 1;
    await world.pass(2_000);
    expect(reader.had).toEqual(order(one.log));
    expect(reader.faults).toEqual([]);
    expect(edge.replaced).toBeGreaterThan(0);
  });

  test('is not served anew before it has taken in most of it', async () => {
    const { world, one } = make(1);
    const slow = world.peers.node('f');
    world.peers.linkAll();
    const told: string[] = [];
    slow.handler = {
      received: (_, message) => void (message.type === 'followed' || told.push(message.type)),
      unlinked: () => undefined,
    };
    for (const node of world.peers.nodes.values()) node.homes.set('*', [one.peer.self]);
    const follow = { type: 'follow', ref: room, what: 'log', covers: [] } as const;
    slow.tell(one.peer.self, { ...follow, id: 1 });
    await world.pass(10);
    for (let i = 0; i < 20; i++) {
      one.write(1, undefined, 1_000_000);
      await world.pass(3);
    }
    slow.tell(one.peer.self, { ...follow, id: 2 });
    await world.pass(10);
    expect(told).toEqual(['following', 'followEnded', 'followEnded']);
    slow.tell(one.peer.self, { type: 'took', bytes: 12_000_000 });
    slow.tell(one.peer.self, { ...follow, id: 3 });
    await world.pass(10);
    expect(told.at(-1)).toBe('following');
  });

  test('is not ended as long as it keeps up', async () => {
    const { world, edge, one } = make(1);
    const reader = await world.run(edge.read());
    for (let i = 0; i < 40; i++) {
      one.commit(one.write(1, undefined, 1_000_000));
      await world.pass(5);
    }
    expect(reader.had.length).toBe(40);
    expect(edge.replaced).toBe(0);
  });
});

test('questions are few at a time, and all are answered', async () => {
  const { world, edge, one } = make(1);
  one.publish(200);
  await world.run(edge.remote.open(room));
  const reads = Array.from({ length: 150 }, (_, i) =>
    edge.remote.read(room, [{ writer: one.writer, firstSeq: i + 1, count: 1 }], 1_000),
  );
  await world.pass(2.5);
  expect(one.reads).toBe(limits.peerQuestionsMax);
  const answers = await world.run(Promise.all(reads));
  expect(answers.map(({ slices }) => slices[0]!.firstSeq)).toEqual(reads.map((_, i) => i + 1));
});

test('a stop ends follows on both sides, and whatever waits', async () => {
  const { world, edge, one } = make(1);
  one.publish(3);
  await world.run(edge.remote.open(room));
  one.readMs = 1e6;
  const reading = edge.remote.read(room, [{ writer: one.writer, firstSeq: 1, count: 1 }], 1_000);
  await world.pass(5);
  edge.remote.stop();
  await expect(world.run(reading)).rejects.toThrow(RemoteUnavailableError);
  await expect(world.run(edge.remote.open(room))).rejects.toThrow(RemoteUnavailableError);
  await world.pass(5);
  expect(one.held).toBe(0);
  one.followers.stop();
});

test('whatever happens to links and homes, a reader gets every entry once and in order', async () => {
  const violations: string[] = [];
  for (let seed = 1; seed <= 40; seed++) violations.push(...(await runStory(seed)));
  expect(violations).toEqual([]);
});

async function runStory(seed: number): Promise<string[]> {
  const { world, edge, homes } = make(3);
  const { peers } = world;
  const random = peers.random;
  for (let i = 0; i < seed; i++) random.next();
  const integer = (below: number) => Math.floor(random.next() * below);
  peers.delayMs = () => integer(6);
  let owner = homes[0]!;
  for (const home of homes) {
    home.fetch = async (dots) => {
      await peers.clock.sleep(integer(20));
      for (const other of homes) if (other !== home) home.copyFrom(other);
      return home.lacking(dots);
    };
  }
  owner.publish(3);
  const reader = await world.run(edge.read());
  for (let step = 0; step < 120; step++) {
    const chance = integer(12);
    if (chance < 2) owner.publish(1 + integer(3));
    else if (chance < 4) owner.tell(owner.write(1 + integer(2)));
    else if (chance < 6) homes[integer(3)]!.copyFrom(owner);
    else if (chance < 7) {
      const next = homes[integer(3)]!;
      next.copyFrom(owner);
      next.round = owner.round + 1;
      owner = next;
      world.acts(owner);
    } else if (chance < 8) peers.cut(edge.peer, homes[integer(3)]!.peer);
    else if (chance < 9) peers.linkAll();
    else if (chance < 10) homes[integer(3)]!.followers.endAll();
    else await world.pass(integer(40));
  }
  owner.publish();
  for (const home of homes) home.copyFrom(owner);
  peers.linkAll();
  await world.pass(3_000);
  const faults = [...reader.faults, ...reader.gaps, ...edge.lost.map(short)];
  const isWhole = reader.had.join() === order(owner.log).join();
  return [
    ...faults,
    ...(isWhole ? [] : [`story ${seed}: ${reader.had.join()} of ${order(owner.log).join()}`]),
  ];
}
