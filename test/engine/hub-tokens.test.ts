/** The token of the hub's own that whoever authenticates is given: as good as the session, for a quarter of an hour. */
import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import type { Principal } from '../../src/engine/api.js';
import type { Identity } from '../../src/engine/ports.js';
import { type Json, type TestSession, type World, anonymous } from './harness.js';
import { type Known, enter, set, twoHubs } from './known-clients.js';

const minutes = 60_000;
const granted = {
  publish: ['room:#'],
  subscribe: ['room:*'],
  rpc: ['orders:*'],
  delete: ['room:ada'],
};

async function start(): Promise<{ world: World; known: Known; give: (more?: Partial<Identity>) => void }> {
  const { world, known } = await twoHubs();
  const give = (more: Partial<Identity> = {}): void => {
    const issuedAtMs = world.clock.wallMs();
    const expiresAtMs = issuedAtMs + 60 * minutes;
    known.tokens.set('t', {
      user: 'ada',
      permissions: granted,
      metadata: '{"name":"Ada"}',
      issuedAtMs,
      expiresAtMs,
      ...more,
    });
  };
  give();
  return { world, known, give };
}

async function auth(world: World, token = 't'): Promise<[TestSession, Json]> {
  const session = await enter(world);
  return [session, (await session.ask({ auth: { token } })).auth];
}

/** Who that is over HTTP, or why it is nobody. */
async function who(world: World, token: string, hub = 'default'): Promise<Principal | string> {
  const entered = await world.run(world.engine.enter(hub, token));
  return entered.ok ? entered.value : entered.error.code;
}

test('whoever authenticates is given a token that nobody else has to be asked about', async () => {
  const { world, known, give } = await start();
  const [, { token }] = await auth(world);
  const asked = known.checks.length;
  const principal = (await who(world, token)) as Principal;
  expect(principal).toMatchObject({
    actor: 'ada',
    admin: false,
    hub: 'default',
    provider: 'main',
    metadata: '{"name":"Ada"}',
  });
  expect(principal.grants?.permissions).toEqual(granted);
  expect(known.checks).toHaveLength(asked);
  // And on another connection.
  const [again, answer] = await auth(world, token);
  expect(answer).toMatchObject({
    actor: 'ada',
    rpc: ['orders:*'],
    delete: ['room:ada'],
    metadata: { name: 'Ada' },
  });
  expect((await again.publish('room:1', 'x')).ack).toBeDefined();
  expect((await again.publish('hall', 'x')).error).toMatchObject({ code: 'DENIED' });
  expect(known.checks).toHaveLength(asked);
  // By the upgrade as well, to whoever asks for it.
  give();
  const upgraded = await enter(world, 't');
  const { auth: told } = await upgraded.ask({ auth: {} });
  expect(await who(world, told.token)).toMatchObject({ actor: 'ada' });
});

test('it ends after a quarter of an hour, and no later than what let its owner in, however often it is used for a new one', async () => {
  const { world, give } = await start();
  const [session, { token }] = await auth(world);
  await world.pass(10 * minutes);
  session.sendText('{"ping":{}}');
  const [, second] = await auth(world, token);
  // The session that a token opened ends with it, and so does what that was given.
  expect(second.expiresAt).toBeLessThanOrEqual(world.clock.wallMs() + 5 * minutes);
  expect(await who(world, second.token)).toMatchObject({ actor: 'ada' });
  await world.pass(5 * minutes);
  for (const old of [token, second.token]) expect(await who(world, old)).toBe('UNAUTHENTICATED');
  give({ expiresAtMs: world.clock.wallMs() + 2 * minutes });
  const [, short] = await auth(world);
  expect(await who(world, short.token)).toMatchObject({ actor: 'ada' });
  await world.pass(2 * minutes);
  expect(await who(world, short.token)).toBe('UNAUTHENTICATED');
});

test('Auth without a token is answered with the next one', async () => {
  const { world, known } = await start();
  const [session, { token }] = await auth(world);
  for (let i = 0; i < 30; i++) {
    await world.pass(minutes / 2);
    session.sendText('{"ping":{}}');
  }
  const asked = known.checks.length;
  const { auth: next } = await session.ask({ auth: {} });
  expect(await who(world, token)).toBe('UNAUTHENTICATED');
  expect(await who(world, next.token)).toMatchObject({ actor: 'ada' });
  expect(known.checks).toHaveLength(asked);
});

test('it ends with the session: when its user is revoked, and when its provider goes', async () => {
  const { world, give } = await start();
  const [session, { token }] = await auth(world);
  // A provider that does not say when what it knows was issued.
  give({ issuedAtMs: undefined as never });
  const [, undated] = await auth(world);
  await world.pass(1_000);
  await set(world, { type: 'put', section: 'revoked', name: 'ada', value: world.clock.wallMs() });
  expect(session.closed?.code).toBe(4401);
  for (const old of [token, undated.token]) expect(await who(world, old)).toBe('UNAUTHENTICATED');
  await world.pass(1_000);
  give();
  const [, { token: newer }] = await auth(world);
  expect(await who(world, newer)).toMatchObject({ actor: 'ada' });
  await set(world, { type: 'remove', section: 'providers', name: 'main' });
  expect(await who(world, newer)).toBe('UNAUTHENTICATED');
});

test('what counts for a revocation is when the provider’s token was issued, not when this one was', async () => {
  const { world } = await start();
  const [session] = await auth(world);
  const firstMs = world.clock.wallMs();
  await world.pass(20_000);
  const { auth: later } = await session.ask({ auth: {} });
  const [, { token: ofToken }] = await auth(world, later.token);
  await set(world, { type: 'put', section: 'revoked', name: 'ada', value: firstMs + 1_000 });
  expect(session.closed?.code).toBe(4401);
  for (const token of [later.token, ofToken]) expect(await who(world, token)).toBe('UNAUTHENTICATED');
});

test('neither anonymous clients, nor administrators, nor who may so much that it is too long get one', async () => {
  const { world, give } = await start();
  const anybody = await enter(world);
  expect((await anybody.ask({ auth: {} })).auth).toEqual({ authenticated: false });
  const admin = await anybody.ask({ auth: { token: 'root' } });
  expect(admin.auth?.token).toBeUndefined();
  give({ permissions: { publish: Array.from({ length: 1_000 }, (_, i) => `room:of-many:${i}`) } });
  const [, long] = await auth(world);
  expect(long).toMatchObject({ actor: 'ada' });
  expect(long.token).toBeUndefined();
});

test('a session that comes back is given one too', async () => {
  const { world } = await start();
  const [session] = await auth(world);
  const { sessionKept } = await session.ask({ sessionRestore: {} });
  session.handle.disconnected();
  const again = await enter(world);
  await again.ask({ sessionRestore: { key: sessionKept.key } });
  const told = again.messages.find((each) => each.auth)?.auth;
  expect(await who(world, told.token)).toMatchObject({ actor: 'ada', provider: 'main' });
});

test('to people of a directory as to all, and it ends with what of the account it was known by', async () => {
  const { world } = await start();
  const value = { type: 'directory', registration: true, permissions: { publish: ['inbox:{user}'] } };
  await set(world, { type: 'put', section: 'providers', name: 'people', value });
  const ask = async (action: string, request: object, by = anonymous): Promise<Json> => {
    const answer = await world.run(world.engine.people(by, 'default', action, request, ''));
    return answer.ok ? answer.value : answer.error.code;
  };
  const bob = { name: 'bob', password: 'correct horse' };
  await ask('register', bob);
  const [, { token }] = await auth(world, (await ask('login', bob)).token);
  const principal = (await who(world, token)) as Principal;
  expect(principal).toMatchObject({
    actor: 'bob',
    provider: 'people',
    account: expect.any(String) as string,
  });
  expect(principal.grants?.permissions).toEqual({ publish: ['inbox:bob'] });
  // What is for owners of accounts is for whoever comes by it.
  expect(await ask('profile', {}, principal)).toMatchObject({ name: 'bob' });
  const change = { password: 'battery staple', currentPassword: bob.password };
  expect(await ask('change', change, principal)).toEqual({ name: 'bob' });
  expect(await who(world, token)).toBe('UNAUTHENTICATED');
});

test('attacks 13 and 21 to 24: what was changed, made without the key, or is of another hub lets nobody in', async () => {
  const { world } = await start();
  const [, { token }] = await auth(world);
  const [, key, body, mac] = token.split('.') as [string, string, string, string];
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
  const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const changed = (more: object) => encoded({ ...claims, ...more });
  const macOf = (secret: string, signed: string) =>
    createHmac('sha256', secret).update(signed).digest('base64url');
  const account = { name: 'ada', id: '0'.repeat(24), generation: 1, issuedAtMs: claims.issuedAtMs };
  const none = encoded({ alg: 'none', typ: 'JWT' });
  for (const sent of [
    `rl1.${key}.${changed({ name: 'root' })}.${mac}`,
    `rl1.${key}.${changed({ expiresAtMs: claims.expiresAtMs + 1 })}.${mac}`,
    `rl1.${key}.${changed({ permissions: { publish: ['*'] } })}.${mac}`,
    `rl1.${key}.${encoded({ ...account, expiresAtMs: claims.expiresAtMs })}.${mac}`,
    // Under a key that anybody knows, or none.
    ...['', key, 'default', 'undefined'].map((secret) => `rl1.${key}.${body}.${macOf(secret, body)}`),
    `rl1.${'0'.repeat(24)}.${body}.${macOf('', `ringlog token v1\ndefault\n${'0'.repeat(24)}.${body}`)}`,
    `rl1.${key}.${body}.`,
    `rl1.${key}.${body}`,
    `rl1..${body}.${mac}`,
    `rl1.__proto__.${body}.${mac}`,
    `rl1.${key}.${body}.${mac}.${mac}`,
    `rl1.${key}.bnVsbA.${mac}`,
    `RL1.${key}.${body}.${mac}`,
    // As a token of another form.
    `${none}.${body}.${mac}`,
    `${none}.${body}.`,
    `${encoded({ alg: 'HS256', kid: key })}.${body}.${mac}`,
  ])
    expect(await who(world, sent), sent).toBe('UNAUTHENTICATED');
  expect(await who(world, token, 'other')).toBe('UNAUTHENTICATED');
  // Also once that hub has keys of its own.
  const there = await world.run(world.engine.enter('other', 't', 'abc'));
  expect(there.ok).toBe(true);
  expect(await who(world, token, 'other')).toBe('UNAUTHENTICATED');
  expect(await who(world, token)).toMatchObject({ actor: 'ada' });
});

test('keys are made once, changed every day, and the one of before is still good', async () => {
  const { world, give } = await start();
  const made = async (): Promise<number> => {
    const page = await world.run(world.engine.queryLog('default', '$users', {}));
    return page.ok ? page.value.entries.filter(({ entry }) => entry.content?.event === 'key').length : -1;
  };
  // All of them at once, at a hub that has none.
  const sessions = await Promise.all(Array.from({ length: 9 }, () => auth(world)));
  const keyOf = ({ token }: Json): string => token.split('.')[1];
  expect(new Set(sessions.map(([, answer]) => keyOf(answer))).size).toBe(1);
  expect(await made()).toBe(1);
  world.clock.stepWall(limits.signingKeyMs);
  give();
  const [, before] = await auth(world);
  await world.settle();
  const [, after] = await auth(world);
  expect(keyOf(after)).not.toBe(keyOf(before));
  for (const each of [before, after]) expect(await who(world, each.token)).toMatchObject({ actor: 'ada' });
  await world.restart();
  expect(await who(world, after.token)).toMatchObject({ actor: 'ada' });
  expect(await made()).toBe(2);
});
