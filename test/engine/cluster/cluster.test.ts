/** Nodes that hold each other's logs. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/base/limits.js';
import { plant } from '../../../simulations/replication/planting.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';
import { type Json, TestSession, anonymous } from '../harness.js';

function connect(node: TestNode): TestSession {
  return new TestSession(node as never, { principal: anonymous });
}

/** The node that stamped what this acknowledges. */
function ownerOf(world: ClusterWorld, { ack }: Json): TestNode {
  return world.nodes.find((node) => ack.id.startsWith(node.engine.status().writer))!;
}

const compare = (a: string, b: string): number => (a < b ? -1 : 1);

function alarms(world: ClusterWorld): string[] {
  return world.nodes.flatMap(({ observations }) =>
    observations.flatMap((each) => (each.type === 'alarm' ? [`${each.code}: ${each.message}`] : [])),
  );
}

describe('three nodes', () => {
  test('a publish at any of them is on two disks before it is acknowledged, and reaches who listens at any of them', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const sessions = world.nodes.map(connect);
    for (const session of sessions) {
      const answer = await session.subscribe('news');
      expect(answer.error).toBeUndefined();
    }
    const acks: Json[] = [];
    for (const [i, session] of sessions.entries()) acks.push(await session.publish('news', `from ${i}`));
    for (const { ack } of acks) expect(ack).toMatchObject({ level: 'quorum' });
    await world.pass(200);
    for (const session of sessions) {
      expect(session.data('news')).toEqual(['from 0', 'from 1', 'from 2']);
    }
    expect(alarms(world)).toEqual([]);
  });

  test('more than one commit takes waits for a claim as less does: in order, and the node goes on meanwhile', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const probe = await connect(world.nodes[0]!).publish('news', 'who owns?');
    const session = connect(ownerOf(world, probe));
    const text = 'x'.repeat(65_536);
    const count = Math.ceil(limits.commitBytesMax / text.length) + 8;
    // Nobody has asked for this channel yet: its homes are heard first.
    const answers = Array.from({ length: count }, (_, i) => session.publish('fresh', `${i} ${text}`));
    for (const answer of answers) expect((await answer).ack).toMatchObject({ level: 'quorum' });
    const reader = connect(world.nodes[1]!);
    await reader.subscribe('fresh', { beginning: true });
    await world.pass(2_000);
    expect(reader.data('fresh').map((data) => Number.parseInt(String(data), 10))).toEqual([
      ...answers.keys(),
    ]);
  });

  test('after all of them were killed a page of history at any has what was acknowledged, whoever owns the channel', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const channels = Array.from({ length: 9 }, (_, i) => `room:${i}`);
    for (const channel of channels) {
      const { ack } = await connect(world.nodes[0]!).publish(channel, 'kept');
      expect(ack).toMatchObject({ level: 'quorum' });
    }
    for (const node of world.nodes) node.kill();
    for (const node of world.nodes) await world.run(node.start(false));
    await world.pass(3_000);
    for (const [i, channel] of channels.entries()) {
      const { engine } = world.nodes[i % 3]!;
      const page = () =>
        world.run(engine.history(anonymous, 'default', { type: 'history', channel, backward: false }));
      await page();
      await world.pass(1_000);
      const again = await page();
      expect(again.ok && again.value.deliveries.length).toBeGreaterThanOrEqual(1);
    }
  });

  test('tell their clients where the others are, and what falls and returns', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const [a, b] = world.nodes as [TestNode, TestNode, TestNode];
    await world.pass(1_500);
    const session = connect(a);
    const told = (): Json[] =>
      session.messages.flatMap(({ nodes }) => (nodes ? [nodes.urls.toSorted()] : []));
    await world.pass(20);
    expect(told()).toEqual([['http://10.0.0.2', 'http://10.0.0.3']]);
    b.kill();
    await world.pass(3_000);
    expect(told().at(-1)).toEqual(['http://10.0.0.3']);
    await world.run(b.start(false));
    await world.pass(3_000);
    expect(told().at(-1)).toEqual(['http://10.0.0.2', 'http://10.0.0.3']);
    expect(told()).toHaveLength(3);
  });

  test('tell a client that comes of one that has just returned, without waiting until they look again', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const [a, b] = world.nodes as [TestNode, TestNode, TestNode];
    const isReachable = (): boolean =>
      a.engine.status().cluster!.members.find(({ node }) => node === b.id)?.reachable === true;
    const becomes = async (wanted: boolean): Promise<void> => {
      for (let i = 0; i < 1_000 && isReachable() !== wanted; i++) await world.pass(5);
    };
    // Nodes look once a second: some of these fall in between.
    for (const restMs of [0, 250, 500, 750]) {
      await world.pass(restMs);
      b.kill();
      await becomes(false);
      await world.pass(1_100);
      await world.run(b.start(false));
      await becomes(true);
      const session = connect(a);
      await world.pass(20);
      const [first] = session.messages.flatMap(({ nodes }) => (nodes ? [nodes.urls.toSorted()] : []));
      expect(first).toEqual(['http://10.0.0.2', 'http://10.0.0.3']);
    }
  });

  test.each([0, 10_000])(
    'the owner leaves in order, %i ms old: publishes are taken all the time',
    async (ageMs) => {
      const world = await ClusterWorld.start({ nodes: 3 });
      await world.pass(ageMs);
      const probe = await connect(world.nodes[0]!).publish('news', 'who owns?');
      const owner = ownerOf(world, probe);
      const sessions = world.nodes.map(connect);
      const start = world.clock.monotonicMs();
      const sent: Json[] = [];
      const stopped = owner.engine.stop();
      // One at each node in turn, every two milliseconds, until long after the owner is gone.
      for (let i = 0; i < 300; i++) {
        const session = sessions[i % 3]!;
        if (!session.closed) {
          const requestId = 1_000 + i;
          const message = { channel: 'news', data: i, degrade: false, idempotencyKey: `${i}` };
          session.sendText(JSON.stringify({ requestId, publish: message }));
          sent.push({ session, requestId, atMs: world.clock.monotonicMs() - start });
        }
        await world.pass(2);
      }
      await world.run(stopped);
      await world.pass(500);
      const own = sessions[world.nodes.indexOf(owner)]!;
      const refused = sent.filter(({ session, requestId }) => {
        const answer = session.messages.find((message: Json) => message.requestId === requestId);
        return answer?.ack?.level !== 'quorum';
      });
      // Nothing anywhere, but in the moment between the last that it takes in and the end of its sessions.
      expect(refused.filter(({ session }) => session !== own)).toEqual([]);
      const last = sent.filter(({ session }) => session === own).at(-1);
      expect(last.atMs).toBeGreaterThan(100);
      for (const { atMs } of refused) expect(last.atMs - atMs).toBeLessThan(50);
      expect(alarms(world)).toEqual([]);
    },
  );

  test('the owner dies: what was acknowledged is there, and the others go on', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const [a, b, c] = world.nodes as [TestNode, TestNode, TestNode];
    const session = connect(b);
    await session.subscribe('news');
    const first = await session.publish('news', 1);
    expect(first.ack.level).toBe('quorum');
    const owner = ownerOf(world, first);
    owner.kill();
    await world.pass(3_000);
    const alive = [a, b, c].filter((node) => node !== owner);
    const readers = alive.map(connect);
    for (const reader of readers) await reader.subscribe('news', { beginning: true });
    const second = await readers[0]!.publish('news', 2);
    expect(second.ack.level).toBe('quorum');
    await world.pass(200);
    for (const reader of readers) expect(reader.data('news')).toEqual([1, 2]);
    expect(alarms(world)).toEqual([]);
  });

  const late = async (): Promise<Json> => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const named = async (node: TestNode, publisherEpoch: number): Promise<TestSession> => {
      const session = connect(node);
      await session.ask({ auth: { publisherId: 'alice', publisherEpoch } });
      return session;
    };
    const probe = await connect(world.nodes[0]!).publish('news', 'who owns?');
    const owner = ownerOf(world, probe);
    const other = world.nodes.find((node) => node !== owner)!;
    const before = await named(owner, 1);
    expect((await before.publish('news', 1, { publisherSeq: 1 })).ack.level).toBe('quorum');
    world.isolate(owner);
    await world.pass(2_000);
    const since = await named(other, 2);
    expect((await since.publish('news', 2, { publisherSeq: 1 })).ack.level).toBe('quorum');
    world.mend();
    // The first owner takes its channels back.
    await world.pass(12_000);
    return await before.publish('news', 'late', { publisherSeq: 2, ackedThrough: 1 });
  };

  test('an owner that comes back knows how far a publisher came with the one between', async () => {
    expect((await late()).error).toMatchObject({ code: 'OUT_OF_ORDER' });
  });

  test('which it learns from what it takes in (planted: numbers-of-one-owner)', async () => {
    plant('numbers-of-one-owner');
    try {
      expect((await late()).error).toBeUndefined();
    } finally {
      plant(undefined);
    }
  });

  /** A publish that the owner between has, repeated at the first owner, which knew all keys of the channel from its beginning. */
  const repeated = async (): Promise<boolean> => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const named = async (node: TestNode): Promise<TestSession> => {
      const session = connect(node);
      await session.ask({ auth: { publisherId: 'alice', publisherEpoch: 1 } });
      return session;
    };
    const probe = await connect(world.nodes[0]!).publish('news', 'who owns?', { idempotencyKey: 'k' });
    const owner = ownerOf(world, probe);
    const other = world.nodes.find((node) => node !== owner)!;
    const before = await named(owner);
    expect((await before.publish('news', 1, { idempotencyKey: 'a' })).ack.level).toBe('quorum');
    world.isolate(owner);
    await world.pass(2_000);
    const since = await named(other);
    const { ack } = await since.publish('news', 2, { idempotencyKey: 'b' });
    world.mend();
    await world.pass(12_000);
    const again = await before.publish('news', 2, { idempotencyKey: 'b' });
    return again.ack.id === ack.id;
  };

  test('an owner that comes back knows the keys of the one between', async () => {
    expect(await repeated()).toBe(true);
  });

  test('which it looks up anew (planted: keys-of-one-owner)', async () => {
    plant('keys-of-one-owner');
    try {
      expect(await repeated()).toBe(false);
    } finally {
      plant(undefined);
    }
  });

  test('a node cut off goes on at level owner; what it wrote joins the one order when it is back', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const [alone, other] = world.nodes as [TestNode, TestNode, TestNode];
    const [here, there] = [connect(alone), connect(other)];
    for (const session of [here, there]) await session.subscribe('news');
    await here.publish('news', 'before');
    world.isolate(alone);
    await world.pass(2_000);
    const minority = await here.publish('news', 'minority');
    expect(minority.ack).toMatchObject({ level: 'owner', copies: 1 });
    const strict = await here.publish('news', 'strict', { degrade: false });
    expect(strict.error).toMatchObject({ code: 'UNAVAILABLE', outcome: 'rejected' });
    const majority = await there.publish('news', 'majority');
    expect(majority.ack).toMatchObject({ level: 'quorum' });
    await world.pass(200);
    expect(here.data('news')).toEqual(['before', 'minority']);
    expect(there.data('news')).toEqual(['before', 'majority']);
    world.mend();
    await world.pass(10_000);
    await there.publish('news', 'after');
    await world.pass(1_000);
    expect(here.data('news').map(String).toSorted(compare)).toEqual([
      'after',
      'before',
      'majority',
      'minority',
    ]);
    expect(there.data('news').map(String).toSorted(compare)).toEqual([
      'after',
      'before',
      'majority',
      'minority',
    ]);
    expect([...(await world.digests('news'))]).toHaveLength(1);
    expect(alarms(world)).toEqual([]);
  });

  test('who wrote something reads it at any node, or is told to wait', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const [writer, behind] = world.nodes as [TestNode, TestNode, TestNode];
    const [here, there] = [connect(writer), connect(behind)];
    await here.publish('news', 0);
    world.isolate(behind);
    await world.pass(2_000);
    const { ack } = await here.publish('news', 1);
    expect(ack).toMatchObject({ level: 'quorum' });
    const wanted = { history: { channel: 'news', including: ack.id } };
    there.sendText(JSON.stringify({ requestId: 99, ...wanted }));
    await world.pass(3_000);
    const refused = there.messages.find(({ requestId }) => requestId === 99);
    expect(refused?.error).toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 1000 });
    world.mend();
    await world.pass(1_000);
    expect((await there.ask(wanted)).history.entries.map((entry: Json) => entry.data)).toEqual([0, 1]);
  });

  test('all lose power at once, and start again in any order: everything is there', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const before = connect(world.nodes[0]!);
    for (let i = 0; i < 5; i++) await before.publish('news', i);
    for (const node of world.nodes) node.kill();
    for (const node of world.nodes.toReversed()) {
      await world.run(node.start(false));
      await world.pass(100);
    }
    await world.pass(10_000);
    for (const node of world.nodes) {
      const session = connect(node);
      await session.subscribe('news', { beginning: true });
      expect(session.data('news')).toEqual([0, 1, 2, 3, 4]);
    }
    const ack = await connect(world.nodes[1]!).publish('news', 5);
    expect(ack.ack).toMatchObject({ level: 'quorum' });
    expect(alarms(world)).toEqual([]);
  });

  test('a node that lost its disk gets everything back before it counts', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const [lost, other] = world.nodes as [TestNode, TestNode, TestNode];
    const session = connect(other);
    for (let i = 0; i < 5; i++) await session.publish(`news:${i}`, i);
    lost.kill();
    lost.loseDisk();
    await world.pass(2_000);
    await session.publish('news:0', 'meanwhile');
    await world.run(lost.start(false));
    await world.pass(10_000);
    for (let i = 0; i < 5; i++) expect([...(await world.digests(`news:${i}`))]).toHaveLength(1);
    const reader = connect(lost);
    await reader.subscribe('news:0', { beginning: true });
    expect(reader.data()).toEqual([0, 'meanwhile']);
    expect(alarms(world)).toEqual([]);
  });
});

describe('nodes that do not hold a channel', () => {
  test('serve it: subscribe, publish, history and signals as at its homes', async () => {
    const world = await ClusterWorld.start({ nodes: 5 });
    const sessions = world.nodes.map(connect);
    for (let i = 0; i < 3; i++) await sessions[0]!.publish('news', `old ${i}`);
    for (const session of sessions) {
      const answer = await session.subscribe('news', { beginning: true });
      expect(answer.error).toBeUndefined();
    }
    for (const [i, session] of sessions.entries()) {
      const { ack } = await session.publish('news', `new ${i}`);
      expect(ack).toMatchObject({ level: 'quorum' });
    }
    await sessions[4]!.publish('news', 'signal', { level: 'memory' });
    await world.pass(500);
    const expected = ['old 0', 'old 1', 'old 2', 'new 0', 'new 1', 'new 2', 'new 3', 'new 4'];
    for (const session of sessions) {
      expect(session.data('news')).toEqual(expected);
      expect(session.messages.flatMap((m) => m.signals?.signals ?? [])).toHaveLength(1);
      const { history } = await session.ask({ history: { channel: 'news' } });
      expect(history.entries).toHaveLength(8);
    }
    expect(alarms(world)).toEqual([]);
  });

  test('go on with another home when the one they follow dies', async () => {
    const world = await ClusterWorld.start({ nodes: 5 });
    const readers = world.nodes.map(connect);
    for (const reader of readers) await reader.subscribe('news');
    for (let i = 0; i < 3; i++) await readers[i]!.publish('news', i);
    const first = await readers[0]!.publish('news', 3);

    const owner = ownerOf(world, first);
    owner.kill();
    const alive = world.nodes.filter((node) => node !== owner);
    const left = readers.filter((_, i) => world.nodes[i] !== owner);
    await world.pass(3_000);
    for (let i = 4; i < 8; i++) {
      const { ack } = await left[i % left.length]!.publish('news', i);
      expect(ack).toMatchObject({ level: 'quorum' });
    }
    await world.pass(1_000);
    for (const reader of left) expect(reader.data('news')).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(alive).toHaveLength(4);
    expect(alarms(world)).toEqual([]);
  });
});
