/** Tokens that a hub issues itself: known at every node by a key that all of them read from `$users`. */
import { isSignedText, parseSigned, type ParsedText, writeSigned } from './signed.js';

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

export interface ParsedToken extends Omit<ParsedText, 'value'> {
  readonly claims: TokenClaims;
}

export function isHubToken(token: string): boolean {
  return isSignedText('token', token);
}

export function writeToken(
  hub: string,
  keyId: string,
  claims: TokenClaims,
  mac: (bytes: Uint8Array) => Uint8Array,
): string {
  return writeSigned('token', hub, keyId, claims, mac);
}

/** `undefined` for what was never written by us. Nothing of it is believed before its code is checked. */
export function parseToken(hub: string, token: string): ParsedToken | undefined {
  const parsed = parseSigned('token', hub, token);
  if (!parsed) return undefined;
  const { value, ...code } = parsed;
  const claims = value as Partial<AccountClaims & GrantedClaims>;
  return isClaims(claims) ? { ...code, claims } : undefined;
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
