/** Groups among nodes: one maker of a name, whoever was asked, and members that are let in and cut everywhere. */
import { expect, test } from 'vitest';
import { utf8Text } from '../../../src/base/bytes.js';
import type { Principal } from '../../../src/engine/api.js';
import { type Json, TestSession } from '../harness.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';

const user = (actor: string): Principal => ({ actor, authenticated: true, admin: false });

async function start(): Promise<ClusterWorld> {
  const world = await ClusterWorld.start({ nodes: 5, replicas: 3, keepsSettings: true });
  await world.pass(1_000);
  for (const node of world.nodes) {
    await world.run(node.engine.enter('default', undefined));
    // Else the first that is asked of a node is told to come again.
    await ask(world, node, 'ada', 'list', {});
  }
  return world;
}

async function ask(
  world: ClusterWorld,
  node: TestNode,
  who: string,
  action: string,
  request: object,
): Promise<Json> {
  const answer = await world.run(node.engine.people(user(who), 'default', `groups/${action}`, request, ''));
  return answer.ok ? answer.value : answer.error.code;
}

const team = { group: 'team' };

test('of five that make one group at five nodes at once one wins, and is its owner at every node', async () => {
  const world = await start();
  const answers = await world.run(
    Promise.all(
      world.nodes.map(({ engine, number }) =>
        engine.people(user(`user${number}`), 'default', 'groups/create', team, ''),
      ),
    ),
  );
  const codes = answers.map((answer) => (answer.ok ? 'ok' : answer.error.code));
  expect(codes.toSorted()).toEqual(['NAME_TAKEN', 'NAME_TAKEN', 'NAME_TAKEN', 'NAME_TAKEN', 'ok']);
  const winner = `user${world.nodes[codes.indexOf('ok')]!.number}`;
  await world.pass(1_000);
  for (const node of world.nodes)
    expect(await ask(world, node, winner, 'members', team)).toMatchObject({
      members: [{ user: winner, role: 'owner' }],
    });
});

test('a node cut off makes no group; what the others made counts when it is back', async () => {
  const world = await start();
  const [alone, other] = [world.nodes[4]!, world.nodes[0]!];
  world.isolate(alone);
  await world.pass(3_000);
  expect(['UNAVAILABLE', 'INDETERMINATE']).toContain(await ask(world, alone, 'eve', 'create', team));
  expect(await ask(world, other, 'ada', 'create', team)).toEqual(team);
  world.mend();
  await world.pass(15_000);
  expect(await ask(world, alone, 'eve', 'create', team)).toBe('NAME_TAKEN');
  expect(await ask(world, alone, 'ada', 'members', team)).toMatchObject({ members: [{ user: 'ada' }] });
});

test('members read and write at every node, and are cut at every one within a second when they are removed', async () => {
  const world = await start();
  await ask(world, world.nodes[0]!, 'ada', 'create', { ...team, open: true });
  await ask(world, world.nodes[1]!, 'bob', 'join', team);
  await world.pass(1_000);
  const sessions = world.nodes.map((node) => new TestSession(node as never, { principal: user('bob') }));
  for (const session of sessions) await session.subscribe('g:team');
  const writer = new TestSession(world.nodes[2] as never, { principal: user('ada') });
  expect((await writer.publish('g:team', 'hello')).ack).toBeDefined();
  await world.pass(500);
  expect(sessions.map((session) => session.entries().length)).toEqual([1, 1, 1, 1, 1]);
  expect(await ask(world, world.nodes[3]!, 'ada', 'remove', { ...team, user: 'bob' })).toEqual(team);
  await world.pass(1_000);
  for (const session of sessions)
    expect(session.messages.at(-1)).toMatchObject({ error: { code: 'DENIED', channel: 'g:team' } });
  expect((await writer.publish('g:team', 'alone')).ack).toBeDefined();
  await world.pass(500);
  expect(sessions.map((session) => session.entries().length)).toEqual([1, 1, 1, 1, 1]);
});

test('receipts that are said at all nodes at once are all there, at every node', async () => {
  const world = await start();
  const put = async (section: 'rules' | 'namespaces', name: string, value: unknown) =>
    world.run(
      world.nodes[0]!.engine.changeSettings('default', { type: 'put', section, name, value }, 'root'),
    );
  await put('rules', 'told', { receipts: true });
  await put('namespaces', 'g', 'told');
  await ask(world, world.nodes[0]!, 'ada', 'create', { ...team, open: true });
  for (const { number } of world.nodes) await ask(world, world.nodes[0]!, `user${number}`, 'join', team);
  await world.pass(1_000);
  const mark = ({ engine, number }: TestNode, read: number) =>
    engine.people(user(`user${number}`), 'default', 'receipts/mark', { channel: 'g:team', read }, '');
  for (const read of [1, 2, 3]) {
    const answers = await world.run(Promise.all(world.nodes.map((node) => mark(node, read))));
    expect(answers.map(({ ok }) => ok)).toEqual([true, true, true, true, true]);
  }
  await world.pass(1_000);
  const expected = Object.fromEntries(
    world.nodes.map(({ number }) => [`user${number}`, { read: 3, received: 3 }]),
  );
  for (const { engine } of world.nodes) {
    const request = { type: 'documentGet', channel: 'receipts:g:team' } as const;
    const state = await world.run(engine.document(user('ada'), 'default', request));
    expect(state.ok && JSON.parse(utf8Text(state.value.value))).toEqual(expected);
  }
});

test('a session that comes back at a node that knows no groups yet is in those of its user', async () => {
  const world = await ClusterWorld.start({ nodes: 4, replicas: 3, keepsSettings: true });
  await world.pass(1_000);
  const [a, b] = [world.nodes[0]!, world.nodes[3]!];
  for (const { engine } of [a, b]) await world.run(engine.enter('default', undefined));
  await ask(world, a, 'ada', 'list', {});
  expect(await ask(world, a, 'ada', 'create', team)).toEqual(team);
  const directory = {
    type: 'put',
    section: 'providers',
    name: 'people',
    value: { type: 'directory' },
  } as const;
  expect(await world.run(a.engine.changeSettings('default', directory, 'root'))).toMatchObject({ ok: true });
  await world.pass(1_000);
  const principal = { ...user('ada'), provider: 'people' };
  const connect = (node: TestNode) => new TestSession(node as never, { principal });
  const session = connect(a);
  expect((await session.subscribe('g:team')).error).toBeUndefined();
  session.sendText(JSON.stringify({ requestId: 9, sessionRestore: {} }));
  await world.pass(2_000);
  const { sessionKept } = session.messages.find(({ requestId }) => requestId === 9);
  expect(sessionKept.added).toEqual(['g:team']);
  session.handle.disconnected();
  const again = connect(b);
  again.sendText(JSON.stringify({ requestId: 9, sessionRestore: { key: sessionKept.key } }));
  await world.pass(4_000);
  const { sessionRestored } = again.messages.find(({ requestId }) => requestId === 9);
  expect(sessionRestored.results).toMatchObject([{ channel: 'g:team' }]);
  expect(sessionRestored.results[0].error).toBeUndefined();
});
