/** Tokens that a hub's directory issues: known at every node by a key that all of them read from `$users`. */
import { fromBase64, toBase64Url, utf8, utf8Text } from '../base/bytes.js';

export interface TokenClaims {
  readonly name: string;
  /** Of the account, and what of it counts. */
  readonly id: string;
  readonly generation: number;
  /** Unix milliseconds. */
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

export interface ParsedToken {
  readonly keyId: string;
  readonly signed: Uint8Array;
  readonly mac: Uint8Array;
  readonly claims: TokenClaims;
}

const prefix = 'rl1';

export function isDirectoryToken(token: string): boolean {
  return token.startsWith(`${prefix}.`);
}

/** What the code of authentication is of: the hub too, so that it is good in no other. */
function signedPart(hub: string, keyId: string, body: string): Uint8Array {
  return utf8(`ringlog token v1\n${hub}\n${keyId}.${body}`);
}

export function writeToken(
  hub: string,
  keyId: string,
  claims: TokenClaims,
  mac: (bytes: Uint8Array) => Uint8Array,
): string {
  const body = toBase64Url(utf8(JSON.stringify(claims)));
  return `${prefix}.${keyId}.${body}.${toBase64Url(mac(signedPart(hub, keyId, body)))}`;
}

/** `undefined` for what was never written by us. Nothing of it is believed before its code is checked. */
export function parseToken(hub: string, token: string): ParsedToken | undefined {
  const parts = token.split('.');
  const [, keyId = '', body = '', code = ''] = parts;
  const mac = fromBase64(code);
  const bytes = fromBase64(body);
  if (parts.length !== 4 || parts[0] !== prefix || !mac || !bytes) return undefined;
  try {
    const claims = JSON.parse(utf8Text(bytes)) as TokenClaims;
    const { name, id, generation, issuedAtMs, expiresAtMs } = claims;
    const isRight =
      typeof name === 'string' &&
      typeof id === 'string' &&
      [generation, issuedAtMs, expiresAtMs].every((number) => Number.isSafeInteger(number));
    return isRight ? { keyId, signed: signedPart(hub, keyId, body), mac, claims } : undefined;
  } catch {
    return undefined;
  }
}
