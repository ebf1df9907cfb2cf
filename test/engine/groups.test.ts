/** Groups of people in a hub: who is in them, and what that lets them do. */
import { expect, test } from 'vitest';
import type { Principal } from '../../src/engine/api.js';
import type { Change } from '../../src/hubs/change.js';
import { TestSecrets } from '../people/secrets.js';
import { type Json, type TestSession, World, admin, anonymous } from './harness.js';

async function start(): Promise<World> {
  const world = await World.start({ hubs: { createOnUse: false }, secrets: new TestSecrets().secrets });
  await world.settle();
  return world;
}

async function set(world: World, section: 'rules' | 'namespaces' | 'hub', name: string, value: unknown) {
  const change: Change = { type: 'put', section, name, value };
  expect(await world.run(world.engine.changeSettings('default', change, 'root'))).toMatchObject({ ok: true });
  await world.settle();
}

const user = (actor: string): Principal => ({ actor, authenticated: true, admin: false });
const [ada, bob, eve] = ['ada', 'bob', 'eve'].map(user) as [Principal, Principal, Principal];

/** The answer, or the code of the refusal. */
async function ask(world: World, who: Principal, action: string, request: object): Promise<Json> {
  const answer = await world.run(world.engine.people(who, 'default', `groups/${action}`, request, ''));
  return answer.ok ? answer.value : answer.error.code;
}

async function withTeam(open = false): Promise<World> {
  const world = await start();
  expect(await ask(world, ada, 'create', { group: 'team', open })).toEqual({ group: 'team' });
  return world;
}

const codeOf = async (answer: Promise<Json>): Promise<string | undefined> =>
  JSON.stringify(await answer).match(/"code":"([A-Z_]+)"/)?.[1];

test('the channel of a group is read and written by its members alone', async () => {
  const world = await withTeam();
  await ask(world, ada, 'invite', { group: 'team', user: 'bob' });
  const [first, second, third] = [ada, bob, eve].map((principal) => world.connect({ principal })) as [
    TestSession,
    TestSession,
    TestSession,
  ];
  expect((await first.publish('g:team', 'early')).ack).toBeDefined();
  // Invited is not in it.
  for (const session of [second, third, world.connect()])
    expect(await codeOf(session.subscribe('g:team', { beginning: true }))).toMatch(/DENIED|UNAUTHENTICATED/);
  expect(await ask(world, bob, 'join', { group: 'team' })).toEqual({ group: 'team' });
  await second.subscribe('g:team', { beginning: true });
  await first.subscribe('g:team');
  expect((await second.publish('g:team', 'hello')).ack).toBeDefined();
  expect((await third.publish('g:team', 'x')).error).toMatchObject({ code: 'DENIED' });
  expect((await third.publish('g:team:files', 'x')).error).toMatchObject({ code: 'DENIED' });
  expect((await second.publish('g:team:files', 'x')).ack).toBeDefined();
  await world.settle();
  expect(second.entries().map(({ data, actor }: Json) => [data, actor])).toEqual([
    ['early', 'ada'],
    ['hello', 'bob'],
  ]);
  expect(first.entries()).toHaveLength(1);
  const history = (principal: Principal) =>
    world.run(
      world.engine.history(principal, 'default', { type: 'history', channel: 'g:team', backward: false }),
    );
  expect(await history(bob)).toMatchObject({ ok: true });
  expect(await history(eve)).toMatchObject({ error: { code: 'DENIED' } });
  expect(await history(admin)).toMatchObject({ ok: true });
});

test('who leaves or is removed is told and cut within a second, and only who', async () => {
  const world = await withTeam(true);
  for (const who of [bob, eve]) await ask(world, who, 'join', { group: 'team' });
  const sessions = [ada, bob, eve].map((principal) => world.connect({ principal }));
  for (const session of sessions) await session.subscribe('g:team');
  const [first, second, third] = sessions as [TestSession, TestSession, TestSession];
  expect(await ask(world, bob, 'leave', { group: 'team' })).toEqual({ group: 'team' });
  expect(await ask(world, ada, 'remove', { group: 'team', user: 'eve' })).toEqual({ group: 'team' });
  await world.pass(1_000);
  for (const session of [second, third])
    expect(session.messages.at(-1)).toMatchObject({ error: { code: 'DENIED', channel: 'g:team' } });
  expect((await first.publish('g:team', 'alone')).ack).toBeDefined();
  await world.settle();
  expect(sessions.map((session) => session.entries().length)).toEqual([1, 0, 0]);
  expect((await second.publish('g:team', 'x')).error).toMatchObject({ code: 'DENIED' });
});

test('groups and members are listed for those they are of, and for all where the rules say so', async () => {
  const world = await withTeam();
  await ask(world, bob, 'create', { group: 'other', open: true });
  await ask(world, ada, 'invite', { group: 'team', user: 'bob' });
  const since = expect.any(String) as string;
  const team = { group: 'team', open: false, members: 1, since };
  const other = { group: 'other', open: true, members: 1, since };
  expect(await ask(world, ada, 'list', {})).toEqual({ groups: [{ ...team, role: 'owner' }] });
  expect(await ask(world, bob, 'list', {})).toEqual({
    groups: [
      { ...other, role: 'owner' },
      { ...team, role: 'invited' },
    ],
  });
  expect(await ask(world, eve, 'list', { all: true })).toBe('DENIED');
  expect(await ask(world, eve, 'list', { user: 'ada' })).toBe('DENIED');
  expect(await ask(world, admin, 'list', { limit: 1 })).toEqual({ groups: [other], next: 'other' });
  expect(await ask(world, admin, 'list', { limit: 1, after: 'other' })).toMatchObject({ groups: [team] });
  expect(await ask(world, admin, 'list', { user: 'ada' })).toMatchObject({ groups: [team] });
  await set(world, 'rules', 'found', { list: true });
  await set(world, 'namespaces', 'g', 'found');
  expect(await ask(world, eve, 'list', { all: true })).toEqual({ groups: [other, team] });
  expect(await ask(world, ada, 'members', { group: 'team' })).toEqual({
    channel: 'g:team',
    members: [
      { user: 'ada', role: 'owner', since },
      { user: 'bob', role: 'invited', since },
    ],
  });
  expect(await ask(world, bob, 'members', { group: 'team' })).toBe('DENIED');
  expect(await ask(world, admin, 'members', { group: 'team', limit: 1 })).toMatchObject({ next: 'ada' });
  expect(await ask(world, admin, 'members', { group: 'nothing' })).toBe('NOT_FOUND');
});

test('the rule set of the namespace says who writes and how long it is kept; the hub says who makes groups', async () => {
  const world = await withTeam();
  const session = world.connect({ principal: ada });
  await set(world, 'rules', 'quiet', { clientPublish: false });
  await set(world, 'namespaces', 'g', 'quiet');
  expect((await session.publish('g:team', 'x')).error).toMatchObject({ code: 'DENIED' });
  expect(await codeOf(session.subscribe('g:team'))).toBeUndefined();
  const root = world.connect({ principal: admin });
  expect((await root.publish('g:team', 'x')).ack).toBeDefined();
  expect((await root.publish('g:nothing', 'x')).error).toMatchObject({ code: 'NOT_FOUND' });
  await set(world, 'hub', 'groups', false);
  expect(await ask(world, ada, 'create', { group: 'more' })).toBe('DENIED');
  expect(await ask(world, admin, 'create', { group: 'more' })).toBe('INVALID');
  expect(await ask(world, admin, 'create', { group: 'more', owner: 'ada' })).toEqual({ group: 'more' });
});

test('groups outlive restarts, and what was gone stays gone', async () => {
  const world = await withTeam(true);
  await ask(world, bob, 'join', { group: 'team' });
  await ask(world, ada, 'create', { group: 'gone' });
  await ask(world, ada, 'delete', { group: 'gone' });
  await world.restart();
  await world.settle();
  expect(await ask(world, bob, 'members', { group: 'team' })).toMatchObject({
    members: [{ user: 'ada' }, { user: 'bob' }],
  });
  expect(await ask(world, bob, 'create', { group: 'gone' })).toBe('NAME_TAKEN');
  await world.restart();
  await world.settle();
  // Whoever asks once and over HTTP is not told to come again.
  const message = { type: 'publish', channel: 'g:team', content: new Uint8Array([0]) } as const;
  expect(await world.run(world.engine.publish(bob, 'default', [message]))).toMatchObject([{ ok: true }]);
});

test('an account that is deleted is in no group any more; who is nobody is not invited', async () => {
  const world = await start();
  const value = { type: 'directory', registration: true };
  const put: Change = { type: 'put', section: 'providers', name: 'people', value };
  await world.run(world.engine.changeSettings('default', put, 'root'));
  const people = (action: string, request: object, who = anonymous) =>
    world.run(world.engine.people(who, 'default', action, request, ''));
  for (const name of ['ada', 'bob']) await people('register', { name, password: 'correct horse' });
  await ask(world, ada, 'create', { group: 'team', open: true });
  await ask(world, bob, 'join', { group: 'team' });
  expect(await ask(world, ada, 'invite', { group: 'team', user: 'nobody' })).toBe('USER_NOT_FOUND');
  expect(await people('delete', { name: 'bob' }, admin)).toMatchObject({ ok: true });
  expect(await ask(world, ada, 'members', { group: 'team' })).toMatchObject({ members: [{ user: 'ada' }] });
  // Users are listed for administrators, and where the rules say so.
  expect(await people('list', {}, ada)).toMatchObject({ error: { code: 'DENIED' } });
  expect(await people('list', {}, admin)).toMatchObject({ value: { users: [{ name: 'ada' }] } });
  await set(world, 'rules', 'found', { list: true });
  await set(world, 'namespaces', 'u', 'found');
  expect(await people('list', {}, ada)).toMatchObject({ value: { users: [{ name: 'ada' }] } });
  expect(await people('list', {})).toMatchObject({ error: { code: 'UNAUTHENTICATED' } });
});

test.each<[string, string, object]>([
  ['create', 'INVALID', {}],
  ['create', 'INVALID', { group: 'Team' }],
  ['create', 'INVALID', { group: 'a:b' }],
  ['create', 'INVALID', { group: 'team', open: 'yes' }],
  ['create', 'INVALID', { group: 'team', admin: true }],
  ['create', 'DENIED', { group: 'more', owner: 'bob' }],
  ['create', 'NAME_TAKEN', { group: 'team' }],
  ['join', 'DENIED', { group: 'team' }],
  ['join', 'DENIED', { group: 'team', user: 'ada' }],
  ['join', 'NOT_FOUND', { group: 'nothing' }],
  ['leave', 'DENIED', { group: 'team', user: 'ada' }],
  ['invite', 'DENIED', { group: 'team', user: 'eve' }],
  ['invite', 'INVALID', { group: 'team' }],
  ['invite', 'INVALID', { group: 'team', user: '$users' }],
  ['remove', 'DENIED', { group: 'team', user: 'ada' }],
  ['remove', 'INVALID', { group: 'team' }],
  ['change', 'DENIED', { group: 'team', owner: 'eve' }],
  ['change', 'INVALID', { group: 'team' }],
  ['delete', 'DENIED', { group: 'team' }],
  ['members', 'DENIED', { group: 'team' }],
  ['nothing', 'INVALID', { group: 'team' }],
])('attack: a stranger asks %s and is told %s: %j', async (action, code, request) => {
  const world = await withTeam();
  expect(await ask(world, eve, action, request)).toBe(code);
  expect(await ask(world, anonymous, action, request)).toMatch(/UNAUTHENTICATED|INVALID/);
  expect(await ask(world, ada, 'members', { group: 'team' })).toMatchObject({ members: [{ user: 'ada' }] });
});

test('channels are listed for those that may subscribe, where the rules say so', async () => {
  const world = await withTeam();
  await set(world, 'rules', 'found', { list: true });
  for (const namespace of ['room', 'g']) await set(world, 'namespaces', namespace, 'found');
  const session = world.connect({ principal: ada });
  for (const channel of ['room:1', 'room:2', 'hidden', 'g:team']) await session.publish(channel, 'x');
  const list = async (who: Principal, request: object = {}): Promise<Json> => {
    const answer = await world.run(world.engine.people(who, 'default', 'channels/list', request, ''));
    return answer.ok ? answer.value : answer.error.code;
  };
  expect(await list(ada)).toEqual({ channels: ['g:team', 'room:1', 'room:2'] });
  expect(await list(bob)).toEqual({ channels: ['room:1', 'room:2'] });
  expect(await list(anonymous)).toBe('UNAUTHENTICATED');
  expect(await list(bob, { limit: 1, after: 'room:1' })).toEqual({ channels: ['room:2'], next: 'room:2' });
  expect(await list(admin)).toMatchObject({
    channels: expect.arrayContaining(['$groups', 'hidden']) as Json,
  });
  expect(await list(bob, { limit: 0 })).toBe('INVALID');
});
