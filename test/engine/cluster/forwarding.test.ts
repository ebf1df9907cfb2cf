/** Publishes for channels that another node orders: each gets one outcome that is true, and those of one channel keep
 *  their order, however links break and owners change. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/base/limits.js';
import { failure } from '../../../src/protocol/errors.js';
import { Cluster, hall, make, room } from './forwarding-world.js';

describe('a publish for a channel that another node orders', () => {
  test('goes there, and its outcome comes back', async () => {
    const { a, b, ...cluster } = make();
    a.publish('one', room, {
      idempotencyKey: 'k',
      retain: true,
      publisher: { id: 'p', epoch: 1, seq: 3, ackedThrough: 2 },
    });
    await cluster.pass(20);
    expect(b.taken).toEqual(['one']);
    expect(a.outcomes.get('one')).toMatchObject([
      {
        accepted: {
          requestId: 0,
          dot: { seq: 1 },
          timestamp: 1,
          duplicate: false,
          level: 'quorum',
          copies: 2,
        },
      },
    ]);
    expect(a.flushes).toBeGreaterThan(0);
    expect(cluster.sent()[0]).toMatchObject({
      type: 'publish',
      publishes: [
        {
          idempotencyKey: 'k',
          retain: true,
          actor: 'ann',
          level: 'quorum',
          degrade: true,
          first: true,
          publisher: { id: 'p', epoch: 1, seq: 3, ackedThrough: 2 },
        },
      ],
    });
  });

  test('shares one message with all of its turn, and so do the outcomes', async () => {
    const { a, cluster, pass } = make();
    for (let i = 0; i < 100; i++) a.publish(`p${i}`, i % 2 ? room : hall);
    await pass(20);
    expect(a.told).toEqual(Array.from({ length: 100 }, () => 'ok'));
    expect(cluster.messages('publish')).toBe(1);
    expect(cluster.messages('published')).toBe(1);
    expect(a.forwarding.holds(room)).toBe(false);
  });

  test('is told what the other node refuses', async () => {
    const { a, b, pass } = make();
    b.refuse = failure('DISK_FULL', { retryAfterMs: 10_000, channel: 'room' });
    a.publish('one');
    await pass(20);
    expect(a.outcomes.get('one')).toEqual([{ failed: b.refuse }]);
  });

  test('goes on to the node that the asked one names', async () => {
    const { a, b, c, pass } = make();
    b.peer.believe(c.peer);
    c.peer.believe(c.peer);
    a.publish('one');
    a.publish('two');
    await pass(8);
    expect(b.taken).toEqual([]);
    expect(c.taken).toEqual(['one', 'two']);
    await pass(8);
    expect(a.told).toEqual(['ok', 'ok']);
  });

  test('waits until somebody acts, and is refused when nobody does for long', async () => {
    const { a, c, acts, pass } = make();
    acts(undefined);
    a.publish('one');
    await pass(limits.forwardWaitMs - 300);
    expect(a.told).toEqual(['open']);
    a.publish('two');
    await pass(400);
    expect(a.told).toEqual(['UNAVAILABLE', 'open']);
    expect(a.outcomes.get('one')).toMatchObject([{ failed: { outcome: 'rejected', retryAfterMs: 500 } }]);
    acts(c);
    await pass(200);
    expect(a.told).toEqual(['UNAVAILABLE', 'ok']);
  });

  test('does not wait out its pause when the engine says that something changed', async () => {
    const { a, b, acts, pass } = make();
    acts(undefined);
    a.publish('one');
    await pass(400);
    acts(b);
    a.forwarding.wake();
    await pass(4.5);
    expect(a.told).toEqual(['ok']);
  });

  test('is taken here once this node acts', async () => {
    const { a, acts, pass } = make();
    acts(undefined);
    a.publish('one');
    a.publish('two');
    await pass(10);
    acts(a);
    expect(a.forwarding.holds(room)).toBe(true);
    a.publish('three');
    await pass(200);
    expect(a.taken).toEqual(['one', 'two', 'three']);
    expect(a.told).toEqual(['ok', 'ok', 'ok']);
  });

  test('is tried again at a node that thinks the asking one acts', async () => {
    const { a, b, pass } = make();
    b.peer.believe(a.peer);
    a.publish('one');
    await pass(100);
    expect(a.told).toEqual(['open']);
    b.peer.believe(b.peer);
    await pass(200);
    expect(a.told).toEqual(['ok']);
  });

  test('that two nodes send to each other ends', async () => {
    const { a, b, c, cluster, pass } = make();
    b.peer.believe(c.peer);
    c.peer.believe(b.peer);
    a.publish('one');
    await pass(limits.forwardWaitMs + 200);
    expect(a.told).toEqual(['UNAVAILABLE']);
    expect(cluster.messages('publish')).toBeLessThan(30);
  });
});

describe('order', () => {
  test('is kept when the first is not taken while others are under way', async () => {
    const { a, b, pass } = make();
    b.peer.believe(undefined);
    a.publish('one');
    await pass(0.5);
    a.publish('two');
    await pass(0.7);
    // The first was refused by now, and the second arrives at a node that acts.
    b.peer.believe(b.peer);
    a.publish('three');
    await pass(100);
    expect(b.taken).toEqual(['one', 'two', 'three']);
    expect(a.told).toEqual(['ok', 'ok', 'ok']);
  });

  test('is kept when another node acts while some are under way', async () => {
    const { a, b, c, cluster, acts, pass } = make();
    b.commitMs = 50;
    a.publish('one');
    await pass(5);
    a.peer.believe(c.peer);
    c.peer.believe(c.peer);
    a.publish('two');
    await pass(20);
    expect(c.taken).toEqual([]);
    await pass(100);
    expect(cluster.written).toEqual(['one', 'two']);
    expect(b.taken).toEqual(['one']);
    acts(c);
  });

  test('is kept when the other node gives back what it took', async () => {
    const { a, b, c, cluster, acts, pass } = make();
    b.commitMs = 20;
    a.publish('one');
    a.publish('two');
    await pass(5);
    acts(c);
    a.publish('three');
    await pass(100);
    expect(b.taken).toEqual(['one', 'two']);
    expect(cluster.written).toEqual(['one', 'two', 'three']);
    expect(cluster.writes.every(({ node }) => node === c.peer.self)).toBe(true);
  });

  test('of one channel does not hold up another', async () => {
    const { a, c, pass } = make();
    a.peer.believe(undefined, room);
    a.peer.believe(c.peer, hall);
    c.peer.believe(c.peer, hall);
    a.publish('one', room);
    a.publish('two', hall);
    await pass(20);
    expect(a.told).toEqual(['open', 'ok']);
  });
});

describe('a link that breaks', () => {
  test('before anything went out leaves nothing unknown', async () => {
    const { a, b, c, acts, cluster, pass } = make();
    a.publish('one');
    cluster.world.cut(a.peer, b.peer);
    acts(c);
    await pass(100);
    expect(a.told).toEqual(['ok']);
    expect(b.taken).toEqual([]);
  });

  test('leaves unknown what was sent without a key; what waits goes elsewhere', async () => {
    const { a, b, c, acts, cluster, pass } = make();
    a.publish('one');
    await pass(0.5);
    cluster.world.cut(a.peer, b.peer);
    acts(c);
    a.publish('two');
    await pass(100);
    expect(a.told).toEqual(['INDETERMINATE', 'ok']);
    expect(a.outcomes.get('one')).toMatchObject([{ failed: { outcome: 'indeterminate' } }]);
  });

  test('leaves what has a key to the next node, under the same key', async () => {
    const { a, b, c, acts, cluster, pass } = make();
    a.publish('one', room, { idempotencyKey: 'k' });
    await pass(2);
    expect(b.taken).toEqual(['one']);
    cluster.world.cut(a.peer, b.peer);
    acts(c);
    a.publish('two');
    await pass(100);
    expect(a.told).toEqual(['ok', 'ok']);
    expect(c.taken).toEqual(['one', 'two']);
  });

  test('makes a later refusal of such a one unknown too', async () => {
    const { a, b, c, acts, cluster, pass } = make();
    for (const name of ['one', 'two']) a.publish(name, room, { idempotencyKey: name });
    await pass(2);
    cluster.world.cut(a.peer, b.peer);
    c.refuse = failure('OVERLOADED', { channel: 'room', retryAfterMs: 100 });
    acts(c);
    await pass(100);
    expect(a.told).toEqual(['INDETERMINATE', 'INDETERMINATE']);
    expect(b.taken).toEqual(['one', 'two']);
  });

  test('and nobody to go on with makes it unknown in the end', async () => {
    const { a, b, acts, cluster, pass } = make();
    a.publish('one', room, { idempotencyKey: 'k' });
    await pass(2);
    cluster.world.cut(a.peer, b.peer);
    acts(undefined);
    await pass(limits.forwardWaitMs + 200);
    expect(a.told).toEqual(['INDETERMINATE']);
  });

  test('takes with it what the other node would have answered', async () => {
    const { a, b, cluster, pass } = make();
    a.publish('one');
    await pass(2);
    cluster.world.cut(a.peer, b.peer);
    cluster.world.link(a.peer, b.peer);
    a.publish('two');
    await pass(50);
    expect(a.told).toEqual(['INDETERMINATE', 'ok']);
    expect(b.taken).toEqual(['one', 'two']);
  });
});

describe('a node that does not answer', () => {
  test('leaves the outcome unknown', async () => {
    const { a, b, pass } = make();
    b.isStuck = true;
    a.publish('one');
    await pass(limits.forwardAnswerMs - 10);
    expect(a.told).toEqual(['open']);
    await pass(20);
    expect(a.told).toEqual(['INDETERMINATE']);
    expect(a.forwarding.holds(room)).toBe(false);
  });

  test('leaves what has a key to another one, once', async () => {
    const { a, b, c, acts, pass } = make();
    b.isStuck = true;
    c.isStuck = true;
    a.publish('one', room, { idempotencyKey: 'k' });
    await pass(1_000);
    acts(c);
    await pass(limits.forwardAnswerMs);
    expect(c.taken).toEqual(['one']);
    acts(a);
    await pass(limits.forwardAnswerMs);
    expect(a.told).toEqual(['INDETERMINATE']);
    expect(a.taken).toEqual([]);
  });

  test('is heard when it does so late: what it refused does not come behind what it took (seed 122)', async () => {
    const { cluster, a, b, c, acts, pass } = make();
    b.refuse = failure('DISK_FULL');
    a.publish('one', room, { idempotencyKey: '1' });
    await pass(0.5);
    cluster.world.delayMs = () => limits.forwardAnswerMs + 100;
    await pass(2);
    cluster.world.delayMs = () => 1;
    b.refuse = undefined;
    await pass(1_000);
    a.publish('two', room, { idempotencyKey: '2' });
    await pass(10);
    acts(c);
    await pass(limits.forwardAnswerMs);
    expect(a.told).toEqual(['DISK_FULL', 'ok']);
    expect([cluster.written, c.taken]).toEqual([['two'], []]);
    expect([a.forwarding.holds(room), a.forwarding.isIdle]).toEqual([false, true]);
  });

  test('is not waited for by what comes later for ever', async () => {
    const { a, b, c, acts, pass } = make();
    b.isStuck = true;
    a.publish('one');
    await pass(2_000);
    acts(c);
    a.publish('two');
    await pass(limits.forwardAnswerMs);
    expect(a.told).toEqual(['INDETERMINATE', 'ok']);
  });
});

test('more than is allowed is refused at once', async () => {
  const { a, acts, pass } = make();
  acts(undefined);
  const content = new Uint8Array(limits.forwardedBytesMax / 4 - 128);
  for (let i = 0; i < 5; i++) a.publish(`${i}`, room, { content });
  expect(a.told).toEqual(['open', 'open', 'open', 'open', 'OVERLOADED']);
  await pass(limits.forwardWaitMs + 10);
  a.publish('again', room, { content });
  expect(a.told.at(-1)).toBe('open');
  for (let i = 1; i < limits.forwardedPublishesMax; i++) a.publish(`n${i}`);
  a.publish('last');
  expect(a.told.at(-1)).toBe('OVERLOADED');
});

test('a stop answers everything, and says what is not known', async () => {
  const { a, b, acts, pass } = make();
  b.isStuck = true;
  a.publish('one');
  await pass(5);
  a.publish('two');
  acts(undefined);
  a.publish('three', hall);
  a.forwarding.stop();
  a.publish('four');
  expect(a.told).toEqual(['INDETERMINATE', 'SHUTTING_DOWN', 'SHUTTING_DOWN', 'SHUTTING_DOWN']);
  await pass(5_000);
  expect(a.told.length).toBe(4);
});

test('whatever happens, outcomes are true and order is kept', async () => {
  const violations: string[] = [];
  for (let seed = 1; seed <= 60; seed++) violations.push(...(await runStory(seed)));
  expect(violations).toEqual([]);
});

/** What is wrong with the outcomes of a random story. */
async function runStory(seed: number): Promise<string[]> {
  const cluster = new Cluster(seed);
  const { world, a, nodes } = cluster;
  const integer = (below: number) => Math.floor(world.random.next() * below);
  const any = () => nodes[integer(3)]!;
  world.delayMs = () => integer(8);
  for (const node of nodes) node.commitMs = 1 + integer(10);
  const keyed = new Set<string>();
  const names: string[] = [];
  for (let step = 0; step < 200; step++) {
    const chance = integer(20);
    if (chance < 12) {
      const name = `s${seed}p${step}`;
      names.push(name);
      if (integer(2)) keyed.add(name);
      a.publish(name, room, keyed.has(name) ? { idempotencyKey: name } : {});
    } else if (chance < 15) any().peer.believe(integer(5) ? any().peer : undefined);
    else if (chance < 16) cluster.acts(any());
    else if (chance < 17) world.cut(any().peer, any().peer);
    else if (chance < 18) world.linkAll();
    else await world.pass(integer(60));
  }
  world.linkAll();
  cluster.acts(cluster.b);
  await world.pass(12_000);
  const violations = a.forwarding.holds(room) ? [`story ${seed} does not end`] : [];
  let last = -1;
  for (const name of names) {
    const outcomes = a.outcomes.get(name) ?? [];
    const times = cluster.written.filter((each) => each === name).length;
    if (outcomes.length !== 1) violations.push(`${name} has ${outcomes.length} outcomes`);
    if (times > 1 && !keyed.has(name)) violations.push(`${name} was written ${times} times`);
    const outcome = outcomes[0]!;
    if ('accepted' in outcome) {
      const at = outcome.accepted.dot!.seq - 1;
      if (cluster.written[at] !== name) violations.push(`${name} is not where it is said to be`);
      if (at < last) violations.push(`${name} was overtaken`);
      last = at;
    } else if (outcome.failed.outcome === 'rejected' && times > 0) violations.push(`${name} was written`);
  }
  return violations;
}
