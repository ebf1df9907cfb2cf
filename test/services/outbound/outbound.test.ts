/** Calls that a hub's settings bring about: attacks 35 and 36. */
import { afterEach, describe, expect, test } from 'vitest';
import { limits } from '../../../src/base/limits.js';
import { isPublicAddress } from '../../../src/services/outbound/addresses.js';
import { Outbound, type OutboundOptions } from '../../../src/services/outbound/outbound.js';
import { Clock, Service, Setup } from '../auth/tokens.js';

let service: Service;
afterEach(() => service?.stop());

const bounds = {
  perHubMax: 32,
  answerBytesMax: 65_536,
  totalMsDefault: 5_000,
  totalMsMax: 5_000,
  isFailure: (status: number) => status >= 500,
};
const outboundOf = (options: Omit<OutboundOptions, 'clock'>) =>
  new Outbound({ clock: new Clock(), ...options }, bounds);

const http = (url: string, more: object = {}) => ({ type: 'http', url, ...more }) as const;

test.each([
  '127.0.0.1', '10.1.2.3', '172.31.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255',
  '::1', '::', '::ffff:127.0.0.1', '::ffff:8.8.8.8', 'fe80::1', 'fc00::1', 'fd00:ec2::254', 'ff02::1', '64:ff9b::7f00:1',
  '2002:7f00:1::', '2001::1', '2001:db8::1', 'localhost', '',
])('%s is no public address', (address) => expect(isPublicAddress(address)).toBe(false)); // prettier-ignore

test.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '2606:4700:4700::1111', '2a00:1450::1'])(
  '%s is one',
  (address) => expect(isPublicAddress(address)).toBe(true),
);

describe('attack 35: nothing is called at', () => {
  const lies: Readonly<Record<string, readonly string[]>> = {
    'inside.example': ['10.0.0.1'],
    'both.example': ['93.184.216.34', '127.0.0.1'],
    'metadata.example': ['169.254.169.254'],
    'six.example': ['::ffff:127.0.0.1'],
    'nowhere.example': [],
  };
  test.each([
    'https://169.254.169.254/latest/meta-data',
    'https://[::ffff:127.0.0.1]/',
    'https://[::1]/',
    'https://0x7f.1/',
    'https://2130706433/',
    'https://017700000001/',
    'https://localhost/',
    'https://localhost./',
    'https://127.1/',
    'http://93.184.216.34/',
    'https://user@93.184.216.34/',
    'https://93.184.216.34:443@127.0.0.1/',
    'https://127.0.0.1#@93.184.216.34/',
    'https://127.0.0.1\\@93.184.216.34/',
    'https://inside.example/',
    'https://both.example/',
    'https://metadata.example/',
    'https://six.example/',
    'https://nowhere.example/',
    'ftp://93.184.216.34/',
    'not a url',
  ])('%s', async (url) => {
    const outbound = outboundOf({
      internalOrigins: [],
      resolve: (name) => Promise.resolve(lies[name] ?? (name.startsWith('localhost') ? ['127.0.0.1'] : [])),
    });
    await expect(outbound.call({ hub: 'acme', url, method: 'GET' })).rejects.toThrow(
      /only https|public internet|nowhere|cannot be used/,
    );
    outbound.stop();
  });

  test('a name is resolved once, and the address that was checked is the one that is called', async () => {
    service = await new Service().start();
    const answers = [['127.0.0.1'], ['169.254.169.254']];
    const asked: string[] = [];
    const origin = service.origin.replace('127.0.0.1', 'auth.example');
    const outbound = outboundOf({
      internalOrigins: [origin],
      resolve: (name) => {
        asked.push(name);
        return Promise.resolve(answers.shift() ?? []);
      },
    });
    await outbound.call({ hub: 'acme', url: `${origin}/x`, method: 'GET' });
    expect(asked).toEqual(['auth.example']);
    expect(service.requests[0]!.headers.host).toBe(new URL(origin).host);
    outbound.stop();
  });

  test('what answers with the way to somewhere else: it is not gone', async () => {
    const inside = await new Service().start();
    service = await new Service().start();
    // Both may be called, so it is the redirect that is not followed.
    const outbound = outboundOf({ internalOrigins: [service.origin, inside.origin] });
    for (const status of [301, 302, 303, 307, 308]) {
      service.answer = (response) => response.writeHead(status, { location: `${inside.origin}/` }).end();
      const answer = await outbound.call({ hub: 'acme', url: service.origin, method: 'POST', body: '{}' });
      expect(answer.status).toBe(status);
    }
    expect(inside.requests).toEqual([]);
    outbound.stop();
    inside.stop();
  });

  test('an internal origin is that origin alone', async () => {
    service = await new Service().start();
    const outbound = outboundOf({ internalOrigins: ['http://127.0.0.1:1'] });
    await expect(outbound.call({ hub: 'acme', url: service.origin, method: 'GET' })).rejects.toThrow(
      'only https',
    );
    outbound.stop();
  });
});

test('a connection is used again at once, and not once it was quiet for longer than services keep theirs', async () => {
  service = await new Service().start();
  let connections = 0;
  service.server.on('connection', () => connections++);
  const outbound = outboundOf({ internalOrigins: [service.origin] });
  const call = () => outbound.call({ hub: 'acme', url: service.origin, method: 'GET' });
  await call();
  await call();
  expect(connections).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, limits.outboundIdleMs + 200));
  await call();
  expect(connections).toBe(2);
  outbound.stop();
});

describe('an http provider', () => {
  async function start() {
    service = await new Service().start();
    return new Setup([service.origin]);
  }

  test('is told hub, token and session, and says who it is', async () => {
    const setup = await start();
    const until = Date.now() + 60_000;
    service.answer = (response) =>
      response.end(
        JSON.stringify({
          user: 'ada',
          permissions: { publish: ['*'] },
          metadata: { a: 1 },
          expiresAt: until,
        }),
      );
    const found = await setup.ask(http(`${service.origin}/auth`, { headers: { 'x-key': 'k' } }), 'opaque');
    expect(found).toMatchObject({
      ok: true,
      value: {
        identity: { user: 'ada', permissions: { publish: ['*'] }, metadata: '{"a":1}', expiresAtMs: until },
      },
    });
    const [{ method, path, headers, body }] = service.requests as [(typeof service.requests)[0]];
    expect([method, path, headers['x-key'], JSON.parse(body)]).toEqual([
      'POST',
      '/auth',
      'k',
      { hub: 'acme', token: 'opaque', sessionId: 'session' },
    ]);
  });

  test('is not asked again for some seconds, and then it is', async () => {
    const setup = await start();
    const provider = http(service.origin);
    service.answer = (response) => response.end('{"user":"ada"}');
    for (let i = 0; i < 5; i++) expect(await setup.who(provider, 'opaque')).toBe('ada');
    expect(service.requests).toHaveLength(1);
    expect(await setup.who(provider, 'opaque', 'other')).toBe('ada');
    setup.clock.aheadMs = 11_000;
    service.answer = (response) => response.writeHead(401).end();
    expect(await setup.who(provider, 'opaque')).toBe('UNAUTHENTICATED');
    expect(service.requests).toHaveLength(3);
  });

  test.each<[string, string, Service['answer']]>([
    ['401', 'UNAUTHENTICATED', (response) => response.writeHead(401).end()],
    ['403', 'UNAUTHENTICATED', (response) => response.writeHead(403).end()],
    ['500', 'UNAVAILABLE', (response) => response.writeHead(500).end()],
    [
      'attack 35: a redirect',
      'UNAVAILABLE',
      (response) => response.writeHead(302, { location: '/other' }).end(),
    ],
    ['no JSON', 'UNAVAILABLE', (response) => response.end('<html>')],
    ['null', 'UNAVAILABLE', (response) => response.end('null')],
    ['no user', 'UNAVAILABLE', (response) => response.end('{"user":1}')],
    ['a time that is none', 'UNAVAILABLE', (response) => response.end('{"user":"a","expiresAt":"x"}')],
    [
      'attack 35: more than 64 KiB',
      'UNAVAILABLE',
      (response) => response.end(`{"user":"${'a'.repeat(70_000)}"}`),
    ],
    [
      'attack 11: an answer that is nested and no JSON',
      'UNAVAILABLE',
      (response) => response.end('['.repeat(60_000)),
    ],
    [
      'attack 11: one nested deeper than a stack',
      'UNAVAILABLE',
      (response) => response.end(`{"user":"ada","metadata":${'['.repeat(30_000)}${']'.repeat(30_000)}}`),
    ],
    ['a broken connection', 'UNAVAILABLE', (response) => response.destroy()],
  ])('that answers %s: %s', async (_, code, answer) => {
    const setup = await start();
    service.answer = answer;
    expect(await setup.who(http(service.origin), 'opaque')).toBe(code);
    expect(service.requests).toHaveLength(1);
  });

  test('attack 35: that never ends its answer is not waited for longer than said', async () => {
    const setup = await start();
    service.answer = (response) => {
      response.write('{"user":');
      const more = setInterval(() => response.write(' '), 20);
      response.once('close', () => clearInterval(more));
    };
    expect(await setup.who(http(service.origin, { timeoutMs: 200 }), 'opaque')).toBe('UNAVAILABLE');
  });

  test('attack 36: one that is down is left alone, and lets nobody in', async () => {
    const setup = await start();
    service.answer = (response) => response.writeHead(500).end();
    const codes = [];
    for (let i = 0; i < 30; i++) codes.push(await setup.who(http(service.origin), `token ${i}`));
    expect(new Set(codes)).toEqual(new Set(['UNAVAILABLE']));
    expect(service.requests).toHaveLength(5);
    // Another hub asks on its own account.
    expect(await setup.who(http(service.origin), 'opaque', 'other')).toBe('UNAVAILABLE');
    expect(service.requests).toHaveLength(6);
    setup.clock.aheadMs = 6_000;
    service.answer = (response) => response.end('{"user":"ada"}');
    expect(await setup.who(http(service.origin), 'opaque')).toBe('ada');
  });

  test('attack 36: of one that is slow no more than 32 calls of a hub are under way', async () => {
    const setup = await start();
    const waiting: (() => void)[] = [];
    service.answer = (response) => void waiting.push(() => response.end('{"user":"ada"}'));
    const all = Array.from({ length: 100 }, (_, i) => setup.who(http(service.origin), `token ${i}`));
    const refused = await Promise.all(all.slice(32));
    expect(new Set(refused)).toEqual(new Set(['OVERLOADED']));
    // Another hub is not concerned.
    const other = setup.who(http(service.origin), 'opaque', 'other');
    while (waiting.length < 33) await new Promise((resolve) => setTimeout(resolve, 5));
    for (const answer of waiting) answer();
    expect(new Set(await Promise.all([...all.slice(0, 32), other]))).toEqual(new Set(['ada']));
  });
});
