/** Nodes that hold each other's logs. */
import { describe, expect, test } from 'vitest';
import { ClusterWorld, type TestNode } from './cluster-world.js';
import { type Json, TestSession, anonymous } from './harness.js';

function connect(node: TestNode): TestSession {
  return new TestSession(node as never, { principal: anonymous });
}

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

  test('the owner dies: what was acknowledged is there, and the others go on', async () => {
    const world = await ClusterWorld.start({ nodes: 3 });
    const [a, b, c] = world.nodes as [TestNode, TestNode, TestNode];
    const session = connect(b);
    await session.subscribe('news');
    const first = await session.publish('news', 1);
    expect(first.ack.level).toBe('quorum');
    const owner = world.nodes.find((node) => first.ack.dot?.startsWith?.(node.engine.status().writer)) ?? a;
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
});
