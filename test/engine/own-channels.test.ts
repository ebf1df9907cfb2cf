/** Sessions of a user that are in its own channel by themselves. */
import { expect, test } from 'vitest';
import { type Json, type TestSession, World } from './harness.js';
import { Known, changes, enter, set } from './known-clients.js';

const rule = [
  { type: 'put', section: 'rules', name: 'direct', value: { userChannel: true } },
  { type: 'put', section: 'namespaces', name: 'u', value: 'direct' },
] as const;

async function start(withRule = true): Promise<World> {
  const known = new Known();
  const world = new World({ hubs: { createOnUse: false }, authenticator: known });
  known.world = world;
  await world.boot();
  for (const change of changes) await set(world, change);
  if (withRule) for (const change of rule) await set(world, change);
  for (const user of ['ada', 'bob', 'ü'.repeat(60)])
    known.tokens.set(user, { user, issuedAtMs: world.clock.wallMs() });
  return world;
}

/** What it was told without asking. */
const own = (session: TestSession): string[] =>
  session.messages.flatMap((each) =>
    each.requestId === undefined ? (each.subscribe?.results.map((result: Json) => result.channel) ?? []) : [],
  );

async function says(world: World, to: string, text: string): Promise<void> {
  const bob = await enter(world, 'bob');
  expect((await bob.publish(to, text)).error).toBeUndefined();
}

test('a user is in its own channel where the rule says so, whenever it authenticates', async () => {
  const world = await start();
  const [early, late, nobody] = [await enter(world, 'ada'), await enter(world), await enter(world)];
  await world.settle();
  await late.ask({ auth: { token: 'ada' } });
  await says(world, 'u:ada', 'hello');
  for (const session of [early, late]) {
    expect(own(session)).toEqual(['u:ada']);
    expect(session.data('u:ada')).toEqual(['hello']);
  }
  expect(own(nobody)).toEqual([]);
});

test('whoever becomes another leaves the one and is in the other', async () => {
  const world = await start();
  const session = await enter(world, 'ada');
  await session.ask({ auth: { token: 'bob' } });
  await world.settle();
  expect(own(session)).toEqual(['u:ada', 'u:bob']);
  await says(world, 'u:ada', 'for ada');
  await says(world, 'u:bob', 'for bob');
  expect(session.data()).toEqual(['for bob']);
});

test('without the rule nobody is; once it goes everybody is', async () => {
  const world = await start(false);
  const session = await enter(world, 'ada');
  await world.settle();
  expect(own(session)).toEqual([]);
  for (const change of rule) await set(world, change);
  await world.settle();
  expect(own(session)).toEqual(['u:ada']);
});

test('who asks for it begins where it says, and who unsubscribes stays out of it', async () => {
  const world = await start();
  await says(world, 'u:ada', 'before');
  const session = await enter(world, 'ada');
  await world.settle();
  expect(await session.subscribe('u:ada', { beginning: true })).toMatchObject({ channel: 'u:ada' });
  expect(session.data('u:ada')).toEqual(['before']);
  expect((await session.subscribe('u:ada')).error.code).toBe('ALREADY_SUBSCRIBED');
  await session.ask({ unsubscribe: { channels: ['u:ada'] } });
  await session.ask({ auth: { token: 'ada' } });
  await says(world, 'u:ada', 'after');
  expect(session.data('u:ada')).toEqual(['before']);
});

test('a session that comes back is in it again, and what was asked for itself comes back at its place', async () => {
  const world = await start();
  const [first, second] = [await enter(world, 'ada'), await enter(world, 'ada')];
  await world.settle();
  await second.subscribe('u:ada', { beginning: true });
  const keys: string[] = [];
  for (const session of [first, second])
    keys.push((await session.ask({ sessionRestore: {} })).sessionKept.key);
  for (const session of [first, second]) session.handle.disconnected();
  // One has shown its token first, and so is in it when it shows the key.
  const [one, two] = [await enter(world), await enter(world, 'ada')];
  const { sessionRestored } = await one.ask({ sessionRestore: { key: keys[0] } });
  expect(sessionRestored.results).toEqual([]);
  expect((await two.ask({ sessionRestore: { key: keys[1] } })).sessionRestored.results).toMatchObject([
    { channel: 'u:ada' },
  ]);
  await world.settle();
  expect([...own(one), ...own(two)]).toEqual(['u:ada', 'u:ada']);
  await says(world, 'u:ada', 'hello');
  for (const session of [one, two]) expect(session.data('u:ada')).toEqual(['hello']);
});

test('a user whose name is too long for a channel is in none', async () => {
  const world = await start();
  const session = await enter(world, 'ü'.repeat(60));
  await world.settle();
  expect(own(session)).toEqual([]);
  expect(session.closed).toBeUndefined();
});
