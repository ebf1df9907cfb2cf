/** Sessions that come back with a key after their connection was lost, at a node alone. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import type { RuleConfig } from '../../src/channels/rules.js';
import { type Json, type TestSession, World, admin } from './harness.js';
import { Known, changes, enter, set } from './known-clients.js';

const rules: RuleConfig = {
  sets: { seen: { presence: true } },
  hubs: { default: { namespaces: { room: 'seen' } }, other: {} },
};
const idOf = (session: TestSession): string => session.messages[0].sessionInfo.sessionId;
const keptOf = (session: TestSession): Json[] => session.messages.flatMap((m) => m.sessionKept ?? []);
const restore = (session: TestSession, key: string, cursors: Json[] = []): Promise<Json> =>
  session.ask({ sessionRestore: { key, cursors } });

/** A session that is kept, with these subscriptions, and its key. */
async function kept(
  world: World,
  channels: readonly string[] = [],
  session = world.connect(),
): Promise<[TestSession, string]> {
  for (const channel of channels) await session.subscribe(channel);
  const { sessionKept } = await session.ask({ sessionRestore: {} });
  expect(sessionKept).toMatchObject({ added: channels, dropped: [], leftOut: 0 });
  return [session, sessionKept.key];
}

async function refused(session: TestSession, key: string): Promise<string> {
  const requestId = 77;
  session.sendText(JSON.stringify({ requestId, sessionRestore: { key } }));
  await session.world.pass(limits.restoreHeardMs + 100);
  return session.messages.find((each) => each.requestId === requestId)?.error?.code;
}

describe('a session that is kept', () => {
  test('comes back with its id, its subscriptions, and what it missed', async () => {
    const world = await World.start({ rules });
    const [first, key] = await kept(world, ['lobby', 'room:a']);
    await first.publish('lobby', 1);
    const cursor = first.cursor('lobby');
    first.handle.disconnected();
    await world.connect().publish('lobby', 2);
    const second = world.connect();
    const { sessionRestored } = await restore(second, key, [{ channel: 'lobby', cursor }]);
    expect(sessionRestored).toMatchObject({
      sessionId: idOf(first),
      results: [{ channel: 'lobby' }, { channel: 'room:a' }],
    });
    expect(sessionRestored.key).not.toBe(key);
    await second.publish('lobby', 3);
    expect(second.data('lobby')).toEqual([2, 3]);
    await second.publish('room:a', 'live');
    expect(second.data('room:a')).toEqual(['live']);
  });

  test('is told what would come back, as it changes', async () => {
    const world = await World.start({ rules });
    const [session, key] = await kept(world);
    await session.subscribe('a');
    await session.subscribe('b');
    await session.ask({ unsubscribe: { channels: ['a'] } });
    await world.pass(1_000);
    const now = new Set<string>();
    for (const { added, dropped } of keptOf(session)) {
      for (const channel of added) now.add(channel);
      for (const channel of dropped) now.delete(channel);
    }
    expect([...now]).toEqual(['b']);
    session.handle.disconnected();
    const { sessionRestored } = await restore(world.connect(), key);
    expect(sessionRestored.results).toMatchObject([{ channel: 'b' }]);
  });

  test('comes back once: a key that was used restores nothing, nor does one that nobody ever had', async () => {
    const world = await World.start({ rules });
    const [first, key] = await kept(world, ['lobby']);
    first.handle.disconnected();
    const [one, two] = [world.connect(), world.connect()];
    const answers = await Promise.all([restore(one, key), refused(two, key)]);
    expect(answers[0].sessionRestored.sessionId).toBe(idOf(first));
    expect(answers[1]).toBe('NOT_RESTORED');
    expect(await refused(world.connect(), key)).toBe('NOT_RESTORED');
    expect(await refused(world.connect(), 'AAAA')).toBe('NOT_RESTORED');
    const forged = Buffer.from(answers[0].sessionRestored.key, 'base64url');
    forged[30]! ^= 1;
    expect(await refused(world.connect(), forged.toString('base64url'))).toBe('NOT_RESTORED');
    // Whoever was refused goes on with what it has.
    expect(await two.subscribe('lobby')).toMatchObject({ channel: 'lobby' });
    // And the next key is good, once.
    expect((await restore(world.connect(), answers[0].sessionRestored.key)).sessionRestored).toBeDefined();
  });

  test('attack 13: is not restored in another hub, and its key stands in no log', async () => {
    const world = await World.start({ rules });
    const [first, key] = await kept(world, ['lobby']);
    first.handle.disconnected();
    expect(await refused(world.connect({ hub: 'other' }), key)).toBe('NOT_RESTORED');
    const page = await world.run(world.engine.queryLog('default', '$sessions', { limit: 10 }));
    if (!page.ok) throw new Error(page.error.code);
    const texts = page.value.entries.map(({ entry }) => new TextDecoder().decode(entry.content?.payload));
    expect(texts.join()).toContain(idOf(first));
    expect(texts.join()).not.toContain(key);
    expect(world.observations.map((each) => JSON.stringify(each)).join()).not.toContain(key);
    expect((await restore(world.connect(), key)).sessionRestored.sessionId).toBe(idOf(first));
  });

  test('that is still connected is told that it is another’s now', async () => {
    const world = await World.start({ rules });
    const [first, key] = await kept(world, ['room:a', 'room:b']);
    const watcher = world.connect();
    await watcher.ask({ presence: { channel: 'room:a', follow: true } });
    const second = world.connect();
    await restore(second, key);
    expect(watcher.messages.filter(({ leave }) => leave)).toEqual([]);
    expect(first.closed).toEqual({ code: 4409, reason: 'RESTORED_ELSEWHERE' });
    const { presence } = await second.ask({ presence: { channel: 'room:a' } });
    expect(presence.members).toMatchObject([{ session: idOf(first) }]);
    second.handle.disconnected();
    const { presence: after } = await world.connect().ask({ presence: { channel: 'room:a' } });
    expect(after.count).toBe(0);
  });

  test('that ended by its own will is not kept any longer', async () => {
    const world = await World.start({ rules });
    const [first, key] = await kept(world, ['lobby']);
    first.sendText(JSON.stringify({ close: {} }));
    await world.settle();
    expect(await refused(world.connect(), key)).toBe('NOT_RESTORED');
  });

  test('survives its node, and is gone after its time', async () => {
    const world = await World.start({ rules, maintenanceIntervalMs: 10_000 });
    const [first, key] = await kept(world, ['lobby']);
    await world.crash();
    const second = world.connect();
    const { sessionRestored } = await restore(second, key);
    expect(sessionRestored.sessionId).toBe(idOf(first));
    second.handle.disconnected();
    for (let i = 0; i < 4; i++) await world.pass(limits.sessionKeptMs / 4 + 1_000);
    // Time is that of the log.
    await kept(world);
    expect(await refused(world.connect(), sessionRestored.key)).toBe('NOT_RESTORED');
  });

  test('stays kept as long as it is connected', async () => {
    const world = await World.start({ rules, maintenanceIntervalMs: 10_000 });
    const [first, key] = await kept(world, ['lobby']);
    for (let i = 0; i < 4 * 60; i++) {
      await world.pass(20_000);
      first.sendText(JSON.stringify({ ping: {} }));
    }
    first.handle.disconnected();
    await world.pass(limits.sessionKeptMs - limits.sessionRenewMs - 5_000);
    await kept(world);
    expect((await restore(world.connect(), key)).sessionRestored.sessionId).toBe(idOf(first));
  });

  test('comes back at a node that has just read the log, however often it came back since it was begun', async () => {
    const world = await World.start({ rules, maintenanceIntervalMs: 10_000 });
    const [first, begun] = await kept(world, ['lobby']);
    let key = begun;
    let session = first;
    const comeBack = async (): Promise<void> => {
      session = world.connect();
      const { sessionRestored } = await restore(session, key);
      expect(sessionRestored).toMatchObject({ sessionId: idOf(first), results: [{ channel: 'lobby' }] });
      key = sessionRestored.key;
    };
    // For longer than the log is kept.
    const everyMs = limits.sessionRenewMs / 2;
    for (let ms = 0; ms < limits.sessionLogMs + 2 * limits.sessionRenewMs; ms += everyMs) {
      session.handle.disconnected();
      await world.pass(everyMs);
      await comeBack();
      await world.pass(1_000);
    }
    await world.crash();
    await comeBack();
  });

  test('goes by what it may at that time', async () => {
    const closed = { ...rules, sets: { ...rules.sets, shut: { public: false } } };
    const world = await World.start({ rules: closed, hubs: { createOnUse: false } });
    const [first, key] = await kept(world, ['lobby', 'vault'], await enter(world));
    first.handle.disconnected();
    await set(world, { type: 'put', section: 'rules', name: 'shut', value: { public: false } });
    await set(world, { type: 'put', section: 'channels', name: 'vault', value: 'shut' });
    const second = world.connect();
    const { sessionRestored } = await restore(second, key);
    expect(sessionRestored.results).toMatchObject([
      { channel: 'lobby' },
      { channel: 'vault', error: { code: 'DENIED' } },
    ]);
    await world.pass(500);
    expect(keptOf(second)).toMatchObject([{ added: [], dropped: ['vault'] }]);
  });

  test('has no more subscriptions than may be kept; the rest is told', async () => {
    const world = await World.start({ rules });
    const session = world.connect();
    const channels = Array.from({ length: limits.keptSubscriptionsMax + 3 }, (_, i) => ({
      channel: `c:${i}`,
    }));
    await session.ask({ subscribe: { channels } });
    const { sessionKept } = await session.ask({ sessionRestore: {} });
    expect(sessionKept.added).toHaveLength(limits.keptSubscriptionsMax);
    expect(sessionKept.leftOut).toBe(3);
  });

  test('is restored before anything else, once, and is no administrator’s', async () => {
    const world = await World.start({ rules });
    const [first, key] = await kept(world, ['lobby']);
    const busy = world.connect();
    await busy.subscribe('hall');
    expect((await restore(busy, key)).error.code).toBe('INVALID');
    expect((await first.ask({ sessionRestore: {} })).error.code).toBe('INVALID');
    expect((await world.connect({ principal: admin }).ask({ sessionRestore: {} })).error.code).toBe(
      'UNSUPPORTED',
    );
  });

  test('what is sent behind the key is of the session that comes back', async () => {
    const world = await World.start({ rules });
    const [first, key] = await kept(world, ['lobby']);
    first.handle.disconnected();
    const second = world.connect();
    second.sendText(
      JSON.stringify([
        { requestId: 1, sessionRestore: { key } },
        { requestId: 2, subscribe: { channels: [{ channel: 'lobby' }, { channel: 'hall' }] } },
      ]),
    );
    await world.settle();
    expect(second.messages.find(({ requestId }) => requestId === 2).subscribe.results).toMatchObject([
      { error: { code: 'ALREADY_SUBSCRIBED' } },
      { channel: 'hall' },
    ]);
  });
});

describe('who a session is', () => {
  async function start(): Promise<{ world: World; known: Known }> {
    const known = new Known();
    const world = new World({ rules, hubs: { createOnUse: false }, authenticator: known });
    known.world = world;
    await world.boot();
    for (const change of changes) await set(world, change);
    const issuedAtMs = world.clock.wallMs();
    const permissions = { subscribe: ['news'] };
    known.tokens.set('ada', { user: 'ada', permissions, metadata: '{"name":"Ada"}', issuedAtMs });
    known.tokens.set('bob', { user: 'bob', permissions, issuedAtMs });
    return { world, known };
  }

  test('comes back with the key, without a token', async () => {
    const { world, known } = await start();
    const [first, key] = await kept(world, ['news'], await enter(world, 'ada'));
    first.handle.disconnected();
    const asked = known.checks.length;
    const second = await enter(world);
    const { sessionRestored } = await restore(second, key);
    expect(sessionRestored.results).toMatchObject([{ channel: 'news', cursor: expect.any(String) }]);
    expect(second.messages.findLast(({ auth }) => auth).auth).toMatchObject({
      authenticated: true,
      actor: 'ada',
      metadata: { name: 'Ada' },
    });
    expect(known.checks).toHaveLength(asked);
  });

  test('does not when that user was revoked, nor for another user', async () => {
    const { world } = await start();
    const [first, key] = await kept(world, ['news'], await enter(world, 'ada'));
    first.handle.disconnected();
    expect(await refused(await enter(world, 'bob'), key)).toBe('NOT_RESTORED');
    await set(world, { type: 'put', section: 'revoked', name: 'ada', value: world.clock.wallMs() });
    expect(await refused(await enter(world), key)).toBe('NOT_RESTORED');
  });

  test('of a user that has shown a new token is what that says', async () => {
    const { world, known } = await start();
    const [first, key] = await kept(world, ['news'], await enter(world, 'ada'));
    first.handle.disconnected();
    const issuedAtMs = world.clock.wallMs();
    known.tokens.set('ada again', { user: 'ada', permissions: {}, issuedAtMs });
    const { sessionRestored } = await restore(await enter(world, 'ada again'), key);
    expect(sessionRestored.results).toMatchObject([{ channel: 'news', error: { code: 'DENIED' } }]);
  });

  test('changes with another token, and comes back as that', async () => {
    const { world } = await start();
    const [first, key] = await kept(world, [], await enter(world));
    await first.ask({ auth: { token: 'bob' } });
    await world.pass(500);
    first.handle.disconnected();
    const second = await enter(world);
    await restore(second, key);
    expect(second.messages.findLast(({ auth }) => auth).auth).toMatchObject({ actor: 'bob' });
  });

  test('comes back where nobody is let in without a token', async () => {
    const { world } = await start();
    await set(world, { type: 'put', section: 'hub', name: 'anonymous', value: false });
    const [first, key] = await kept(world, ['news'], await enter(world, 'ada'));
    first.handle.disconnected();
    const second = await enter(world);
    expect((await restore(second, key)).sessionRestored.sessionId).toBe(idOf(first));
    expect(await second.publish('news', 1)).toMatchObject({ error: { code: 'DENIED' } });
  });
});
