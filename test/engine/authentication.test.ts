/** Clients whom a provider of their hub knows: what they may, until when, and what they may not meanwhile. */
import { expect, test } from 'vitest';
import type { Principal } from '../../src/engine/api.js';
import { failure } from '../../src/protocol/errors.js';
import { type Json, type TestSession, World } from './harness.js';
import type { Identity } from '../../src/engine/ports.js';
import { Known, changes, enter, set } from './known-clients.js';

const minutes = 60_000;

async function start(): Promise<{ world: World; known: Known }> {
  const known = new Known();
  const world = new World({ hubs: { createOnUse: false }, authenticator: known });
  known.world = world;
  await world.boot();
  for (const change of changes) await set(world, change);
  const nowMs = world.clock.wallMs();
  known.tokens.set('ada', {
    user: 'ada',
    permissions: { publish: ['room:#'], subscribe: ['room:*', 'news'], delete: ['room:ada'] },
    metadata: '{"name":"Ada"}',
    issuedAtMs: nowMs,
    expiresAtMs: nowMs + 10 * minutes,
  });
  known.tokens.set('bob', { user: 'bob', issuedAtMs: nowMs });
  return { world, known };
}

/** An anonymous session that authenticates by its first frame. */
async function as(world: World, token: string): Promise<[TestSession, Json]> {
  const session = await enter(world);
  return [session, await session.ask({ auth: { token } })];
}

const codes = (session: TestSession) => session.messages.flatMap((m) => m.error?.code ?? []);

test('who is known may what its provider says, beside what the rules allow everybody', async () => {
  const { world } = await start();
  const [ada, answer] = await as(world, 'ada');
  expect(answer.auth).toMatchObject({
    authenticated: true,
    actor: 'ada',
    publish: ['room:#'],
    subscribe: ['room:*', 'news'],
    delete: ['room:ada'],
    metadata: { name: 'Ada' },
    expiresAt: expect.any(Number) as number,
  });
  const [bob] = await as(world, 'bob');
  expect((await ada.subscribe('room:1')).error).toBeUndefined();
  expect((await ada.subscribe('room:1:secret')).error).toBeUndefined();
  expect((await ada.subscribe('hall')).error).toMatchObject({ code: 'DENIED' });
  expect((await ada.publish('room:1', 'x')).ack).toBeDefined();
  expect((await ada.publish('news', 'x')).error).toMatchObject({ code: 'DENIED' });
  expect((await ada.publish('room:1:secret', 'x')).error).toMatchObject({ code: 'DENIED' });
  expect((await ada.ask({ history: { channel: 'hall' } })).error).toMatchObject({ code: 'DENIED' });
  expect((await bob.publish('room:1', 'x')).error).toMatchObject({ code: 'DENIED' });
  expect(ada.entries('room:1')).toMatchObject([{ actor: 'ada' }]);
});

test('a hub that is closed to anonymous clients gives them 5 s to say who they are, whatever they send meanwhile', async () => {
  const { world } = await start();
  await set(world, { type: 'put', section: 'hub', name: 'anonymous', value: false });
  const [silent, known] = [world.connect(), world.connect()];
  await world.settle();
  expect(silent.messages[0].sessionInfo).toMatchObject({ authenticated: false, anonymousAllowed: false });
  await known.ask({ auth: { token: 'ada' } });
  await world.pass(4_000);
  silent.sendText('{"requestId":7,"user":{"action":"challenge","request":{"name":"ada"}}}');
  await world.pass(500);
  expect(silent.closed).toBeUndefined();
  await world.pass(2_000);
  expect(silent.closed).toMatchObject({ code: 4401 });
  expect(known.closed).toBeUndefined();
});

test('every hub has the providers of the configuration, until its settings name others', async () => {
  const known = new Known();
  const main = { type: 'http', url: 'https://auth.example' } as const;
  const world = new World({ hubs: { createOnUse: true, providers: { main } }, authenticator: known });
  known.world = world;
  await world.boot();
  known.tokens.set('ada', { user: 'ada', issuedAtMs: world.clock.wallMs() });
  const userIn = async (hub: string): Promise<string> => {
    const entered = await world.run(world.engine.enter(hub, 'ada'));
    return entered.ok ? `${entered.value.actor} by ${entered.value.provider}` : entered.error.code;
  };
  // One of the configuration, and one that is made by its first use.
  expect([await userIn('default'), await userIn('acme')]).toEqual(['ada by main', 'ada by main']);
  const service = { type: 'http', url: 'https://acme.example' };
  await set(world, { type: 'put', section: 'providers', name: 'main', value: service }, 'acme');
  await set(world, { type: 'put', section: 'providers', name: 'another', value: service }, 'acme');
  expect([await userIn('default'), await userIn('acme')]).toEqual(['ada by main', 'ada by another']);
  const exported = await world.run(world.engine.settings('acme'));
  expect(exported).toMatchObject({ value: { providers: { main: service, another: service } } });
});

test('what is sent behind Auth waits for its answer, and counts as who that is', async () => {
  const { world, known } = await start();
  const session = await enter(world);
  known.delayMs = 1_000;
  session.sendText(
    JSON.stringify([
      { requestId: 1, auth: { token: 'ada' } },
      { requestId: 2, publish: { channel: 'room:1', data: 1 } },
    ]),
  );
  session.sendText('{"requestId":3,"publish":{"channel":"room:1","data":2}}');
  await world.pass(500);
  expect(session.messages.some((m) => m.ack || m.error)).toBe(false);
  await world.pass(1_000);
  expect(session.messages.filter((m) => m.requestId).map((m) => [m.requestId, Object.keys(m)[1]])).toEqual([
    [1, 'auth'],
    [2, 'ack'],
    [3, 'ack'],
  ]);
  const page = await world.run(world.engine.queryLog('default', 'room:1', {}));
  expect(page.ok && page.value.entries.map(({ entry }) => entry.actor)).toEqual(['ada', 'ada']);
});

test('attack 2: no more than a little is kept of who is not known yet', async () => {
  const { world, known } = await start();
  const session = await enter(world);
  known.delayMs = 4_000;
  session.sendText('{"requestId":1,"auth":{"token":"ada"}}');
  for (let i = 0; i < 10; i++)
    session.sendText(`{"publish":{"channel":"room:1","data":"${'x'.repeat(10_000)}"}}`);
  await world.settle();
  expect(session.closed).toMatchObject({ code: 4500 });
});

test('a token that is none ends the connection, whoever knew it before', async () => {
  const { world } = await start();
  const [session, answer] = await as(world, 'wrong');
  expect(answer.error).toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(session.closed).toMatchObject({ code: 4401 });
  expect(await world.run(world.engine.enter('default', 'wrong'))).toMatchObject({
    error: { code: 'UNAUTHENTICATED' },
  });
});

test('attack 36: a provider that is down lets nobody in, and ends nobody who was', async () => {
  const { world, known } = await start();
  const [ada] = await as(world, 'ada');
  known.failing = failure('UNAVAILABLE', { retryAfterMs: 1_000 });
  const [, refused] = await as(world, 'bob');
  expect(refused.error).toMatchObject({ code: 'UNAVAILABLE' });
  expect((await ada.ask({ auth: { token: 'ada' } })).error).toMatchObject({ code: 'UNAVAILABLE' });
  expect((await ada.publish('room:1', 'x')).ack).toBeDefined();
  expect(ada.closed).toBeUndefined();
});

test('a live connection authenticates anew: as it was until then, as it is told afterwards', async () => {
  const { world, known } = await start();
  const [session] = await as(world, 'ada');
  await session.subscribe('room:1');
  known.delayMs = 1_000;
  session.sendText('{"requestId":90,"auth":{"token":"bob"}}');
  session.sendText('{"requestId":91,"auth":{"token":"bob"}}');
  session.sendText('{"requestId":92,"publish":{"channel":"room:1","data":"as ada"}}');
  await world.pass(2_000);
  const by = (id: number): Json => session.messages.find((m) => m.requestId === id);
  expect(by(90).auth).toMatchObject({ actor: 'bob' });
  expect(by(91).error).toMatchObject({ code: 'RATE_LIMITED' });
  expect(by(92).ack).toBeDefined();
  // Bob has no right to what Ada had subscribed to.
  expect(session.messages.find((m) => m.error?.channel === 'room:1')?.error).toMatchObject({
    code: 'DENIED',
  });
  expect((await session.publish('room:1', 'as bob')).error).toMatchObject({ code: 'DENIED' });
});

test('attack 9: a session ends with its token, and goes on with a new one', async () => {
  const { world, known } = await start();
  const until = (user: string, ms: number): void => {
    const nowMs = world.clock.wallMs();
    known.tokens.set('short', { user, issuedAtMs: nowMs, expiresAtMs: nowMs + ms });
  };
  until('ada', 20_000);
  const [[ada], [eve]] = [await as(world, 'short'), await as(world, 'short')];
  await world.pass(18_000);
  expect([ada.closed, eve.closed]).toEqual([undefined, undefined]);
  until('ada', 20_000);
  expect((await ada.ask({ auth: { token: 'short' } })).auth).toMatchObject({ actor: 'ada' });
  await world.pass(4_000);
  expect(eve.closed).toMatchObject({ code: 4401 });
  expect(ada.closed).toBeUndefined();
});

test('attack 9: over HTTP a token is looked at for every request', async () => {
  const { world } = await start();
  const entered = await world.run(world.engine.enter('default', 'ada'));
  const ada = (entered as { value: Principal }).value;
  const history = () => world.run(world.engine.history(ada, 'default', request));
  const request = { type: 'history', channel: 'room:1', backward: false } as const;
  expect(await history()).toMatchObject({ ok: true });
  await world.pass(11 * minutes);
  expect(await history()).toMatchObject({ error: { code: 'UNAUTHENTICATED' } });
});

test('attack 9: a user who is revoked is cut at once, wherever it is, and comes back only with a newer token', async () => {
  const { world, known } = await start();
  const [[ada], [bob]] = [await as(world, 'ada'), await as(world, 'bob')];
  const nowMs = world.clock.wallMs();
  await set(world, { type: 'put', section: 'revoked', name: 'ada', value: nowMs });
  expect(ada.closed).toMatchObject({ code: 4401 });
  expect(bob.closed).toBeUndefined();
  const [, again] = await as(world, 'ada');
  expect(again.error).toMatchObject({ code: 'UNAUTHENTICATED' });
  known.tokens.set('newer', { user: 'ada', issuedAtMs: nowMs + 1, expiresAtMs: nowMs + minutes });
  const [, newer] = await as(world, 'newer');
  expect(newer.auth).toMatchObject({ actor: 'ada' });
});

test('attack 9: whose provider is none of the hub’s any more is cut', async () => {
  const { world } = await start();
  const [ada] = await as(world, 'ada');
  await set(world, { type: 'remove', section: 'providers', name: 'main' });
  expect(ada.closed).toMatchObject({ code: 4401 });
});

test('attack 13: who is known in one hub is nobody in another', async () => {
  const { world } = await start();
  const entered = await world.run(world.engine.enter('default', 'ada'));
  const ada = (entered as { value: Principal }).value;
  expect(() => world.connect({ hub: 'other', principal: ada })).toThrow('HUB_NOT_FOUND');
  const request = { type: 'history', channel: 'room:1', backward: false } as const;
  expect(await world.run(world.engine.history(ada, 'other', request))).toMatchObject({
    error: { code: 'HUB_NOT_FOUND' },
  });
  // Nor does its provider say anything there.
  expect(await world.run(world.engine.enter('other', 'ada'))).toMatchObject({
    error: { code: 'UNAUTHENTICATED' },
  });
});

test.each<[string, Partial<Identity>]>([
  ['no user', { user: '' }],
  ['a user of the system', { user: '$system' }],
  ['who administrators act as', { user: '$admin' }],
  ['a user that forges lines', { user: 'ada\nroot' }],
  ['a user that is too long', { user: 'a'.repeat(129) }],
  ['half a character', { user: 'a\ud800' }],
  ['permissions that are none', { permissions: 'all' }],
  ['a pattern that is none', { permissions: { publish: ['a#b'] } }],
  ['too much metadata', { metadata: JSON.stringify('x'.repeat(5_000)) }],
  ['attack 11: metadata nested too deep', { metadata: `${'['.repeat(20)}${']'.repeat(20)}` }],
])('a provider that says %s lets nobody in', async (_, more) => {
  const { world, known } = await start();
  known.tokens.set('odd', { user: 'ada', ...more });
  const [session, answer] = await as(world, 'odd');
  expect(answer.error).toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(session.closed).toBeDefined();
});

test('a grant never reaches channels of the system, nor makes an administrator', async () => {
  const { world, known } = await start();
  known.tokens.set('all', { user: 'ada', permissions: { publish: ['*', '$settings'], subscribe: ['*'] } });
  const [session] = await as(world, 'all');
  expect((await session.publish('$settings', '{}')).error).toMatchObject({ code: 'DENIED' });
  expect((await session.subscribe('$settings')).error).toMatchObject({ code: 'DENIED' });
  expect((await session.subscribe('anything')).error).toBeUndefined();
  expect(codes(session)).toEqual(['DENIED']);
});

test('a client that came with its token is known from its first frame on, and its provider knew the session', async () => {
  const { world, known } = await start();
  const ada = await enter(world, 'ada');
  await world.settle();
  expect(ada.messages[0].sessionInfo).toMatchObject({ authenticated: true });
  expect((await ada.publish('room:1', 'x')).ack).toBeDefined();
  expect((await ada.ask({ auth: {} })).auth).toMatchObject({ actor: 'ada', publish: ['room:#'] });
  expect(known.checks).toEqual([{ hub: 'default', token: 'ada', sessionId: 'abc' }]);
});
