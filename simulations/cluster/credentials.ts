/** What people of simulated runs log in by: every other one a password, the others a key. */
import { type KeyObject, createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import type { LogIn, Registration } from '../../src/client/people.js';

/** Of an Ed25519 key in PKCS #8 (RFC 8410), before its 32 bytes. */
const keyHead = Buffer.from('302e020100300506032b657004220420', 'hex');

export interface Credentials {
  registration(name: string): Registration;
  logIn(name: string): LogIn;
}

/** The same for the same person. */
export function credentialsOf(person: string): Credentials {
  const digest = createHash('sha256').update(person).digest();
  const isKey = Number(/\d+$/.exec(person)?.[0] ?? 0) % 2 === 0;
  if (isKey)
    return keyed(createPrivateKey({ key: Buffer.concat([keyHead, digest]), format: 'der', type: 'pkcs8' }));
  const password = digest.toString('hex');
  return {
    registration: (name) => ({ name, password }),
    logIn: (name) => ({ name, password }),
  };
}

function keyed(key: KeyObject): Credentials {
  const publicKey = createPublicKey(key).export({ format: 'jwk' }).x!;
  return {
    registration: (name) => ({ name, publicKey }),
    logIn: (name) => ({ name, sign: (message) => sign(null, message, key).toString('base64url') }),
  };
}
