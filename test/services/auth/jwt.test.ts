/** Signed tokens: what is let in, and every known way to be let in with what is not one. */
import { afterEach, describe, expect, test } from 'vitest';
import { checkProvider } from '../../../src/hubs/provider.js';
import {
  Service,
  Setup,
  audience,
  base64,
  claims,
  issuer,
  jwtProvider,
  keys,
  rsaPublicPem,
  signers,
  token,
} from './tokens.js';

const provider = jwtProvider();
const setup = new Setup();
const who = (sent: string, given = provider, hub = 'acme') => setup.who(given, sent, hub);
const header = (more: object = {}) => ({ alg: 'RS256', kid: 'rsa', typ: 'JWT', ...more });
const now = () => Math.floor(Date.now() / 1000);

let service: Service | undefined;
afterEach(() => {
  service?.stop();
  service = undefined;
});

test.each([
  ['RS256', 'rsa'],
  ['EdDSA', 'ed'],
  ['HS256', 'oct'],
] as const)('a token of %s is good, with all that it says', async (alg, kid) => {
  const payload = claims({ permissions: { publish: ['room:#'] }, metadata: { name: 'Ada' } });
  const found = await setup.ask(provider, token({ alg, kid }, payload, signers[alg]));
  expect(found).toEqual({
    ok: true,
    value: {
      provider: 'main',
      identity: {
        user: 'ada',
        permissions: { publish: ['room:#'] },
        metadata: '{"name":"Ada"}',
        issuedAtMs: payload.iat * 1000,
        expiresAtMs: payload.exp * 1000,
      },
    },
  });
});

describe('attack 21, algorithms', () => {
  test.each<[string, string]>([
    ['none', token(header({ alg: 'none' }), claims(), signers.none)],
    ['None', token(header({ alg: 'None' }), claims(), signers.none)],
    ['HS256 under the public key', token(header({ alg: 'HS256' }), claims(), signers.confused)],
    ['another algorithm of the same key', token(header({ alg: 'PS256' }))],
    ['no algorithm', token({ kid: 'rsa' })],
    ['two algorithms', token(`{"alg":"none","alg":"RS256","kid":"rsa"}`)],
    ['an escaped algorithm', token(`{"al\\u0067":"none","alg":"RS256","kid":"rsa"}`)],
    ['b64', token(header({ b64: false, crit: ['b64'] }))],
    ['unknown crit', token(header({ crit: ['x'], x: 1 }))],
    ['compressed', token(header({ zip: 'DEF' }))],
    ['an encrypted token', `${base64({ alg: 'RSA-OAEP', enc: 'A128GCM', kid: 'rsa' })}.a.b.c.d`],
    ['no signature', token().split('.').slice(0, 2).join('.') + '.'],
    ['signature of another', token(header(), claims(), signers.EdDSA)],
    ['changed claims', changed()],
  ])('%s', async (_, sent) => expect(await who(sent)).toBe('UNAUTHENTICATED'));
});

function changed(): string {
  const [head, , signature] = token().split('.');
  return `${head}.${base64(claims({ sub: 'root' }))}.${signature}`;
}

describe('attack 22, key ids', () => {
  test.each<[string, unknown]>([
    ['a path', '../../dev/null'],
    ['SQL', `' or 1=1 --`],
    ['a URL', 'https://evil.example/key'],
    ['a name of JavaScript', '__proto__'],
    ['a list', ['rsa']],
    ['empty', ''],
    ['long', 'x'.repeat(129)],
    ['none', undefined],
  ])('%s', async (_, kid) => expect(await who(token(header({ kid })))).toBe('UNAUTHENTICATED'));

  test('keys that a token brings along are not looked at', async () => {
    service = await new Service().start();
    const { alg: _, ...jwk } = keys.ed;
    const own = { jwk, jku: `${service.origin}/keys`, x5u: `${service.origin}/cert` };
    expect(await who(token({ alg: 'EdDSA', kid: 'other', ...own }, claims(), signers.EdDSA))).toBe(
      'UNAUTHENTICATED',
    );
    expect(await who(token({ alg: 'EdDSA', kid: 'ed', ...own }, claims(), signers.EdDSA))).toBe('ada');
    expect(service.requests).toEqual([]);
  });
});

describe('attack 24, claims', () => {
  test.each<[string, object]>([
    ['another issuer', { iss: 'https://other.example' }],
    ['another audience', { aud: 'ringlog:other' }],
    ['no audience', { aud: undefined }],
    ['not yet', { nbf: now() + 120 }],
    ['from the future', { iat: now() + 120 }],
    ['expired', { exp: now() - 60 }],
    ['without an end', { exp: undefined }],
    ['good for more than a day', { exp: now() + 90_000 }],
    ['an end that is a text', { exp: '9999999999' }],
    ['an id token', { nonce: 'x' }],
    ['an id token by hash', { at_hash: 'x' }],
    ['no user', { sub: undefined }],
    ['a user that is a list', { sub: ['ada'] }],
  ])('%s', async (_, more) => expect(await who(token(header(), claims(more)))).toBe('UNAUTHENTICATED'));

  test('of another hub', async () => {
    expect(await who(token(), provider, 'other')).toBe('UNAUTHENTICATED');
    expect(await who(token(), provider, 'acme')).toBe('ada');
  });

  test.each([
    ['JWT', 'ada'],
    ['at+jwt', 'ada'],
    ['application/at+jwt', 'ada'],
    ['secevent+jwt', 'UNAUTHENTICATED'],
    [1, 'UNAUTHENTICATED'],
  ])('type %j', async (typ, expected) => expect(await who(token(header({ typ })))).toBe(expected));

  test('clocks may differ by half a minute and no more', async () => {
    expect(await who(token(header(), claims({ exp: now() - 20 })))).toBe('ada');
    expect(await who(token(header(), claims({ iat: now() + 20, nbf: now() + 20 })))).toBe('ada');
    expect(await who(token(header(), claims({ exp: now() - 40 })))).toBe('UNAUTHENTICATED');
  });

  test('a type that is set is the only one', async () => {
    const strict = jwtProvider({ tokenType: 'ringlog+jwt' });
    expect(await who(token(header({ typ: 'ringlog+jwt' })), strict)).toBe('ada');
    expect(await who(token(), strict)).toBe('UNAUTHENTICATED');
  });
});

test('anything at all is refused and never thrown', async () => {
  for (const sent of [
    '',
    '.',
    '..',
    '...',
    'a.b.c',
    '💥.💥.💥',
    'x'.repeat(8192),
    `${base64('null')}.e30.e30`,
    rsaPublicPem,
  ])
    expect(await who(sent)).toBe('UNAUTHENTICATED');
});

describe('attack 23, key sets', () => {
  async function issuing(answer: () => [number, string]) {
    service = await new Service().start();
    service.answer = (response) => {
      const [status, body] = answer();
      response.writeHead(status).end(body);
    };
    const own = new Setup([service.origin]);
    const remote = jwtProvider({ keys: [], jwksUrl: `${service.origin}/keys` });
    return { own, remote, service };
  }
  const set = (...all: object[]) => JSON.stringify({ keys: all });

  test('tokens that name unknown keys bring about one request in 30 seconds, and no more memory', async () => {
    const { own, remote, service } = await issuing(() => [200, set(keys.rsa)]);
    // Looked for by the name of the key, before the signature: one does for all.
    const [, payload, signature] = token().split('.');
    const unknown = Array.from({ length: 10_000 }, (_, i) =>
      [base64(header({ kid: `unknown-${i}` })), payload, signature].join('.'),
    );
    const codes = await Promise.all(unknown.map((sent) => own.who(remote, sent)));
    expect(new Set(codes)).toEqual(new Set(['UNAUTHENTICATED']));
    expect(service.requests).toHaveLength(1);
    expect(await own.who(remote, token())).toBe('ada');
    own.clock.aheadMs = 29_000;
    await own.who(remote, token(header({ kid: 'one more' })));
    expect(service.requests).toHaveLength(1);
    own.clock.aheadMs = 31_000;
    await own.who(remote, token(header({ kid: 'yet another' })));
    expect(service.requests).toHaveLength(2);
  });

  test('a key that was added is found, one that was taken away no longer counts', async () => {
    let all = [keys.rsa];
    const { own, remote } = await issuing(() => [200, set(...all)]);
    const ed = token({ alg: 'EdDSA', kid: 'ed' }, claims(), signers.EdDSA);
    expect([await own.who(remote, token()), await own.who(remote, ed)]).toEqual(['ada', 'UNAUTHENTICATED']);
    all = [keys.ed];
    own.clock.aheadMs = 31_000;
    expect(await own.who(remote, ed)).toBe('ada');
    expect(await own.who(remote, token())).toBe('UNAUTHENTICATED');
  });

  test('without the issuer what is known serves for an hour, and then nothing', async () => {
    let status = 200;
    const { own, remote, service } = await issuing(() => [status, set(keys.rsa)]);
    const at = (ms: number) => {
      own.clock.aheadMs = ms;
      const seconds = Math.floor(ms / 1000);
      return own.who(remote, token(header(), claims({ iat: now() + seconds, exp: now() + seconds + 600 })));
    };
    expect(await at(0)).toBe('ada');
    status = 500;
    expect(await at(1_000_000)).toBe('ada');
    expect(await at(3_500_000)).toBe('ada');
    expect(await at(3_700_000)).toBe('UNAVAILABLE');
    expect(service.requests.length).toBeLessThan(6);
    status = 200;
    expect(await at(3_800_000)).toBe('ada');
    expect(own.observations).toContainEqual(expect.objectContaining({ code: 'AUTH_PROVIDER' }));
  });

  test.each([
    ['no JSON', '<html>'],
    ['no keys', '{}'],
    ['symmetric keys', set(keys.oct)],
    ['keys that say nothing of their algorithm', set({ ...keys.rsa, alg: undefined })],
    ['keys for encryption', set({ ...keys.rsa, use: 'enc' })],
    ['rubbish', set(null as never, 1 as never, { kid: 'rsa', alg: 'RS256', kty: 'RSA', n: 'x', e: 'y' })],
  ])('a set of %s lets nobody in', async (_, body) => {
    const { own, remote } = await issuing(() => [200, body]);
    const hmac = token({ alg: 'HS256', kid: 'oct' }, claims(), signers.HS256);
    for (const sent of [token(), hmac])
      expect(['UNAUTHENTICATED', 'UNAVAILABLE']).toContain(await own.who(remote, sent));
  });
});

describe('a provider is refused that', () => {
  test.each<[string, object]>([
    ['has no issuer', { type: 'jwt', keys: [keys.rsa] }],
    ['has no keys', { type: 'jwt', issuer }],
    ['has a key without algorithm', { type: 'jwt', issuer, keys: [{ ...keys.rsa, alg: undefined }] }],
    ['has a key of another algorithm', { type: 'jwt', issuer, keys: [{ ...keys.rsa, alg: 'HS256' }] }],
    ['has a key that signs nothing', { type: 'jwt', issuer, keys: [{ ...keys.rsa, alg: 'none' }] }],
    ['has two keys of one id', { type: 'jwt', issuer, keys: [keys.rsa, keys.rsa] }],
    ['has an unknown member', { type: 'jwt', issuer, keys: [keys.rsa], algorithms: ['none'] }],
    ['is of no type', { issuer }],
    ['has a URL with a user', { type: 'http', url: 'https://a:b@example.com' }],
    ['has a URL of a file', { type: 'http', url: 'file:///etc/passwd' }],
    ['has headers of two lines', { type: 'http', url: 'https://example.com', headers: { a: 'b\r\nc: d' } }],
    ['waits for ever', { type: 'http', url: 'https://example.com', timeoutMs: 60_000 }],
  ])('%s', (_, value) => expect(checkProvider(value)).toMatchObject({ ok: false }));

  test('and one that is right is not', () => {
    expect(checkProvider(jwtProvider({ audience, jwksUrl: 'https://issuer.example/keys' })).ok).toBe(true);
    expect(checkProvider({ type: 'http', url: 'https://example.com/auth', headers: { a: 'b' } }).ok).toBe(
      true,
    );
  });
});
