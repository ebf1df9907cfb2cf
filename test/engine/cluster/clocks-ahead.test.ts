/** A node whose clock is ahead: what it stamps is an entry like any, and the others tell. */
import { expect, test } from 'vitest';
import { ClusterWorld, type TestNode } from './cluster-world.js';
import { TestSession, anonymous } from '../harness.js';

function connect(node: TestNode): TestSession {
  return new TestSession(node as never, { principal: anonymous });
}

function told(node: TestNode): string[] {
  return node.observations.flatMap((each) =>
    each.type === 'alarm' && each.code === 'CLOCK_AHEAD' ? [each.message] : [],
  );
}

/** Starts a node anew under a wall clock that is so far ahead, cut off from the others. */
async function startAhead(world: ClusterWorld, node: TestNode, aheadMs: number): Promise<void> {
  node.kill();
  world.isolate(node);
  node.aheadMs = aheadMs;
  await world.run(node.start(false));
  await world.pass(4_000);
}

test('entries of a clock that is a day ahead are kept and delivered, fewer and fewer are told, and nobody follows', async () => {
  const world = await ClusterWorld.start({ nodes: 3 });
  const [a, b, c] = world.nodes as [TestNode, TestNode, TestNode];
  await startAhead(world, c, 86_400_000);
  const alone = connect(c);
  let writer = '';
  for (let i = 0; i < 20; i++) {
    const { ack } = await alone.publish('news', i, { level: 'owner', degrade: true });
    expect(ack).toMatchObject({ level: 'owner' });
    writer = ack.id.split('-')[0];
  }
  world.mend();
  await world.pass(10_000);
  for (const node of [a, b]) {
    const reader = connect(node);
    await reader.subscribe('news', { beginning: true });
    await world.pass(300);
    expect(reader.data('news')).toEqual(expect.arrayContaining(Array.from({ length: 20 }, (_, i) => i)));
    const messages = told(node);
    expect(messages.length).toBeGreaterThan(0);
    expect(messages.length).toBeLessThan(10);
    for (const message of messages) {
      expect(message).toContain(`Writer ${writer} `);
      expect(message).toMatch(/ 86[34]\d\d s ahead/);
    }
  }
  expect(told(c)).toEqual([]);
  const { ack } = await connect(a).publish('elsewhere', 1);
  expect(ack).toMatchObject({ level: 'quorum' });
});

test('a clock that a quick start put a little ahead is told by nobody', async () => {
  const world = await ClusterWorld.start({ nodes: 3 });
  const [, , c] = world.nodes as [TestNode, TestNode, TestNode];
  await startAhead(world, c, 3_000);
  expect((await connect(c).publish('news', 1, { level: 'owner', degrade: true })).ack).toMatchObject({
    level: 'owner',
  });
  world.mend();
  await world.pass(5_000);
  expect(world.nodes.flatMap(told)).toEqual([]);
});
