/** Receipts: who has received and read what, and who may see that. */
import { expect, test } from 'vitest';
import { utf8Text } from '../../src/base/bytes.js';
import type { Principal } from '../../src/engine/api.js';
import { type Json, World, admin, anonymous } from './harness.js';

const user = (actor: string): Principal => ({ actor, authenticated: true, admin: false });
const [ada, bob, eve] = ['ada', 'bob', 'eve'].map(user) as [Principal, Principal, Principal];

async function ask(world: World, who: Principal, action: string, request: object): Promise<Json> {
  const answer = await world.run(world.engine.people(who, 'default', action, request, ''));
  return answer.ok ? answer.value : answer.error.code;
}

const mark = (world: World, who: Principal, channel: string, request: object) =>
  ask(world, who, 'receipts/mark', { channel, ...request });

async function start(): Promise<World> {
  const world = await World.start({ hubs: { createOnUse: false } });
  await world.settle();
  for (const [section, name, value] of [
    ['rules', 'told', { receipts: true }],
    ['namespaces', 'u', 'told'],
    ['namespaces', 'g', 'told'],
    ['namespaces', 'room', 'told'],
  ] as const) {
    const change = { type: 'put', section, name, value } as const;
    expect(await world.run(world.engine.changeSettings('default', change, 'root'))).toMatchObject({
      ok: true,
    });
  }
  await world.settle();
  await ask(world, ada, 'groups/create', { group: 'team', open: true });
  await ask(world, bob, 'groups/join', { group: 'team' });
  return world;
}

async function receipts(world: World, who: Principal, channel: string): Promise<Json> {
  const state = await world.run(
    world.engine.document(who, 'default', { type: 'documentGet', channel: `receipts:${channel}` }),
  );
  return state.ok ? JSON.parse(utf8Text(state.value.value)) : state.error.code;
}

test('a sender sees who of a group has received and read, as it comes', async () => {
  const world = await start();
  const session = world.connect({ principal: ada });
  const { timestamp } = (await session.publish('g:team', 'hello')).ack;
  await session.subscribe('receipts:g:team');
  expect(await mark(world, bob, 'g:team', { received: timestamp })).toEqual({ channel: 'g:team' });
  expect(await receipts(world, ada, 'g:team')).toEqual({ bob: { received: timestamp } });
  expect(await mark(world, bob, 'g:team', { read: timestamp })).toEqual({ channel: 'g:team' });
  await mark(world, ada, 'g:team', { read: timestamp });
  await world.settle();
  expect(session.entries()).toHaveLength(3);
  const both = { received: timestamp, read: timestamp };
  expect(await receipts(world, ada, 'g:team')).toEqual({ ada: both, bob: both });
  // The same again is not written again, and neither is what is older.
  await mark(world, bob, 'g:team', { read: timestamp, received: 1 });
  await world.settle();
  expect(session.entries()).toHaveLength(3);
  await world.restart();
  await world.settle();
  expect(await receipts(world, bob, 'g:team')).toEqual({ ada: both, bob: both });
});

test('direct messages have them too: seen by who may write there, said by the reader alone', async () => {
  const world = await start();
  expect(await mark(world, ada, 'u:ada', { read: 5 })).toEqual({ channel: 'u:ada' });
  expect(await mark(world, bob, 'u:ada', { read: 9 })).toBe('DENIED');
  expect(await receipts(world, bob, 'u:ada')).toEqual({ ada: { read: 5, received: 5 } });
  expect(await receipts(world, anonymous, 'u:ada')).toBe('UNAUTHENTICATED');
});

test('many at once lose nothing', async () => {
  const world = await start();
  const members = Array.from({ length: 6 }, (_, i) => user(`m${i}`));
  for (const member of members) await ask(world, member, 'groups/join', { group: 'team' });
  const marks = members.flatMap((member) => [1, 2, 3].map((read) => mark(world, member, 'g:team', { read })));
  const codes = await Promise.all(marks);
  // Who comes too often at once is told to come again, and loses nothing by it.
  for (const [i, code] of codes.entries())
    if (code === 'UNAVAILABLE')
      await mark(world, members[Math.floor(i / 3)]!, 'g:team', { read: 1 + (i % 3) });
  const found = await receipts(world, ada, 'g:team');
  expect(found).toEqual(Object.fromEntries(members.map(({ actor }) => [actor, { read: 3, received: 3 }])));
});

test('who leaves sees them no more, is cut, and makes room for who comes', async () => {
  const world = await start();
  await mark(world, bob, 'g:team', { read: 5 });
  const session = world.connect({ principal: bob });
  await session.subscribe('receipts:g:team');
  await ask(world, bob, 'groups/leave', { group: 'team' });
  await world.pass(1_000);
  expect(session.messages.at(-1)).toMatchObject({ error: { code: 'DENIED', channel: 'receipts:g:team' } });
  expect(await mark(world, bob, 'g:team', { read: 6 })).toBe('DENIED');
  expect(await receipts(world, bob, 'g:team')).toBe('DENIED');
  await mark(world, ada, 'g:team', { read: 7 });
  expect(await receipts(world, ada, 'g:team')).toEqual({ ada: { read: 7, received: 7 } });
});

test('nobody writes them directly, and they are kept where the rules say so alone', async () => {
  const world = await start();
  for (const principal of [ada, admin]) {
    const session = world.connect({ principal });
    expect((await session.publish('receipts:g:team', 'x')).error).toMatchObject({ code: 'DENIED' });
    expect((await session.publish('receipts:u:ada:x', 'x')).error).toMatchObject({ code: 'DENIED' });
  }
  expect(await mark(world, eve, 'g:team', { read: 1 })).toBe('DENIED');
  expect(await mark(world, anonymous, 'g:team', { read: 1 })).toBe('UNAUTHENTICATED');
  expect(await mark(world, eve, 'room:1', { read: 1 })).toBe('UNSUPPORTED');
  expect(await mark(world, eve, 'bad name', { read: 1 })).toBe('BAD_NAME');
  expect(await mark(world, eve, `u:eve:${'x'.repeat(245)}`, { read: 1 })).toBe('BAD_NAME');
  expect(await mark(world, eve, 'u:eve', { read: 0 })).toBe('INVALID');
  expect(await receipts(world, eve, 'room:1')).toBe('DENIED');
  const remove = { type: 'remove', section: 'namespaces', name: 'g' } as const;
  await world.run(world.engine.changeSettings('default', remove, 'root'));
  await world.settle();
  expect(await mark(world, ada, 'g:team', { read: 1 })).toBe('UNSUPPORTED');
  expect(await receipts(world, ada, 'g:team')).toBe('DENIED');
});

test('what is kept grows with readers, not with messages', async () => {
  const world = await start();
  for (let read = 1; read <= 1_000; read++) await mark(world, bob, 'g:team', { read });
  await world.pass(60_000);
  const channels = await world.run(world.engine.channels('default', { limit: 100 }));
  const size = channels.ok && channels.value.find(({ ref }) => ref.channel === 'receipts:g:team');
  expect(size && size.entries).toBeLessThan(600);
  expect(await receipts(world, ada, 'g:team')).toEqual({ bob: { read: 1_000, received: 1_000 } });
});

test('administrators delete the receipts of a channel, its readers do not; they begin anew', async () => {
  const world = await start();
  await mark(world, bob, 'g:team', { received: 5 });
  const remove = async (who: Principal): Promise<string> => {
    const deleted = await world.run(world.engine.deleteChannel(who, 'default', 'receipts:g:team'));
    return deleted.ok ? 'deleted' : deleted.error.code;
  };
  expect(await remove(bob)).toBe('DENIED');
  expect(await remove(admin)).toBe('deleted');
  expect(await receipts(world, bob, 'g:team')).toEqual({});
  expect(await mark(world, bob, 'g:team', { received: 3 })).toEqual({ channel: 'g:team' });
  expect(await receipts(world, ada, 'g:team')).toEqual({ bob: { received: 3 } });
});
