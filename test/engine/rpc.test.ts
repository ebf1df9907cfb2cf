/** Calls of methods: who may, which service gets them, how many are under way, and what becomes of those nobody waits for. */
import { expect, test } from 'vitest';
import { utf8, utf8Text } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { err, ok } from '../../src/base/result.js';
import { failure } from '../../src/protocol/errors.js';
import type { RpcMessage } from '../../src/protocol/messages.js';
import { type Answer, Called } from './called-services.js';
import { type Json, type TestSession, World, admin, anonymous } from './harness.js';
import { Known, enter, set } from './known-clients.js';

const url = 'https://service.example/calls';
const service = (methods: readonly string[], more: object = {}) => ({ type: 'http', url, methods, ...more });

async function start(): Promise<{ world: World; called: Called; known: Known }> {
  const known = new Known();
  const called = new Called();
  const world = new World({ hubs: { createOnUse: false }, authenticator: known, services: called });
  known.world = world;
  await world.boot();
  await put(world, 'providers', 'main', { type: 'http', url: 'https://auth.example' });
  await put(world, 'services', 'orders', service(['orders:*', 'ping']));
  const issuedAtMs = world.clock.wallMs();
  known.tokens.set('ada', {
    user: 'ada',
    permissions: { rpc: ['orders:#'] },
    metadata: '{"name":"Ada"}',
    issuedAtMs,
  });
  known.tokens.set('bob', { user: 'bob', issuedAtMs });
  return { world, called, known };
}

const put = (world: World, section: 'providers' | 'services', name: string, value: unknown) =>
  set(world, { type: 'put', section, name, value });

const call = (session: TestSession, method: string, more: Json = {}): Promise<Json> =>
  session.ask({ rpc: { method, ...more } });

test('who was granted a method calls it: the service is told who it is, and the client what it answers', async () => {
  const { world, called } = await start();
  const ada = await enter(world, 'ada');
  const answer = await call(ada, 'orders:find', { data: { after: 17 } });
  expect(answer.rpc).toMatchObject({ contentType: 'application/json' });
  expect(called.last).toMatchObject({
    name: 'orders',
    service: { url },
    hub: 'default',
    sessionId: ada.handle.id,
    user: 'ada',
    metadata: '{"name":"Ada"}',
    method: 'orders:find',
    contentType: 'application/json',
    id: expect.stringMatching(/^[0-9a-f]{24}$/) as string,
  });
  expect(called.last).not.toHaveProperty('admin');
  // Not through JSON.parse.
  ada.sendText('{"requestId":9,"rpc":{"method":"orders:find","data":[ 9007199254740993 ]}}');
  await world.settle();
  expect(utf8Text(called.last.payload)).toBe('[9007199254740993]');
  expect(utf8Text(ada.raw.at(-1)!)).toContain('"data":[9007199254740993]');
  expect(new Set(called.requests.map(({ id }) => id)).size).toBe(2);
});

test('nobody else but administrators calls what nobody was granted', async () => {
  const { world, called } = await start();
  const [ada, bob, nobody] = [await enter(world, 'ada'), await enter(world, 'bob'), await enter(world)];
  expect((await call(ada, 'ping')).error).toMatchObject({ code: 'DENIED', outcome: 'rejected' });
  expect((await call(ada, 'orders:find:all')).error).toMatchObject({ code: 'DENIED' });
  expect((await call(bob, 'orders:find')).error).toMatchObject({ code: 'DENIED' });
  expect((await call(nobody, 'orders:find')).error).toMatchObject({ code: 'UNAUTHENTICATED' });
  // Whether there is such a method is not told to those who may not call it.
  expect((await call(bob, 'nothing')).error).toMatchObject({ code: 'DENIED' });
  expect(called.requests).toEqual([]);
  const root = world.connect({ principal: admin });
  expect((await call(root, 'ping', { data: 'x' })).rpc).toMatchObject({ data: 'x' });
  // An administrator is no user, whatever its name.
  expect(called.last).toMatchObject({ admin: true });
  expect(called.last).not.toHaveProperty('user');
  expect((await call(root, 'nothing')).error).toMatchObject({ code: 'METHOD_NOT_FOUND' });
  expect((await call(root, 'not a name')).error).toMatchObject({ code: 'BAD_NAME' });
  expect((await call(root, '$settings')).error).toMatchObject({ code: 'BAD_NAME' });
});

test('a service may be open to users, or to everybody', async () => {
  const { world, called } = await start();
  await put(world, 'services', 'open', service(['time'], { openTo: 'everybody' }));
  await put(world, 'services', 'members', service(['whoami'], { openTo: 'users' }));
  const [bob, nobody] = [await enter(world, 'bob'), await enter(world)];
  expect((await call(nobody, 'time')).rpc).toBeDefined();
  expect(called.last).not.toHaveProperty('user');
  expect(called.last).not.toHaveProperty('metadata');
  expect((await call(nobody, 'whoami')).error).toMatchObject({ code: 'UNAUTHENTICATED' });
  expect((await call(bob, 'whoami')).rpc).toBeDefined();
  expect(called.last).toMatchObject({ name: 'members', user: 'bob' });
});

test('the answer to Auth says what a client may call, and so does that to a key; both let it', async () => {
  const { world } = await start();
  const session = await enter(world);
  const { auth } = await session.ask({ auth: { token: 'ada' } });
  expect(auth).toMatchObject({ rpc: ['orders:#'] });
  expect(auth).not.toHaveProperty('publish');
  const { sessionKept } = await session.ask({ sessionRestore: {} });
  await world.pass(2_000);
  session.handle.disconnected();
  const again = await enter(world);
  await again.ask({ sessionRestore: { key: sessionKept.key } });
  expect(again.messages.find((m) => m.auth)?.auth).toMatchObject({ actor: 'ada', rpc: ['orders:#'] });
  expect((await call(again, 'orders:find')).rpc).toBeDefined();
  expect((await call(again, 'ping')).error).toMatchObject({ code: 'DENIED' });
});

test('a setting that changes goes for the next call, and for what a service is called by', async () => {
  const { world, called } = await start();
  const ada = await enter(world, 'ada');
  await put(world, 'services', 'finding', service(['orders:find'], { url: 'https://other.example' }));
  await call(ada, 'orders:find');
  expect(called.last).toMatchObject({ name: 'finding', service: { url: 'https://other.example' } });
  await set(world, { type: 'remove', section: 'services', name: 'finding' });
  await call(ada, 'orders:find');
  expect(called.last).toMatchObject({ name: 'orders' });
  await set(world, { type: 'remove', section: 'services', name: 'orders' });
  expect((await call(ada, 'orders:find')).error).toMatchObject({ code: 'METHOD_NOT_FOUND' });
});

test('after a restart services are what they were', async () => {
  const { world } = await start();
  await world.restart();
  expect((await call(await enter(world, 'ada'), 'orders:find')).rpc).toBeDefined();
});

test('what goes with a call has a limit, and a flood of calls is one of messages', async () => {
  const { world, called } = await start();
  const ada = await enter(world, 'ada');
  const most = 'x'.repeat(limits.callBytesMax);
  expect((await call(ada, 'orders:find', { data: most })).rpc).toBeDefined();
  expect((await call(ada, 'orders:find', { data: `${most}x` })).error).toMatchObject({ code: 'TOO_LARGE' });
  expect(called.requests).toHaveLength(1);
  await set(world, { type: 'put', section: 'hub', name: 'userMessagesPerSecondMax', value: 3 });
  const codes = [];
  for (let i = 0; i < 5; i++) {
    ada.sendText(`{"requestId":${100 + i},"rpc":{"method":"orders:find"}}`);
    await world.pass(1);
    const answer = ada.messages.find((m) => m.requestId === 100 + i);
    codes.push(answer?.error?.code ?? 'answered');
  }
  expect(codes).toEqual(['answered', 'answered', 'answered', 'RATE_LIMITED', 'RATE_LIMITED']);
});

test('of a session, of a hub and of a node so many calls are under way, and others go on', async () => {
  const { world, called } = await start();
  called.isHeld = true;
  const send = (session: TestSession, count: number): void => {
    for (let i = 0; i < count; i++) session.sendText('{"requestId":1,"rpc":{"method":"orders:find"}}');
  };
  const codes = (session: TestSession) => session.messages.flatMap((m) => m.error?.code ?? []);
  const sessions = [];
  for (let i = 0; i < limits.callsPerHubMax / limits.callsPerSessionMax + 1; i++)
    sessions.push(await enter(world, 'ada'));
  const [first] = sessions as [TestSession];
  for (const session of sessions) send(session, limits.callsPerSessionMax);
  send(first, 3);
  await world.settle();
  expect(codes(first)).toEqual(['RATE_LIMITED', 'RATE_LIMITED', 'RATE_LIMITED']);
  expect(new Set(codes(sessions.at(-1)!))).toEqual(new Set(['OVERLOADED']));
  expect(called.requests).toHaveLength(limits.callsPerHubMax);
  // What does not call is not held up.
  first.sendText('{"requestId":2,"ping":{}}');
  await world.settle();
  expect(first.messages.find((m) => m.requestId === 2)?.pong).toBeDefined();
  for (const answer of called.held) answer(ok({ payload: utf8('done') }));
  await world.settle();
  called.isHeld = false;
  expect((await call(await enter(world, 'ada'), 'orders:find')).rpc).toBeDefined();
  expect(world.engine.status().counters).toMatchObject({
    rpcCalls: limits.callsPerHubMax + 1,
    rpcFailures: 0,
  });
});

test('a session that ends takes its calls along, and those of nobody else', async () => {
  const { world, called } = await start();
  called.isHeld = true;
  const [ada, other] = [await enter(world, 'ada'), await enter(world, 'ada')];
  for (const session of [ada, ada, other]) session.sendText('{"requestId":1,"rpc":{"method":"orders:find"}}');
  await world.settle();
  ada.handle.disconnected();
  expect(called.cancelled.size).toBe(2);
  await world.settle();
  expect(world.engine.status().counters).toMatchObject({ rpcCalls: 3, rpcFailures: 0 });
  await world.run(world.engine.stop());
  expect(called.cancelled.size).toBe(3);
});

test('who is revoked meanwhile is not told what its call came to', async () => {
  const { world, called } = await start();
  called.isHeld = true;
  const ada = await enter(world, 'ada');
  ada.sendText('{"requestId":1,"rpc":{"method":"orders:find"}}');
  await world.settle();
  await set(world, { type: 'put', section: 'revoked', name: 'ada', value: world.clock.wallMs() + 1 });
  expect(ada.closed).toMatchObject({ code: 4401 });
  expect(called.cancelled.size).toBe(1);
  expect(ada.messages.some((m) => m.rpc)).toBe(false);
});

test('a service that refuses, has no answer, or brings a bug about: the client is told, once each', async () => {
  const { world, called } = await start();
  const ada = await enter(world, 'ada');
  called.isHeld = true;
  const answers: Answer[] = [
    err(failure('CALL_REFUSED', { reason: 'closed', message: 'It is closed.' })),
    err(failure('NO_ANSWER')),
  ];
  for (const answer of answers) {
    ada.sendText('{"requestId":7,"rpc":{"method":"orders:find"}}');
    called.held.pop()!(answer);
    await world.settle();
  }
  called.call = () => ({ answer: Promise.reject(new Error('a bug')), cancel: () => undefined });
  ada.sendText('{"requestId":7,"rpc":{"method":"orders:find"}}');
  await world.settle();
  expect(ada.messages.flatMap((m) => (m.error ? [m.error] : []))).toMatchObject([
    { code: 'CALL_REFUSED', outcome: 'rejected', reason: 'closed', message: 'It is closed.' },
    { code: 'NO_ANSWER', outcome: 'indeterminate' },
    { code: 'NO_ANSWER', outcome: 'indeterminate' },
  ]);
  expect(ada.closed).toBeUndefined();
  expect(world.observations).toContainEqual(expect.objectContaining({ type: 'alarm', code: 'INTERNAL' }));
  expect(world.engine.status().counters).toMatchObject({ rpcCalls: 3, rpcFailures: 2 });
});

test('without a session: the same rights and quotas, no session is told, and calls of one user count together', async () => {
  const { world, called } = await start();
  const entered = await world.run(world.engine.enter('default', 'ada'));
  if (!entered.ok) throw new Error(entered.error.code);
  const message: RpcMessage = { type: 'rpc', method: 'orders:find', payload: utf8('x') };
  const ask = (principal = entered.value, hub = 'default') => world.engine.call(principal, hub, message);
  expect(await world.run(ask().answer)).toMatchObject({ ok: true });
  expect(called.last).toMatchObject({ user: 'ada' });
  expect(called.last).not.toHaveProperty('sessionId');
  expect(await world.run(ask(anonymous).answer)).toMatchObject({ error: { code: 'UNAUTHENTICATED' } });
  expect(await world.run(ask(entered.value, 'other').answer)).toMatchObject({
    error: { code: 'HUB_NOT_FOUND' },
  });
  called.isHeld = true;
  const calls = Array.from({ length: limits.callsPerSessionMax + 1 }, () => ask());
  expect(await world.run(calls.at(-1)!.answer)).toMatchObject({ error: { code: 'RATE_LIMITED' } });
  for (const each of calls) each.cancel();
  await world.run(Promise.all(calls.map(({ answer }) => answer)));
  called.isHeld = false;
  expect(await world.run(ask().answer)).toMatchObject({ ok: true });
  await set(world, { type: 'put', section: 'hub', name: 'messagesPerSecondMax', value: 1 });
  expect(await world.run(ask().answer)).toMatchObject({ ok: true });
  expect(await world.run(ask().answer)).toMatchObject({ error: { code: 'RATE_LIMITED' } });
});

test('a node that calls no services says so', async () => {
  const world = await World.start({ hubs: { createOnUse: false } });
  await put(world, 'services', 'open', service(['*'], { openTo: 'everybody' }));
  expect((await call(world.connect(), 'time')).error).toMatchObject({ code: 'UNSUPPORTED' });
});
