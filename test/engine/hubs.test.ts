/** Hubs and settings that change while a node runs. */
import { expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import type { Change } from '../../src/hubs/change.js';
import type { Principal } from '../../src/engine/api.js';
import { encodeContent } from '../../src/log/entry-wire.js';
import type { PublishMessage } from '../../src/protocol/messages.js';
import { type Json, type TestSession, World, admin, adminToken, anonymous } from './harness.js';

const start = (createOnUse = false) => World.start({ hubs: { createOnUse } });

const put = (
  section: 'hub' | 'rules' | 'namespaces' | 'channels' | 'metadata',
  name: string,
  value: unknown,
): Change => ({
  type: 'put',
  section,
  name,
  value,
});

async function change(world: World, hub: string, ...changes: readonly Change[]): Promise<void> {
  for (const each of changes)
    expect(await world.run(world.engine.changeSettings(hub, each, 'root'))).toEqual({
      ok: true,
      value: undefined,
    });
  await world.settle();
}

async function enter(world: World, hub = 'default'): Promise<TestSession> {
  expect(await world.run(world.engine.enter(hub, undefined))).toMatchObject({ ok: true });
  return world.connect({ hub });
}

const closed = [
  put('rules', 'closed', { public: false, clientPublish: false }),
  put('channels', 'vault', 'closed'),
];

test('attack 9: a rule that changes goes for channels in use at once, and who loses a right is told and cut', async () => {
  const world = await start();
  const [alice, bob] = [await enter(world), await enter(world)];
  await bob.subscribe('vault');
  await bob.subscribe('lobby');
  await alice.publish('vault', 'before');
  await change(world, 'default', ...closed);
  expect(bob.messages.find((m) => m.error)).toMatchObject({ error: { code: 'DENIED', channel: 'vault' } });
  expect((await alice.publish('vault', 'after')).error).toMatchObject({ code: 'DENIED' });
  expect((await alice.publish('lobby', 'still')).ack).toBeDefined();
  expect((await bob.subscribe('vault')).error).toMatchObject({ code: 'DENIED' });
  expect([bob.data('vault'), bob.data('lobby')]).toEqual([['before'], ['still']]);
  // And back.
  await change(world, 'default', { type: 'remove', section: 'channels', name: 'vault' });
  expect((await bob.subscribe('vault', { beginning: true })).error).toBeUndefined();
  expect((await alice.publish('vault', 'again')).ack).toBeDefined();
});

test('settings outlive restarts and power losses, and are what they were before anybody is let in', async () => {
  const world = await start();
  await change(world, 'default', ...closed);
  for (const again of [() => world.restart(), () => world.crash()]) {
    await again();
    const alice = await enter(world);
    expect((await alice.publish('vault', 'x')).error).toMatchObject({ code: 'DENIED' });
  }
});

test('nobody is let in before it is known what goes', async () => {
  const world = await start();
  await change(world, 'default', ...closed);
  await world.restart();
  const opened = world.engine.openSession({
    hub: 'default',
    encoding: 'json',
    principal: anonymous,
    sink: { write() {}, close() {}, bufferedBytes: 0 },
  });
  expect(opened).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE' } });
  const [published] = await world.run(
    world.engine.publish(anonymous, 'default', [{ type: 'publish', channel: 'vault', content: utf8('') }]),
  );
  expect(published).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE' } });
});

test('settings are entries like any other: who changed what is in the log', async () => {
  const world = await start();
  await change(world, 'default', put('hub', 'anonymous', true));
  const page = await world.run(world.engine.queryLog('default', '$settings', {}));
  expect(page).toMatchObject({
    ok: true,
    value: { entries: [{ entry: { kind: 'settings', actor: 'root', content: { event: 'put' } } }] },
  });
});

test('a hub is made by an administrator, or by its first use where that is how hubs come about', async () => {
  const world = await start();
  expect(await world.run(world.engine.enter('acme', undefined))).toMatchObject({
    error: { code: 'HUB_NOT_FOUND' },
  });
  expect(await world.run(world.engine.createHub('acme', 'root'))).toEqual({ ok: true, value: true });
  expect(await world.run(world.engine.createHub('acme', 'root'))).toEqual({ ok: true, value: false });
  const alice = await enter(world, 'acme');
  expect((await alice.publish('lobby', 'hello')).ack).toBeDefined();
  expect(await world.run(world.engine.hubs())).toContain('acme');
  await world.restart();
  await enter(world, 'acme');
  const open = await start(true);
  await enter(open, 'anything');
  expect(await open.run(open.engine.hubs())).toContain('anything');
});

test('attack 15: who makes hubs by using them is bounded', async () => {
  const world = await start(true);
  const codes = [];
  for (let i = 0; i < 70; i++) {
    const entered = await world.run(world.engine.enter(`hub-${i}`, undefined));
    codes.push(entered.ok ? 'ok' : entered.error.code);
  }
  expect(codes.filter((code) => code === 'ok')).toHaveLength(60);
  expect(new Set(codes.slice(60))).toEqual(new Set(['RATE_LIMITED']));
});

test('attack 12: the hub of the system is there for administrators alone', async () => {
  const world = await start();
  await enter(world);
  await world.settle();
  for (const hub of ['$ringlog', 'nothing', '$other', '../default', 'default%2f'])
    expect(() => world.connect({ hub })).toThrow(/HUB_NOT_FOUND|BAD_NAME/);
  await world.run(world.engine.createHub('acme', 'root'));
  const root = world.connect({ hub: '$ringlog', principal: admin });
  expect((await root.subscribe('$hubs', { beginning: true })).error).toBeUndefined();
  await world.settle();
  expect(root.entries('$hubs')).toMatchObject([{ event: 'create', kind: 'settings' }]);
});

test('system channels are written by the system alone, and read by administrators alone', async () => {
  const world = await start();
  const [alice, root] = [await enter(world), world.connect({ principal: admin })];
  for (const channel of ['$settings', '$users', '$anything']) {
    for (const session of [alice, root])
      expect((await session.publish(channel, {})).error).toMatchObject({ code: 'DENIED' });
    expect((await alice.subscribe(channel)).error).toMatchObject({ code: 'DENIED' });
    expect((await alice.ask({ history: { channel } })).error).toMatchObject({ code: 'DENIED' });
  }
});

test('a hub that is closed to anonymous clients ends those that are there', async () => {
  const world = await start();
  const [alice, root] = [await enter(world), world.connect({ principal: admin })];
  await change(world, 'default', put('hub', 'anonymous', false));
  expect(alice.closed).toMatchObject({ code: 4401 });
  expect(root.closed).toBeUndefined();
  const bob = await enter(world);
  await world.settle();
  expect(bob.messages[0]).toMatchObject({ sessionInfo: { anonymousAllowed: false } });
  await world.pass(7_000);
  expect(bob.closed).toMatchObject({ code: 4401 });
  const carol = await enter(world);
  await carol.ask({ auth: { token: adminToken } });
  expect((await carol.publish('lobby', 'x')).ack).toBeDefined();
});

test('an export imported elsewhere gives the same settings, and an import leaves nothing of before', async () => {
  const [one, other] = [await start(), await start()];
  await change(
    one,
    'default',
    ...closed,
    put('hub', 'rules', 'quiet'),
    put('rules', 'quiet', { store: false }),
  );
  const exported = await one.run(one.engine.settings('default'));
  if (!exported.ok) throw new Error(exported.error.code);
  expect(exported.value).toEqual({
    hub: { rules: 'quiet' },
    rules: { closed: { public: false, clientPublish: false }, quiet: { store: false } },
    channels: { vault: 'closed' },
  });
  await change(other, 'default', put('namespaces', 'game', 'closed'));
  await change(other, 'default', { type: 'replace', document: exported.value });
  expect(await other.run(other.engine.settings('default'))).toEqual(exported);
  const alice = await enter(other);
  expect((await alice.publish('lobby', 'x')).ack).toMatchObject({ level: 'memory' });
});

test('a channel whose rule set is gone is closed, not open', async () => {
  const world = await start();
  await change(world, 'default', ...closed, { type: 'remove', section: 'rules', name: 'closed' });
  const alice = await enter(world);
  expect((await alice.publish('vault', 'x')).error).toMatchObject({ code: 'UNAUTHENTICATED' });
});

test('a change that no longer holds is void, and whoever asked is told', async () => {
  const world = await start();
  const removed = await world.run(
    world.engine.changeSettings('default', { type: 'remove', section: 'rules', name: 'none' }, 'root'),
  );
  expect(removed).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } });
});

test('settings that are lost close the hub until somebody says anew what goes', async () => {
  const world = await start();
  await change(world, 'default', ...closed);
  await world.run(world.engine.stop());
  let damaged = 0;
  for (const [path, inode] of world.disk.names.files()) {
    if (!path.includes('segments')) continue;
    inode.corrupt((bytes) => {
      const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf('"clientPublish"');
      if (at < 0) return;
      bytes[at]! ^= 1;
      damaged++;
    });
  }
  expect(damaged).toBe(1);
  await world.boot();
  const entered = await world.run(world.engine.enter('default', undefined));
  expect(entered).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE' } });
  expect(world.observations).toContainEqual(expect.objectContaining({ code: 'SYSTEM_CHANNEL' }));
  await change(world, 'default', { type: 'replace', document: {} });
  const alice = await enter(world);
  expect((await alice.publish('vault', 'x')).ack).toBeDefined();
});

test('a store that failed and was opened again brings everything back, and changes go on', async () => {
  const world = await start();
  await change(world, 'default', ...closed);
  const alice = await enter(world);
  world.failNextWrite = 'ENOSPC';
  await alice.publish('lobby', 'x');
  await world.pass(2_000);
  expect(world.observations).toContainEqual({ type: 'store-reopened' });
  const bob = await enter(world);
  expect((await bob.publish('vault', 'x')).error).toMatchObject({ code: 'DENIED' });
  await change(world, 'default', { type: 'remove', section: 'channels', name: 'vault' });
  expect((await bob.publish('vault', 'x')).ack).toBeDefined();
});

test('hubs nobody uses leave memory, and come back with all they had', async () => {
  const world = await start();
  await world.run(world.engine.createHub('acme', 'root'));
  await change(world, 'acme', ...closed);
  await world.pass(200_000);
  const alice = await enter(world, 'acme');
  expect((await alice.publish('vault', 'x')).error).toMatchObject({ code: 'DENIED' });
});

test('a hub that is asked for just as it leaves memory has all it had, and takes changes', async () => {
  const world = await start();
  await world.run(world.engine.createHub('acme', 'root'));
  await change(world, 'acme', ...closed);
  const { hubIdleMs, channelIdleMs } = limits;
  let changes = 0;
  // Of those moments some are before it goes, some behind, and one or two while it does; its log leaves a while later.
  for (const idleMs of [hubIdleMs, hubIdleMs + channelIdleMs]) {
    for (let aroundMs = -1_500; aroundMs <= 1_500; aroundMs += 250) {
      await world.pass(idleMs + aroundMs);
      const name = `set-${++changes}`;
      const asked = Promise.all([
        world.engine.enter('acme', undefined),
        world.engine.changeSettings('acme', put('rules', name, { liveHistory: changes }), 'root'),
        world.engine.settings('acme'),
      ]);
      const [entered, changed, document] = await world.run(asked);
      expect([entered.ok, changed.ok, document.ok]).toEqual([true, true, true]);
      const bob = world.connect({ hub: 'acme' });
      expect((await bob.publish('vault', 'x')).error).toMatchObject({ code: 'DENIED' });
      bob.handle.disconnected();
    }
  }
  const document = await world.run(world.engine.settings('acme'));
  const names = Object.keys(document.ok ? (document.value.rules ?? {}) : {});
  expect(names).toEqual(['closed', ...Array.from({ length: changes }, (_, i) => `set-${i + 1}`)]);
});

test('a hub that is made or deleted is so among many others', async () => {
  const world = await start();
  const names = Array.from({ length: 300 }, (_, i) => `hub-${i}`);
  await world.run(Promise.all(names.map((name) => world.engine.createHub(name, 'root'))));
  await enter(world, 'hub-7');
  const seen: string[] = [];
  await world.run(world.engine.deleteHub('hub-7', 'root'));
  await world.run(world.engine.createHub('one-more', 'root'));
  for (const name of ['hub-7', 'hub-8', 'one-more']) {
    const entered = await world.run(world.engine.enter(name, undefined));
    seen.push(entered.ok ? 'there' : entered.error.code);
  }
  expect(seen).toEqual(['HUB_NOT_FOUND', 'there', 'there']);
});

test('retention that is set at run time trims', async () => {
  const world = await start();
  const alice = await enter(world);
  for (let i = 0; i < 20; i++) await alice.publish('lobby', i);
  await change(
    world,
    'default',
    put('rules', 'short', { retention: { maxCount: 5 } }),
    put('hub', 'rules', 'short'),
  );
  await world.pass(10_000);
  const bob = await enter(world);
  await bob.subscribe('lobby', { beginning: true });
  await world.settle();
  expect(bob.data('lobby')).toEqual([15, 16, 17, 18, 19]);
});

test('retention gets round to many small hubs soon, and not to one a step', async () => {
  const world = await start();
  const names = Array.from({ length: 60 }, (_, i) => `hub-${i}`);
  const last = async (hub: string, count: number): Promise<unknown[]> => {
    const entered = await world.run(world.engine.enter(hub, undefined));
    if (!entered.ok) throw new Error(entered.error.code);
    const session = world.connect({ hub });
    for (let i = 0; i < count; i++) await session.publish('lobby', i);
    await session.subscribe('lobby', { beginning: true });
    await world.settle();
    session.handle.disconnected();
    return session.data('lobby');
  };
  for (const hub of names) {
    await world.run(world.engine.createHub(hub, 'root'));
    await last(hub, 4);
    await change(world, hub, put('rules', 'short', { retention: { maxCount: 2 } }));
    await change(world, hub, put('hub', 'rules', 'short'));
  }
  await world.pass(10_000);
  const left = [];
  for (const hub of names) left.push((await last(hub, 0)).length);
  expect(new Set(left)).toEqual(new Set([2]));
});

test('documents go by the rules in force: who has no right neither reads nor changes them', async () => {
  const world = await start();
  const alice = await enter(world);
  const channel = 'doc:plan';
  const patch = () => alice.publish(channel, [{ op: 'add', path: '/a', value: 1 }], { kind: 'patch' });
  const { engine } = world;
  const read = (hub = 'default') => [
    engine.document(anonymous, hub, { type: 'documentGet', channel }),
    engine.documentChanges(anonymous, hub, channel, {}),
    engine.history(anonymous, hub, { type: 'history', channel, backward: false }),
  ];
  const codes = async (hub?: string) =>
    (await world.run(Promise.all(read(hub)))).map((each) => (each.ok ? 'ok' : each.error.code));
  expect((await patch()).ack.version).toBe(1);
  expect(await codes()).toEqual(['ok', 'ok', 'ok']);
  await change(world, 'default', ...closed.slice(0, 1), put('channels', channel, 'closed'));
  expect((await patch()).error).toMatchObject({ code: 'DENIED' });
  expect((await alice.ask({ documentGet: { channel } })).error).toMatchObject({ code: 'DENIED' });
  expect(await codes()).toEqual(['DENIED', 'DENIED', 'DENIED']);
  // Neither is a system channel a document, nor a hub that is not there one of nothing.
  expect((await alice.ask({ documentGet: { channel: '$settings' } })).error).toMatchObject({
    code: 'DENIED',
  });
  expect(await codes('nowhere')).toEqual(['HUB_NOT_FOUND', 'HUB_NOT_FOUND', 'HUB_NOT_FOUND']);
});

test('attack 15: a hub’s quotas bound what its clients and each of its users send together, and its connections', async () => {
  const world = await start();
  await change(
    world,
    'default',
    put('hub', 'messagesPerSecondMax', 6),
    put('hub', 'userMessagesPerSecondMax', 4),
    put('hub', 'sessionsMax', 3),
  );
  await enter(world);
  const known = (actor: string): Principal => ({ actor, authenticated: true, admin: false });
  const [phone, laptop] = [
    world.connect({ principal: known('ada') }),
    world.connect({ principal: known('ada') }),
  ];
  expect(() => world.connect()).toThrow('TOO_MANY');
  const codeOf = ({ error }: Json): string => error?.code ?? 'ok';
  const sent: string[] = [];
  // A request of HTTP counts as what its user does.
  const [first] = await world.run(world.engine.publish(known('ada'), 'default', [message('lobby')]));
  sent.push(first!.ok ? 'ok' : first!.error.code);
  for (const session of [phone, laptop, phone, laptop, phone])
    sent.push(codeOf(await session.publish('lobby', 'x')));
  expect(sent).toEqual(['ok', 'ok', 'ok', 'ok', 'RATE_LIMITED', 'RATE_LIMITED']);
  // Somebody else has what is left of the hub's.
  const others = await world.run(
    world.engine.publish(known('bob'), 'default', [message('lobby'), message('lobby'), message('lobby')]),
  );
  expect(others.map((each) => (each.ok ? 'ok' : each.error.code))).toEqual(['ok', 'ok', 'RATE_LIMITED']);
  const refused = others.find((each) => !each.ok);
  expect(refused).toMatchObject({ error: { retryAfterMs: expect.any(Number) as number } });
  // Heartbeats are no messages, and administrators are not counted.
  expect((await phone.ask({ ping: {} })).pong).toBeDefined();
  const [asAdmin] = await world.run(world.engine.publish(admin, 'default', [message('lobby')]));
  expect(asAdmin).toMatchObject({ ok: true });
  await world.pass(1_000);
  expect(codeOf(await phone.publish('lobby', 'x'))).toBe('ok');
  await change(world, 'default', { type: 'remove', section: 'hub', name: 'sessionsMax' });
  expect(() => world.connect()).not.toThrow();
});

test('what is said of a channel is told to whoever may subscribe to it, and to nobody else', async () => {
  const world = await start();
  const topic = { topic: 'Tea', pinned: ['a', 1, null] };
  await change(
    world,
    'default',
    put('metadata', 'lobby', topic),
    put('metadata', 'vault', { topic: 'Gold' }),
    put('rules', 'closed', { public: false }),
    put('channels', 'vault', 'closed'),
  );
  await enter(world);
  const ada: Principal = { actor: 'ada', authenticated: true, admin: false };
  const ask = async (who: Principal, request: object) => {
    const answer = await world.run(world.engine.people(who, 'default', 'channels/metadata', request, ''));
    return answer.ok ? answer.value : answer.error.code;
  };
  for (const who of [ada, anonymous, admin])
    expect(await ask(who, { channel: 'lobby' })).toEqual({ channel: 'lobby', metadata: topic });
  expect(await ask(admin, { channel: 'vault' })).toEqual({ channel: 'vault', metadata: { topic: 'Gold' } });
  for (const who of [ada, anonymous]) expect(await ask(who, { channel: 'vault' })).toBe('DENIED');
  expect(await ask(ada, { channel: '$settings' })).toBe('DENIED');
  expect(await ask(ada, { channel: 'elsewhere' })).toEqual({ channel: 'elsewhere' });
  for (const request of [{}, { channel: 1 }, { channel: 'lobby', name: 'x' }])
    expect(await ask(ada, request)).toBe('INVALID');
  expect(await ask(ada, { channel: 'no good' })).toBe('BAD_NAME');
  // It is a setting like any other: it outlives a restart, and goes when it is removed.
  await world.restart();
  await enter(world);
  expect(await ask(ada, { channel: 'lobby' })).toMatchObject({ metadata: topic });
  await change(world, 'default', { type: 'remove', section: 'metadata', name: 'lobby' });
  expect(await ask(ada, { channel: 'lobby' })).toEqual({ channel: 'lobby' });
  await change(world, 'default', put('hub', 'anonymous', false));
  expect(await ask(anonymous, { channel: 'lobby' })).toBe('UNAUTHENTICATED');
});

test('attack 15: what is asked over HTTP counts with what is sent', async () => {
  const world = await start();
  await change(world, 'default', put('hub', 'userMessagesPerSecondMax', 4));
  await enter(world);
  const ada: Principal = { actor: 'ada', authenticated: true, admin: false };
  const asked = () => world.engine.count(ada, 'default')?.code ?? 'ok';
  const session = world.connect({ principal: ada });
  const published = await session.publish('lobby', 'x');
  expect(published.ack).toBeDefined();
  expect([asked(), asked(), asked(), asked()]).toEqual(['ok', 'ok', 'ok', 'RATE_LIMITED']);
  expect((await session.publish('lobby', 'x')).error).toMatchObject({ code: 'RATE_LIMITED' });
  expect(world.engine.count(ada, 'default')?.retryAfterMs).toBeGreaterThan(0);
  for (let i = 0; i < 9; i++) expect(world.engine.count(admin, 'default')).toBeUndefined();
  await world.pass(1_000);
  expect(asked()).toBe('ok');
});

test('attack 15: a channel takes as much a second as its rules say, from all its clients together', async () => {
  const world = await start();
  await change(
    world,
    'default',
    put('rules', 'calm', { messagesPerSecondMax: 2 }),
    put('namespaces', 'room', 'calm'),
  );
  const [ada, bob] = [await enter(world), await enter(world)];
  const codeOf = ({ error }: Json): string => error?.code ?? 'ok';
  expect(codeOf(await ada.publish('room:1', 'x'))).toBe('ok');
  // Signals count as well.
  expect(codeOf(await bob.publish('room:1', 'x', { level: 'memory' }))).toBe('ok');
  const refused = await ada.publish('room:1', 'x');
  expect(refused.error).toMatchObject({
    code: 'RATE_LIMITED',
    channel: 'room:1',
    retryAfterMs: expect.any(Number) as number,
  });
  const [byHttp] = await world.run(world.engine.publish(anonymous, 'default', [message('room:1')]));
  expect(byHttp).toMatchObject({ error: { code: 'RATE_LIMITED' } });
  // Each channel for itself; administrators are not counted.
  expect(codeOf(await ada.publish('room:2', 'x'))).toBe('ok');
  const [asAdmin] = await world.run(world.engine.publish(admin, 'default', [message('room:1')]));
  expect(asAdmin).toMatchObject({ ok: true });
  await world.pass(1_000);
  expect(codeOf(await bob.publish('room:1', 'x'))).toBe('ok');
  // Another number goes at once, for channels in use too.
  await change(world, 'default', put('rules', 'calm', { messagesPerSecondMax: 3 }));
  const sent = [];
  for (let i = 0; i < 4; i++) sent.push(codeOf(await bob.publish('room:1', 'x')));
  expect(sent).toEqual(['ok', 'ok', 'ok', 'RATE_LIMITED']);
});

function message(channel: string): PublishMessage {
  return { type: 'publish', channel, content: encodeContent({ payload: utf8('x') }) };
}
