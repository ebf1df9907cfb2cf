/** Notifications held by several nodes: judged by who orders, counted by each, the same for all, whatever parts them. */
import { expect, test } from 'vitest';
import { type Json, TestSession, admin, anonymous } from '../harness.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';

const channel = 'notification:alerts';

function connect(node: TestNode): TestSession {
  return new TestSession(node as never, { principal: anonymous });
}

function create(node: TestNode, notification: Json): Promise<Json> {
  const service = new TestSession(node as never, { principal: admin });
  return service.publish(channel, notification, { kind: 'notification' });
}

function mark(session: TestSession, reading: Json): Promise<Json> {
  return session.publish(channel, reading, { kind: 'read' });
}

async function list(session: TestSession): Promise<Json> {
  return (await session.ask({ notifications: { channel, forward: true } })).notifications;
}

const states = (page: Json): string[] => page.notifications.map((each: Json) => each.state);
const lastTold = (session: TestSession): Json =>
  session.messages.findLast((each) => each.notificationInfo)?.notificationInfo;

function alarms(world: ClusterWorld): string[] {
  return world.nodes.flatMap(({ observations }) =>
    observations.flatMap((each) => (each.type === 'alarm' ? [`${each.code}: ${each.message}`] : [])),
  );
}

function ownerOf(world: ClusterWorld, ack: Json): TestNode {
  return world.nodes.find((node) => ack.id.startsWith(node.engine.status().writer))!;
}

test('who is subscribed at any node is told the same, with every change at any', async () => {
  const world = await ClusterWorld.start({ nodes: 5 });
  const sessions = world.nodes.map(connect);
  for (const session of sessions)
    expect((await session.subscribe(channel)).notifications).toMatchObject({ unread: 0, total: 0 });
  const ids: string[] = [];
  for (const [i, node] of world.nodes.entries()) ids.push((await create(node, { title: `${i}` })).ack.id);
  for (const [i, session] of sessions.entries()) {
    expect((await mark(session, { ids: [ids[i]] })).ack).toBeDefined();
    expect((await mark(session, { ids: [`${ids[i]}9`] })).error.code).toBe('NOT_FOUND');
    await world.pass(500);
    const told = sessions.map(lastTold);
    expect(told[0]).toMatchObject({ unread: 4 - i, total: 5 });
    for (const each of told) expect(each).toEqual(told[0]);
  }
  expect(alarms(world)).toEqual([]);
});

test('the owner dies: what is unread stays the same for every session at every node', async () => {
  const world = await ClusterWorld.start({ nodes: 3 });
  const first = (await create(world.nodes[0]!, { title: 'One' })).ack;
  await create(world.nodes[1]!, { title: 'Two' });
  const expiresAt = Math.floor(world.clock.wallMs()) + 60_000;
  await create(world.nodes[2]!, { title: 'Brief', expiresAt });
  await mark(connect(world.nodes[1]!), { ids: [first.id] });
  const owner = ownerOf(world, first);
  const others = world.nodes.filter((node) => node !== owner);
  const sessions = others.map(connect);
  for (const session of sessions)
    expect((await session.subscribe(channel)).notifications).toMatchObject({ unread: 2, total: 3 });
  const before = await list(sessions[0]!);
  owner.kill();
  await world.pass(3_000);
  for (const session of [...sessions, ...others.map(connect)]) {
    const after = await list(session);
    expect(after.notifications).toEqual(before.notifications);
    expect(after.info).toMatchObject({ unread: 2, total: 3 });
  }
  // The next owner goes on, in time as well.
  expect((await create(others[0]!, { title: 'Three' })).ack.level).toBe('quorum');
  for (const session of sessions) session.sendText('{"pong":{}}');
  await world.pass(20_000);
  for (const session of sessions) session.sendText('{"pong":{}}');
  await world.pass(20_000);
  for (const session of sessions) session.sendText('{"pong":{}}');
  await world.pass(22_000);
  for (const session of sessions) expect(lastTold(session)).toMatchObject({ unread: 2, total: 3 });
  await world.run(owner.start(false));
  await world.pass(8_000);
  for (const node of world.nodes)
    expect(states(await list(connect(node)))).toEqual(['read', 'unread', 'expired', 'unread']);
  expect(alarms(world)).toEqual([]);
});

test('both sides of a partition: what is created at either counts, and nobody marks what the other side has', async () => {
  const rules = { sets: { set: { ack: 'owner' as const } }, hubs: { default: { rules: 'set' } } };
  const world = await ClusterWorld.start({ nodes: 3, rules });
  const first = (await create(world.nodes[0]!, { title: 'Before' })).ack;
  await world.pass(500);
  const owner = ownerOf(world, first);
  const others = world.nodes.filter((node) => node !== owner);
  const here = connect(owner);
  await here.subscribe(channel);
  world.isolate(owner);
  await world.pass(3_000);
  expect((await create(owner, { title: 'Here' })).ack.level).toBe('owner');
  await create(others[0]!, { title: 'There' });
  await world.pass(100);
  // All it knows of: not what the others were told meanwhile.
  expect((await mark(here, { until: Math.floor(world.clock.wallMs()) + 60_000 })).ack.level).toBe('owner');
  world.mend();
  await world.pass(10_000);
  await create(others[1]!, { title: 'After' });
  await world.pass(3_000);
  const pages = [];
  for (const node of world.nodes) pages.push(await list(connect(node)));
  for (const page of pages) expect(page).toEqual(pages[0]);
  const of = new Map(pages[0].notifications.map((each: Json) => [each.notification.title, each.state]));
  expect(Object.fromEntries(of)).toEqual({ Before: 'read', Here: 'read', There: 'unread', After: 'unread' });
  expect(lastTold(here)).toMatchObject({ unread: 2, total: 4 });
  expect([...(await world.digests(channel))]).toHaveLength(1);
  expect(alarms(world)).toEqual([]);
});
