/** Trims that an operator forces, on a node alone. */
import { expect, test } from 'vitest';
import { type Keep } from '../../src/log/retention.js';
import { timestampFromUnixMs } from '../../src/log/timestamp.js';
import { type Json, type TestSession, World, openRules } from './harness.js';

async function trim(world: World, keep: Keep, channel = 'chat') {
  return await world.run(world.engine.trimChannel('default', channel, keep, 'root'));
}

async function historyOf(session: TestSession, channel = 'chat') {
  const { history } = await session.ask({ history: { channel } });
  const reasons = history.gaps.map(({ reason }: Json) => reason);
  const entries = history.entries.filter(({ kind }: Json) => kind !== 'trim');
  return { data: entries.map(({ data }: Json) => data), reasons };
}

async function chat(rules?: Json): Promise<{ world: World; session: TestSession }> {
  const world = await World.start(rules ? { rules } : {});
  const session = world.connect();
  for (let i = 0; i < 10; i++) await session.publish('chat', i);
  return { world, session };
}

const byCount = { sets: { short: { retention: { maxCount: 3 } } }, hubs: { default: { rules: 'short' } } };

test('removes what nobody has read; readers are told that it was forced, in every way they read', async () => {
  const { world } = await chat();
  const live = world.connect();
  await live.subscribe('chat');
  const behind = world.connect();
  await behind.subscribe('chat', { beginning: true });
  await world.settle();
  const answer = await trim(world, { entries: 2 });
  expect(answer).toMatchObject({ ok: true, value: { level: 'quorum', dot: { seq: 11 } } });
  await world.settle();
  expect([live.gaps(), behind.gaps()]).toEqual([[], []]);
  const late = world.connect();
  await late.subscribe('chat', { beginning: true });
  await world.settle();
  expect(late.gaps().map(({ reason }) => reason)).toEqual(['forced']);
  expect(late.data('chat')).toEqual([8, 9]);
  expect((await historyOf(late)).reasons).toEqual(['forced']);
  const page = await world.run(world.engine.queryLog('default', 'chat', { kind: 'trim' } as never));
  expect(page.ok && page.value.entries[0]!.entry).toMatchObject({
    actor: 'root',
    trim: { forced: { end: 8 } },
  });
});

test('a restart and a later trim by the rule keep what was forced apart', async () => {
  const { world } = await chat(byCount);
  const early = world.connect();
  await early.subscribe('chat');
  await early.publish('chat', 'unforced');
  await world.settle();
  const before = early.cursor('chat');
  for (let i = 0; i < 4; i++) await early.publish('chat', i);
  await trim(world, { entries: 1 });
  const seen = world.connect();
  await seen.subscribe('chat');
  await seen.publish('chat', 'after');
  await world.settle();
  const behind = seen.cursor('chat');
  for (let i = 0; i < 40; i++) await seen.publish('chat', i);
  await world.pass(10_000);
  await world.restart();
  const reasons = async (start: Json): Promise<unknown[]> => {
    const reader = world.connect();
    await reader.subscribe('chat', start);
    await world.settle();
    return reader.gaps().map(({ reason }) => reason);
  };
  expect(await reasons({ cursor: before })).toEqual(['forced']);
  expect(await reasons({ beginning: true })).toEqual(['forced']);
  // Who had all that was forced out lacks only what went by the rule.
  expect(await reasons({ cursor: behind })).toEqual(['trimmed']);
});

test('works on a full disk, where publishes are refused', async () => {
  const { world, session } = await chat();
  world.disk.capacityBytes = 1;
  await world.pass(5_000);
  expect((await session.publish('chat', 'refused')).error).toMatchObject({ code: 'DISK_FULL' });
  world.disk.capacityBytes = world.disk.usedBytes + 100_000;
  expect(await trim(world, { bytes: 0 })).toMatchObject({ ok: true, value: { dot: { seq: 11 } } });
  expect((await historyOf(session)).data).toEqual([]);
});

test('keeps what is not older, and says where nothing had to go', async () => {
  const world = await World.start();
  const session = world.connect();
  for (let i = 0; i < 5; i++) await session.publish('chat', i);
  await world.pass(60_000);
  const since = timestampFromUnixMs(world.clock.wallMs() - 1_000);
  const later = world.connect();
  for (let i = 5; i < 8; i++) await later.publish('chat', i);
  expect(await trim(world, { since })).toMatchObject({ ok: true, value: { dot: { seq: 9 } } });
  expect((await historyOf(later)).data).toEqual([5, 6, 7]);
  for (const keep of [{ since }, { entries: 100 }, { bytes: 1_000_000 }]) {
    const answer = await trim(world, keep);
    expect(answer).toMatchObject({ ok: true, value: { level: 'memory', copies: 0 } });
    expect(answer.ok && answer.value.dot).toBeUndefined();
  }
});

test('a document stays what it is; of the system nothing goes', async () => {
  const world = await World.start({ rules: openRules });
  const session = world.connect();
  for (let i = 0; i < 60; i++) {
    const patch = [{ op: 'add', path: `/k${i}`, value: 'x'.repeat(1_000) }];
    expect(await session.publish('doc:d', patch, { kind: 'patch' })).toHaveProperty('ack');
  }
  const before = (await session.ask({ documentGet: { channel: 'doc:d' } })).document;
  // Until it has a snapshot it stands on all of its past.
  expect(await trim(world, { entries: 0 }, 'doc:d')).toMatchObject({ error: { code: 'UNAVAILABLE' } });
  await world.settle();
  expect(await trim(world, { entries: 0 }, 'doc:d')).toMatchObject({ ok: true, value: { level: 'quorum' } });
  await world.restart();
  const after = (await world.connect().ask({ documentGet: { channel: 'doc:d' } })).document;
  expect([after.version, after.hash]).toEqual([before.version, before.hash]);
  expect(await trim(world, { entries: 0 }, '$hubs')).toMatchObject({ ok: false, error: { code: 'DENIED' } });
});
