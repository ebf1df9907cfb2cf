/** What a hub may begin and store: its own limits are hit, and nobody else's. */
import { describe, expect, test } from 'vitest';
import { encodeContent } from '../../src/log/entry-wire.js';
import type { Change } from '../../src/hubs/change.js';
import { type Json, type TestSession, World, admin, anonymous } from './harness.js';

const kib = 'x'.repeat(1_024);
/** What an entry adds to its content. */
const entryHead = 100;
const start = () => World.start({ hubs: { createOnUse: false } });

const set = (name: string, value: unknown): Change => ({ type: 'put', section: 'hub', name, value });

async function change(world: World, hub: string, what: Change): Promise<void> {
  expect(await world.run(world.engine.changeSettings(hub, what, 'root'))).toMatchObject({ ok: true });
  await world.settle();
}

async function enter(world: World, hub = 'default'): Promise<TestSession> {
  expect(await world.run(world.engine.enter(hub, undefined))).toMatchObject({ ok: true });
  return world.connect({ hub });
}

const codeOf = ({ error }: Json): string => error?.code ?? 'ok';

async function bytesOf(world: World, hub: string): Promise<number> {
  const channels = await world.run(world.engine.channels(hub, { limit: 1_000 }));
  if (!channels.ok) throw new Error(channels.error.code);
  return channels.value.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Publishes until it is refused; how many were taken, and the refusal. */
async function fill(session: TestSession, channel: string, most = 100) {
  for (let taken = 0; taken < most; taken++) {
    const { error } = await session.publish(channel, kib);
    if (error) return { taken, error: error as Json };
  }
  return { taken: most, error: undefined };
}

describe('channels that a hub begins', () => {
  test('are so many a second, whoever writes; what is there goes on, and so does another hub', async () => {
    const world = await start();
    await change(world, 'default', set('channelsPerSecondMax', 3));
    const session = await enter(world);
    const codes = [];
    for (let i = 0; i < 3; i++) codes.push(codeOf(await session.publish(`room:${i}`, 'x')));
    expect(codes).toEqual(['ok', 'ok', 'ok']);
    const refused = await session.publish('room:3', 'x');
    expect(refused.error).toMatchObject({
      code: 'RATE_LIMITED',
      channel: 'room:3',
      retryAfterMs: expect.any(Number) as number,
    });
    const patch = [{ op: 'add', path: '/a', value: 1 }];
    expect(codeOf(await session.publish('doc:new', patch, { kind: 'patch' }))).toBe('RATE_LIMITED');
    const content = encodeContent({ payload: new TextEncoder().encode('"x"') });
    const asked = world.engine.publish(admin, 'default', [{ type: 'publish', channel: 'room:4', content }]);
    expect(await world.run(asked)).toMatchObject([{ ok: false, error: { code: 'RATE_LIMITED' } }]);
    const gone = world.engine.deleteChannel(admin, 'default', 'room:5');
    expect(await world.run(gone)).toMatchObject({ ok: false, error: { code: 'RATE_LIMITED' } });
    // Nothing is begun by a signal, a reader, or the system.
    expect(codeOf(await session.publish('room:3', 'x', { level: 'memory' }))).toBe('ok');
    expect((await session.subscribe('room:3')).error).toBeUndefined();
    await change(world, 'default', set('groups', true));
    expect(codeOf(await session.publish('room:0', 'x'))).toBe('ok');
    const other = await enter(world, 'other');
    for (let i = 0; i < 10; i++) expect(codeOf(await other.publish(`room:${i}`, 'x'))).toBe('ok');
    await world.pass(1_000);
    expect(codeOf(await session.publish('room:3', 'x'))).toBe('ok');
    await change(world, 'default', { type: 'remove', section: 'hub', name: 'channelsPerSecondMax' });
    for (let i = 10; i < 20; i++) expect(codeOf(await session.publish(`room:${i}`, 'x'))).toBe('ok');
  });

  test('are counted once, also where many writes come together, and not for what left memory', async () => {
    const world = await start();
    await change(world, 'default', set('channelsPerSecondMax', 2));
    const session = await enter(world);
    const publish = { channel: 'room:1', data: 'x' };
    session.sendText(JSON.stringify(Array.from({ length: 20 }, (_, i) => ({ requestId: i + 1, publish }))));
    await world.settle();
    expect(session.messages.filter((m) => m.ack)).toHaveLength(20);
    expect(codeOf(await session.ask({ requestId: 99, publish: { channel: 'room:2', data: 'x' } }))).toBe(
      'ok',
    );
    await world.restart();
    const again = await enter(world);
    expect(codeOf(await again.publish('room:3', 'x'))).toBe('ok');
    expect(codeOf(await again.publish('room:4', 'x'))).toBe('ok');
    expect(codeOf(await again.publish('room:5', 'x'))).toBe('RATE_LIMITED');
    expect(codeOf(await again.publish('room:1', 'x'))).toBe('ok');
    expect(codeOf(await again.publish('room:2', 'x'))).toBe('ok');
  });
});

describe('what a hub stores', () => {
  const most = 20_000;

  async function full() {
    const world = await start();
    await change(world, 'default', set('bytesMax', most));
    const session = await enter(world);
    const first = await session.publish('room:0', 'first', { idempotencyKey: 'k' });
    expect(codeOf(first)).toBe('ok');
    const { taken, error } = await fill(session, 'room:1');
    return { world, session, taken, error };
  }

  test('is bounded: more is refused with what to do, in every channel and after a restart', async () => {
    const { world, taken, error } = await full();
    expect(taken).toBeGreaterThan(10);
    expect(error).toMatchObject({
      code: 'QUOTA',
      channel: 'room:1',
      message: expect.stringContaining('bytesMax') as string,
    });
    const held = await bytesOf(world, 'default');
    expect(held).toBeGreaterThan(most - 1_500);
    expect(held).toBeLessThanOrEqual(most + entryHead);
    for (const again of [() => world.settle(), () => world.restart(), () => world.crash()]) {
      await again();
      const later = await enter(world);
      expect(codeOf(await later.publish('room:2', kib))).toBe('QUOTA');
      const patch = [{ op: 'add', path: '/a', value: kib }];
      expect(codeOf(await later.publish('doc:1', patch, { kind: 'patch' }))).toBe('QUOTA');
      expect((await later.ask({ history: { channel: 'room:1' } })).history.entries.length).toBe(taken);
      expect(codeOf(await later.publish('room:9', 'x', { level: 'memory' }))).toBe('ok');
    }
    const other = await enter(world, 'other');
    expect(await fill(other, 'room:1', 40)).toMatchObject({ taken: 40 });
  });

  test('that is in the log already is answered as what it is, and numbers go on behind a refusal', async () => {
    const { world, session } = await full();
    const repeat = await session.publish('room:0', 'first', { idempotencyKey: 'k' });
    expect(repeat.ack).toMatchObject({ duplicate: true });
    const numbered = await enter(world);
    await numbered.ask({ auth: { publisherId: 'p', publisherEpoch: 1 } });
    const send = (seq: number) => numbered.publish('room:7', kib, { publisherSeq: seq });
    expect(codeOf(await send(1))).toBe('QUOTA');
    await change(world, 'default', set('bytesMax', 10 * most));
    expect([codeOf(await send(1)), codeOf(await send(2))]).toEqual(['ok', 'ok']);
  });

  test('is less at once after a trim, and after a deletion', async () => {
    const { world, session, taken } = await full();
    const trimmed = await world.run(world.engine.trimChannel('default', 'room:1', { entries: 2 }, 'root'));
    expect(trimmed).toMatchObject({ ok: true });
    const more = await fill(session, 'room:2');
    expect(more.taken).toBeGreaterThanOrEqual(taken - 4);
    expect(more.error).toMatchObject({ code: 'QUOTA' });
    expect(await world.run(world.engine.deleteChannel(anonymous, 'default', 'room:2'))).toMatchObject({
      error: { code: 'DENIED' },
    });
    expect(await world.run(world.engine.deleteChannel(admin, 'default', 'room:2'))).toMatchObject({
      ok: true,
    });
    const last = await fill(session, 'room:3');
    expect(last.taken).toBeGreaterThanOrEqual(more.taken - 1);
    expect(last.error).toMatchObject({ code: 'QUOTA' });
    expect(await bytesOf(world, 'default')).toBeLessThanOrEqual(most + 500);
  });

  test('goes by retention too, and by another quota', async () => {
    const { world, session } = await full();
    const rules = {
      type: 'put',
      section: 'rules',
      name: 'short',
      value: { retention: { maxCount: 3 } },
    } as const;
    await change(world, 'default', rules);
    await change(world, 'default', { type: 'put', section: 'namespaces', name: 'room', value: 'short' });
    await world.pass(5_000);
    expect(codeOf(await session.publish('room:5', kib))).toBe('ok');
    await change(world, 'default', set('bytesMax', 1));
    expect(codeOf(await session.publish('room:5', kib))).toBe('QUOTA');
    await change(world, 'default', { type: 'remove', section: 'hub', name: 'bytesMax' });
    expect(codeOf(await session.publish('room:5', kib))).toBe('ok');
  });

  test('within one commit too: what comes together does not go beyond it', async () => {
    const world = await start();
    await change(world, 'default', set('bytesMax', most));
    const session = await enter(world);
    const flood = Array.from({ length: 100 }, (_, i) => ({
      requestId: i + 1,
      publish: { channel: `room:${i % 7}`, data: kib },
    }));
    session.sendText(JSON.stringify(flood));
    await world.settle();
    const codes = session.messages.map((m) => codeOf(m));
    expect([codes.includes('ok'), codes.includes('QUOTA')]).toEqual([true, true]);
    expect(await bytesOf(world, 'default')).toBeLessThanOrEqual(most + entryHead);
  });
});

test.each([
  ['channelsPerSecondMax', 0, 'is a whole number from 1 to 1000000000'],
  ['channelsPerSecondMax', '10', 'is a whole number from 1'],
  ['bytesMax', 0, 'is a whole number from 1 to 9007199254740991'],
  ['bytesMax', 1.5, 'is a whole number from 1'],
  ['bytesPerSecondMax', 1, 'channelsPerSecondMax, bytesMax'],
])('a setting %s of %j is refused, with what it may be', async (name, value, says) => {
  const world = await start();
  const answer = await world.run(world.engine.changeSettings('default', set(name, value), 'root'));
  expect(answer).toMatchObject({
    ok: false,
    error: { code: 'INVALID', message: expect.stringContaining(says) as string },
  });
});
