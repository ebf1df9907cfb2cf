/** Who says who a client is: an authentication provider of a hub, as its settings name it. */
import { utf8 } from '../base/bytes.js';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import { type Permissions, checkPermissions } from '../channels/grants.js';
import { type Check, address, between, problemOf, requestHeaders } from './checks.js';

/** Signed tokens (RFC 7519). Of a key its algorithm is fixed, and never what a token says. */
export interface JwtProvider {
  readonly type: 'jwt';
  /** Keys (RFC 7517), each with `kid` and `alg`; symmetric ones are secrets, and stand in the log. */
  readonly keys?: readonly Jwk[];
  /** Where further ones are found: a key set; symmetric keys in it do not count. */
  readonly jwksUrl?: string;
  readonly issuer: string;
  /** Left out: `ringlog:` and the hub's name, so that no token is good for another hub. */
  readonly audience?: string;
  /** Claims that hold the user, its permissions and what else is known of it: `sub`, `permissions`, `metadata`. */
  readonly userClaim?: string;
  readonly permissionsClaim?: string;
  readonly metadataClaim?: string;
  /** The `typ` a token must have; left out: none, or `JWT` or `at+jwt`. */
  readonly tokenType?: string;
}

/** A service that is asked for every token. */
export interface HttpProvider {
  readonly type: 'http';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** The hub's own people, in its `$users`. */
export interface DirectoryProvider {
  readonly type: 'directory';
  /** Anybody may register; else administrators do it for others. */
  readonly registration?: boolean;
  /** What its people may beside what the rules allow everybody; "{user}" stands for the name. */
  readonly permissions?: Permissions;
}

export type Provider = JwtProvider | HttpProvider | DirectoryProvider;

export interface Jwk {
  readonly kid: string;
  readonly alg: string;
  readonly kty: string;
  readonly [member: string]: unknown;
}

/** Algorithms (RFC 7518, RFC 8037) by the type of their keys. */
const algorithms: Readonly<Record<string, readonly string[]>> = {
  RSA: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  EC: ['ES256', 'ES384', 'ES512'],
  OKP: ['EdDSA'],
  oct: ['HS256', 'HS384', 'HS512'],
};

export function checkProvider(value: unknown): Result<Provider, string> {
  const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
  if (type !== 'jwt' && type !== 'http' && type !== 'directory')
    return err('A provider has a "type": "jwt", "http" or "directory".');
  const problem = problemOf(value, { jwt: jwtChecks, http: httpChecks, directory: directoryChecks }[type]);
  if (problem !== undefined) return err(`A provider of type "${type}" ${problem}.`);
  const provider = value as Provider;
  if (provider.type === 'directory') return ok(provider);
  if (provider.type === 'http')
    return provider.url ? ok(provider) : err('A provider of type "http" has a "url".');
  if (!provider.issuer) return err('A provider of type "jwt" has an "issuer".');
  return provider.keys?.length || provider.jwksUrl !== undefined
    ? ok(provider)
    : err('A provider of type "jwt" has "keys", or a "jwksUrl".');
}

/** Control characters and names of the system's own would be taken for something else in logs. */
const userPattern = /^[^\p{Cc}\p{Surrogate}$][^\p{Cc}\p{Surrogate}]*$/u;

/** Who administrators act as: no user has that name, whoever names users. */
export const administratorName = '$admin';

/** Whether it can be the id of a user. */
export function isUserId(value: unknown): value is string {
  return typeof value === 'string' && userPattern.test(value) && utf8(value).length <= limits.userIdBytesMax;
}

/** Permissions as they are for one user. */
export function grantedTo(user: string, permissions: unknown): unknown {
  return JSON.parse(JSON.stringify(permissions).replaceAll('{user}', user));
}

/** Whether a key can be used at all, and only as its algorithm says; a sentence otherwise. */
export function checkKey(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return 'is an object';
  const { kid, alg, kty, use, crv } = value as Readonly<Record<string, unknown>>;
  if (typeof kid !== 'string' || kid === '' || kid.length > limits.keyIdBytesMax)
    return `has a "kid" of 1 to ${limits.keyIdBytesMax} characters`;
  if (typeof kty !== 'string' || !Object.hasOwn(algorithms, kty)) return 'is of type RSA, EC, OKP or oct';
  if (typeof alg !== 'string' || !algorithms[kty]!.includes(alg))
    return `of type ${kty} has an "alg" of ${algorithms[kty]!.join(', ')}`;
  if (use !== undefined && use !== 'sig') return 'is for signatures';
  if (kty === 'OKP' && crv !== 'Ed25519') return 'of type OKP is of curve Ed25519';
  return undefined;
}

const text = (value: unknown) =>
  typeof value === 'string' && value.length > 0 && value.length <= limits.settingTextBytesMax
    ? undefined
    : `is a text of 1 to ${limits.settingTextBytesMax} characters`;

const typed = () => undefined;

const jwtChecks: Readonly<Record<keyof JwtProvider, Check>> = {
  type: typed,
  keys: (value) => {
    if (!Array.isArray(value) || value.length > limits.keysPerProviderMax)
      return `is a list of at most ${limits.keysPerProviderMax} keys`;
    const problem = value.map(checkKey).find((each) => each !== undefined);
    if (problem !== undefined) return `holds a key that must be otherwise: it ${problem}`;
    const kids = new Set((value as readonly Jwk[]).map(({ kid }) => kid));
    return kids.size === value.length ? undefined : 'holds two keys of one "kid"';
  },
  jwksUrl: address,
  issuer: text,
  audience: text,
  userClaim: text,
  permissionsClaim: text,
  metadataClaim: text,
  tokenType: text,
};

const directoryChecks: Readonly<Record<keyof DirectoryProvider, Check>> = {
  type: typed,
  registration: (value) => (typeof value === 'boolean' ? undefined : 'is true or false'),
  permissions: (value) => {
    const checked = checkPermissions(grantedTo('name', value));
    return checked.ok ? undefined : `is not right: ${checked.error}`;
  },
};

const httpChecks: Readonly<Record<keyof HttpProvider, Check>> = {
  type: typed,
  url: address,
  headers: requestHeaders,
  timeoutMs: between(100, limits.outboundTotalMs),
};
