/** Ed25519 (RFC 8032) by the platform, with what base/ed25519.ts refuses. */
import { createPublicKey, verify } from 'node:crypto';
import { isSoundKey, isSoundSignature } from '../../base/ed25519.js';

export function isUsableKey(key: Uint8Array): boolean {
  if (!isSoundKey(key)) return false;
  try {
    publicKey(key);
    return true;
  } catch {
    return false;
  }
}

export function isSignature(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!isUsableKey(key) || !isSoundSignature(signature)) return false;
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
