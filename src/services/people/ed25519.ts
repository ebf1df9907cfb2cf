/** Ed25519 (RFC 8032) with the keys refused for which anybody can make signatures: those of small order, and those that are
 *  not written as the standard has it. */
import { createPublicKey, verify } from 'node:crypto';

const p = 2n ** 255n - 19n;

/** y of the points whose order divides 8 (x is one of two, or the same): 1, -1, 0, and two more. */
const smallOrderY: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  p - 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
]);

export function isUsableKey(key: Uint8Array): boolean {
  if (key.length !== 32) return false;
  const bytes = Buffer.from(key).reverse();
  bytes[0]! &= 0x7f;
  const y = BigInt(`0x${bytes.toString('hex')}`);
  if (y >= p || smallOrderY.has(y)) return false;
  try {
    publicKey(key);
    return true;
  } catch {
    return false;
  }
}

export function isSignature(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!isUsableKey(key) || signature.length !== 64) return false;
  try {
    return verify(null, message, publicKey(key), signature);
  } catch {
    return false;
  }
}

function publicKey(key: Uint8Array) {
  return createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key).toString('base64url') },
    format: 'jwk',
  });
}
