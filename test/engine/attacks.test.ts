/** Attacks of a hub's clients on what is not theirs: names, positions and ids of others, and the time of others. */
import { describe, expect, test } from 'vitest';
import { fromBase64 } from '../../src/base/bytes.js';
import { parseDot } from '../../src/base/ids.js';
import type { Principal } from '../../src/engine/api.js';
import { type Json, type TestSession, World, admin, anonymous } from './harness.js';

const requests = (channel: string): Json[] => [
  { subscribe: { channels: [{ channel }] } },
  { history: { channel } },
  { presence: { channel } },
  { publish: { channel, data: 'x' } },
];

/** What is answered, each without its request id. */
async function answers(session: TestSession, channel: string): Promise<Json[]> {
  const all: Json[] = [];
  for (const request of requests(channel)) {
    const { requestId: _, ...answer } = await session.ask(request);
    all.push(answer);
  }
  return all;
}

const codeOf = (answer: Json): string | undefined =>
  (answer.error ?? answer.subscribe?.results[0].error)?.code;

describe('attack 12: names', () => {
  test.each([
    ['of another hub', 'other/lobby'],
    ['of a path', '../other/lobby'],
    ['of an escaped path', '..%2fother%2flobby'],
    ['with NUL', 'lobby\0'],
    ['with a second hub behind NUL', 'default\0lobby'],
    ['composed', 'caf\u00e9'],
    ['decomposed', 'cafe\u0301'],
    ['of 10 KiB', 'x'.repeat(10_240)],
    ['of all', '*'],
    ['of all below', 'lobby:*'],
    ['of all, however deep', '#'],
    ['of two parts of a key', 'a|b'],
    ['that is empty', ''],
  ])('%s are refused alike wherever they are given, and bring nothing about', async (_, name) => {
    const world = await World.start();
    await world.connect({ hub: 'other' }).publish('lobby', 'theirs');
    const codes = (await answers(world.connect(), name)).map(codeOf);
    expect(codes).toEqual(['BAD_NAME', 'BAD_NAME', 'BAD_NAME', 'BAD_NAME']);
    expect(await world.run(world.engine.channels('default', { limit: 10 }))).toMatchObject({ value: [] });
  });

  test('that are escaped are channels of one’s own', async () => {
    const world = await World.start();
    await world.connect({ hub: 'other' }).publish('lobby', 'theirs');
    const eve = world.connect();
    expect((await eve.subscribe('other%2Flobby', { beginning: true })).error).toBeUndefined();
    await eve.publish('other%2Flobby', 'mine');
    expect(eve.data()).toEqual(['mine']);
  });

  test('of channels one may not use: the answer does not tell whether there is one', async () => {
    const shut = { public: false, clientPublish: false, presence: true };
    const rules = {
      sets: { shut },
      hubs: { default: { channels: { 'vault:a': 'shut', 'vault:b': 'shut' } } },
    };
    const world = await World.start({ rules });
    expect((await world.connect({ principal: admin }).publish('vault:a', 'secret')).ack).toBeDefined();
    const eve = world.connect();
    const [there, not] = [await answers(eve, 'vault:a'), await answers(eve, 'vault:b')];
    expect(there.map(codeOf)).toEqual(['DENIED', 'DENIED', 'DENIED', 'DENIED']);
    expect(JSON.stringify(not)).toBe(JSON.stringify(there).replaceAll('vault:a', 'vault:b'));
  });
});

describe('attack 13: what another hub gave', () => {
  test('neither its cursors', async () => {
    const world = await World.start();
    const [here, there] = [world.connect(), world.connect({ hub: 'other' })];
    await there.subscribe('lobby', { beginning: true });
    for (const session of [here, there]) await session.publish('lobby', 'x');
    const cursor = there.cursor('lobby')!;
    expect((await here.subscribe('lobby', { cursor })).error.code).toBe('BAD_CURSOR');
    expect((await here.ask({ history: { channel: 'lobby', cursor } })).error.code).toBe('BAD_CURSOR');
    const since = fromBase64(cursor)!;
    expect(await world.run(world.engine.queryLog('default', 'lobby', { since }))).toMatchObject({
      error: { code: 'BAD_CURSOR' },
    });
  });

  test('nor its idempotency keys', async () => {
    const world = await World.start();
    const send = async (hub: string, data: string) =>
      world.connect({ hub }).publish('lobby', data, { idempotencyKey: 'k' });
    expect((await send('other', 'theirs')).ack.duplicate).toBeFalsy();
    // Neither a repeat nor a conflict tells that there is one.
    expect((await send('default', 'ours')).ack.duplicate).toBeFalsy();
    expect((await send('other', 'theirs')).ack.duplicate).toBe(true);
    expect((await send('default', 'theirs')).error.code).toBe('KEY_CONFLICT');
  });

  test('nor its message ids mean anything here', async () => {
    const world = await World.start();
    const there = world.connect({ hub: 'other' });
    await there.subscribe('lobby', { beginning: true });
    await there.publish('lobby', 'first');
    const of = parseDot((await there.publish('lobby', 'second')).ack.id);
    if (!of.ok) throw new Error(of.error);
    await world.connect().publish('lobby', 'ours');
    const redact = (principal: Principal, hub: string) =>
      world.run(world.engine.redact(principal, hub, 'lobby', of.value));
    expect(await redact(admin, 'default')).toMatchObject({ error: { code: 'NOT_FOUND' } });
    expect(await redact(anonymous, 'other')).toMatchObject({ error: { code: 'DENIED' } });
    expect(there.data()).toEqual(['first', 'second']);
  });
});

describe('attack 15: a hub at ten times its quota', () => {
  const turns = 50;
  const entryHead = 100;
  const sessions = 10;

  /** What clients of the other hub get through in a second, each asking on once it was answered. */
  async function ofTheOther(quota: string, most: number, isFlooded: boolean) {
    const world = await World.start({ hubs: { createOnUse: false } });
    const change = { type: 'put', section: 'hub', name: quota, value: most } as const;
    expect(await world.run(world.engine.changeSettings('default', change, 'root'))).toMatchObject({
      ok: true,
    });
    await world.settle();
    const known = (actor: string): Principal => ({ actor, authenticated: true, admin: false });
    const flooding = Array.from({ length: sessions }, (_, i) =>
      world.connect({ principal: known(`eve-${i}`) }),
    );
    const honest = world.connect({ hub: 'other' });
    let acked = 0;
    for (let turn = 0; turn < turns; turn++) {
      if (isFlooded)
        for (const [i, session] of flooding.entries()) {
          const publish = { channel: `room:${turn}-${i}`, data: 'x'.repeat(100) };
          session.sendText(
            JSON.stringify([
              { requestId: 2 * turn + 1, publish },
              { requestId: 2 * turn + 2, publish },
            ]),
          );
        }
      // One turn is 20 ms, and the other begins a channel with each.
      if ((await honest.publish(`lobby:${turn}`, turn)).ack) acked++;
    }
    const flood = flooding.flatMap(({ messages }) =>
      messages.flatMap((m) => (m.ack ? 'ok' : (m.error?.code ?? []))),
    );
    const channels = await world.run(world.engine.channels('default', { limit: 1_000 }));
    return { acked, flood, held: channels.ok ? channels.value : [] };
  }

  test.each([
    ['messagesPerSecondMax', 100, 'RATE_LIMITED'],
    ['channelsPerSecondMax', 50, 'RATE_LIMITED'],
    ['bytesMax', 17_000, 'QUOTA'],
  ])('is refused what is above its %s, and takes nothing from another', async (quota, most, code) => {
    const [alone, beside] = [await ofTheOther(quota, most, false), await ofTheOther(quota, most, true)];
    expect(alone.acked).toBe(turns);
    expect(beside.acked).toBe(alone.acked);
    expect(beside.flood).toHaveLength(2 * turns * sessions);
    expect(new Set(beside.flood)).toEqual(new Set(['ok', code]));
    const taken = beside.flood.filter((each) => each === 'ok').length;
    const bytes = beside.held.reduce((sum, each) => sum + each.bytes, 0);
    const used = { messagesPerSecondMax: taken, channelsPerSecondMax: beside.held.length, bytesMax: bytes };
    // Of a rate: the burst of a second, and what comes free in the second that it takes. Of bytes: the head of an entry.
    expect(used[quota as keyof typeof used]).toBeGreaterThan(most * 0.9);
    expect(used[quota as keyof typeof used]).toBeLessThanOrEqual(
      quota === 'bytesMax' ? most + entryHead : 2 * most + 2,
    );
  });
});
