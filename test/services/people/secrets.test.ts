import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { limits } from '../../../src/base/limits.js';
import { utf8 } from '../../../src/base/bytes.js';
import { Passwords } from '../../../src/services/people/passwords.js';
import { isSignature, isUsableKey } from '../../../src/services/people/ed25519.js';
import { systemSecrets } from '../../../src/services/people/secrets.js';

const passwords = new Passwords();
afterAll(() => passwords.stop());

describe('passwords', () => {
  test('attack 27: are known again, and only they', async () => {
    const stored = await passwords.hash('correct horse');
    expect(stored).toMatch(/^scrypt\$15\$8\$1\$/);
    expect(await passwords.check('correct horse', stored)).toBe(true);
    expect(await passwords.check('correct horsf', stored)).toBe(false);
    expect(await passwords.check('correct horse', undefined)).toBe(false);
    expect(await passwords.check('', 'scrypt$1$1$1$$')).toBe(false);
    expect([passwords.isOutdated(stored!), new Passwords(16).isOutdated(stored!)]).toEqual([false, true]);
  });

  test('attack 27: have a salt each, and one form of each character', async () => {
    const [one, two] = await Promise.all([passwords.hash('café au lait'), passwords.hash('café au lait')]);
    expect(one).not.toBe(two);
    expect(await passwords.check('cafe\u0301 au lait', one)).toBe(true);
  });

  test('attack 26: too many at once are refused, and the loop goes on meanwhile', async () => {
    const quick = new Passwords(10);
    const all = Array.from({ length: 1_000 }, () => quick.check('wrong', undefined));
    const taken = all.filter((each) => each !== undefined);
    expect(taken.length).toBeLessThanOrEqual(limits.passwordsWaitingMax + limits.passwordsAtOnceMax);
    expect(new Set(await Promise.all(taken))).toEqual(new Set([false]));
    expect(await quick.check('again', undefined)).toBe(false);
    await quick.stop();

    // At the cost that passwords have: were one computed here, the loop would have no turn before it is known.
    let [turns, isKnown] = [0, false];
    const checked = passwords.check('wrong', undefined)!.finally(() => (isKnown = true));
    for (; !isKnown; turns++) await nextTurn();
    expect(await checked).toBe(false);
    expect(turns).toBeGreaterThan(10);
  });
});

describe('attack 25, Ed25519', () => {
  // RFC 8032 and its errata; Chalkias et al. 2020, table 1.
  const smallOrder = [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    '0000000000000000000000000000000000000000000000000000000000000080',
    '0100000000000000000000000000000000000000000000000000000000000080',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  ];

  test.each(smallOrder)('key %s is refused', (hex) =>
    expect(isUsableKey(Buffer.from(hex, 'hex'))).toBe(false),
  );

  test('no fixed signature is one for any message under a key that is taken', () => {
    // Signature of the identity: R of order 1, S = 0.
    const forged = Buffer.concat([Buffer.from(smallOrder[1]!, 'hex'), Buffer.alloc(32)]);
    const key = Buffer.from(smallOrder[1]!, 'hex');
    for (let i = 0; i < 32; i++) expect(isSignature(key, utf8(`message ${i}`), forged)).toBe(false);
  });

  test('a signature is of its message and key, and of one form only', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const key = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url');
    const message = utf8('message');
    const signature = sign(null, message, privateKey);
    expect(isUsableKey(key)).toBe(true);
    expect(isSignature(key, message, signature)).toBe(true);
    expect(isSignature(key, utf8('massage'), signature)).toBe(false);
    expect(isSignature(key, message, signature.subarray(0, 63))).toBe(false);
    // S + L is the same number to whoever does not look.
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order;
    const malleated = Buffer.concat([
      signature.subarray(0, 32),
      Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse(),
    ]);
    expect(isSignature(key, message, malleated)).toBe(false);
    expect(verify(null, message, publicKey, signature)).toBe(true);
  });
});

test('what is sealed opens under its key and context alone, and unchanged', () => {
  const secrets = systemSecrets();
  const [key, other, context] = [secrets.randomBytes(32), secrets.randomBytes(32), utf8('one')];
  const sealed = secrets.seal(key, utf8('secret'), context);
  expect(Buffer.from(secrets.open(key, sealed, context)!).toString()).toBe('secret');
  expect(secrets.open(other, sealed, context)).toBeUndefined();
  expect(secrets.open(key, sealed, utf8('two'))).toBeUndefined();
  for (let i = 0; i < sealed.length; i++) {
    const changed = sealed.slice();
    changed[i]! ^= 1;
    expect(secrets.open(key, changed, context)).toBeUndefined();
  }
  expect(secrets.open(key, sealed.subarray(0, 20), context)).toBeUndefined();
});
