import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import { failure } from '../../src/protocol/errors.js';
import { decodeEventId, encodeEventId } from '../../src/gateway/sse-cursor.js';
import { FakeNode, type TestGateway, cursorAt, gatewayInFront, userToken } from './fake-node.js';

let node: FakeNode;
let front: TestGateway;
const open: AbortController[] = [];

beforeEach(async () => {
  node = new FakeNode();
  front = await gatewayInFront(node);
});
afterEach(async () => {
  for (const controller of open.splice(0)) controller.abort();
  await front.gateway.stop();
});

interface Event {
  readonly event: string;
  readonly id?: string;
  readonly data: unknown;
}

/** An event stream as the standard reads it. */
class Stream {
  readonly events: Event[] = [];
  readonly comments: string[] = [];
  lastId = '';
  #text = '';
  readonly #reader;

  constructor(readonly answer: Response) {
    this.#reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      this.#text += value;
      const blocks = this.#text.split('\n\n');
      this.#text = blocks.pop()!;
      for (const block of blocks) this.#take(block);
    }
  }

  #take(block: string): void {
    const lines = block.split('\n');
    if (lines[0]!.startsWith(':')) return void this.comments.push(lines[0]!);
    const field = (name: string) =>
      lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    const id = field('id');
    if (id !== undefined) this.lastId = id;
    const [event, data] = [field('event'), field('data')];
    if (event !== undefined) {
      this.events.push({ event, ...(id !== undefined && { id }), data: JSON.parse(data!) as unknown });
    }
  }
}

async function stream(query: string, headers: Record<string, string> = {}): Promise<Stream> {
  const controller = new AbortController();
  open.push(controller);
  const answer = await front.fetch(`/v1/hubs/default/sse${query}`, { headers, signal: controller.signal });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toContain('text/event-stream');
  return new Stream(answer);
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
const subscribed = () =>
  JSON.parse(Buffer.from(node.sessions.at(-1)!.received[0]!).toString()) as {
    subscribe: { channels: Record<string, unknown>[] };
  };
const write = (text: string, place: { channel?: string; cursor?: Uint8Array } = {}) =>
  node.sessions.at(-1)!.request.sink.write([{ bytes: utf8(text), ...place }]);

describe('starting', () => {
  test.each([
    ['?channels=a,b', {}],
    ['?channels=a,b&from=live', {}],
    ['?channels=a,b&from=beginning', { beginning: true }],
    ['?channels=a,b&last=3', { last: 3 }],
    ['?channels=a,b&since=2026-01-01T00:00:00Z', { since: Date.parse('2026-01-01T00:00:00Z') }],
  ])('%s', async (query, start) => {
    await stream(query);
    expect(node.sessions[0]!.request.encoding).toBe('json');
    expect(subscribed().subscribe.channels).toEqual([
      { channel: 'a', ...start },
      { channel: 'b', ...start },
    ]);
  });

  test.each([
    ['?', 400, 'INVALID'],
    ['?channels=', 400, 'BAD_NAME'],
    ['?channels=a,../b', 400, 'BAD_NAME'],
    ['?channels=a,a', 400, 'INVALID'],
    [`?channels=${Array.from({ length: 33 }, (_, i) => `c${i}`).join(',')}`, 429, 'TOO_MANY'],
    ['?channels=a&last=1&from=beginning', 400, 'INVALID'],
    ['?channels=a&since=soon', 400, 'INVALID'],
    ['?channels=a&lastEventId=AAAA', 400, 'BAD_CURSOR'],
    ['?channels=a&token=secret', 400, 'INVALID'],
    ['?channels=a&ticket=unknown', 401, 'UNAUTHENTICATED'],
  ])('%s is refused before the stream begins', async (query, status, code) => {
    const answer = await front.fetch(`/v1/hubs/default/sse${query}`);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ code });
    expect(node.sessions).toEqual([]);
  });

  test('what the node refuses is an answer too', async () => {
    node.refuseSession = failure('HUB_NOT_FOUND');
    expect((await front.fetch('/v1/hubs/default/sse?channels=a')).status).toBe(404);
  });

  test('where anonymous clients are not served, a token or a ticket is needed at once', async () => {
    await front.gateway.stop();
    front = await gatewayInFront(node, { anonymousAllowed: false });
    expect((await front.fetch('/v1/hubs/default/sse?channels=a')).status).toBe(401);
    const headers = { authorization: `Bearer ${userToken}` };
    await stream('?channels=a', headers);
    const answer = await front.fetch('/v1/hubs/default/tickets', { method: 'POST', headers });
    const { ticket } = (await answer.json()) as { ticket: string };
    await stream(`?channels=a&ticket=${ticket}`);
    expect(node.sessions.map(({ request }) => request.principal.actor)).toEqual(['ada', 'ada']);
  });
});

describe('events', () => {
  test('each carries the place in all channels, and the stream resumes from it', async () => {
    const first = await stream('?channels=chat,b');
    write(
      `{"requestId":1,"subscribe":{"results":[{"channel":"chat","cursor":"${base64(cursorAt(0))}"},{"channel":"b","cursor":"${base64(cursorAt(1))}"}]}}`,
    );
    write('{"delivery":{"channel":"chat","entries":[{"data":{"big":12345678901234567890,\n"b":1}}]}}', {
      channel: 'chat',
      cursor: cursorAt(7),
    });
    await first.until(() => first.events.length === 2);
    expect(first.events.map(({ event }) => event)).toEqual(['subscribe', 'delivery']);
    const place = decodeEventId(['chat', 'b'], first.lastId);
    expect(place.ok && [...place.value].map(([channel, cursor]) => [channel, base64(cursor)])).toEqual([
      ['chat', base64(cursorAt(7))],
      ['b', base64(cursorAt(1))],
    ]);

    const lastEventId = { 'last-event-id': first.lastId };
    await stream('?channels=chat,b&last=5', lastEventId);
    expect(subscribed().subscribe.channels).toEqual([
      { channel: 'chat', cursor: base64(cursorAt(7)) },
      { channel: 'b', cursor: base64(cursorAt(1)) },
    ]);
    await stream(`?channels=chat,b&lastEventId=${first.lastId}`);
    expect(subscribed().subscribe.channels[0]).toEqual({ channel: 'chat', cursor: base64(cursorAt(7)) });
  });

  test('a gap moves the place; signals, errors and the end are told', async () => {
    const events = await stream('?channels=chat');
    write(`{"gap":{"channel":"chat","reason":"trimmed","ranges":[],"cursor":"${base64(cursorAt(9))}"}}`);
    write('{"signals":{"channel":"chat","signals":[]}}');
    write('{"error":{"code":"DENIED","outcome":"rejected","message":"No."}}');
    write('[{"close":{"code":4503,"reason":"slow","cursors":[]}},{"pong":{}}]');
    node.sessions[0]!.request.sink.close(4503, 'slow');
    await events.until(() => false);
    expect(events.events.map(({ event }) => event)).toEqual(['gap', 'signals', 'error', 'close', 'pong']);
    const place = decodeEventId(['chat'], events.lastId);
    expect(place.ok && base64(place.value.get('chat')!)).toBe(base64(cursorAt(9)));
    expect(node.sessions[0]!.disconnects).toBe(0);
  });

  test('a ping is a comment, and is answered for the reader', async () => {
    const events = await stream('?channels=chat');
    write('{"ping":{}}');
    await events.until(() => events.comments.length === 1);
    await expect.poll(() => node.sessions[0]!.received.length).toBe(2);
    expect(Buffer.from(node.sessions[0]!.received[1]!).toString()).toBe('{"pong":{}}');
  });

  test('frames written while the session opens come after the head', async () => {
    node.onOpen = ({ request }) => request.sink.write([{ bytes: utf8('{"sessionInfo":{"hub":"default"}}') }]);
    const events = await stream('?channels=chat');
    await events.until(() => events.events.length === 1);
    expect(events.events[0]).toEqual({ event: 'sessionInfo', data: { hub: 'default' } });
  });

  test('a reader that goes is told to the session', async () => {
    await stream('?channels=chat');
    open.pop()!.abort();
    await expect.poll(() => node.sessions[0]!.disconnects).toBe(1);
  });

  test('a slow reader is seen in the buffered bytes, and told when it has caught up', async () => {
    const slow = await front.fetch('/v1/hubs/default/sse?channels=chat');
    const { sink } = node.sessions[0]!.request;
    const big = JSON.stringify({ delivery: { channel: 'chat', data: 'x'.repeat(500_000) } });
    for (let i = 0; i < 20; i++) write(big);
    expect(sink.bufferedBytes).toBeGreaterThan(1_000_000);
    const reader = slow.body!.getReader();
    let received = 0;
    while (received < 20 * 500_000) received += (await reader.read()).value?.length ?? Infinity;
    await expect.poll(() => node.sessions[0]!.drains).toBeGreaterThan(0);
    expect(sink.bufferedBytes).toBe(0);
    await reader.cancel();
  });

  test('stopping ends the stream', async () => {
    const events = await stream('?channels=chat');
    await front.gateway.stop();
    await events.until(() => false);
    expect(events.events).toEqual([]);
  });
});

describe('the compound place', () => {
  test('comes back as it went', () => {
    const channels = ['a', 'b', 'c'];
    const cursors = new Map([
      ['a', cursorAt(1)],
      ['c', cursorAt(2)],
    ]);
    const id = encodeEventId(channels, cursors)!;
    expect(id).toMatch(/^[A-Za-z0-9_-]+$/);
    const decoded = decodeEventId(channels, id);
    expect(decoded.ok && [...decoded.value.keys()]).toEqual(['a', 'c']);
    expect(decodeEventId(['a', 'b'], id).ok).toBe(false);
    expect(decodeEventId([...channels, 'd'], id).ok).toBe(false);
  });

  test('is left out where it would not fit a header', () => {
    expect(encodeEventId(['a', 'b'], new Map([['a', new Uint8Array(4_000)]]))).toBeUndefined();
  });

  test.each(['', '%', 'AQ', 'AgA', `AQ${'_'.repeat(40)}`, 'A'.repeat(10_000)])('%s is refused', (id) => {
    expect(decodeEventId(['a'], id).ok).toBe(id === 'AQA');
  });
});
