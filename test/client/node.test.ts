/** The client against a real node over real sockets, in Node. */
import { describe, expect, test } from 'vitest';
import type { Message } from '../../src/client/index.js';
import { connected, newFolder, start } from './real-nodes.js';
import { errorOf } from './world.js';

/** Reads until so many were seen. */
async function take(messages: AsyncIterable<Message>, count: number): Promise<Message[]> {
  const taken: Message[] = [];
  for await (const message of messages) {
    taken.push(message);
    if (taken.length === count) break;
  }
  return taken;
}

const dataOf = (messages: readonly Message[]): unknown[] => messages.map(({ data }) => data);

test('what is published comes out as it went in', async () => {
  const client = connected((await start()).url);
  const values = ['text', { a: [1, 'é'] }, null, 7, Uint8Array.of(0, 128, 255), ''];
  for (const value of values) await client.publish('lobby', value, { event: 'e', headers: { trace: 'é' } });
  const messages = await take(client.subscribe('lobby', { start: 'beginning' }), values.length);
  expect(dataOf(messages)).toEqual(values);
  expect(messages[0]).toMatchObject({
    event: 'e',
    channel: 'lobby',
    kind: 'publish',
    late: false,
    retained: false,
  });
  expect(messages[0]?.headers).toEqual(new Map([['trace', 'é']]));
  expect(messages[0]?.time.getTime()).toBeGreaterThan(Date.now() - 60_000);
});

test('history and live meet without a seam, for many readers at once', async () => {
  const server = await start();
  const client = connected(server.url);
  const early = Array.from({ length: 500 }, (_, i) => client.publish('lobby', i));
  await Promise.all(early);
  const readers = Array.from({ length: 5 }, () =>
    take(connected(server.url).subscribe('lobby', { start: 'beginning' }), 1_000),
  );
  await Promise.all(Array.from({ length: 500 }, (_, i) => client.publish('lobby', 500 + i)));
  const expected = Array.from({ length: 1_000 }, (_, i) => i);
  for (const messages of await Promise.all(readers)) expect(dataOf(messages)).toEqual(expected);
});

test('a signal reaches who listens and is in no history', async () => {
  const client = connected((await start()).url);
  const subscription = client.subscribe('lobby');
  const signal = new Promise((resolve) => subscription.on('signal', ({ data }) => resolve(data)));
  await new Promise((resolve) => subscription.on('subscribed', resolve));
  const { id, level } = await client.publish('lobby', 'typing', { level: 'memory' });
  expect([id, level, await signal]).toEqual([undefined, 'memory', 'typing']);
  expect(await client.history('lobby').page()).toMatchObject({ entries: [], more: false });
});

describe('when the node stops and starts again', () => {
  test('nothing is lost, nothing comes twice, and what waited is published once', async () => {
    const data = newFolder();
    const first = await start(data);
    const listen = new URL(first.url).host;
    const client = connected({ url: first.url, reconnectMaxMs: 200 });
    const seen: unknown[] = [];
    client.subscribe('lobby', { start: 'beginning', onEntry: (message) => seen.push(message.data) });
    await Promise.all(Array.from({ length: 100 }, (_, i) => client.publish('lobby', i)));
    const stopped = first.stop();
    const during = Array.from({ length: 100 }, (_, i) => client.publish('lobby', 100 + i));
    await stopped;
    await start(data, listen);
    await Promise.all(during);
    await Promise.all(Array.from({ length: 100 }, (_, i) => client.publish('lobby', 200 + i)));
    const expected = Array.from({ length: 300 }, (_, i) => i);
    await expect.poll(() => seen.length, { timeout: 60_000 }).toBe(300);
    expect(seen).toEqual(expected);
    const stored: Message[] = [];
    for await (const message of client.history('lobby', { limit: 70 })) stored.push(message);
    expect(dataOf(stored)).toEqual(expected);
  });

  test('a cursor kept by another process still holds', async () => {
    const data = newFolder();
    const first = await start(data);
    const client = connected(first.url);
    await Promise.all(['a', 'b', 'c'].map((text) => client.publish('lobby', text)));
    const subscription = client.subscribe('lobby', { start: 'beginning' });
    await subscription[Symbol.asyncIterator]().next();
    const { cursor } = subscription;
    await client.close();
    await first.stop();
    const later = connected((await start(data)).url);
    expect(dataOf(await take(later.subscribe('lobby', { start: { cursor: cursor! } }), 2))).toEqual([
      'b',
      'c',
    ]);
  });
});

describe('an iterating reader', () => {
  const expected = Array.from({ length: 2_000 }, (_, i) => i);

  async function read(bufferEntries: number, everyNth: number, breakMs: number) {
    const client = connected({ url: (await start()).url, bufferEntries });
    await Promise.all(expected.map((i) => client.publish('lobby', i)));
    const subscription = client.subscribe('lobby', { start: 'beginning' });
    let pauses = 0;
    subscription.on('paused', () => pauses++);
    const seen: unknown[] = [];
    for await (const { data } of subscription) {
      seen.push(data);
      if (seen.length === expected.length) break;
      if (seen.length % everyNth === 0) await new Promise((resolve) => setTimeout(resolve, breakMs));
    }
    return { seen, pauses };
  }

  test('that is slow pauses and gets everything', async () => {
    const { seen, pauses } = await read(100, 50, 5);
    expect(seen).toEqual(expected);
    expect(pauses).toBeGreaterThan(1);
  });

  test('that keeps up is never paused, however much there is to catch up with', async () => {
    const { seen, pauses } = await read(500, Infinity, 0);
    expect(seen).toEqual(expected);
    expect(pauses).toBe(0);
  });
});

test('large messages go through', async () => {
  const client = connected((await start()).url);
  const large = new Uint8Array(1_000_000).map((_, i) => i);
  await Promise.all([large, large, large].map((payload) => client.publish('lobby', payload)));
  const messages = await take(client.subscribe('lobby', { start: 'beginning' }), 3);
  for (const { bytes } of messages) expect(Buffer.from(bytes).equals(large)).toBe(true);
});

describe('where a token is needed', () => {
  const closed = { auth: { anonymous: false } };

  test('the right one opens, and a function is asked for it', async () => {
    const server = await start(newFolder(), '127.0.0.1:0', closed);
    const client = connected({ url: server.url, token: async () => server.directory.adminToken });
    await client.publish('lobby', 'hello');
    expect(client.session).toMatchObject({ hub: 'default', protocolVersion: 1 });
  });

  test.each([
    ['none', undefined],
    ['a wrong one', 'wrong'],
  ])('%s ends the client', async (_, token) => {
    const server = await start(newFolder(), '127.0.0.1:0', closed);
    const client = connected({ url: server.url, ...(token === undefined ? {} : { token }) });
    expect(await errorOf(client.publish('lobby', 'a'))).toMatchObject({
      code: 'UNAUTHENTICATED',
      outcome: 'rejected',
    });
    expect(client.state).toBe('closed');
  });
});

test('a hub that is not there ends the client, a node that is not there does not', async () => {
  const server = await start();
  const lost = connected({ url: server.url, hub: 'nowhere' });
  expect(await errorOf(lost.ready())).toMatchObject({ code: 'HUB_NOT_FOUND' });
  const patient = connected('http://127.0.0.1:9');
  const error = await new Promise<{ code: string }>((resolve) => patient.on('error', resolve));
  expect(error.code).toBe('UNREACHABLE');
  expect(patient.state).toBe('waiting');
});

test('a subscription that is not allowed ends with its error, the others go on', async () => {
  const client = connected((await start()).url);
  const denied = client.subscribe('$settings');
  const error = new Promise((resolve) => denied.on('error', resolve));
  expect(await error).toMatchObject({ code: 'DENIED', channel: '$settings' });
  const [message] = await Promise.all([
    take(client.subscribe('lobby', { start: 'beginning' }), 1),
    client.publish('lobby', 'a'),
  ]);
  expect(dataOf(message)).toEqual(['a']);
});

test('a thousand subscriptions are resumed', async () => {
  const data = newFolder();
  const first = await start(data);
  const listen = new URL(first.url).host;
  const client = connected({ url: first.url, reconnectMaxMs: 200 });
  const live = new Set<string>();
  const seen = new Map<string, unknown>();
  for (let i = 0; i < 1_000; i++) {
    const subscription = client.subscribe(`channel-${i}`, {
      onEntry: ({ channel, data: text }) => seen.set(channel, text),
    });
    subscription.on('subscribed', ({ resumed }) => live.add(`${i} ${resumed}`));
  }
  await expect.poll(() => live.size, { timeout: 60_000 }).toBe(1_000);
  await first.stop();
  await start(data, listen);
  await expect.poll(() => live.size, { timeout: 60_000 }).toBe(2_000);
  await client.publish('channel-999', 'hello');
  await expect.poll(() => seen.get('channel-999')).toBe('hello');
});
