/** Reading: once and in order over every interruption, by listening and by iterating, and never a silent loss. */
import { describe, expect, test } from 'vitest';
import { type Message, type RinglogError, type Subscription } from '../../src/client/index.js';
import { encodeServerFrame } from '../../src/protocol/index.js';
import { failure } from '../../src/protocol/errors.js';
import type { ServerMessage } from '../../src/protocol/messages.js';
import { World, errorOf } from './world.js';

const textOf = (message: Message): string => message.data as string;

/** Collects what a subscription shows. */
function recorded(subscription: Subscription) {
  const seen: string[] = [];
  const told: string[] = [];
  subscription.on('entry', (message) => seen.push(textOf(message)));
  for (const name of ['gap', 'subscribed', 'paused', 'continued', 'error', 'closed'] as const) {
    subscription.on(name, () => told.push(name));
  }
  return { seen, told };
}

async function withEntries(...texts: string[]): Promise<World> {
  const world = new World();
  for (const text of texts) world.node.write('lobby', text);
  await world.settle();
  return world;
}

/** The node says something of its own accord. */
async function says(world: World, message: ServerMessage, requestId = 0): Promise<void> {
  world.wire?.toClient.push(encodeServerFrame('protobuf', [{ requestId, message }]));
  await world.settle();
}

test('a live subscription gets what comes, and the retained message at its start', async () => {
  const world = await withEntries('old', 'newest');
  const client = world.connect();
  const subscription = client.subscribe('lobby');
  const retained: boolean[] = [];
  subscription.on('entry', (message) => retained.push(message.retained));
  const { seen } = recorded(subscription);
  await world.settle();
  await Promise.all([client.publish('lobby', 'hello'), world.settle()]);
  expect(seen).toEqual(['newest', 'hello']);
  expect(retained).toEqual([true, false]);
});

test.each([
  ['the beginning', 'beginning' as const, ['a', 'b', 'c']],
  ['the last two', { last: 2 }, ['b', 'c']],
])('from %s', async (_, start, expected) => {
  const world = await withEntries('a', 'b', 'c');
  const { seen } = recorded(world.connect().subscribe('lobby', { start }));
  await world.settle();
  expect(seen).toEqual(expected);
});

test('a cursor goes on in another process, after exactly what was handed out', async () => {
  const world = await withEntries('a', 'b', 'c');
  const first = world.connect().subscribe('lobby', { start: 'beginning' });
  expect(first.cursor).toBeUndefined();
  const iterator = first[Symbol.asyncIterator]();
  const [one] = await Promise.all([iterator.next(), world.settle()]);
  expect(one.value?.data).toBe('a');
  const cursor = first.cursor!;
  expect(cursor).toMatch(/^[\w-]+$/);
  const { seen } = recorded(world.connect().subscribe('lobby', { start: { cursor } }));
  await world.settle();
  expect(seen).toEqual(['b', 'c']);
});

describe('an interruption', () => {
  test('loses nothing and repeats nothing', async () => {
    const world = await withEntries('a', 'b');
    const { seen, told } = recorded(world.connect().subscribe('lobby', { start: 'beginning' }));
    await world.settle();
    world.cut();
    world.node.write('lobby', 'c');
    await world.pass(60_000);
    world.restart();
    world.node.write('lobby', 'd');
    await world.pass(60_000);
    expect(seen).toEqual(['a', 'b', 'c', 'd']);
    expect(told).toEqual(['subscribed', 'subscribed', 'subscribed']);
  });

  test('between two frames of one replay goes on between them', async () => {
    const world = await withEntries('a', 'b', 'c');
    const { seen } = recorded(world.connect().subscribe('lobby', { start: 'beginning' }));
    while (seen.length < 1) {
      await world.turn();
      world.step(world.wire!);
    }
    world.cut();
    await world.pass(60_000);
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  test('resumes all subscriptions in one request', async () => {
    const world = new World();
    const client = world.connect();
    for (let i = 0; i < 100; i++) client.subscribe(`channel-${i}`);
    await world.settle();
    const before = world.node.requests.length;
    world.cut();
    await world.pass(60_000);
    const requests = world.node.requests.slice(before).filter(({ type }) => type === 'subscribe');
    expect(requests).toHaveLength(1);
    const [request] = requests;
    const starts = request?.type === 'subscribe' ? request.channels.map(({ start }) => start.type) : [];
    expect(starts).toEqual(Array.from({ length: 100 }, () => 'cursor'));
  });

  test('shows the retained message once', async () => {
    const world = await withEntries('old');
    const { seen } = recorded(world.connect().subscribe('lobby'));
    await world.settle();
    world.cut();
    await world.pass(60_000);
    expect(seen).toEqual(['old']);
  });
});

describe('the same again', () => {
  test('from the node is shown once', async () => {
    const world = await withEntries('a', 'b', 'c');
    const { seen } = recorded(world.connect().subscribe('lobby', { start: 'beginning' }));
    await world.settle();
    for (const { slice } of world.node.channels.get('lobby')!.log) {
      await says(world, { type: 'delivery', delivery: slice });
    }
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  test('a publish that was written twice is shown once', async () => {
    const world = new World();
    const client = world.connect();
    const { seen } = recorded(client.subscribe('lobby'));
    await world.settle();
    await Promise.all([client.publish('lobby', 'a'), client.publish('lobby', 'b'), world.settle()]);
    // An owner that never saw the first copy takes the same publish under its own name.
    world.restart();
    world.node.writeAgain('lobby', 0);
    await world.pass(10_000);
    expect(world.node.texts('lobby')).toEqual(['a', 'b', 'a']);
    expect(seen).toEqual(['a', 'b']);
  });
});

describe('a gap', () => {
  const gapOf = (world: World): ServerMessage => ({
    type: 'gap',
    channel: 'lobby',
    reason: 'trimmed',
    ranges: [],
    cursor: world.node.cursorAt('lobby', 2),
  });

  test('is told at its place and moves the cursor', async () => {
    const world = await withEntries();
    const subscription = world.connect().subscribe('lobby', { start: 'beginning' });
    const { told } = recorded(subscription);
    await world.settle();
    const session = [...world.node.sessions][0]!;
    session.subscribed.delete('lobby');
    for (const text of ['a', 'b', 'c']) world.node.write('lobby', text);
    await says(world, gapOf(world));
    expect(told).toEqual(['subscribed', 'gap']);
    expect(subscription.cursor).toBe(Buffer.from(world.node.cursorAt('lobby', 2)).toString('base64url'));
  });

  test('ends an iteration that does not listen to gaps', async () => {
    const world = await withEntries('a', 'b', 'c');
    const subscription = world.connect().subscribe('lobby');
    await world.settle();
    await says(world, gapOf(world));
    const iterator = subscription[Symbol.asyncIterator]();
    expect((await iterator.next()).value?.retained).toBe(true);
    await expect(iterator.next()).rejects.toMatchObject({ code: 'GAP' });
  });

  test('does not end one that does', async () => {
    const world = await withEntries('a', 'b', 'c');
    const gaps: string[] = [];
    const subscription = world.connect().subscribe('lobby', { onGap: ({ reason }) => gaps.push(reason) });
    await world.settle();
    await says(world, gapOf(world));
    const iterator = subscription[Symbol.asyncIterator]();
    await iterator.next();
    const next = iterator.next();
    await world.settle();
    world.node.write('lobby', 'd');
    world.node.deliver([...world.node.sessions][0]!);
    await world.settle();
    expect((await next).value?.data).toBe('d');
    expect(gaps).toEqual(['trimmed']);
  });
});

describe('iterating', () => {
  test('slowly pauses the subscription, loses nothing, and is told', async () => {
    const texts = Array.from({ length: 100 }, (_, i) => `${i}`);
    const world = await withEntries(...texts);
    const subscription = world.connect({ bufferEntries: 10 }).subscribe('lobby', { start: 'beginning' });
    const told: string[] = [];
    subscription.on('paused', ({ buffered }) => told.push(`paused ${buffered}`));
    subscription.on('continued', ({ buffered }) => told.push(`continued ${buffered}`));
    await world.settle();
    expect(subscription.state).toBe('paused');
    const seen: string[] = [];
    const reading = (async () => {
      for await (const message of subscription) {
        seen.push(textOf(message));
        if (seen.length === 100) break;
      }
    })();
    await world.settle();
    await reading;
    expect(seen).toEqual(texts);
    expect(told.slice(0, 2)).toEqual(['paused 10', 'continued 5']);
    await world.settle();
    expect([...world.node.sessions][0]?.subscribed.size).toBe(0);
  });

  test('a pause outlives a reconnect', async () => {
    const world = await withEntries('a', 'b', 'c', 'd');
    const subscription = world.connect({ bufferEntries: 2 }).subscribe('lobby', { start: 'beginning' });
    await world.settle();
    world.cut();
    await world.pass(60_000);
    expect(subscription.state).toBe('paused');
    const seen: string[] = [];
    void (async () => {
      for await (const message of subscription) seen.push(textOf(message));
    })();
    await world.settle();
    expect(seen).toEqual(['a', 'b', 'c', 'd']);
  });

  test('ends when the client is closed', async () => {
    const world = await withEntries('a');
    const client = world.connect();
    const subscription = client.subscribe('lobby', { start: 'beginning' });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const message of subscription) seen.push(textOf(message));
    })();
    await world.settle();
    await client.close();
    await reading;
    expect(seen).toEqual(['a']);
  });
});

describe('a refusal', () => {
  const refuse = async (world: World, error: ReturnType<typeof failure>): Promise<void> => {
    await world.turn();
    world.step(world.wire!, 'node');
    world.wire!.toClient.length = 0;
    await says(world, { type: 'subscribe', results: [{ channel: 'lobby', error }] }, 3);
  };

  test('for good ends the subscription with its error', async () => {
    const world = new World();
    const client = world.connect();
    await world.settle();
    const subscription = client.subscribe('lobby');
    const errors: RinglogError[] = [];
    subscription.on('error', (error) => errors.push(error));
    await refuse(world, failure('DENIED'));
    expect(errors).toMatchObject([{ code: 'DENIED', channel: 'lobby' }]);
    expect(subscription.state).toBe('closed');
    await expect(subscription[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'DENIED' });
  });

  test('for now is asked again', async () => {
    const world = await withEntries('a');
    const client = world.connect();
    await world.settle();
    const { seen } = recorded(client.subscribe('lobby', { start: 'beginning' }));
    await world.turn();
    world.wire!.toNode.length = 0;
    await says(
      world,
      { type: 'subscribe', results: [{ channel: 'lobby', error: failure('OVERLOADED') }] },
      3,
    );
    await world.pass(5_000);
    expect(seen).toEqual(['a']);
  });
});

test('what belongs to an ended subscription does not reach the next one of its channel', async () => {
  const world = await withEntries('a', 'b');
  const client = world.connect();
  const first = recorded(client.subscribe('lobby', { start: 'beginning' }));
  await world.turn();
  world.step(world.wire!);
  await world.turn();
  while (world.wire!.toNode.length > 0) world.step(world.wire!, 'node');
  client.unsubscribe('lobby');
  const second = recorded(client.subscribe('lobby', { start: { last: 1 } }));
  await world.settle();
  expect(first.seen).toEqual([]);
  expect(second.seen).toEqual(['b']);
});

test('one channel has one subscription, and names and cursors are checked at once', async () => {
  const world = await withEntries('a');
  const client = world.connect();
  client.subscribe('lobby');
  expect(() => client.subscribe('lobby')).toThrow('subscribed');
  expect(() => client.subscribe('no::segment')).toThrow('channel name');
  expect(client.subscribe('Zürich 1').channel).toBe('Z%C3%BCrich%201');
  expect(() => client.subscribe('other', { start: { cursor: 'AAAA' } })).toThrow('cursor');
  await client.close();
  expect(() => client.subscribe('new')).toThrow('closed');
});

test('a listener that throws harms nobody else', async () => {
  const world = await withEntries('a', 'b');
  const subscription = world.connect().subscribe('lobby', { start: 'beginning' });
  subscription.on('entry', () => {
    throw new Error('mine');
  });
  const { seen } = recorded(subscription);
  await world.settle();
  expect(seen).toEqual(['a', 'b']);
  expect(world.thrown).toHaveLength(2);
});

test('signals are events of their own', async () => {
  const world = new World();
  const subscription = world.connect().subscribe('lobby');
  const signals: unknown[] = [];
  subscription.on('signal', ({ data, actor }) => signals.push([data, actor]));
  await world.settle();
  const content = Uint8Array.from([0x1a, 2, 104, 105]);
  await says(world, {
    type: 'signals',
    channel: 'lobby',
    signals: [{ timestamp: 5, actor: 'alice', content }],
  });
  expect(signals).toEqual([['hi', 'alice']]);
});

test('history comes in pages and one by one, over interruptions', async () => {
  const world = await withEntries(...Array.from({ length: 25 }, (_, i) => `${i}`));
  const client = world.connect();
  const page = client.history('lobby', { limit: 10 }).page();
  await world.settle();
  const first = await page;
  expect(first.entries.map(textOf)).toEqual(Array.from({ length: 10 }, (_, i) => `${i}`));
  expect(first.more).toBe(true);
  const all: string[] = [];
  const reading = (async () => {
    for await (const message of client.history('lobby', { cursor: first.cursor })) all.push(textOf(message));
  })();
  await world.turn();
  world.cut();
  await world.pass(60_000);
  await reading;
  expect(all).toEqual(Array.from({ length: 15 }, (_, i) => `${i + 10}`));
});

test('history that is not answered ends at its deadline', async () => {
  const world = new World();
  world.unreachable = true;
  const failed = errorOf(world.connect().history('lobby', { timeoutMs: 5_000 }).page());
  await world.pass(6_000);
  expect(await failed).toMatchObject({ code: 'TIMEOUT' });
});
