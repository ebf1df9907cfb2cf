/** Who is in a channel, at a node alone: what clients see of each other, and what the rules let them. */
import { describe, expect, test } from 'vitest';
import type { RuleConfig } from '../../src/channels/rules.js';
import type { Principal } from '../../src/engine/api.js';
import { type Json, type TestSession, World, admin, adminToken, anonymous } from './harness.js';

const rules: RuleConfig = {
  sets: { seen: { presence: true }, counted: { occupancy: true }, closed: { presence: true, public: false } },
  hubs: { default: { namespaces: { room: 'seen', hall: 'counted', vault: 'closed' } } },
};
const ada: Principal = { actor: 'ada', authenticated: true, admin: false };

const start = () => World.start({ rules });
const of = (session: TestSession, name: string): Json[] =>
  session.messages.flatMap((message) => (message.requestId ? [] : (message[name] ?? [])));
const idOf = (session: TestSession): string => session.messages[0].sessionInfo.sessionId;
const members = (answer: Json): Json[] => answer.presence.members;

describe('presence', () => {
  test('names who is subscribed, since when, and what each says of itself', async () => {
    const world = await start();
    const [one, two] = [world.connect({ principal: ada }), world.connect()];
    await one.subscribe('room:a', { presence: { at: 'desk' } });
    await two.subscribe('room:a');
    const { presence } = await two.ask({ presence: { channel: 'room:a' } });
    expect(presence).toMatchObject({ channel: 'room:a', count: 2, more: false });
    const byId = new Map(presence.members.map((each: Json) => [each.session, each]));
    expect(byId.get(idOf(one))).toMatchObject({ user: 'ada', metadata: { at: 'desk' } });
    expect(byId.get(idOf(two))).toEqual({ session: idOf(two), since: expect.any(Number) });
    expect(presence.members.map((each: Json) => each.session)).toEqual([idOf(one), idOf(two)].sort());
  });

  test('tells who follows of joins, changes and leaves, in their order', async () => {
    const world = await start();
    const [one, two] = [world.connect(), world.connect({ principal: ada })];
    expect(members(await one.ask({ presence: { channel: 'room:a', follow: true } }))).toEqual([]);
    await two.subscribe('room:a');
    const answer = await two.ask({ presenceUpdate: { channel: 'room:a', metadata: 'busy' } });
    const [{ since }] = members(answer);
    expect(answer.presence).toEqual({
      channel: 'room:a',
      count: 1,
      more: false,
      members: [{ session: idOf(two), user: 'ada', metadata: 'busy', since }],
    });
    await two.ask({ unsubscribe: { channels: ['room:a'] } });
    await world.settle();
    expect(of(one, 'join')).toEqual([
      {
        channel: 'room:a',
        count: 1,
        more: 0,
        members: [{ session: idOf(two), user: 'ada', since }],
      },
      {
        channel: 'room:a',
        count: 1,
        more: 0,
        members: [{ session: idOf(two), user: 'ada', metadata: 'busy', since }],
      },
    ]);
    expect(of(one, 'leave')).toEqual([{ channel: 'room:a', count: 0, sessions: [idOf(two)] }]);
    await one.ask({ presence: { channel: 'room:a', follow: false } });
    await two.subscribe('room:a');
    expect(of(one, 'join')).toHaveLength(2);
  });

  test('lets those go whose connection is lost, and forgets who only watched', async () => {
    const world = await start();
    const [one, two] = [world.connect(), world.connect()];
    await one.ask({ presence: { channel: 'room:a', follow: true } });
    await two.subscribe('room:a');
    two.handle.disconnected();
    await world.settle();
    expect(of(one, 'leave')).toEqual([{ channel: 'room:a', count: 0, sessions: [idOf(two)] }]);
    one.handle.disconnected();
    const three = world.connect();
    await three.subscribe('room:a');
    await world.settle();
    expect(of(one, 'join')).toHaveLength(1);
  });

  test('comes in pages, in the order of sessions', async () => {
    const world = await start();
    const sessions = Array.from({ length: 7 }, () => world.connect());
    for (const session of sessions) await session.subscribe('room:a');
    const pages: string[][] = [];
    for (let after = '', more = true; more;) {
      const { presence } = await sessions[0]!.ask({ presence: { channel: 'room:a', after, limit: 3 } });
      pages.push(presence.members.map((each: Json) => each.session));
      after = pages.at(-1)!.at(-1)!;
      more = presence.more;
    }
    expect(pages.map((page) => page.length)).toEqual([3, 3, 1]);
    expect(pages.flat()).toEqual(sessions.map(idOf).sort());
  });

  test('is not kept where the rules do not say so, and not shown to those who may not subscribe', async () => {
    const world = await start();
    const one = world.connect();
    for (const channel of ['plain', 'hall:a']) {
      const { error } = await one.ask({ presence: { channel, follow: true } });
      expect([error.code, error.channel]).toEqual(['NO_PRESENCE', channel]);
    }
    expect((await one.ask({ occupancy: { channel: 'plain' } })).error.code).toBe('NO_PRESENCE');
    expect((await one.ask({ presence: { channel: 'vault:a' } })).error.code).toBe('DENIED');
    expect((await one.ask({ presence: { channel: 'no name' } })).error.code).toBe('BAD_NAME');
    expect((await one.ask({ presenceUpdate: { channel: 'room:a' } })).error.code).toBe('NOT_SUBSCRIBED');
    const asked = async (channel: string, principal: Principal) => {
      const page = await world.run(world.engine.presence(principal, 'default', channel, {}));
      return page.ok ? page.value.count : page.error.code;
    };
    expect(await asked('vault:a', admin)).toBe(0);
    expect(await asked('vault:a', anonymous)).toBe('DENIED');
    expect(await asked('plain', admin)).toBe('NO_PRESENCE');
    expect(await asked('$settings', admin)).toBe('NO_PRESENCE');
  });

  test('says who somebody is from when on it is known, and nothing to another hub', async () => {
    const world = await World.start({
      rules: { ...rules, hubs: { ...rules.hubs, other: rules.hubs['default']! } },
    });
    const [one, two] = [world.connect(), world.connect({ hub: 'other' })];
    await one.subscribe('room:a');
    expect(members(await one.ask({ presence: { channel: 'room:a', follow: true } }))[0].user).toBeUndefined();
    await one.ask({ auth: { token: adminToken } });
    expect(of(one, 'join').at(-1).members).toMatchObject([{ session: idOf(one), user: '$admin' }]);
    const { presence } = await two.ask({ presence: { channel: 'room:a', follow: true } });
    expect([presence.count, presence.members]).toEqual([0, []]);
    one.handle.disconnected();
    await world.settle();
    expect([...of(two, 'leave'), ...of(two, 'join')]).toEqual([]);
  });

  test('begins anew with the connections after the store failed', async () => {
    const world = await start();
    const one = world.connect();
    await one.subscribe('room:a');
    world.failNextWrite = 'ENOSPC';
    const two = world.connect();
    two.sendText(JSON.stringify({ requestId: 9, publish: { channel: 'room:a', data: 1 } }));
    await world.pass(2_000);
    expect([one.closed, two.closed]).not.toContain(undefined);
    const three = world.connect();
    await three.subscribe('room:a');
    const { presence } = await three.ask({ presence: { channel: 'room:a' } });
    expect(presence.members.map((each: Json) => each.session)).toEqual([idOf(three)]);
  });

  test('takes what is said as JSON of a bounded size', async () => {
    const world = await start();
    const one = world.connect();
    await one.subscribe('room:a');
    const update = async (metadata: unknown) =>
      (await one.ask({ presenceUpdate: { channel: 'room:a', metadata } })).error?.code;
    expect(await update('x'.repeat(510))).toBeUndefined();
    expect(await update('x'.repeat(511))).toBe('TOO_LARGE');
    expect(await update(JSON.parse('['.repeat(20) + ']'.repeat(20)))).toBe('INVALID');
    const two = world.connect();
    const refused = await two.ask({
      subscribe: { channels: [{ channel: 'room:a', presence: 'x'.repeat(600) }] },
    });
    expect(refused.error).toMatchObject({ code: 'TOO_LARGE', channel: 'room:a' });
    expect((await two.ask({ presence: { channel: 'room:a', limit: 1_001 } })).error.code).toBe('INVALID');
  });
});

describe('occupancy', () => {
  test('counts who is subscribed, also where nobody is named, and tells of every change', async () => {
    const world = await start();
    const [one, two, three] = [world.connect(), world.connect(), world.connect()];
    for (const channel of ['room:a', 'hall:a']) {
      expect((await one.ask({ occupancy: { channel, follow: true } })).occupancy).toEqual({
        channel,
        count: 0,
      });
      await two.subscribe(channel);
      await three.subscribe(channel);
      await two.ask({ unsubscribe: { channels: [channel] } });
      expect((await one.ask({ occupancy: { channel } })).occupancy.count).toBe(1);
      expect(of(one, 'occupancy').filter((each) => each.channel === channel)).toEqual([
        { channel, count: 1 },
        { channel, count: 2 },
        { channel, count: 1 },
      ]);
      const count = await world.run(world.engine.occupancy(anonymous, 'default', channel));
      expect(count).toEqual({ ok: true, value: 1 });
    }
    expect(of(one, 'join')).toEqual([]);
  });
});

describe('rules that change', () => {
  test('bring presence about and end it, for sessions that are there', async () => {
    const world = await World.start({ hubs: { createOnUse: false } });
    const put = async (value: object) => {
      const change = { type: 'put', section: 'rules', name: 'seen', value } as const;
      expect(await world.run(world.engine.changeSettings('default', change, 'root'))).toMatchObject({
        ok: true,
      });
      await world.pass(100);
    };
    await put({});
    const toRoom = { type: 'put', section: 'namespaces', name: 'room', value: 'seen' } as const;
    expect(await world.run(world.engine.changeSettings('default', toRoom, 'root'))).toMatchObject({
      ok: true,
    });
    const [one, two] = [world.connect(), world.connect()];
    await two.subscribe('room:a', { presence: 1 });
    expect((await one.ask({ presence: { channel: 'room:a' } })).error.code).toBe('NO_PRESENCE');
    await put({ occupancy: true });
    expect((await one.ask({ occupancy: { channel: 'room:a', follow: true } })).occupancy.count).toBe(1);
    await put({ presence: true });
    const { presence } = await one.ask({ presence: { channel: 'room:a', follow: true } });
    expect([presence.count, presence.members[0].metadata]).toEqual([1, 1]);
    await put({ presence: false });
    const errors = one.messages.flatMap(({ error, requestId }) => (error && !requestId ? [error] : []));
    expect(errors.map(({ code, channel }) => [code, channel])).toEqual([
      ['NO_PRESENCE', 'room:a'],
      ['NO_PRESENCE', 'room:a'],
    ]);
    await put({ presence: true });
    expect(of(one, 'join')).toEqual([]);
  });
});
