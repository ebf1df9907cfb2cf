import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { decodeContent } from '../../src/log/entry-wire.js';
import type { Content } from '../../src/log/entry.js';
import { failure } from '../../src/protocol/errors.js';
import {
  FakeNode,
  type TestGateway,
  cursorAt,
  entry,
  gatewayInFront,
  userToken,
  writer,
} from './fake-node.js';

let node: FakeNode;
let front: TestGateway;

beforeEach(async () => {
  node = new FakeNode();
  front = await gatewayInFront(node);
});
afterEach(() => front.gateway.stop());

const publish = (init: RequestInit & { query?: string } = {}) =>
  front.fetch(`/v1/hubs/default/channels/room:1/publish${init.query ?? ''}`, { method: 'POST', ...init });

function lastContent(): Content {
  const content = decodeContent(node.published.at(-1)!.messages[0]!.content);
  if (!content.ok) throw new Error('not a content');
  return content.value;
}

describe('one message', () => {
  test('the body is the payload and its type goes with it', async () => {
    const answer = await publish({
      body: '{"n": 12345678901234567890}',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${userToken}`,
        'x-ringlog-event': Buffer.from('größe').toString('latin1'),
        'x-ringlog-header-trace': 'abc',
        'idempotency-key': 'key-1',
      },
    });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({
      id: `${writer}-1`,
      timestamp: 4096,
      time: '2024-01-01T00:00:00.001Z',
      level: 'quorum',
      copies: 1,
    });
    const { principal, hub, messages } = node.published[0]!;
    expect([principal.actor, hub]).toEqual(['ada', 'default']);
    expect(messages[0]).toMatchObject({ channel: 'room:1', idempotencyKey: 'key-1' });
    const content = lastContent();
    expect(Buffer.from(content.payload).toString()).toBe('{"n": 12345678901234567890}');
    expect(content).toMatchObject({ contentType: 'application/json', event: 'größe' });
    expect(content.headers).toEqual(new Map([['trace', 'abc']]));
  });

  test('options come in the query', async () => {
    await publish({
      query: '?event=tick&level=memory&degrade=false&store=false&retain=true&push=false',
      body: 'x',
    });
    expect(node.published[0]!.messages[0]).toMatchObject({
      level: 'memory',
      degrade: false,
      store: false,
      retain: true,
      push: false,
    });
    expect(lastContent()).toMatchObject({ extras: { store: false, retain: true, push: false } });
    expect(lastContent().event).toBe('tick');
  });

  test('what curl says by itself is no type, and no body is an empty payload', async () => {
    await publish({ body: 'hello', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
    expect(lastContent()).toEqual({ payload: new Uint8Array(Buffer.from('hello')) });
    await publish({});
    expect(lastContent().payload.length).toBe(0);
  });

  test.each([
    [
      'attack 3: a body above the frame limit',
      { body: 'x'.repeat(limits.frameBytesMax + 1) },
      413,
      'TOO_LARGE',
    ],
    ['a message above its limit', { body: 'x'.repeat(limits.messageBytesMax + 1) }, 413, 'TOO_LARGE'],
    ['an unknown level', { query: '?level=best', body: '' }, 400, 'INVALID'],
    ['an unknown option', { query: '?colour=red', body: '' }, 400, 'INVALID'],
    ['a wrong token', { body: '', headers: { authorization: 'Bearer no' } }, 401, 'UNAUTHENTICATED'],
    ['another scheme', { body: '', headers: { authorization: 'Basic YTpi' } }, 401, 'UNAUTHENTICATED'],
    ['attack 8: a token in the address', { query: '?token=secret', body: '' }, 400, 'INVALID'],
    [
      'attack 7: a page of somewhere else',
      { body: 'x', headers: { origin: 'https://evil.example' } },
      403,
      'DENIED',
    ],
  ])('%s is a problem', async (_, init, status, code) => {
    const answer = await publish(init);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    const problem = (await answer.json()) as Record<string, unknown>;
    expect(problem).toMatchObject({ status, code, outcome: 'rejected', type: `urn:ringlog:error:${code}` });
    expect(JSON.stringify(problem)).not.toMatch(/secret|node_modules|\.ts:/);
    expect(node.published).toEqual([]);
  });

  test('what the node refuses comes with its outcome and when to try again', async () => {
    node.refusePublish = failure('OVERLOADED', { retryAfterMs: 1_500, channel: 'room:1' });
    const answer = await publish({ body: 'x' });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(await answer.json()).toMatchObject({ code: 'OVERLOADED', retryAfterMs: 1_500, channel: 'room:1' });
    node.refusePublish = failure('INDETERMINATE');
    expect(await (await publish({ body: 'x' })).json()).toMatchObject({ outcome: 'indeterminate' });
  });

  test('an unexpected error tells nothing of itself', async () => {
    node.publish = () => Promise.reject(new Error('secret detail'));
    const answer = await publish({ body: 'x' });
    expect(answer.status).toBe(500);
    const text = await answer.text();
    expect(text).not.toContain('secret detail');
    expect(JSON.parse(text)).toMatchObject({ code: 'INTERNAL', requestId: expect.any(String) });
  });
});

describe('many messages', () => {
  const batch = (body: string, type = 'application/json') =>
    front.fetch('/v1/hubs/default/publish', { method: 'POST', body, headers: { 'content-type': type } });

  test('each has its result, in order, and invalid ones do not stop the others', async () => {
    const answer = await batch(
      `{"messages": [
        {"channel": "a", "data": "text", "event": "e", "idempotencyKey": "k", "level": "owner", "degrade": false},
        {"channel": "b", "data": "x", "dataBase64": "AA"},
        {"channel": "c", "data": {"big": 12345678901234567890}},
        {"channel": "d", "dataBase64": "AAEC", "contentType": "application/octet-stream", "headers": {"h": "v"}}
      ]}`,
    );
    expect(answer.status).toBe(200);
    const { results } = (await answer.json()) as { results: Record<string, unknown>[] };
    expect(results.map((result) => result['id'] ?? (result['error'] as { code: string }).code)).toEqual([
      `${writer}-1`,
      'INVALID',
      `${writer}-2`,
      `${writer}-3`,
    ]);
    const { messages } = node.published[0]!;
    expect(messages.map(({ channel }) => channel)).toEqual(['a', 'c', 'd']);
    expect(messages[0]).toMatchObject({ idempotencyKey: 'k', level: 'owner', degrade: false });
    const payloads = messages.map(({ content }) => {
      const decoded = decodeContent(content);
      return decoded.ok ? Buffer.from(decoded.value.payload).toString('latin1') : '';
    });
    expect(payloads).toEqual(['text', '{"big":12345678901234567890}', '\u0000\u0001\u0002']);
  });

  test('an empty batch is fine', async () => {
    expect(await (await batch('{"messages":[]}')).json()).toEqual({ results: [] });
    expect(node.published).toEqual([]);
  });

  test.each([
    ['not JSON', '{"messages":', 400],
    [
      'attack 11: nested 20,000 deep',
      `{"messages":[{"channel":"a","data":${'['.repeat(20_000)}${']'.repeat(20_000)}}]}`,
      400,
    ],
    ['no messages', '{}', 400],
    ['a message without channel', '{"messages":[{"data":1}]}', 400],
    ['an unknown field', '{"messages":[{"channel":"a","colour":1}]}', 400],
    ['a number as text', '{"messages":[{"channel":7}]}', 400],
    [
      'too many messages',
      JSON.stringify({ messages: Array.from({ length: 1_001 }, () => ({ channel: 'a' })) }),
      400,
    ],
  ])('%s is a problem', async (_, body, status) => {
    const answer = await batch(body);
    expect(answer.status).toBe(status);
    expect(((await answer.json()) as { detail: string }).detail).toMatch(/\.$/);
  });

  test('another type than JSON is not taken', async () => {
    expect((await batch('{"messages":[]}', 'text/plain')).status).toBe(400);
  });

  test('a name of an object prototype is only a name', async () => {
    const answer = await batch('{"messages":[{"channel":"a","data":1,"headers":{"__proto__":"x"}}]}');
    expect(answer.status).toBe(200);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});

describe('history', () => {
  const history = (query = '') => front.fetch(`/v1/hubs/default/channels/chat/history${query}`);

  test('a page of entries, with the payload as it was published', async () => {
    node.entries = [
      entry(1, 'one'),
      entry(2, '{"a": 1}', {
        content: { payload: Buffer.from('{"a":\n 1}'), contentType: 'application/json' },
      }),
    ];
    const answer = await history('?limit=10&order=newest&since=2026-01-01&until=1767400000000');
    expect(answer.status).toBe(200);
    const page = (await answer.json()) as {
      entries: Record<string, unknown>[];
      more: boolean;
      cursor: string;
    };
    expect(page.entries.map(({ id, data }) => [id, data])).toEqual([
      [`${writer}-1`, 'one'],
      [`${writer}-2`, { a: 1 }],
    ]);
    expect(page).toMatchObject({ more: false, cursor: Buffer.from(cursorAt(2)).toString('base64url') });
    expect(node.historyRequest).toEqual({
      type: 'history',
      channel: 'chat',
      backward: true,
      limit: 10,
      sinceUnixMs: Date.parse('2026-01-01T00:00:00Z'),
      untilUnixMs: 1_767_400_000_000,
    });
  });

  test('a cursor goes on', async () => {
    await history(`?cursor=${Buffer.from(cursorAt(1)).toString('base64url')}`);
    expect(Buffer.from(node.historyRequest!.cursor!)).toEqual(Buffer.from(cursorAt(1)));
  });

  test.each([
    ['?limit=0', 'INVALID'],
    ['?limit=1e3', 'INVALID'],
    ['?limit=100000', 'INVALID'],
    ['?limit=1&limit=2', 'INVALID'],
    ['?since=yesterday', 'INVALID'],
    ['?cursor=%25%25', 'BAD_CURSOR'],
    [`?cursor=${'A'.repeat(3_000)}`, 'BAD_CURSOR'],
    ['?order=sideways', 'INVALID'],
  ])('%s is refused', async (query, code) => {
    const answer = await history(query);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code });
  });
});

test('an idempotency key is UTF-8 in all that is published over HTTP, and its bytes count', async () => {
  const channels = '/v1/hubs/default/channels';
  const requests = [
    ['POST', `${channels}/lobby/publish`, 'text/plain', 'x'],
    ['PATCH', `${channels}/doc:a/document`, 'application/json-patch+json', '[]'],
    ['POST', `${channels}/notification:a/notifications`, 'application/json', '{"title":"a"}'],
  ] as const;
  const send = async (key: string): Promise<number[]> => {
    const answers = [];
    for (const [method, path, contentType, body] of requests) {
      const headers = {
        authorization: `Bearer ${userToken}`,
        'content-type': contentType,
        'idempotency-key': Buffer.from(key).toString('latin1'),
      };
      answers.push((await front.fetch(path, { method, headers, body })).status);
    }
    return answers;
  };
  expect(await send('größe')).toEqual([200, 200, 200]);
  expect(node.published.map(({ messages }) => messages[0]!.idempotencyKey)).toEqual(
    requests.map(() => 'größe'),
  );
  // As many characters as bytes are allowed: too long.
  expect(await send('ö'.repeat(limits.idempotencyKeyBytesMax))).toEqual([400, 400, 400]);
});
