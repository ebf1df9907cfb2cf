/** What retention leaves of a document: the document itself, and versions that can all be read. */
import { expect, test } from 'vitest';
import { type Json, type TestSession, World, anonymous, openRules } from './harness.js';

const channel = 'doc:notes';

const add = (path: string, value: unknown) => [{ op: 'add', path, value }];

async function changeAll(world: World, from: number, to: number, size = 1): Promise<void> {
  const session = world.connect();
  for (let i = from; i < to; i++) {
    const patch = add('/n', `${i} `.padEnd(size, 'x'));
    expect(await session.publish(channel, patch, { kind: 'patch' })).toHaveProperty('ack');
  }
}

function keeping(maxCount: number): Promise<World> {
  const sets = { short: { retention: { maxCount } } };
  return World.start({ rules: { ...openRules, sets, hubs: { default: { rules: 'short' } } } });
}

/** Of each entry that is left, with the cursor behind it. */
async function left(session: TestSession): Promise<{ kind: string; cursor: string }[]> {
  const entries = [];
  let cursor: string | undefined;
  for (;;) {
    const page = { channel, limit: 1, ...(cursor === undefined ? {} : { cursor }) };
    const { history } = await session.ask({ history: page });
    if (history.entries.length === 0) return entries;
    ({ cursor } = history);
    entries.push({ kind: history.entries[0].kind, cursor: history.cursor });
  }
}

function alarms({ observations }: World): unknown[] {
  return observations.filter(({ type }) => type === 'alarm');
}

test('every version that is left can be read, wherever a snapshot stands when a trim is due', async () => {
  const world = await keeping(10);
  await changeAll(world, 0, 60);
  await world.pass(3_000);
  // The first snapshot stands at the end, behind what is to stay.
  for (let n = 60; n < 90; n += 5) {
    await changeAll(world, n, n + 5);
    await world.pass(3_000);
    const session = world.connect();
    const entries = await left(session);
    expect(entries.length).toBeLessThan(n < 70 ? 100 : 40);
    for (const { cursor } of entries) {
      const answer = await session.ask({ documentGet: { channel, cursor } });
      expect(answer).toHaveProperty('document');
    }
    const list = world.engine.documentChanges(anonymous, 'default', channel, { limit: 1_000 });
    const changes = await world.run(list);
    const patches = entries.filter(({ kind }) => kind === 'patch').length;
    expect(changes.ok && changes.value.changes.length).toBe(patches);
  }
  expect(alarms(world)).toEqual([]);
});

test('where a newer snapshot stands behind what is to stay, an older one is what a trim leaves first', async () => {
  const world = await keeping(30);
  // A snapshot is due about every ninth time.
  await changeAll(world, 0, 50, 30_000);
  await world.pass(3_000);
  const entries = await left(world.connect());
  expect(entries.length).toBeLessThan(45);
  expect(entries.length).toBeGreaterThanOrEqual(30);
  expect(entries[0]!.kind).toBe('snapshot');
  expect(entries.filter(({ kind }) => kind === 'snapshot').length).toBeGreaterThan(2);
});

test('a document that cannot be read now loses nothing, and is no reason to open the store anew', async () => {
  const world = await keeping(10);
  await changeAll(world, 0, 9);
  await world.run(world.engine.stop());
  let damaged = 0;
  for (const [path, inode] of world.disk.names.files()) {
    if (!path.includes('segments')) continue;
    inode.corrupt((bytes) => {
      const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf('5 ');
      if (at < 0) return;
      bytes[at]! ^= 1;
      damaged++;
    });
  }
  expect(damaged).toBe(1);
  await world.boot();
  const session = world.connect();
  for (let i = 0; i < 20; i++) await session.publish(channel, 'beside it');
  await world.pass(5_000);
  const { history } = (await session.ask({ history: { channel, limit: 1_000 } })) as Json;
  expect(history.entries).toHaveLength(28);
  expect((await session.ask({ documentGet: { channel } })).error).toMatchObject({ code: 'UNAVAILABLE' });
  expect(alarms(world)).toEqual([]);
  expect(world.observations).not.toContainEqual({ type: 'store-reopened' });
});
