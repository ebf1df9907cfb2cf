/** The tokens of hubs: whoever is known in one gets one that every node knows by itself, whoever let it in. */
import { toBase64Url, toHex } from '../../base/bytes.js';
import type { HubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import { grantedTo } from '../../hubs/provider.js';
import { type ParsedText, type SignedUse, parseSigned, writeSigned } from '../../people/signed.js';
import { type TokenClaims, isHubToken, parseToken, writeToken } from '../../people/tokens.js';
import { type SigningKey, type User, type Users, encodeUserChange } from '../../people/users.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { Principal } from '../api.js';
import type { Identified, Secrets } from '../ports.js';
import { type Directories, type Directory, providerIn } from './directories.js';

export class HubTokens {
  /** Keys that are being made: each once at this node. */
  readonly #making = new Map<HubName, Promise<Result<SigningKey, Failure>>>();
  /** When this node made one last, by its wall clock: entries are stamped by another, which may lag behind one that was set. */
  readonly #madeMs = new WeakMap<Users, number>();

  constructor(
    readonly directories: Directories,
    readonly secrets: Secrets,
  ) {}

  /** `undefined` for what is none. */
  identify(hub: HubName, token: string): Promise<Result<Identified, Failure>> | undefined {
    return isHubToken(token) ? this.#identify(hub, token) : undefined;
  }

  async #identify(hub: HubName, token: string): Promise<Result<Identified, Failure>> {
    const parsed = parseToken(hub, token);
    if (!parsed) return notKnown();
    const isOurs = await this.#isOurs(hub, parsed);
    if (!isOurs.ok) return isOurs;
    // Whether its time is over is looked at as for every other.
    return isOurs.value ? this.identified(hub, parsed.claims) : notKnown();
  }

  /** Whether a key of the hub made the code. */
  async #isOurs(
    hub: HubName,
    { keyId, signed, mac }: Omit<ParsedText, 'value'>,
  ): Promise<Result<boolean, Failure>> {
    const directory = await this.directories.whole(hub);
    if (!directory.ok) return directory;
    const key = directory.value.users.keys.find(({ id }) => id === keyId);
    return ok(key !== undefined && this.secrets.isMac(key.secret, signed, mac));
  }

  /** Whoever the claims of something signed are of. */
  identified(hub: HubName, claims: TokenClaims): Result<Identified, Failure> {
    return 'provider' in claims
      ? ok({ provider: claims.provider, identity: { user: claims.name, ...claims } })
      : this.#account(hub, claims);
  }

  /** Something else that every node knows again. The key of now does, also where it is time for the next. */
  async sign(use: SignedUse, hub: HubName, value: object): Promise<Result<string, Failure>> {
    const directory = await this.directories.whole(hub);
    if (!directory.ok) return directory;
    const { users } = directory.value;
    if (users.keys.length === 0 || this.#isDue(users)) {
      const made = await this.#keyOf(hub);
      if (!made.ok && users.keys.length === 0) return made;
    }
    const [{ id, secret }] = directory.value.users.keys as [SigningKey];
    return ok(writeSigned(use, hub, id, value, (bytes) => this.secrets.mac(secret, bytes)));
  }

  /** What was signed so; `undefined` for what was not. */
  async read(use: SignedUse, hub: HubName, text: string): Promise<Result<unknown, Failure>> {
    const parsed = parseSigned(use, hub, text);
    if (!parsed) return ok(undefined);
    const isOurs = await this.#isOurs(hub, parsed);
    return isOurs.ok ? ok(isOurs.value ? parsed.value : undefined) : isOurs;
  }

  #account(
    hub: HubName,
    { name, id, generation, ...times }: Exclude<TokenClaims, { readonly provider: string }>,
  ): Result<Identified, Failure> {
    const found = providerIn(this.directories.host.viewOf(hub));
    if (!found) return notKnown();
    const account = `${id} ${generation}`;
    const isCurrent = this.isCurrent(hub, name, account);
    if (isCurrent === undefined) return err(failure('UNAVAILABLE', { retryAfterMs: 1_000 }));
    if (!isCurrent) return notKnown();
    const permissions = grantedTo(name, found.directory.permissions ?? {});
    return ok({ provider: found.name, identity: { user: name, permissions, ...times, account } });
  }

  /** Whether the account is still there, and what it was known by has not changed; `undefined` where that is not known. */
  isCurrent(hub: HubName, name: string, account: string): boolean | undefined {
    const users = this.#whole(hub);
    if (!users) return undefined;
    const user = users.find(name);
    return user?.sealed !== undefined && `${user.id} ${user.generation}` === account;
  }

  /** Of somebody who logged in now. */
  async issue({ hub }: Directory, { name, id, generation }: User) {
    const key = await this.#keyOf(hub);
    if (!key.ok) return key;
    const issuedAtMs = this.#wallMs();
    const expiresAtMs = issuedAtMs + limits.hubTokenMs;
    const token = this.#write(hub, key.value, { name, id, generation, issuedAtMs, expiresAtMs });
    return ok({ token, expiresAtMs });
  }

  /** Of who is here already: ends no later than that does. `undefined` for whom no provider knows, for what is too long to be
   *  shown, and while there is no key: then one is made. */
  of(hub: HubName, principal: Principal): string | undefined {
    const claims = this.claimsOf(principal, limits.hubTokenMs);
    if (!claims) return undefined;
    const users = this.#whole(hub);
    if (!users || this.#isDue(users)) void this.#keyOf(hub);
    const key = users?.keys[0];
    if (!key) return undefined;
    const token = this.#write(hub, key, claims);
    return token.length <= limits.tokenBytesMax ? token : undefined;
  }

  /** Of whoever a provider knows; good no longer than that says, nor than `mostMs` from now on. */
  claimsOf(principal: Principal, mostMs = Infinity): TokenClaims | undefined {
    const { provider, expiresAtMs: endMs = this.#wallMs() + limits.hubTokenMs } = principal;
    if (provider === undefined) return undefined;
    return claimsOf(principal, provider, Math.floor(Math.min(endMs, this.#wallMs() + mostMs)));
  }

  /** Resolves once there is a key, or that takes too long: who is known is not kept waiting for what it may not need. */
  async ready(hub: HubName): Promise<void> {
    if (this.#whole(hub)?.keys.length) return;
    await new Promise<void>((resolve) => {
      const cancel = this.directories.host.ports.timers.after(limits.hubTokenWaitMs, resolve);
      void this.#keyOf(hub).finally(() => {
        cancel();
        resolve();
      });
    });
  }

  /** The one that signs now. */
  #keyOf(hub: HubName): Promise<Result<SigningKey, Failure>> {
    let making = this.#making.get(hub);
    if (!making) {
      making = this.#newest(hub).finally(() => this.#making.delete(hub));
      this.#making.set(hub, making);
    }
    return making;
  }

  async #newest(hub: HubName): Promise<Result<SigningKey, Failure>> {
    const directory = await this.directories.whole(hub);
    if (!directory.ok) return directory;
    const { users, fold } = directory.value;
    const [newest] = users.keys;
    if (newest && !this.#isDue(users)) return ok(newest);
    const id = toHex(this.secrets.randomBytes(12));
    const secret = toBase64Url(this.secrets.randomBytes(32));
    const change = encodeUserChange({ type: 'key', id, secret, after: newest?.id ?? '' });
    const made = await fold.change(change, '');
    if (!made.ok) return made;
    this.#madeMs.set(directory.value.users, this.#wallMs());
    // Another node's, where that was first.
    const [signs] = directory.value.users.keys;
    return signs ? ok(signs) : err(failure('UNAVAILABLE', { retryAfterMs: 1_000 }));
  }

  /** Whether it is time for a new one. */
  #isDue(users: Users): boolean {
    const sinceMs = Math.max(users.keys[0]?.sinceMs ?? 0, this.#madeMs.get(users) ?? 0);
    return this.#wallMs() - sinceMs >= limits.signingKeyMs;
  }

  #write(hub: HubName, { id, secret }: SigningKey, claims: TokenClaims): string {
    return writeToken(hub, id, claims, (bytes) => this.secrets.mac(secret, bytes));
  }

  #whole(hub: HubName) {
    const users = this.directories.known(hub);
    return users?.isWhole === true ? users : undefined;
  }

  #wallMs(): number {
    return Math.floor(this.directories.host.ports.clock.wallMs());
  }
}

function claimsOf(
  { actor: name, account, grants, metadata, issuedAtMs }: Principal,
  provider: string,
  expiresAtMs: number,
): TokenClaims {
  // A moment earlier is on the safe side: it is what a revocation is compared with.
  const issued = issuedAtMs === undefined ? undefined : Math.floor(issuedAtMs);
  if (account !== undefined) {
    const [id = '', generation] = account.split(' ');
    return { name, id, generation: Number(generation), issuedAtMs: issued ?? 0, expiresAtMs };
  }
  return {
    name,
    provider,
    permissions: grants?.permissions ?? {},
    ...(metadata === undefined ? {} : { metadata }),
    ...(issued === undefined ? {} : { issuedAtMs: issued }),
    expiresAtMs,
  };
}

function notKnown(): Result<never, Failure> {
  return err(failure('UNAUTHENTICATED'));
}
