/** Signed tokens, checked as RFC 8725 says: the key decides the algorithm, never the token; a key is found by its id alone,
 *  and what a token brings along (`jwk`, `jku`, `x5u`) is not looked at. */
import { type CryptoKey, decodeJwt, errors, importJWK, jwtVerify } from 'jose';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import type { Clock, Identity } from '../../engine/ports.js';
import type { Jwk, JwtProvider } from '../../hubs/provider.js';
import type { Failure } from '../../protocol/errors.js';
import { notKnown, tooMany, unreachable } from './failures.js';
import type { Gate } from './gate.js';
import type { KeySets } from './key-sets.js';

interface Header {
  readonly alg: string;
  readonly kid: string;
}

type Key = CryptoKey | Uint8Array;

export class Jwts {
  readonly #keys = new WeakMap<object, Promise<Key>>();

  constructor(
    readonly keySets: KeySets,
    readonly clock: Clock,
    /** Checking a signature takes a thread of the pool that syncs the store. */
    readonly gate: Gate,
  ) {}

  async verify(hub: string, provider: JwtProvider, token: string): Promise<Result<Identity, Failure>> {
    const header = headerOf(token, provider.tokenType);
    if (typeof header === 'string') return err(notKnown(header));
    let jwk: Jwk | undefined;
    try {
      jwk = await this.#find(hub, provider, header.kid);
    } catch {
      return err(unreachable());
    }
    if (!jwk || jwk.alg !== header.alg) return err(notKnown('its key is not one of this hub’s'));
    const key = jwk;
    const checked = this.gate.pass(() => this.#check(hub, provider, token, key));
    return checked ?? err(tooMany());
  }

  #find(hub: string, { keys, jwksUrl }: JwtProvider, kid: string): Promise<Jwk | undefined> {
    const own = keys?.find((key) => key.kid === kid);
    if (own || jwksUrl === undefined) return Promise.resolve(own);
    return this.keySets.key(hub, jwksUrl, kid);
  }

  async #check(
    hub: string,
    provider: JwtProvider,
    token: string,
    jwk: Jwk,
  ): Promise<Result<Identity, Failure>> {
    const nowMs = this.clock.wallMs();
    try {
      const { payload } = await jwtVerify(token, await this.#imported(jwk), {
        algorithms: [jwk.alg],
        issuer: provider.issuer,
        audience: provider.audience ?? `ringlog:${hub}`,
        clockTolerance: limits.tokenLeewayMs / 1000,
        requiredClaims: ['exp'],
        currentDate: new Date(nowMs),
      });
      return identityOf(payload, provider, nowMs);
    } catch (error) {
      return err(notKnown(reasonOf(error)));
    }
  }

  #imported(jwk: Jwk): Promise<Key> {
    let key = this.#keys.get(jwk);
    if (!key) {
      key = imported(jwk);
      this.#keys.set(jwk, key);
    }
    return key;
  }
}

/** Whose it says it is, before anything of it is believed. */
export function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

async function imported(jwk: Jwk): Promise<Key> {
  const key = await importJWK(jwk, jwk.alg);
  // RFC 7518 §3.2: no shorter than the hash.
  if (key instanceof Uint8Array && key.length < Number(jwk.alg.slice(2)) / 8)
    throw new Error('the key is short');
  return key;
}

/** A sentence for one that is not looked at further. */
function headerOf(token: string, type: string | undefined): Header | string {
  const parts = token.split('.');
  if (parts.length !== 3 || !parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part)))
    return 'it is no signed token';
  const text = Buffer.from(parts[0]!, 'base64url').toString();
  let header: Readonly<Record<string, unknown>>;
  try {
    header = JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return 'its header cannot be read';
  }
  if (typeof header !== 'object' || header === null) return 'its header cannot be read';
  const { alg, kid, typ } = header;
  // Which of two counts is a matter of taste, and so of attacks.
  if (text.split('"alg"').length !== 2 || text.includes('\\')) return 'its header is ambiguous';
  if ('crit' in header || 'b64' in header || 'zip' in header)
    return 'its header asks for what is not known here';
  if (typeof kid !== 'string' || kid === '' || kid.length > limits.keyIdBytesMax) return 'it names no key';
  if (typeof alg !== 'string') return 'it names no algorithm';
  const shown = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : typ;
  const isType =
    type === undefined
      ? [undefined, 'jwt', 'at+jwt'].includes(shown as string)
      : shown === type.toLowerCase();
  return isType ? { alg, kid } : 'it is of another type';
}

function identityOf(
  claims: Readonly<Record<string, unknown>>,
  provider: JwtProvider,
  nowMs: number,
): Result<Identity, Failure> {
  const { exp, iat } = claims as { exp: number; iat?: number };
  const leeway = limits.tokenLeewayMs;
  if (exp * 1000 > nowMs + limits.tokenLifeMsMax + leeway)
    return err(notKnown('it is good for more than 24 hours'));
  if (iat !== undefined && iat * 1000 > nowMs + leeway) return err(notKnown('it comes from the future'));
  // Of an id token (OpenID Connect): it tells a program who its user is, and lets nobody in.
  if ('nonce' in claims || 'at_hash' in claims || 'c_hash' in claims)
    return err(notKnown('it is an id token'));
  const user = claims[provider.userClaim ?? 'sub'];
  if (typeof user !== 'string') return err(notKnown('it names no user'));
  const metadata = claims[provider.metadataClaim ?? 'metadata'];
  return ok({
    user,
    permissions: claims[provider.permissionsClaim ?? 'permissions'],
    ...(metadata === undefined ? {} : { metadata: JSON.stringify(metadata) }),
    expiresAtMs: exp * 1000,
    ...(iat === undefined ? {} : { issuedAtMs: iat * 1000 }),
  });
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'it has expired';
  if (error instanceof errors.JWTClaimValidationFailed) return `its "${error.claim}" is not right`;
  return 'its signature is not right';
}
