/** Notification channels on one node: created, told, read and listed. */
import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { Grants } from '../../src/channels/grants.js';
import { type Json, type TestSession, World, admin } from './harness.js';

const channel = 'notification:alerts';

function create(session: TestSession, notification: Json, more: Json = {}): Promise<Json> {
  return session.publish(channel, notification, { kind: 'notification', ...more });
}

function mark(session: TestSession, reading: Json, more: Json = {}): Promise<Json> {
  return session.publish(channel, reading, { kind: 'read', ...more });
}

async function list(session: TestSession, more: Json = {}): Promise<Json> {
  return (await session.ask({ notifications: { channel, ...more } })).notifications;
}

const titles = (page: Json): string[] => page.notifications.map((each: Json) => each.notification.title);
const states = (page: Json): string[] => page.notifications.map((each: Json) => each.state);

/** What the session was told of itself, in that order. */
const told = (session: TestSession): number[] =>
  session.messages.flatMap(({ notificationInfo }: Json) =>
    notificationInfo ? [notificationInfo.unread as number] : [],
  );

test('whoever is subscribed is told what is unread, at first and with every change', async () => {
  const world = await World.start();
  const service = world.connect({ principal: admin });
  const [bob, carol] = [world.connect(), world.connect()];
  const subscribed = await bob.subscribe(channel);
  expect(subscribed.notifications).toMatchObject({ unread: 0, total: 0 });
  const first = await create(service, { title: 'One' });
  expect(first.ack).toMatchObject({ level: 'quorum' });
  await create(service, { title: 'Two', severity: 'error', data: { disk: 7 } });
  await world.settle();
  expect(told(bob)).toEqual([1, 2]);
  expect((await carol.subscribe(channel, { beginning: true })).notifications).toMatchObject({
    unread: 2,
    total: 2,
  });
  expect((await mark(carol, { ids: [first.ack.id] })).ack).toBeDefined();
  await world.settle();
  expect(told(bob)).toEqual([1, 2, 1]);
  expect(told(carol)).toEqual([1]);
  // Entries come as those of any channel do.
  expect(bob.entries(channel).map((entry: Json) => entry.kind)).toEqual([
    'notification',
    'notification',
    'read',
  ]);
});

test('services and administrators alone create notifications', async () => {
  const world = await World.start();
  const granted = (publish: string[], actor: string) =>
    world.connect({
      principal: { actor, authenticated: true, admin: false, grants: new Grants({ publish }) },
    });
  for (const client of [
    world.connect(),
    granted([], 'bob'),
    granted(['*', '#:alerts', channel.slice(0, 12)], 'eve'),
  ]) {
    const denied = await create(client, { title: 'Buy' });
    expect(denied.error).toMatchObject({ code: 'DENIED', outcome: 'rejected', channel });
    expect(denied.error.message).toContain('notification:');
    // Nor anything else.
    expect((await client.publish(channel, 'hello')).error.code).toBe('DENIED');
  }
  expect((await create(granted(['notification:*'], 'watcher'), { title: 'One' })).ack).toBeDefined();
  expect((await create(granted([channel], 'other'), { title: 'Two' })).ack).toBeDefined();
  const page = await list(world.connect());
  expect(titles(page)).toEqual(['Two', 'One']);
  expect(page.notifications[1]).toMatchObject({ actor: 'watcher', state: 'unread' });
});

test('of the rules those alone go for it that say who may read', async () => {
  const sets = {
    closed: { public: false },
    known: { allowAnonymous: false },
    tight: { clientPublish: false, store: false, retain: true, messageBytesMax: 8, ack: 'memory' as const },
  };
  const channels = { 'notification:closed': 'closed', 'notification:known': 'known', [channel]: 'tight' };
  const world = await World.start({ rules: { sets, hubs: { default: { channels } } } });
  const [nobody, service] = [world.connect(), world.connect({ principal: admin })];
  const bob = world.connect({ principal: { actor: 'bob', authenticated: true, admin: false } });
  const { ack } = await create(service, { title: 'Longer than eight bytes' });
  expect(ack.id).toBeDefined();
  expect((await nobody.subscribe(channel)).notifications).toMatchObject({ unread: 1 });
  expect((await nobody.subscribe(channel)).retained).toBeUndefined();
  expect((await mark(nobody, { ids: [ack.id] })).ack).toBeDefined();
  for (const [name, session] of [
    ['notification:closed', bob],
    ['notification:known', nobody],
  ] as const) {
    const code = name === 'notification:known' ? 'UNAUTHENTICATED' : 'DENIED';
    expect((await session.subscribe(name)).error.code).toBe(code);
    expect((await session.ask({ notifications: { channel: name } })).error.code).toBe(code);
    const marked = await session.publish(name, { until: 1 }, { kind: 'read' });
    expect(marked.error.code).toBe(code);
  }
  expect((await bob.subscribe('notification:known')).error).toBeUndefined();
});

test('what is no notification, and what is no reading, is refused and not in the log', async () => {
  const world = await World.start();
  const service = world.connect({ principal: admin });
  const now = world.clock.wallMs();
  const wrong = [
    {},
    [],
    'text',
    { title: '' },
    { title: 7 },
    { title: 'x'.repeat(1_025) },
    { title: 'x', body: 1 },
    { title: 'x', severity: 'panic' },
    { title: 'x', expiresAt: 'tomorrow' },
    { title: 'x', expiresAt: -1 },
    { title: 'x', expiresAt: 1e15 },
    { title: 'x', expiresAt: now - 1 },
    { title: 'x', read: true },
    { title: 'x', data: 'x'.repeat(limits.notificationBytesMax) },
  ];
  for (const notification of wrong)
    expect([notification, (await create(service, notification)).error?.code]).toEqual([
      notification,
      'INVALID',
    ]);
  for (const text of [
    '{"title":"a","title":"b"}',
    '{"title":"\\ud800"}',
    '{"title":"a","data":1e999}',
    `{"title":"a","data":${'['.repeat(60)}${']'.repeat(60)}}`,
  ]) {
    const dataBase64 = Buffer.from(text).toString('base64');
    const refused = await service.ask({ publish: { channel, dataBase64, kind: 'notification' } });
    expect([text, refused.error?.code]).toEqual([text, 'INVALID']);
  }
  for (const reading of [
    {},
    { ids: [] },
    { ids: 'all' },
    { ids: ['7'] },
    { ids: Array.from({ length: limits.notificationsReadMax + 1 }, (_, i) => `${'0'.repeat(24)}-${i + 1}`) },
    { until: 'now' },
    { until: 1, ids: [] },
    { time: false },
    { time: true },
  ])
    expect([reading, (await mark(service, reading)).error?.code]).toEqual([reading, 'INVALID']);
  // In other channels, and other things in this one.
  for (const kind of ['notification', 'read'])
    expect((await service.publish('plain', { title: 'x' }, { kind })).error.code).toBe('INVALID');
  expect((await service.publish(channel, 'hello')).error.code).toBe('INVALID');
  expect((await service.publish(channel, [], { kind: 'patch' })).error.code).toBe('INVALID');
  for (const more of [{ level: 'memory' }, { extras: { store: false } }])
    expect((await create(service, { title: 'x' }, more)).error.code).toBe('INVALID');
  expect((await service.ask({ history: { channel } })).history.entries).toEqual([]);
});

test('unknown and foreign ids are refused, and nothing is written', async () => {
  const world = await World.start();
  const service = world.connect({ principal: admin });
  const mine = (await create(service, { title: 'One' })).ack.id as string;
  const foreign = (await service.publish('notification:other', { title: 'Two' }, { kind: 'notification' }))
    .ack.id as string;
  const bob = world.connect();
  await bob.subscribe(channel);
  const unknown = `${mine.slice(0, 24)}-99`;
  const read = (await mark(bob, { ids: [mine] })).ack.id as string;
  for (const id of [unknown, `${'0'.repeat(24)}-1`, read]) {
    const refused = await mark(bob, { ids: [mine, id] });
    expect(refused.error).toMatchObject({ code: 'NOT_FOUND', outcome: 'rejected', channel });
    expect(refused.error.message).toContain(id);
  }
  // One writer counts in each channel: the other channel's first is a dot of this one too, of what is read already.
  expect(foreign).toBe(mine);
  const { history } = await service.ask({ history: { channel } });
  expect(history.entries.map((entry: Json) => entry.kind)).toEqual(['notification', 'read']);
  // Read twice is read once.
  expect((await mark(bob, { ids: [mine, mine] })).ack).toBeDefined();
  await world.settle();
  expect(told(bob)).toEqual([0]);
});

test('a key makes one of several tries, also of one that has expired meanwhile', async () => {
  const world = await World.start();
  const service = world.connect({ principal: admin });
  const expiresAt = Math.floor(world.clock.wallMs()) + 5_000;
  const first = await create(service, { title: 'One', expiresAt }, { idempotencyKey: 'k' });
  await world.pass(10_000);
  const again = await create(service, { title: 'One', expiresAt }, { idempotencyKey: 'k' });
  expect(again.ack).toMatchObject({ id: first.ack.id, duplicate: true });
});

test('what has expired does not count: an entry says so, written by the node that orders', async () => {
  const world = await World.start();
  const service = world.connect({ principal: admin });
  const bob = world.connect();
  await bob.subscribe(channel);
  const expiresAt = Math.floor(world.clock.wallMs()) + 5_000;
  const brief = (await create(service, { title: 'Brief', expiresAt })).ack.id;
  await create(service, { title: 'Lasting' });
  await world.settle();
  expect(told(bob)).toEqual([1, 2]);
  await world.pass(8_000);
  expect(told(bob)).toEqual([1, 2, 1]);
  expect(states(await list(bob, { forward: true }))).toEqual(['expired', 'unread']);
  expect(titles(await list(bob, { unread: true }))).toEqual(['Lasting']);
  expect((await list(bob)).info).toMatchObject({ unread: 1, total: 1 });
  // It is no error to have read it, and it does not come back.
  expect((await mark(bob, { ids: [brief] })).ack).toBeDefined();
  await world.pass(5_000);
  const { history } = await service.ask({ history: { channel } });
  expect(history.entries.map((entry: Json) => entry.kind)).toEqual([
    'notification',
    'notification',
    'read',
    'read',
  ]);
  expect(history.entries[2]).toMatchObject({ data: { time: true } });
  await world.crash();
  expect((await list(world.connect())).info).toMatchObject({ unread: 1, total: 1 });
});

test('all up to a time are read at once', async () => {
  const world = await World.start();
  const service = world.connect({ principal: admin });
  const times: number[] = [];
  for (const title of ['a', 'b', 'c', 'd']) {
    times.push((await create(service, { title })).ack.timestamp);
    await world.pass(1_000);
  }
  const second = Math.floor(times[1]! / 4_096) + Date.UTC(2024, 0, 1);
  expect((await mark(world.connect(), { until: second - 1 })).ack).toBeDefined();
  expect(titles(await list(service, { unread: true }))).toEqual(['d', 'c', 'b']);
  await mark(world.connect(), { until: second });
  expect(titles(await list(service, { unread: true }))).toEqual(['d', 'c']);
  await mark(world.connect(), { until: Math.floor(world.clock.wallMs()) });
  expect((await list(service)).info).toMatchObject({ unread: 0, total: 4 });
});

test('pages go both ways, by time, of all and of what is unread', async () => {
  const world = await World.start();
  const service = world.connect({ principal: admin });
  const ids: string[] = [];
  for (let i = 0; i < 10; i++) {
    ids.push((await create(service, { title: `${i}` })).ack.id);
    await world.pass(1_000);
  }
  await mark(service, { ids: [ids[2], ids[5], ids[6]] });
  const paged = async (more: Json): Promise<string[]> => {
    const all: string[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await list(service, { limit: 3, ...more, ...(cursor ? { cursor } : {}) });
      expect(page.info).toMatchObject({ unread: 7, total: 10 });
      all.push(...titles(page));
      if (!page.more) return all;
      expect(page.notifications.length).toBeGreaterThan(0);
      cursor = page.cursor;
    }
  };
  const all = ids.map((_, i) => `${i}`);
  const unread = all.filter((_, i) => ![2, 5, 6].includes(i));
  expect(await paged({ forward: true })).toEqual(all);
  expect(await paged({})).toEqual([...all].reverse());
  expect(await paged({ unread: true, forward: true })).toEqual(unread);
  expect(await paged({ unread: true })).toEqual([...unread].reverse());
  const { notifications } = await list(service, { forward: true });
  const unixMs = (i: number): number => Math.floor(notifications[i].timestamp / 4_096) + Date.UTC(2024, 0, 1);
  for (const forward of [true, false]) {
    const ordered = (titlesThere: string[]) => (forward ? titlesThere : [...titlesThere].reverse());
    expect(await paged({ forward, since: unixMs(4) })).toEqual(ordered(all.slice(4)));
    expect(await paged({ forward, until: unixMs(4) })).toEqual(ordered(all.slice(0, 4)));
    expect(await paged({ forward, unread: true, since: unixMs(2), until: unixMs(8) })).toEqual(
      ordered(['3', '4', '7']),
    );
  }
  expect((await service.ask({ notifications: { channel, cursor: 'AAAA' } })).error.code).toBe('BAD_CURSOR');
});

test('a page of what is unread is read by few reads, whatever was read between, and however long they are', async () => {
  const world = await World.start();
  let reads = 0;
  const open = world.openStore.bind(world);
  world.openStore = async () => {
    const store = await open();
    const read = store.read.bind(store);
    store.read = (...asked) => {
      reads++;
      return read(...asked);
    };
    return store;
  };
  await world.restart();
  const service = world.connect({ principal: admin });
  const ids: string[] = [];
  for (let i = 0; i < 300; i++) ids.push((await create(service, { title: `${i}` })).ack.id);
  await mark(service, { ids: ids.filter((_, i) => i % 3 === 1) });
  const unread = ids.map((_, i) => `${i}`).filter((_, i) => i % 3 !== 1);
  await world.pass(1_000);
  reads = 0;
  expect(titles(await list(service, { unread: true, limit: 500 }))).toEqual([...unread].reverse());
  expect(titles(await list(service, { unread: true, limit: 500, forward: true }))).toEqual(unread);
  expect(reads).toBeLessThan(30);
  // More than one read gives.
  const long = 'x'.repeat(40_000);
  for (let i = 0; i < 12; i++) await create(service, { title: `long ${i}`, body: long });
  const page = await list(service, { unread: true, limit: 12 });
  expect(titles(page)).toEqual(Array.from({ length: 12 }, (_, i) => `long ${11 - i}`));
});

test('what retention removes does not count any more', async () => {
  const sets = { short: { retention: { maxCount: 4 } } };
  const world = await World.start({ rules: { sets, hubs: { default: { rules: 'short' } } } });
  const service = world.connect({ principal: admin });
  const bob = world.connect();
  await bob.subscribe(channel);
  for (let i = 0; i < 10; i++) await create(service, { title: `${i}` });
  await world.pass(5_000);
  const page = await list(bob, { unread: true });
  expect(page.info.unread).toBe(page.notifications.length);
  expect(page.info.unread).toBeLessThanOrEqual(5);
  expect(told(bob).at(-1)).toBe(page.info.unread);
  await world.restart();
  expect((await list(world.connect(), { unread: true })).info.unread).toBe(page.info.unread);
});

test('of many the newest count; a node that starts anew reads from a snapshot', async () => {
  const world = await World.start();
  const service = world.connect({ principal: admin });
  const made = limits.notificationsCounted + 1_000;
  const data = 'x'.repeat(200);
  for (let i = 0; i < made; i += 500) {
    const publishes = Array.from({ length: 500 }, (_, j) => ({
      publish: { channel, data: { title: `${i + j}`, data }, kind: 'notification' },
    }));
    service.sendText(JSON.stringify(publishes));
    await world.settle();
  }
  const { info } = await list(service);
  expect(info).toMatchObject({ unread: limits.notificationsCounted, total: limits.notificationsCounted });
  const kinds = await world.run(
    world.engine.queryLog('default', channel, { kind: 'snapshot', order: 'newest', limit: 5 }),
  );
  expect(kinds.ok && kinds.value.entries.length).toBeGreaterThan(0);
  await world.crash();
  const after = world.connect();
  const page = await list(after, { limit: 2 });
  expect(page.info).toMatchObject({ unread: info.unread, total: info.total });
  expect(titles(page)).toEqual([`${made - 1}`, `${made - 2}`]);
  // One too old to count is there, and cannot be marked.
  const [oldest] = (await list(after, { forward: true, limit: 1 })).notifications;
  expect(oldest).toMatchObject({ state: 'read', notification: { title: '0' } });
  expect((await mark(after, { ids: [oldest.id] })).error.code).toBe('NOT_FOUND');
});

test('a reader that was behind is told what is unread then', async () => {
  const world = await World.start();
  const service = world.connect({ principal: admin });
  const bob = world.connect();
  await bob.subscribe(channel);
  bob.stuck = true;
  const data = 'x'.repeat(60_000);
  for (let i = 0; i < 40; i++) await create(service, { title: `${i}`, data });
  await world.settle();
  bob.unstick();
  await world.settle();
  expect(bob.closed).toBeUndefined();
  expect(told(bob).at(-1)).toBe(40);
});

test('rules that say what a message has to be go for no notification: signatures, rates, presence', async () => {
  const strict = {
    signed: true,
    messagesPerSecondMax: 1,
    presence: true,
    store: false,
    messageBytesMax: 1,
    clientPublish: false,
    retain: true,
    push: true,
    liveHistory: 10,
  };
  const world = await World.start({
    rules: { sets: { strict }, hubs: { default: { rules: 'strict' } } },
  });
  const service = world.connect({
    principal: {
      actor: 'watcher',
      authenticated: true,
      admin: false,
      grants: new Grants({ publish: ['notification:*'] }),
    },
  });
  const bob = world.connect();
  expect((await bob.subscribe(channel)).error).toBeUndefined();
  const ids: string[] = [];
  for (const title of ['One', 'Two', 'Three']) {
    const { ack, error } = await create(service, { title });
    expect(error).toBeUndefined();
    ids.push(ack.id);
  }
  for (const id of ids) expect(await mark(bob, { ids: [id] })).toHaveProperty('ack');
  expect(told(bob)).toEqual([1, 2, 3, 2, 1, 0]);
  // Elsewhere they go.
  expect((await service.publish('lobby', 'hello')).error.code).toBe('DENIED');
});
