/** Tokens that a hub issues itself: known at every node by a key that all of them read from `$users`. */
import { fromBase64, toBase64Url, utf8, utf8Text } from '../base/bytes.js';

interface Claims {
  readonly name: string;
  /** Unix milliseconds. */
  readonly expiresAtMs: number;
}

/** Of an account of the directory. What it may is looked up when the token is shown. */
export interface AccountClaims extends Claims {
  readonly id: string;
  /** What of the account counts. */
  readonly generation: number;
  readonly issuedAtMs: number;
}

/** What another provider said of a client. */
export interface GrantedClaims extends Claims {
  readonly provider: string;
  readonly permissions: unknown;
  /** JSON. */
  readonly metadata?: string;
  /** When what the provider was asked about was issued, so that a revocation ends this as well; absent where that was not said. */
  readonly issuedAtMs?: number;
}

export type TokenClaims = AccountClaims | GrantedClaims;

export interface ParsedToken {
  readonly keyId: string;
  readonly signed: Uint8Array;
  readonly mac: Uint8Array;
  readonly claims: TokenClaims;
}

const prefix = 'rl1';

export function isHubToken(token: string): boolean {
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
    const claims = JSON.parse(utf8Text(bytes)) as Partial<AccountClaims & GrantedClaims>;
    return isClaims(claims) ? { keyId, signed: signedPart(hub, keyId, body), mac, claims } : undefined;
  } catch {
    return undefined;
  }
}

function isClaims(claims: Partial<AccountClaims & GrantedClaims>): claims is TokenClaims {
  const { name, expiresAtMs, issuedAtMs, provider, metadata, id, generation } = claims;
  if (typeof name !== 'string' || !Number.isSafeInteger(expiresAtMs)) return false;
  if (provider === undefined)
    return typeof id === 'string' && [generation, issuedAtMs].every((number) => Number.isSafeInteger(number));
  return (
    typeof provider === 'string' &&
    (metadata === undefined || typeof metadata === 'string') &&
    (issuedAtMs === undefined || Number.isSafeInteger(issuedAtMs))
  );
}
