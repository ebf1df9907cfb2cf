/** The parts around: addresses, payloads, what repeats, tokens, heartbeats, and frames. */
import { describe, expect, test } from 'vitest';
import { hubOf, webSocketUrl } from '../../src/client/address.js';
import { contentOf } from '../../src/client/content.js';
import { Fifo } from '../../src/client/fifo.js';
import { Message } from '../../src/client/message.js';
import { Seen } from '../../src/client/seen.js';
import type { WriterId } from '../../src/base/ids.js';
import type { Content, Entry } from '../../src/log/entry.js';
import { failure } from '../../src/protocol/errors.js';
import { encodeServerFrame } from '../../src/protocol/index.js';
import { World, errorOf } from './world.js';

const entryOf = (members: Partial<Entry>): Entry => ({
  writer: 'a'.repeat(24) as WriterId,
  seq: 1,
  timestamp: 1,
  round: 0,
  kind: 'publish',
  checksum: 0,
  previous: 0,
  ...members,
});
const messageOf = (content: Content): Message => new Message('lobby', entryOf({ content }), false, false);

describe('an address', () => {
  test.each([
    ['http://localhost:8080', 'ws://localhost:8080/v1/hubs/default/ws'],
    ['https://example.org/', 'wss://example.org/v1/hubs/default/ws'],
    ['wss://example.org/behind/proxy/', 'wss://example.org/behind/proxy/v1/hubs/default/ws'],
    ['ws://[::1]:9/v1/hubs/other/ws', 'ws://[::1]:9/v1/hubs/default/ws'],
  ])('%s is %s', (url, expected) => {
    expect(webSocketUrl(url, 'default')).toBe(expected);
  });

  test.each(['localhost:8080', 'ftp://a', '', 'http://'])('%s is none', (url) => {
    expect(() => webSocketUrl(url, 'default')).toThrow('address');
  });

  test('may name the hub', () => {
    expect(hubOf('ws://a/v1/hubs/games/ws', undefined, 'default')).toBe('games');
    expect(hubOf('ws://a/v1/hubs/games/ws', 'other', 'default')).toBe('other');
    expect(hubOf('ws://a', undefined, 'default')).toBe('default');
  });
});

describe('what is published is what is read', () => {
  test.each([
    ['text', 'héllo', {}, undefined],
    ['nothing', undefined, {}, undefined],
    ['an object', { a: [1, null] }, {}, 'application/json'],
    ['null', null, {}, 'application/json'],
    ['a number', 7, {}, 'application/json'],
    ['bytes', Uint8Array.of(0, 255), {}, 'application/octet-stream'],
    ['text of another type', '# title', { contentType: 'text/markdown' }, 'text/markdown'],
    ['a string as JSON', 'x', { contentType: 'application/json' }, 'application/json'],
  ])('%s', (_, data, options, contentType) => {
    const content = contentOf(data, options);
    expect(content.contentType).toBe(contentType);
    expect(messageOf(content).data).toEqual(data ?? (data === null ? null : ''));
  });

  test('JSON that is none is bytes', () => {
    const payload = Uint8Array.of(123);
    expect(messageOf({ contentType: 'application/json', payload }).data).toBe(payload);
  });

  test('headers come as an object or a map', () => {
    const headers = { trace: '1' };
    expect(contentOf('', { headers }).headers).toEqual(new Map([['trace', '1']]));
    expect(contentOf('', { headers: new Map([['trace', '1']]) }).headers).toEqual(new Map([['trace', '1']]));
  });

  test('half of a surrogate pair is refused instead of changed', () => {
    expect(() => contentOf('\ud800', {})).toThrow('surrogate');
  });
});

describe('what was seen', () => {
  const publish = (seq: number, id = 'p'): Entry =>
    entryOf({ seq: ++entrySeq, publisher: { id, epoch: 1, seq }, idempotencyKey: `${id}${seq}` });
  let entrySeq = 0;

  test('is known by publisher and number, in any order', () => {
    const seen = new Seen();
    const numbers = [5, 1, 2, 4, 3, 7, 6];
    expect(numbers.map((seq) => seen.add(publish(seq)))).toEqual(numbers.map(() => true));
    expect(numbers.map((seq) => seen.add(publish(seq)))).toEqual(numbers.map(() => false));
    expect(seen.add(publish(8))).toBe(true);
    expect(seen.add(publish(8, 'other'))).toBe(true);
  });

  test('is known by key without a publisher, and not across actors', () => {
    const seen = new Seen();
    const keyed = (actor?: string): Entry =>
      entryOf({ seq: ++entrySeq, idempotencyKey: 'k', ...(actor === undefined ? {} : { actor }) });
    expect([keyed(), keyed('alice'), keyed(), keyed('alice')].map((each) => seen.add(each))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  test('stays bounded', () => {
    const seen = new Seen();
    for (let i = 0; i < 10_000; i++) seen.add(entryOf({ seq: ++entrySeq, idempotencyKey: `${i}` }));
    expect(seen.add(entryOf({ seq: ++entrySeq, idempotencyKey: '9999' }))).toBe(false);
    expect(seen.add(entryOf({ seq: ++entrySeq, idempotencyKey: '0' }))).toBe(true);
  });
});

test('a queue takes back in order what it gave', () => {
  const queue = new Fifo<number>();
  for (let i = 0; i < 5_000; i++) queue.push(i);
  const taken = Array.from({ length: 3_000 }, () => queue.shift()!);
  for (const each of taken.slice(-100).reverse()) queue.insert(each, (other) => other > each);
  queue.insert(2_950.5, (other) => other > 2_950.5);
  queue.removeFirst((each) => each === 2_900);
  const rest = Array.from({ length: queue.length }, () => queue.shift()!);
  expect(rest).toEqual([...rest].sort((a, b) => a - b));
  expect(rest).toHaveLength(2_100);
  expect(queue.shift()).toBeUndefined();
});

describe('a token', () => {
  test('that is refused ends a client with its reason', async () => {
    const world = new World();
    world.node.misbehaviour = { refuseToken: () => true };
    const client = world.connect({ token: 'bad' });
    const published = errorOf(client.publish('lobby', 'a'));
    const ready = errorOf(client.ready());
    await world.settle();
    expect(await published).toMatchObject({ code: 'UNAUTHENTICATED', outcome: 'rejected' });
    expect(await ready).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(client.state).toBe('closed');
  });

  test('that can be fetched anew is, and what waits goes on', async () => {
    const world = new World();
    world.node.misbehaviour = { refuseToken: (token) => token === 'old' };
    const tokens = ['old', 'new'];
    const client = world.connect({ token: () => Promise.resolve(tokens.shift()) });
    const published = client.publish('lobby', 'a');
    await world.pass(5_000);
    await published;
    expect(world.node.texts('lobby')).toEqual(['a']);
  });

  test('that cannot be fetched now is fetched later', async () => {
    const world = new World();
    let failures = 3;
    const token = () => (failures-- > 0 ? Promise.reject(new Error('down')) : 'good');
    const client = world.connect({ token });
    const ready = client.ready();
    await world.pass(60_000);
    await ready;
    expect(world.node.requests.filter(({ type }) => type === 'auth')).toMatchObject([{ token: 'good' }]);
  });

  test('may be replaced on a connection', async () => {
    const world = new World();
    const client = world.connect({ token: 'first' });
    await world.settle();
    client.setToken('second');
    await world.settle();
    expect(world.node.requests.filter(({ type }) => type === 'auth')).toMatchObject([
      { token: 'first' },
      { token: 'second' },
    ]);
    expect(client.state).toBe('open');
  });
});

test('a connection that fell silent is replaced', async () => {
  const world = new World();
  const client = world.connect();
  await world.settle();
  const [first] = world.wires;
  // Frames go nowhere from here on.
  first!.session = undefined;
  await world.pass(20_000 + 8_000 + 1_000);
  expect(first!.state).toBe('closed');
  expect(client.state).toBe('open');
  expect(world.wires).toHaveLength(2);
});

test('an idle connection pings and stays', async () => {
  const world = new World();
  const client = world.connect();
  await world.pass(100_000);
  expect(world.wires).toHaveLength(1);
  expect(client.state).toBe('open');
  expect(world.node.requests.filter(({ type }) => type === 'ping').length).toBeGreaterThan(3);
});

test('damaged bytes end the connection and the next one makes it good', async () => {
  const world = new World();
  const client = world.connect();
  const seen: unknown[] = [];
  client.subscribe('lobby', { start: 'beginning', onEntry: ({ data }) => seen.push(data) });
  await world.settle();
  world.node.write('lobby', 'a');
  const frame = world.wire!.toClient[0] as Uint8Array;
  frame[frame.length - 20]! ^= 1;
  await world.pass(10_000);
  expect(seen).toEqual(['a']);
  expect(world.wires).toHaveLength(2);
});

test('what is behind the end of a connection in one frame concerns nobody', async () => {
  const world = new World();
  const client = world.connect();
  const seen: unknown[] = [];
  client.subscribe('lobby', {
    start: 'beginning',
    onEntry: ({ data }) => {
      seen.push(data);
      void client.close();
    },
  });
  await world.settle();
  world.node.write('lobby', 'a');
  world.node.write('lobby', 'b');
  world.join(world.wire!);
  await world.settle();
  expect(seen).toEqual(['a']);
  expect(client.state).toBe('closed');
});

test('an error that belongs to nothing is told to the application', async () => {
  const world = new World();
  const client = world.connect();
  const errors: string[] = [];
  client.on('error', ({ code }) => errors.push(code));
  await world.settle();
  const frame = encodeServerFrame('protobuf', [
    { requestId: 0, message: { type: 'error', error: failure('IDLE') } },
  ]);
  world.wire!.toClient.push(frame);
  await world.settle();
  expect(errors).toEqual(['IDLE']);
});

test('large publishes share no frame that would be too large', async () => {
  const world = new World();
  const client = world.connect();
  await world.settle();
  const payload = new Uint8Array(900_000);
  const all = Promise.all([1, 2, 3].map(() => client.publish('lobby', payload)));
  await world.turn();
  const sizes = world.wire!.toNode.map(({ length }) => length);
  expect(Math.max(...sizes)).toBeLessThan(2_097_152);
  await world.settle();
  await all;
});

test('the same seed makes the same run', async () => {
  const run = async (): Promise<string> => {
    const world = new World(42);
    const client = world.connect();
    client.publish('lobby', 'a').catch(() => {});
    await world.settle();
    world.cut();
    await world.pass(60_000);
    return JSON.stringify([world.nowMs, world.node.requests]);
  };
  expect(await run()).toBe(await run());
});
