/** A majority that lets a member go which was away for too long, and that member afterwards. */
import { expect, test } from 'vitest';
import type { TestNode } from './cluster-world.js';
import { TestSession, anonymous } from '../harness.js';
import { RingWorld } from './ring-world.js';

const expelAfterMs = 5_000;

const membersAt = (node: TestNode) => node.engine.cluster!.ring().members.map((member) => member.node);
const versionAt = (node: TestNode) => node.engine.cluster!.ring().version;

/** A node that is cut off until the others let it go, and what it acknowledged alone. */
async function expelled() {
  const world = await RingWorld.begin({ nodes: 4, expelAfterMs });
  const [a, ...rest] = world.nodes as [TestNode, ...TestNode[]];
  await world.writesAlone(a);
  await world.pass(8_000);
  for (const node of rest) {
    const { version, change } = node.engine.cluster!.ring();
    expect([version, change]).toEqual([4, undefined]);
    expect(membersAt(node)).not.toContain(a.id);
  }
  return { world, a, rest };
}

test('nobody is let go before its time, nor where that is not set', async () => {
  for (const options of [{ expelAfterMs }, {}]) {
    const world = await RingWorld.begin({ nodes: 4, ...options });
    const [a, ...rest] = world.nodes as [TestNode, ...TestNode[]];
    world.isolate(a);
    await world.pass('expelAfterMs' in options ? expelAfterMs - 1_000 : 30_000);
    world.mend();
    await world.pass(10_000);
    expect([a, ...rest].map(versionAt)).toEqual([1, 1, 1, 1]);
  }
});

test('the others go on without it, and with all copies', async () => {
  const { world, a, rest } = await expelled();
  expect([versionAt(a), membersAt(a)]).toEqual([1, expect.arrayContaining([a.id])]);
  for (const node of rest) {
    const answer = await new TestSession(node as never, { principal: anonymous }).publish('news', 'further', {
      level: 'quorum',
    });
    expect(answer.ack?.level).toBe('quorum');
  }
  // As the others have it.
  a.kill();
  for (const channel of world.channels) expect(world.homes(channel)).toHaveLength(3);
  expect(world.alarms()).toEqual([]);
});

test('it learns that it is out, what it wrote alone comes home, and it serves by the others', async () => {
  const { world, a, rest } = await expelled();
  world.mend();
  await world.settled();
  expect([versionAt(a), membersAt(a)]).toEqual([4, membersAt(rest[0]!)]);
  await world.pass(10_000);
  await world.check();
  const answer = await new TestSession(a as never, { principal: anonymous }).publish('news', 'by others', {
    level: 'quorum',
  });
  expect(answer.ack?.level).toBe('quorum');
  // It is not taken in by itself: an expulsion is a removal, and who was removed may be meant to go.
  await world.pass(30_000);
  expect(versionAt(a)).toBe(4);
  expect(world.alarms()).toEqual([]);
});

test('it comes in again when a member is asked for it, and holds what it did', async () => {
  const { world, a, rest } = await expelled();
  world.mend();
  await world.settled();
  const asked = { kind: 'join', nodes: [{ node: a.id, role: 'core' }] } as const;
  expect(await world.change(rest[0]!, asked)).toEqual({ ok: true, value: 5 });
  expect(await world.settled()).toBe(7);
  for (const node of world.nodes) expect(membersAt(node)).toContain(a.id);
  expect(world.channels.filter((channel) => world.homes(channel).includes(a)).length).toBeGreaterThan(3);
  world.load();
  await world.pass(1_000);
  await world.rest();
  await world.pass(10_000);
  await world.check();
  expect(world.alarms()).toEqual([]);
});

test('it learns that it is out at its next start too', async () => {
  const { world, a } = await expelled();
  a.kill();
  world.mend();
  await world.pass(1_000);
  await world.run(a.start(false));
  await world.settled();
  expect(versionAt(a)).toBe(4);
  expect(membersAt(a)).not.toContain(a.id);
  await world.pass(10_000);
  await world.check();
  expect(world.alarms()).toEqual([]);
});

test('where no side has a majority nobody is let go', async () => {
  const world = await RingWorld.begin({ nodes: 4, expelAfterMs });
  const [a, b, c, d] = world.nodes as [TestNode, TestNode, TestNode, TestNode];
  world.load();
  await world.pass(1_000);
  await world.rest();
  for (const one of [a, b]) for (const other of [c, d]) world.wires.cut(one, other);
  await world.pass(20_000);
  expect(world.nodes.map(versionAt)).toEqual([1, 1, 1, 1]);
  world.mend();
  await world.pass(10_000);
  expect(world.nodes.map(versionAt)).toEqual([1, 1, 1, 1]);
  await world.check();
  expect(world.alarms()).toEqual([]);
});
