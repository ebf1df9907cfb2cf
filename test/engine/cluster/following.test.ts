/** Channels served to sessions of a node that does not store them: readers get every entry once and in order, or are told
 *  what they do not get, whatever happens to the homes. */
import { describe, expect, test } from 'vitest';
import type { Dot } from '../../../src/base/ids.js';
import { limits } from '../../../src/base/limits.js';
import { RemoteUnavailableError } from '../../../src/engine/cluster/following.js';
import { order, room } from './following-edge.js';
import { FollowingWorld } from './following-world.js';

function make(homes = 2) {
  const world = new FollowingWorld(homes);
  const [one, two] = world.homes;
  return { world, edge: world.edge, one: one!, two: two!, homes: world.homes };
}

const signal = (byte: number) => ({ timestamp: byte, content: new Uint8Array([0x1a, 1, byte]) });

describe('a channel of another node', () => {
  test('is opened at the node that acts, once for all', async () => {
    const { world, edge, one } = make();
    one.publish(5);
    const logs = await world.run(Promise.all([1, 2, 3].map(() => edge.remote.open(room))));
    expect(new Set(logs).size).toBe(1);
    expect(logs[0]!.endPosition).toBe(5);
    expect(edge.remote.peek(room)).toBe(logs[0]);
    expect([world.count('follow'), world.count('following'), one.held]).toEqual([1, 1, 1]);
  });

  test('is read from the home, and what is new is delivered as it comes', async () => {
    const { world, edge, one } = make();
    one.publish(30);
    const reader = await world.run(edge.read());
    await world.pass(100);
    expect(reader.had.length).toBe(30);
    const reads = one.reads;
    for (let i = 0; i < 5; i++) {
      one.publish(3);
      await world.pass(3);
    }
    expect(reader.had).toEqual(order(one.log));
    expect([one.reads, edge.unread]).toEqual([reads, 0]);
  });

  test('gets all of one turn in one message', async () => {
    const { world, edge, one } = make();
    const reader = await world.run(edge.read());
    for (let i = 0; i < 20; i++) one.publish();
    await world.pass(5);
    expect(reader.had.length).toBe(20);
    expect(world.count('followed')).toBe(1);
    expect(world.count('took')).toBe(1);
  });

  test('does not miss what is stored and committed while it is opened', async () => {
    const { world, edge, one } = make();
    one.openMs = 3;
    const opening = edge.read();
    for (let i = 0; i < 12; i++) {
      one.publish(2);
      await world.pass(0.5);
    }
    const reader = await world.run(opening);
    await world.pass(50);
    expect(reader.had).toEqual(order(one.log));
    expect(edge.replaced).toBe(0);
  });

  test('has the records of what was not committed when it was opened', async () => {
    const { world, edge, one } = make();
    one.publish(2);
    const tail = one.write(3);
    const reader = await world.run(edge.read());
    await world.pass(20);
    expect(reader.had.length).toBe(2);
    one.commit(tail);
    await world.pass(5);
    expect(reader.had).toEqual(order(one.log));
    expect(edge.unread).toBe(0);
  });

  test('applies trims, those that were not committed when it was opened too', async () => {
    const { world, edge, one } = make();
    one.publish(10);
    const trim = one.log.trimAt(4)!;
    const at = one.write(1, 4);
    const log = await world.run(edge.remote.open(room));
    await world.pass(20);
    expect(log.firstPosition).toBe(0);
    one.commit(at);
    one.log.applyTrim(trim, 0);
    await world.pass(5);
    expect([log.firstPosition, log.floors]).toEqual([4, one.log.floors]);
    one.trimTo(7);
    await world.pass(5);
    expect(log.floors).toEqual(one.log.floors);
  });

  test('delivers before it is committed what the home delivers so', async () => {
    const { world, edge, one } = make();
    one.publish(2);
    const reader = await world.run(edge.read());
    await world.pass(20);
    one.tell(one.write(2));
    await world.pass(5);
    expect(reader.had).toEqual(['1.1', '1.2', '1.3', '1.4']);
    one.publish();
    await world.pass(5);
    expect(reader.had).toEqual(order(one.log));
  });

  test('tells the first entries since a time', async () => {
    const { world, edge, one } = make();
    one.publish(5);
    await world.run(edge.remote.open(room));
    const vector = await world.run(edge.remote.seqsSince(room, 31));
    expect(Object.fromEntries(vector)).toEqual({ [one.writer]: 4 });
  });

  test('is let go a while after nobody uses it, and found again before', async () => {
    const { world, edge, one } = make();
    await world.run(edge.remote.open(room));
    edge.remote.release(room);
    await world.pass(limits.followIdleMs / 2);
    await world.run(edge.remote.open(room));
    await world.pass(limits.followIdleMs * 2);
    expect([edge.remote.size, one.held, world.count('follow')]).toEqual([1, 1, 1]);
    edge.remote.release(room);
    await world.pass(limits.followIdleMs + 50);
    expect([edge.remote.size, one.held, world.count('unfollow')]).toEqual([0, 0, 1]);
    expect(edge.remote.peek(room)).toBeUndefined();
    expect(one.followers.has(room)).toBe(false);
  });

  test('cannot be opened while no home is there, and can again later', async () => {
    const { world, edge, one, homes } = make();
    for (const home of homes) world.peers.cut(edge.peer, home.peer);
    const opening = [edge.remote.open(room), edge.remote.open(room)];
    for (const each of await world.run(Promise.allSettled(opening))) {
      expect(each).toMatchObject({ status: 'rejected', reason: expect.any(RemoteUnavailableError) });
    }
    expect(world.peers.clock.monotonicMs()).toBeLessThan(limits.followOpenMs + 50);
    await world.pass(10);
    expect(edge.remote.size).toBe(0);
    world.peers.linkAll();
    one.publish();
    expect((await world.run(edge.remote.open(room))).endPosition).toBe(1);
  });

  test('is opened as soon as a home is there', async () => {
    const { world, edge, one, homes } = make();
    for (const home of homes) world.peers.cut(edge.peer, home.peer);
    const opening = edge.remote.open(room);
    await world.pass(1_500);
    one.publish();
    world.peers.link(edge.peer, one.peer);
    edge.remote.homesChanged();
    const began = world.peers.clock.monotonicMs();
    expect((await world.run(opening)).endPosition).toBe(1);
    expect(world.peers.clock.monotonicMs() - began).toBeLessThan(5);
  });

  test('is asked of another home when the first does not answer', async () => {
    const { world, edge, one, two } = make();
    one.openMs = 1e9;
    two.publish(3);
    expect((await world.run(edge.remote.open(room))).endPosition).toBe(3);
    expect(two.held).toBe(1);
  });

  test('is not kept for a node that went elsewhere meanwhile', async () => {
    const { world, edge, one } = make();
    one.openMs = limits.followAnswerMs + 200;
    await world.run(edge.remote.open(room));
    expect(one.held).toBe(1);
    await world.pass(500);
    expect([one.held, one.followers.has(room)]).toEqual([0, false]);
  });

  test('is asked of another home when the first cannot read', async () => {
    const { world, edge, one, two } = make();
    one.publish(3);
    two.copyFrom(one);
    one.isBroken = true;
    const reader = await world.run(edge.read());
    await world.pass(50);
    expect(reader.had).toEqual(order(one.log));
    expect([reader.faults, edge.replaced]).toEqual([[], 1]);
  });
});

describe('a cursor that is ahead of the home', () => {
  const ahead = (homes: ReturnType<typeof make>): Dot => {
    homes.one.publish(3);
    homes.two.copyFrom(homes.one);
    return homes.two.publish(2);
  };

  test('is waited for until the home has fetched what it names', async () => {
    const all = make();
    const { world, edge, one, two } = all;
    const dot = ahead(all);
    const log = await world.run(edge.remote.open(room));
    one.fetch = (dots) => {
      one.copyFrom(two);
      return Promise.resolve(one.lacking(dots));
    };
    expect(await world.run(edge.remote.fetch(room, [dot]))).toEqual({ type: 'held' });
    expect(log.have(dot.writer)).toBe(2);
    expect(edge.replaced).toBe(0);
    expect(await world.run(edge.remote.fetch(room, [dot]))).toEqual({ type: 'held' });
    expect(world.count('cover')).toBe(1);
    const types = world.peers.told.map(({ message }) => message.type);
    expect(types.indexOf('followed')).toBeLessThan(types.indexOf('covered'));
  });

  test('names what is lost, if no home has it', async () => {
    const all = make();
    const { world, edge } = all;
    const dot = ahead(all);
    await world.run(edge.remote.open(room));
    expect(await world.run(edge.remote.fetch(room, [dot]))).toEqual({ type: 'lost', dots: [dot] });
  });

  test('is refused when the home cannot say', async () => {
    const all = make(1);
    const { world, edge, one } = all;
    one.publish();
    await world.run(edge.remote.open(room));
    one.fetch = () => Promise.resolve({ type: 'unknown' });
    const fetched = await world.run(edge.remote.fetch(room, [{ writer: one.writer, seq: 9 }]));
    expect(fetched).toEqual({ type: 'unknown' });
    // Cursors may be forged: this one does not disturb whoever else reads the channel.
    expect([world.count('cover'), world.count('follow')]).toEqual([1, 1]);
    one.publish();
    await world.pass(50);
    expect(edge.remote.peek(room)!.endPosition).toBe(2);
  });

  test('is covered by the next home too', async () => {
    const all = make(3);
    const { world, edge, one, homes } = all;
    one.publish();
    const uncommitted = one.write(2);
    await world.run(edge.remote.open(room));
    await world.run(edge.remote.fetch(room, [uncommitted]));
    const asked: Dot[] = [];
    homes[1]!.fetch = (dots) => {
      asked.push(...dots);
      homes[1]!.copyFrom(one);
      return Promise.resolve({ type: 'held' });
    };
    world.peers.cut(edge.peer, one.peer);
    await world.pass(30);
    expect(asked).toContainEqual(uncommitted);
  });

  test('is not asked for again once it is lost', async () => {
    const all = make(3);
    const { world, edge, one, homes } = all;
    one.publish();
    for (const home of homes) home.copyFrom(one);
    const uncommitted = one.write(2);
    await world.run(edge.remote.open(room));
    await world.run(edge.remote.fetch(room, [uncommitted]));
    const asked: Dot[][] = [];
    for (const home of homes) {
      home.fetch = (dots) => {
        asked.push([...dots]);
        return Promise.resolve({ type: 'lost', dots });
      };
    }
    world.peers.cut(edge.peer, one.peer);
    await world.pass(30);
    world.peers.cut(edge.peer, homes[1]!.peer);
    await world.pass(30);
    expect([asked, edge.replaced]).toEqual([[[uncommitted]], 2]);
  });
});

describe('signals', () => {
  test('come with the log, those kept for late joiners when it is opened', async () => {
    const { world, edge, one } = make();
    one.kept.push(signal(1));
    await world.run(edge.remote.open(room));
    one.followers.signal(room, signal(2));
    one.followers.signal(room, signal(3));
    await world.pass(5);
    expect([edge.kept, edge.signals]).toEqual([[signal(1)], [signal(2), signal(3)]]);
    expect(world.count('followed')).toBe(1);
  });

  test('go from the owner to a home, and on to who follows there', async () => {
    const { world, edge, one, two } = make();
    edge.peer.believe(two.peer);
    await world.run(edge.remote.open(room));
    two.remote.listen(room);
    await world.pass(5);
    one.followers.signal(room, signal(1));
    await world.pass(10);
    expect([two.signals, edge.signals]).toEqual([[signal(1)], [signal(1)]]);
    two.remote.unlisten(room);
    await world.pass(20);
    expect(one.followers.has(room)).toBe(false);
  });

  test('do not go to and fro between nodes that take each other for the owner', async () => {
    const { world, one, two } = make();
    two.remote.listen(room);
    await world.pass(5);
    world.acts(two);
    one.remote.listen(room);
    await world.pass(5);
    // Each follows the other now: nobody has told the first that it is the owner no more.
    two.followers.signal(room, signal(1));
    await world.pass(20);
    expect([one.signals, two.signals]).toEqual([[signal(1)], []]);
  });

  test('kept for late joiners come once', async () => {
    const { world, edge, one, two } = make();
    one.kept.push(signal(1));
    two.kept.push(signal(1));
    await world.run(edge.remote.open(room));
    world.peers.cut(edge.peer, one.peer);
    await world.pass(20);
    expect([edge.replaced, edge.kept]).toEqual([1, [signal(1)]]);
  });

  test('are followed to another owner', async () => {
    const { world, one, two, homes } = make(3);
    const third = homes[2]!;
    third.remote.listen(room);
    await world.pass(5);
    world.acts(two);
    one.followers.changed(room);
    third.remote.ownerChanged(room);
    await world.pass(5);
    expect([one.followers.has(room), two.followers.has(room)]).toEqual([false, true]);
    two.followers.signal(room, signal(4));
    await world.pass(5);
    expect(third.signals).toEqual([signal(4)]);
    world.acts(third);
    third.remote.ownerChanged(room);
    await world.pass(2_000);
    expect(two.followers.has(room)).toBe(false);
    const follows = world.count('follow');
    await world.pass(2_000);
    expect(world.count('follow')).toBe(follows);
  });

  test('are asked for again until the owner knows that it is one', async () => {
    const { world, one, two } = make();
    one.peer.believe(undefined);
    two.remote.listen(room);
    await world.pass(300);
    one.peer.believe(one.peer);
    await world.pass(limits.followPauseMsMax + 50);
    one.followers.signal(room, signal(1));
    await world.pass(5);
    expect(two.signals).toEqual([signal(1)]);
    expect(world.count('follow')).toBeLessThan(12);
  });
});
