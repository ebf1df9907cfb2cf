/** Redaction of single messages on a node alone. */
import { describe, expect, test } from 'vitest';
import { parseDot } from '../../src/base/ids.js';
import {
  type Json,
  type TestSession,
  World,
  type WorldOptions,
  admin,
  anonymous,
  openRules,
} from './harness.js';

async function redact(world: World, channel: string, id: string, principal = admin) {
  const of = parseDot(id);
  if (!of.ok) throw new Error(of.error);
  return await world.run(world.engine.redact(principal, 'default', channel, of.value));
}

async function historyOf(session: TestSession, channel = 'chat'): Promise<Json[]> {
  const { history } = await session.ask({ history: { channel } });
  expect(history.gaps.filter((gap: Json) => gap.reason !== 'trimmed')).toEqual([]);
  return history.entries;
}

const told = (entries: readonly Json[]): unknown[] =>
  entries.map(({ data, redacted, redacts }) => (redacts ? { redacts } : redacted ? 'redacted' : data));

const secret = 'the number of my account is 4711';

async function chat(options: WorldOptions = {}) {
  const world = await World.start(options);
  const session = world.connect();
  const ids: string[] = [];
  for (const text of ['a', secret, 'c'])
    ids.push((await session.publish('chat', text, { extras: { retain: text === secret } })).ack.id);
  return { world, session, id: ids[1]!, ids };
}

/** How many bytes of the text are in the files of the store, the index among them. */
async function onDisk(world: World, text = secret): Promise<number> {
  const files = world.disk.files();
  let found = 0;
  for (const name of await world.run(files.list('/data/store/segments'))) {
    const file = await world.run(files.open(`/data/store/segments/${name}`, 'read'));
    const bytes = new Uint8Array(await world.run(file.size()));
    await world.run(file.read(bytes, 0));
    if (Buffer.from(bytes).includes(text)) found++;
  }
  return found;
}

test('a redacted message has its id and its time, no data and a mark, whoever reads it and however', async () => {
  const { world, session, id, ids } = await chat();
  const before = (await historyOf(session))[1];
  const done = await redact(world, 'chat', id);
  expect(done).toMatchObject({ ok: true, value: { level: 'quorum' } });
  const [, entry, , said] = await historyOf(session);
  const { data, extras, ...rest } = before;
  expect([data, extras]).toEqual([secret, { retain: true }]);
  expect(entry).toEqual({ ...rest, redacted: true });
  expect(said).toMatchObject({ kind: 'redact', redacts: id, actor: '$admin' });
  const fresh = world.connect();
  await fresh.subscribe('chat', { beginning: true });
  await world.settle();
  expect(told(fresh.entries())).toEqual(['a', 'redacted', 'c', { redacts: id }]);
  const live = world.connect();
  expect((await live.subscribe('chat')).retained).toMatchObject({ id, redacted: true });
  const log = await world.run(world.engine.queryLog('default', 'chat', {}));
  expect(log.ok && log.value.entries.map((each) => each.entry.redacted === true)).toEqual([
    false,
    true,
    false,
    false,
  ]);
  const newest = await session.ask({ history: { channel: 'chat', backward: true } });
  expect(told(newest.history.entries)).toEqual([{ redacts: id }, 'c', 'redacted', 'a']);
  expect(ids).toHaveLength(3);
});

test('whoever listens is told once, and whoever was away when it comes back', async () => {
  const { world, id } = await chat();
  const live = world.connect();
  const away = world.connect();
  await live.subscribe('chat');
  await away.subscribe('chat', { beginning: true });
  await world.settle();
  const cursor = away.cursor('chat');
  away.handle.disconnected();
  await redact(world, 'chat', id);
  await redact(world, 'chat', id);
  await world.settle();
  expect(told(live.entries())).toEqual([{ redacts: id }]);
  const back = world.connect();
  await back.subscribe('chat', { cursor });
  await world.settle();
  expect(told(back.entries())).toEqual([{ redacts: id }]);
});

test('it is written once however often it is asked for, and the first is told again', async () => {
  const { world, session, id } = await chat();
  const first = await redact(world, 'chat', id);
  const again = await redact(world, 'chat', id);
  expect(again).toMatchObject({ ok: true, value: { dot: first.ok && first.value.dot, duplicate: true } });
  expect(await historyOf(session)).toHaveLength(4);
});

test('what is written in the same commit is not delivered with its content', async () => {
  const { world, session } = await chat();
  const live = world.connect();
  await live.subscribe('chat');
  world.syncDelayMs = 5;
  const published = session.publish('chat', 'quick');
  await world.settle();
  const { ack } = await published;
  const busy = session.publish('chat', 'busy');
  await redact(world, 'chat', ack.id);
  await busy;
  await world.settle();
  expect(told(live.entries()).filter((each) => each !== 'busy')).toEqual(['quick', { redacts: ack.id }]);
});

test.each(['restart', 'crash', 'rebuilt'])(
  'its content goes from the disk, and stays gone after a %s',
  async (how) => {
    const { world, id } = await chat();
    expect(await onDisk(world)).toBe(1);
    await redact(world, 'chat', id);
    await world.pass(3_000);
    expect(await onDisk(world)).toBe(0);
    if (how === 'rebuilt') world.index.drop();
    await (how === 'restart' ? world.restart() : world.crash());
    const session = world.connect();
    expect(told(await historyOf(session))).toEqual(['a', 'redacted', 'c', { redacts: id }]);
    expect(await onDisk(world)).toBe(0);
    expect(world.observations.filter(({ type }) => type === 'damage')).toEqual([]);
    await session.publish('chat', 'd');
    expect(told(await historyOf(session))).toEqual(['a', 'redacted', 'c', { redacts: id }, 'd']);
  },
);

test('a crash before anything was written over shows it to nobody, and it goes after the start', async () => {
  const { world, id } = await chat();
  await redact(world, 'chat', id);
  world.index.drop();
  await world.crash();
  expect(await onDisk(world)).toBe(1);
  expect(told(await historyOf(world.connect()))).toEqual(['a', 'redacted', 'c', { redacts: id }]);
  await world.pass(3_000);
  expect(await onDisk(world)).toBe(0);
});

test('a publish that is repeated under its key is the one that was redacted', async () => {
  const world = await World.start();
  const session = world.connect();
  const first = await session.publish('chat', secret, { idempotencyKey: 'k' });
  await redact(world, 'chat', first.ack.id);
  await world.pass(3_000);
  for (const how of ['memory', 'index', 'rebuilt']) {
    if (how === 'rebuilt') world.index.drop();
    if (how !== 'memory') await world.crash();
    const client = world.connect();
    const again = await client.publish('chat', secret, { idempotencyKey: 'k' });
    expect(again.ack).toMatchObject({ id: first.ack.id, duplicate: true });
    const other = await client.publish('chat', 'other', { idempotencyKey: 'k' });
    expect(other.error.code).toBe('KEY_CONFLICT');
  }
});

test('compaction and retention go on as without', async () => {
  const sets = { short: { retention: { maxCount: 3 } } };
  const rules = { ...openRules, sets, hubs: { default: { rules: 'short' } } };
  const { world, session, id } = await chat({ rules, segmentBytes: 8_192 });
  await redact(world, 'chat', id);
  for (let n = 0; n < 40; n++) await session.publish('other', 'x'.repeat(1_000));
  await world.pass(60_000);
  const later = world.connect();
  expect(told(await historyOf(later)).slice(-2)).toEqual(['c', { redacts: id }]);
  for (let n = 0; n < 40; n++) await later.publish('chat', `more ${n}`);
  await world.pass(60_000);
  world.index.drop();
  await world.crash();
  const kept = told(await historyOf(world.connect())).filter((data) => data !== undefined);
  expect(kept.at(-1)).toBe('more 39');
  expect(await onDisk(world)).toBe(0);
});

describe('is refused', () => {
  test('to whoever may not delete the channel', async () => {
    const { world, id } = await chat();
    expect(await redact(world, 'chat', id, anonymous)).toMatchObject({
      ok: false,
      error: { code: 'DENIED' },
    });
  });

  test('of what is not there, or not any more', async () => {
    const { world, session, id } = await chat();
    const [writer] = id.split('-');
    for (const unknown of [`${writer}-99`, `${'e'.repeat(24)}-1`])
      expect(await redact(world, 'chat', unknown)).toMatchObject({
        ok: false,
        error: { code: 'NOT_FOUND', message: expect.stringContaining('There is no message') as unknown },
      });
    await world.run(world.engine.deleteChannel(admin, 'default', 'chat'));
    await session.publish('chat', 'new');
    expect(await redact(world, 'chat', id)).toMatchObject({
      ok: false,
      error: { code: 'NOT_FOUND', message: expect.stringContaining('removed already') as unknown },
    });
  });

  test('of what is no message', async () => {
    const { world, session, id } = await chat();
    const done = await redact(world, 'chat', id);
    const by = done.ok && done.value.dot;
    const said = await redact(world, 'chat', by ? `${by.writer}-${by.seq}` : '');
    expect(said).toMatchObject({ ok: false, error: { code: 'INVALID' } });
    const patch = await session.ask({
      publish: { channel: 'doc:a', kind: 'patch', data: [{ op: 'add', path: '', value: { a: 1 } }] },
    });
    expect(await redact(world, 'doc:a', patch.ack.id)).toMatchObject({
      ok: false,
      error: { code: 'INVALID', message: expect.stringContaining('change of a document') as unknown },
    });
    expect(await redact(world, '$settings', id)).toMatchObject({ ok: false, error: { code: 'DENIED' } });
  });
});

test('a redacted notification is unread no more, and in no list', async () => {
  const world = await World.start();
  const service = world.connect({ principal: admin });
  const notify = async (title: string): Promise<string> =>
    (await service.publish('notification:ann', { title }, { kind: 'notification' })).ack.id;
  const first = await notify('one');
  await notify('two');
  const reader = world.connect();
  expect((await reader.subscribe('notification:ann')).notifications).toMatchObject({ unread: 2, total: 2 });
  await redact(world, 'notification:ann', first);
  await world.pass(100);
  for (const how of ['live', 'restarted']) {
    if (how === 'restarted') await world.restart();
    const asked = await world.connect().ask({ notifications: { channel: 'notification:ann' } });
    const { info, notifications } = asked.notifications;
    expect([info.unread, info.total, notifications.length]).toEqual([1, 1, 1]);
  }
});
