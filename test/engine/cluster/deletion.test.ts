/** Channels that are deleted among nodes: gone at all homes, and brought back by none. */
import { describe, expect, test } from 'vitest';
import { ClusterWorld, type TestNode } from './cluster-world.js';
import { TestSession, admin, anonymous } from '../harness.js';

function connect(node: TestNode): TestSession {
  return new TestSession(node as never, { principal: anonymous });
}

function alarms(world: ClusterWorld): string[] {
  return world.nodes.flatMap(({ observations }) =>
    observations.flatMap((each) => (each.type === 'alarm' ? [`${each.code}: ${each.message}`] : [])),
  );
}

async function publishAll(session: TestSession, ...texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    expect((await session.publish('news', text)).ack).toMatchObject({ level: 'quorum' });
  }
}

async function remove(world: ClusterWorld, node: TestNode) {
  const deleted = await world.run(node.engine.deleteChannel(admin, 'default', 'news'));
  return deleted.ok ? deleted.value : deleted.error.code;
}

/** Entries that a node holds of the channel; 0 where it is not listed. */
async function kept(world: ClusterWorld, node: TestNode): Promise<number> {
  const channels = await world.run(node.engine.channels('default', { limit: 10 }));
  return (channels.ok && channels.value.find(({ ref }) => ref.channel === 'news')?.entries) || 0;
}

/** What somebody who comes new to a node reads there. */
async function read(world: ClusterWorld, node: TestNode): Promise<unknown[]> {
  const session = connect(node);
  await session.subscribe('news', { beginning: true });
  await world.pass(300);
  return session.data('news');
}

async function expectSame(world: ClusterWorld, data: readonly string[]): Promise<void> {
  for (const node of world.nodes.filter(({ handlers }) => handlers !== undefined))
    expect(await read(world, node)).toEqual(data);
  expect((await world.digests('news')).size).toBe(1);
  expect(alarms(world)).toEqual([]);
}

const reasons = (session: TestSession): string[] => session.gaps().map(({ reason }) => reason);

type Three = [TestNode, TestNode, TestNode];

describe('a deleted channel', () => {
  test('is gone at all homes, whoever is asked; readers everywhere are told, and go on', async () => {
    const world = await ClusterWorld.start({ nodes: 5 });
    const sessions = world.nodes.map(connect);
    for (const session of sessions) await session.subscribe('news');
    await publishAll(sessions[0]!, 'a', 'b', 'c');
    const cursors = sessions.map((session) => session.cursor('news')!);
    await publishAll(sessions[0]!, 'd');
    for (const node of world.nodes.slice(0, 2)) {
      expect(await remove(world, node)).toMatchObject({ level: 'quorum' });
      await world.pass(500);
      for (const each of world.nodes) expect(await kept(world, each)).toBe(0);
    }
    await publishAll(sessions[4]!, 'new');
    for (const [i, node] of world.nodes.entries()) {
      expect(sessions[i]!.data('news')).toEqual(['a', 'b', 'c', 'd', 'new']);
      expect(reasons(sessions[i]!)).toEqual(['deleted', 'deleted']);
      const resumed = connect(node);
      await resumed.subscribe('news', { cursor: cursors[i] });
      await world.pass(300);
      expect([reasons(resumed), resumed.data('news')]).toEqual([['deleted'], ['new']]);
    }
    await expectSame(world, ['new']);
  });

  test('is refused where no majority is, and then nothing is deleted', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const [a, , apart] = world.nodes as Three;
    await publishAll(connect(a), 'a', 'b');
    world.isolate(apart);
    await world.pass(4_000);
    const refused = world.run(apart.engine.deleteChannel(admin, 'default', 'news'));
    expect(await refused).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE', outcome: 'rejected' } });
    world.mend();
    await world.pass(6_000);
    await expectSame(world, ['a', 'b']);
  });

  test('waits in its place among publishes while nobody owns the channel', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const [a, b] = world.nodes as Three;
    await publishAll(connect(a), 'a');
    const session = connect(b);
    a.kill();
    const before = session.publish('news', 'b');
    const deleted = remove(world, b);
    // Who asks over HTTP is let in a turn later than a session, whose rights are known.
    await world.pass(1);
    const after = session.publish('news', 'c');
    await world.pass(8_000);
    await Promise.all([before, after]).catch(() => undefined);
    expect(await deleted).toMatchObject({ level: 'quorum' });
    expect(await read(world, b)).toEqual(['c']);
    await world.run(a.start(false));
    await world.pass(6_000);
    await expectSame(world, ['c']);
  });

  test('takes with it what a minority wrote beside that, whose readers are told', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const [a, , apart] = world.nodes as Three;
    const there = connect(apart);
    await there.subscribe('news');
    await publishAll(connect(a), 'a', 'b');
    await world.pass(500);
    world.isolate(apart);
    await world.pass(3_000);
    for (const text of ['alone 1', 'alone 2'])
      expect((await there.publish('news', text)).ack).toMatchObject({ level: 'owner', copies: 1 });
    const cursor = there.cursor('news');
    expect(await remove(world, a)).toMatchObject({ level: 'quorum' });
    await publishAll(connect(a), 'new 1');
    world.mend();
    await world.pass(6_000);
    await publishAll(connect(a), 'new 2');
    await world.pass(1_000);
    await expectSame(world, ['new 1', 'new 2']);
    expect(there.data('news')).toEqual(['a', 'b', 'alone 1', 'alone 2', 'new 1', 'new 2']);
    expect(new Set(reasons(there))).toEqual(new Set(['deleted']));
    const resumed = connect(a);
    await resumed.subscribe('news', { cursor });
    await world.pass(300);
    expect(resumed.data('news')).toEqual(['new 1', 'new 2']);
    expect(new Set(reasons(resumed))).toEqual(new Set(['deleted']));
    // Written by hand and by void: two entries and what says what is void.
    for (const node of world.nodes) expect(await kept(world, node)).toBeLessThanOrEqual(5);
  });

  test.each([false, true])(
    'is not brought back by a home that was down meanwhile, its index lost: %s',
    async (losesIndex) => {
      const world = await ClusterWorld.start({ nodes: 3 });
      const [a, b, away] = world.nodes as Three;
      await publishAll(connect(a), 'a', 'b', 'c');
      await world.pass(500);
      away.kill();
      await world.pass(2_000);
      expect(await remove(world, b)).toMatchObject({ level: 'quorum' });
      if (losesIndex) away.loseIndex();
      await world.run(away.start(false));
      await world.pass(8_000);
      for (const node of world.nodes) expect(await kept(world, node)).toBe(0);
      a.kill();
      await world.pass(4_000);
      expect(await read(world, away)).toEqual([]);
      await publishAll(connect(away), 'new');
      await world.run(a.start(false));
      await world.pass(6_000);
      await expectSame(world, ['new']);
    },
  );
});
