/** Documents on one node: changed, read, watched and looked back at. */
import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { type Json, type TestSession, World, admin, openRules } from './harness.js';

const channel = 'doc:notes';

function change(session: TestSession, patch: unknown, more: Json = {}): Promise<Json> {
  return session.publish(channel, patch, { kind: 'patch', ...more });
}

async function get(session: TestSession, more: Json = {}): Promise<Json> {
  return (await session.ask({ documentGet: { channel, ...more } })).document;
}

const add = (path: string, value: unknown) => [{ op: 'add', path, value }];

test('a document is empty, is changed by patches, and is read at any version', async () => {
  const world = await World.start();
  const alice = world.connect();
  expect(await get(alice)).toMatchObject({ version: 0, voids: 0, value: {}, size: 2 });
  const first = await change(alice, add('/title', 'Notes'));
  expect(first.ack).toMatchObject({ level: 'quorum', version: 1 });
  const early = await get(alice);
  expect(early).toMatchObject({ version: 1, value: { title: 'Notes' } });
  await world.pass(1_000);
  const between = world.clock.wallMs();
  await world.pass(1_000);
  expect((await change(alice, add('/items', [1, 2]))).ack.version).toBe(2);
  expect(await get(alice)).toMatchObject({ version: 2, value: { items: [1, 2], title: 'Notes' } });
  expect(await get(alice, { cursor: early.cursor })).toEqual(early);
  expect(await get(alice, { at: between })).toEqual(early);
  expect((await get(alice, { cursor: early.cursor })).hash).toBe(early.hash);
});

test('a patch that does not apply is refused, names its operation, and is not in the log', async () => {
  const world = await World.start();
  const alice = world.connect();
  await change(alice, add('/a', 1));
  const failed = await change(alice, [...add('/b', 2), { op: 'remove', path: '/c' }]);
  expect(failed.error).toMatchObject({
    code: 'PATCH_FAILED',
    outcome: 'rejected',
    operation: 1,
    reason: 'not-found',
  });
  expect(await get(alice)).toMatchObject({ version: 1, value: { a: 1 } });
  const { history } = await alice.ask({ history: { channel } });
  expect(history.entries.map((entry: Json) => entry.kind)).toEqual(['patch']);
});

test('patches make parents that are missing where the rules say so, and what was taken then stays', async () => {
  const rules = { sets: { deep: { createParents: true } }, hubs: { default: { rules: 'deep' } } };
  const world = await World.start({ rules });
  const alice = world.connect();
  const told = await alice.subscribe(channel);
  expect(told.document.createParents).toBe(true);
  expect((await change(alice, add('/a/b', 1))).ack.version).toBe(1);
  // In one commit, each upon the one before.
  const [one, two] = await Promise.all([change(alice, add('/c/d', 2)), change(alice, add('/c/d/e', 3))]);
  expect([one!.ack.version, two!.error.code]).toEqual([2, 'PATCH_FAILED']);
  expect(alice.entries(channel).map(({ createParents }) => createParents)).toEqual([true, true]);
  const before = await get(alice);
  expect(before).toMatchObject({ value: { a: { b: 1 }, c: { d: 2 } }, createParents: true });
  world.rules = openRules;
  await world.restart();
  const bob = world.connect();
  const { createParents: _rule, ...same } = before;
  expect(await get(bob)).toEqual(same);
  expect((await change(bob, add('/f/g', 1))).error).toMatchObject({ code: 'PATCH_FAILED', operation: 0 });
});

test('a patch behind one that was not taken is not judged without it', async () => {
  const world = await World.start();
  const alice = world.connect();
  await alice.ask({ auth: { publisherId: 'pen', publisherEpoch: 1 } });
  const numbered = (publisherSeq: number, patch: unknown, ackedThrough = 0) =>
    change(alice, patch, { publisherSeq, ackedThrough });
  const second = [{ op: 'replace', path: '/a', value: 2 }];
  expect((await numbered(2, second)).error.code).toBe('OUT_OF_ORDER');
  expect((await numbered(1, add('/a', 1))).ack.version).toBe(1);
  expect((await numbered(2, second)).ack.version).toBe(2);
  // One that is refused for good does not count as taken: what follows says that it is done with.
  const third = await numbered(3, [{ op: 'remove', path: '/b' }]);
  expect(third.error.code).toBe('PATCH_FAILED');
  expect((await numbered(4, add('/c', 4))).error.code).toBe('OUT_OF_ORDER');
  expect((await numbered(4, add('/c', 4), 3)).ack.version).toBe(3);
  expect((await get(alice)).value).toEqual({ a: 2, c: 4 });
});

test.each([
  [{ op: 'add' }, 'INVALID', 'not-a-patch'],
  [[{ op: 'frobnicate', path: '' }], 'INVALID', 'operation'],
  [[{ op: 'add', path: 'x', value: 1 }], 'INVALID', 'pointer'],
  [[{ op: 'add', path: '/a', value: { $bytes: '?' } }], 'INVALID', 'bytes'],
])('%j is refused for what it is', async (patch, code, reason) => {
  const world = await World.start();
  const answer = await change(world.connect(), patch, { contentType: 'application/json-patch+json' });
  expect(answer.error).toMatchObject({ code, reason });
});

test('a name that comes twice is seen, though JSON.parse would not', async () => {
  const world = await World.start();
  const alice = world.connect();
  alice.sendText(
    `{"requestId":9,"publish":{"channel":"${channel}","kind":"patch","data":[{"op":"add","path":"/a","value":1,"op":"remove"}]}}`,
  );
  await world.settle();
  const answer = alice.messages.find(({ requestId }) => requestId === 9);
  expect(answer.error).toMatchObject({ code: 'INVALID', reason: 'duplicate-name' });
});

test('of two who change the same version one wins', async () => {
  const world = await World.start();
  const [alice, bob] = [world.connect(), world.connect()];
  await change(alice, add('/n', 0));
  const at = { headers: { 'if-version': '1' } };
  const answers = await Promise.all([change(alice, add('/n', 1), at), change(bob, add('/n', 2), at)]);
  expect(answers[0]!.ack.version).toBe(2);
  expect(answers[1]!.error).toMatchObject({ code: 'VERSION_MISMATCH', reason: 'version' });
  expect((await get(bob)).value).toEqual({ n: 1 });
});

test('a change of a version with another hash is refused, at that version too', async () => {
  const world = await World.start();
  const alice = world.connect();
  await change(alice, add('/n', 0));
  const { hash } = await get(alice);
  const at = (version: string, beginning: string) =>
    change(alice, add('/n', 1), { headers: { 'if-version': version, 'if-hash': beginning } });
  const other = (hash[0] === '0' ? '1' : '0') + hash.slice(1);
  expect((await at('1', other.slice(0, 16))).error).toMatchObject({
    code: 'VERSION_MISMATCH',
    outcome: 'rejected',
    reason: 'version',
    message: 'The document is another one at version 1.',
  });
  expect((await at('0', hash)).error.message).toContain('at version 1, not 0');
  for (const malformed of ['', 'A'.repeat(8), hash.slice(0, 7), `${hash}0`, 'W/"1"'])
    expect((await at('1', malformed)).error.code).toBe('INVALID');
  expect((await get(alice)).version).toBe(1);
  expect((await at('1', hash.slice(0, 16))).ack.version).toBe(2);
  // Of whatever version it is.
  const { hash: now } = await get(alice);
  const alone = (beginning: string) => change(alice, add('/n', 2), { headers: { 'if-hash': beginning } });
  expect((await alone(hash)).error.code).toBe('VERSION_MISMATCH');
  expect((await alone(now)).ack.version).toBe(3);
});

test('wherever a subscription starts, it is told what the document is now and where that is', async () => {
  const world = await World.start();
  const [alice, bob] = [world.connect(), world.connect()];
  await change(alice, add('/a', 1));
  const { cursor: early } = await get(alice);
  const unixMs = Math.floor(world.clock.wallMs()) + 1;
  await world.pass(10);
  await change(alice, add('/b', 2));
  const { version, voids, hash, size, cursor } = await get(alice);
  for (const start of [{ cursor: early }, { beginning: true }, { since: unixMs }, {}]) {
    const told = await bob.subscribe(channel, start);
    expect(told.document).toEqual({ version, voids, hash, size, cursor });
    await bob.ask({ unsubscribe: { channels: [channel] } });
  }
  // Of what is no document nothing of that is told.
  await alice.publish('lobby', 'hello');
  expect(await bob.subscribe('lobby', { beginning: true })).not.toHaveProperty('document');
});

test('subscribers get patches alone, and the state they begin with is told', async () => {
  const world = await World.start();
  const [alice, bob] = [world.connect(), world.connect()];
  await change(alice, add('/a', 1));
  const begun = await bob.subscribe(channel);
  const state = await get(bob);
  expect(begun.document).toEqual({
    version: 1,
    voids: 0,
    hash: state.hash,
    size: state.size,
    cursor: state.cursor,
  });
  expect(begun.cursor).toBe(state.cursor);
  await change(alice, add('/b', 2));
  await alice.publish(channel, 'a word beside it');
  expect(bob.entries(channel)).toMatchObject([
    { kind: 'patch', data: [{ op: 'add', path: '/b', value: 2 }] },
    { data: 'a word beside it' },
  ]);
  expect(await get(bob)).toMatchObject({ version: 2, value: { a: 1, b: 2 } });
});

test('only documents are patched, and patches are stored', async () => {
  const world = await World.start();
  const alice = world.connect();
  const elsewhere = await alice.publish('lobby', add('/a', 1), { kind: 'patch' });
  expect(elsewhere.error).toMatchObject({ code: 'INVALID' });
  const unstored = await change(alice, add('/a', 1), { extras: { store: false } });
  expect(unstored.error).toMatchObject({ code: 'INVALID' });
});

test('many patches at once are judged one behind the other, in one commit', async () => {
  const world = await World.start();
  const alice = world.connect();
  await change(alice, add('/list', []));
  for (let i = 0; i < 200; i++) {
    const publish = { channel, kind: 'patch', data: add(`/list/${i}`, i) };
    alice.sendText(JSON.stringify({ requestId: 1_000 + i, publish }));
  }
  await world.settle();
  const acks = alice.messages.filter(({ requestId }) => requestId >= 1_000);
  expect(acks.map(({ ack }) => ack?.version)).toEqual(Array.from({ length: 200 }, (_, i) => i + 2));
  expect((await get(alice)).value.list).toEqual(Array.from({ length: 200 }, (_, i) => i));
});

test('a restart folds the log again, from the newest snapshot on', async () => {
  const world = await World.start();
  const alice = world.connect();
  await change(alice, add('/text', ''));
  const block = 'x'.repeat(20_000);
  for (let i = 0; i < 40; i++)
    await change(alice, [
      { op: 'splice', path: '/text', at: 0, remove: Math.min(1, i) * 20_000, insert: block },
    ]);
  const before = await get(alice);
  const { history } = await alice.ask({ history: { channel, limit: 1_000 } });
  const kinds: string[] = history.entries.map((entry: Json) => entry.kind);
  const snapshots = kinds.filter((kind) => kind === 'snapshot').length;
  expect(snapshots).toBeGreaterThanOrEqual(2);
  expect(snapshots).toBeLessThanOrEqual(Math.ceil((40 * 20_000) / (limits.snapshotAfterSizes * 20_000)));
  const snapshot = history.entries.find(({ kind }: Json) => kind === 'snapshot');
  expect(snapshot).toMatchObject({ contentType: 'application/json', data: { text: block } });
  await world.restart();
  const again = world.connect();
  expect(await get(again)).toEqual(before);
  expect((await change(again, [{ op: 'splice', path: '/text', at: 0, remove: 19_990 }])).ack.version).toBe(
    before.version + 1,
  );
  expect((await get(again)).value).toEqual({ text: 'x'.repeat(10) });
});

test('documents beyond what may be kept in memory are let go, and are what they were when they are used again', async () => {
  // For three of them, with what each takes at least.
  const documentCacheBytes = 4 * limits.foldWeightMin;
  const world = await World.start({ documentCacheBytes });
  const alice = world.connect();
  const names = Array.from({ length: 20 }, (_, i) => `doc:n${i}`);
  for (let round = 0; round < 3; round++)
    for (const [i, name] of names.entries()) {
      const { ack } = await alice.publish(name, add(`/${round}`, i), { kind: 'patch' });
      expect(ack.version).toBe(round + 1);
    }
  for (const [i, name] of names.entries()) {
    const { document } = await alice.ask({ documentGet: { channel: name } });
    expect(document).toMatchObject({ version: 3, value: { 0: i, 1: i, 2: i } });
  }
});

test('what changed between two places is listed with its versions', async () => {
  const world = await World.start();
  const alice = world.connect();
  for (let i = 0; i < 5; i++) await change(alice, add(`/n${i}`, i));
  const { cursor } = await get(alice);
  for (let i = 5; i < 8; i++) await change(alice, add(`/n${i}`, i));
  const page = await world.run(world.engine.documentChanges(admin, 'default', channel, { limit: 2 }));
  if (!page.ok) throw new Error(page.error.message);
  expect(page.value).toMatchObject({ more: true, changes: [{ version: 1 }, { version: 2 }] });
  const since = { since: page.value.cursor, until: Buffer.from(cursor as string, 'base64url') };
  const rest = await world.run(world.engine.documentChanges(admin, 'default', channel, since));
  expect(rest).toMatchObject({
    value: {
      more: false,
      changes: [
        { version: 3, patch: '[{"op":"add","path":"/n2","value":2}]' },
        { version: 4 },
        { version: 5 },
      ],
    },
  });
});

test('a document is as private as its channel', async () => {
  const rules = {
    sets: { private: { public: false, clientPublish: false } },
    hubs: { default: { namespaces: { doc: 'private' } } },
  };
  const world = await World.start({ rules });
  const alice = world.connect();
  expect((await alice.ask({ documentGet: { channel } })).error).toMatchObject({ code: 'DENIED' });
  expect((await change(alice, add('/a', 1))).error).toMatchObject({ code: 'DENIED' });
  expect(await get(world.connect({ principal: admin }))).toMatchObject({ version: 0 });
});

test('retention keeps what the document stands on', async () => {
  const rules = {
    ...openRules,
    sets: { short: { retention: { maxCount: 10 } } },
    hubs: { default: { rules: 'short' } },
  };
  const world = await World.start({ rules });
  const alice = world.connect();
  for (let i = 0; i < 60; i++) {
    // A snapshot is asked for behind what is to stay, and goes first once as much came after it.
    if (i === 45) await world.pass(3_000);
    await change(alice, add(`/n${i}`, i));
  }
  const before = await get(alice);
  await world.pass(10_000);
  const { history } = await alice.ask({ history: { channel, limit: 1_000 } });
  expect(history.entries.length).toBeLessThan(40);
  await world.restart();
  expect(await get(world.connect())).toMatchObject({ version: 60, value: before.value, hash: before.hash });
  const lost = await world.connect().ask({ documentGet: { channel, at: 1 } });
  expect(lost.error).toMatchObject({ code: 'NOT_FOUND' });
  expect((await change(world.connect(), add('/more', true))).ack.version).toBe(61);
});
