/** The form of a hub's own tokens. */
import { expect, test } from 'vitest';
import { utf8, utf8Text } from '../../src/base/bytes.js';
import { type TokenClaims, parseToken, writeToken } from '../../src/people/tokens.js';

const code = utf8('a code');
const write = (claims: unknown, hub = 'acme') => writeToken(hub, 'k', claims as TokenClaims, () => code);
const account = { name: 'ada', id: '01', generation: 2, issuedAtMs: 3, expiresAtMs: 4 };
const granted = { name: 'ada', provider: 'main', permissions: { publish: ['*'] }, expiresAtMs: 4 };

test.each<[string, TokenClaims]>([
  ['an account', account],
  ['what a provider said', granted],
  ['all of it', { ...granted, metadata: '{"name":"Ada"}', issuedAtMs: 3 }],
])('of %s is read as it was written', (_, claims) => {
  expect(parseToken('acme', write(claims))).toMatchObject({ keyId: 'k', mac: code, claims });
});

test('attack 13: the code is over the hub as well, also where two have one key', () => {
  const token = write(granted);
  const signed = ['acme', 'other'].map((hub) => utf8Text(parseToken(hub, token)!.signed));
  expect(signed[0]).not.toBe(signed[1]);
  expect(signed[0]).toContain('acme');
});

test.each<[string, unknown]>([
  ['no object', null],
  ['no name', { ...granted, name: 1 }],
  ['no end', { ...granted, expiresAtMs: undefined }],
  ['an end that is none', { ...granted, expiresAtMs: '4' }],
  ['a provider that is none', { ...granted, provider: null }],
  ['metadata that is no text', { ...granted, metadata: {} }],
  ['a beginning that is none', { ...granted, issuedAtMs: 0.5 }],
  ['neither provider nor account', { name: 'ada', expiresAtMs: 4 }],
  ['an account of no generation', { ...account, generation: undefined }],
  ['an account that does not say when', { ...account, issuedAtMs: undefined }],
])('with %s it is none', (_, claims) => {
  expect(parseToken('acme', write(claims))).toBeUndefined();
});
