/** Services that clients call: what they are sent, what of their answers goes on, and what those do that are slow, lie or are
 *  down: attacks 11, 35 and 36. */
import { afterEach, describe, expect, test } from 'vitest';
import { utf8, utf8Text } from '../../../src/base/bytes.js';
import type { HubName } from '../../../src/base/ids.js';
import { limits } from '../../../src/base/limits.js';
import type { Observation, ServiceRequest } from '../../../src/engine/ports.js';
import { HttpServices } from '../../../src/services/rpc/http-services.js';
import { Clock, Service } from '../auth/tokens.js';

let service: Service;
let services: HttpServices;
const observations: Observation[] = [];
const clock = new Clock();

async function start(internal = true): Promise<void> {
  service = await new Service().start();
  observations.length = 0;
  clock.aheadMs = 0;
  services = new HttpServices({
    clock,
    observer: { observe: (observation) => void observations.push(observation) },
    internalOrigins: internal ? [service.origin] : [],
    resolve: (name) => Promise.resolve(name === 'inside.example' ? ['10.0.0.1'] : []),
  });
}
afterEach(() => {
  services?.stop();
  service?.stop();
});

const request = (more: Partial<ServiceRequest> = {}, setting: object = {}): ServiceRequest => ({
  name: 'orders',
  service: { type: 'http', url: `${service.origin}/secret-path`, methods: ['*'], ...setting },
  hub: 'acme' as HubName,
  id: 'a'.repeat(24),
  sessionId: 'b'.repeat(24),
  user: 'ada',
  metadata: '{"name":"Ada","n":9007199254740993}',
  method: 'orders:find',
  contentType: 'application/json',
  payload: utf8('{"after":9007199254740993}'),
  ...more,
});
const ask = (more?: Partial<ServiceRequest>, setting?: object) =>
  services.call(request(more, setting)).answer;
const code = async (...asked: Parameters<typeof ask>): Promise<string> => {
  const answer = await ask(...asked);
  return answer.ok ? utf8Text(answer.value.payload) : answer.error.code;
};
const says = (body: string) => (service.answer = (response) => response.end(body));

test('a service is sent who calls what, as JSON, no number of it rounded', async () => {
  await start();
  says('{"data":{"found":9007199254740993}}');
  const answer = await ask({}, { headers: { 'x-key': 'k' } });
  expect(answer).toMatchObject({ ok: true, value: { contentType: 'application/json' } });
  expect(answer.ok && utf8Text(answer.value.payload)).toBe('{"found":9007199254740993}');
  const [{ method, path, headers, body }] = service.requests as [(typeof service.requests)[0]];
  expect([method, path, headers['x-key'], headers['content-type']]).toEqual([
    'POST',
    '/secret-path',
    'k',
    'application/json',
  ]);
  expect(body).toBe(
    `{"hub":"acme","requestId":"${'a'.repeat(24)}","sessionId":"${'b'.repeat(24)}","user":"ada","method":"orders:find",` +
      '"contentType":"application/json","metadata":{"name":"Ada","n":9007199254740993},"data":{"after":9007199254740993}}',
  );
});

test('text, bytes and nothing at all go both ways', async () => {
  await start();
  service.answer = (response, body) => {
    const { data, dataBase64, contentType } = JSON.parse(body) as Record<string, string>;
    response.end(JSON.stringify({ data, dataBase64, contentType }));
  };
  const { contentType: _, ...plain } = request();
  const sent = (payload: Uint8Array, contentType?: string) =>
    services.call({ ...plain, payload, ...(contentType === undefined ? {} : { contentType }) }).answer;
  const bytes = Uint8Array.of(0, 255, 128);
  for (const [payload, type] of [
    [utf8('Grüße'), undefined],
    [bytes, 'application/octet-stream'],
    [utf8('{"a":'), 'application/json'],
  ] as const) {
    const answer = await sent(payload, type);
    expect(answer).toMatchObject({ ok: true });
    expect(answer.ok && new Uint8Array(answer.value.payload)).toEqual(new Uint8Array(payload));
    expect(answer.ok && answer.value.contentType).toBe(type);
  }
  says('{}');
  expect(await ask()).toEqual({ ok: true, value: { payload: new Uint8Array(0) } });
});

test('an anonymous client has no user, an administrator none either', async () => {
  await start();
  says('{}');
  const { user: _user, metadata: _metadata, sessionId: _sessionId, ...anonymous } = request();
  await services.call(anonymous).answer;
  await services.call({ ...anonymous, admin: true }).answer;
  const [first, second] = service.requests.map(({ body }) => JSON.parse(body) as object);
  for (const each of [first, second])
    for (const name of ['user', 'metadata', 'sessionId']) expect(each).not.toHaveProperty(name);
  expect(first).not.toHaveProperty('admin');
  expect(second).toMatchObject({ admin: true });
});

describe('a service refuses in its own words', () => {
  test.each<[string, object]>([
    ['{"error":{"code":"closed","message":"It is closed."}}', { reason: 'closed', message: 'It is closed.' }],
    ['{"error":{"code":404},"data":1}', { reason: '404' }],
    // Never taken for the node's own.
    ['{"error":{"code":"UNAUTHENTICATED","message":"x"}}', { reason: 'UNAUTHENTICATED' }],
    ['{"error":{"code":"a","message":"two\\nlines\\u0000"}}', { message: 'two lines ' }],
    [
      `{"error":{"code":"a","message":"${'m'.repeat(5_000)}"}}`,
      { message: 'm'.repeat(limits.refusalMessageCharactersMax) },
    ],
  ])('%s', async (body, expected) => {
    await start();
    says(body);
    expect(await ask()).toMatchObject({
      ok: false,
      error: { code: 'CALL_REFUSED', outcome: 'rejected', ...expected },
    });
    expect(observations).toEqual([]);
  });

  test('and an error that is null is none', async () => {
    await start();
    says('{"error":null,"data":"x"}');
    expect(await code()).toBe('x');
  });
});

describe('no answer that can be used: it may have taken effect, and nothing of it goes on', () => {
  const secret = 'stack of somebody';
  test.each<[string, Service['answer']]>([
    ['500', (response) => response.writeHead(500).end(secret)],
    ['404', (response) => response.writeHead(404).end(`{"data":"${secret}"}`)],
    ['204', (response) => response.writeHead(204).end()],
    ['attack 35: a redirect', (response) => response.writeHead(302, { location: '/other' }).end(secret)],
    ['no JSON', (response) => response.end(`<html>${secret}`)],
    ['a list', (response) => response.end(`["${secret}"]`)],
    ['an error without a code', (response) => response.end(`{"error":{"message":"${secret}"}}`)],
    ['an error that is a text', (response) => response.end(`{"error":"${secret}"}`)],
    ['a code with a line', (response) => response.end(`{"error":{"code":"a\\n${secret}"}}`)],
    ['a code of a kilobyte', (response) => response.end(`{"error":{"code":"${'c'.repeat(1_000)}"}}`)],
    ['both forms of data', (response) => response.end('{"data":"x","dataBase64":"eA"}')],
    ['base64 that is none', (response) => response.end('{"dataBase64":"%"}')],
    ['a type with a line', (response) => response.end('{"data":"x","contentType":"a\\r\\nset-cookie: b"}')],
    ['a type of a kilobyte', (response) => response.end(`{"data":"x","contentType":"${'t'.repeat(1_000)}"}`)],
    [
      'attack 35: too much',
      (response) => response.end(`{"data":"${'a'.repeat(limits.callAnswerBytesMax)}"}`),
    ],
    [
      'attack 11: nested deeper than a stack',
      (response) => response.end(`{"data":${'['.repeat(30_000)}${']'.repeat(30_000)}}`),
    ],
    ['a broken connection', (response) => response.destroy()],
    [
      'half of it',
      (response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('{"data":');
        setImmediate(() => response.destroy());
      },
    ],
  ])('%s', async (_, answer) => {
    await start();
    service.answer = answer;
    const result = await ask();
    expect(result).toMatchObject({ ok: false, error: { code: 'NO_ANSWER', outcome: 'indeterminate' } });
    expect(JSON.stringify(result)).not.toContain(secret);
    expect(service.requests).toHaveLength(1);
    expect(observations).toMatchObject([{ type: 'alarm', code: 'SERVICE' }]);
    expect(JSON.stringify(observations)).not.toMatch(/secret-path|stack of/);
  });

  test('attack 35: one that never ends is not waited for longer than its setting says', async () => {
    await start();
    service.answer = (response) => {
      response.write('{"data":"');
      const more = setInterval(() => response.write(' '), 20);
      response.once('close', () => clearInterval(more));
    };
    expect(await code({}, { timeoutMs: 200 })).toBe('NO_ANSWER');
  });
});

describe('attack 35: what may not be called was not, and the client is told that it was not', () => {
  test.each([
    'https://169.254.169.254/latest/meta-data',
    'https://[::1]/',
    'https://2130706433/',
    'https://localhost/',
    'https://inside.example/',
    'https://nowhere.example/',
    'http://93.184.216.34/',
  ])('%s', async (url) => {
    await start(false);
    expect(await ask({}, { url })).toMatchObject({
      ok: false,
      error: { code: 'UNAVAILABLE', outcome: 'rejected', retryAfterMs: expect.any(Number) as number },
    });
    expect(await code()).toBe('UNAVAILABLE');
    expect(service.requests).toEqual([]);
  });

  test('a port where nobody listens was not called either', async () => {
    await start();
    const asked = request();
    service.stop();
    expect(await services.call(asked).answer).toMatchObject({
      error: { code: 'UNAVAILABLE', outcome: 'rejected' },
    });
  });
});

describe('attack 36', () => {
  test('one that does not answer is left alone after five, in that hub, and another of the hub is not', async () => {
    await start();
    service.answer = (response) => response.destroy();
    const codes = [];
    for (let i = 0; i < 8; i++) codes.push(await code());
    expect(codes).toEqual([...Array(5).fill('NO_ANSWER'), ...Array(3).fill('UNAVAILABLE')]);
    expect(service.requests).toHaveLength(5);
    says('{"data":"x"}');
    expect(await code({}, { url: `${service.origin}/other` })).toBe('x');
    expect(await code({ hub: 'other' as HubName })).toBe('x');
    clock.aheadMs = limits.outboundRestMs + 1_000;
    expect(await code()).toBe('x');
    // Eight calls, and the operator is told once in ten seconds.
    expect(observations).toHaveLength(1);
  });

  test('a client whose calls a service cannot bear does not have it left alone for others', async () => {
    await start();
    service.answer = (response, body) =>
      response.writeHead(body.includes('"mallory"') ? 500 : 200).end('{"data":"x"}');
    for (let i = 0; i < 20; i++) expect(await code({ user: 'mallory' })).toBe('NO_ANSWER');
    expect(await code({ user: 'ada' })).toBe('x');
    expect(observations).toHaveLength(1);
  });

  test('of a slow one so many calls of a hub are under way, and another hub is not concerned', async () => {
    await start();
    const waiting: (() => void)[] = [];
    service.answer = (response) => void waiting.push(() => response.end('{"data":"x"}'));
    const all = Array.from({ length: limits.callsPerHubMax + 10 }, () => code());
    const refused = await Promise.all(all.slice(limits.callsPerHubMax));
    expect(new Set(refused)).toEqual(new Set(['OVERLOADED']));
    const other = code({ hub: 'other' as HubName });
    await expect.poll(() => waiting.length).toBe(limits.callsPerHubMax + 1);
    for (const answer of waiting) answer();
    expect(new Set(await Promise.all([...all.slice(0, limits.callsPerHubMax), other]))).toEqual(
      new Set(['x']),
    );
  });

  test('a call that is cancelled ends at the service too, makes room, and is nobody’s failure', async () => {
    await start();
    let ended = 0;
    service.answer = (response) => void response.once('close', () => ended++);
    for (let round = 0; round < 3; round++) {
      const calls = Array.from({ length: limits.callsPerHubMax }, () => services.call(request()));
      await expect.poll(() => service.requests.length).toBe(limits.callsPerHubMax * (round + 1));
      for (const each of calls) each.cancel();
      for (const { answer } of calls) expect(await answer).toMatchObject({ error: { code: 'NO_ANSWER' } });
    }
    await expect.poll(() => ended).toBe(limits.callsPerHubMax * 3);
    says('{"data":"x"}');
    expect(await code()).toBe('x');
    expect(observations).toEqual([]);
    const late = services.call(request());
    late.cancel();
    expect((await late.answer).ok).toBe(false);
  });
});

test('a service has as long as its setting says to answer, also beyond what a connection may take', async () => {
  await start();
  const slowMs = limits.outboundConnectMs + 500;
  service.answer = (response) => void setTimeout(() => response.end('{"data":"x"}'), slowMs);
  expect(await code({}, { timeoutMs: limits.callMsMax })).toBe('x');
  // Over the connection that is there now.
  expect(await code({}, { timeoutMs: limits.callMsMax })).toBe('x');
});
