/** The directory of a hub, as its people use it: `ringlog/people`.
 *
 *      const people = peopleOf(client);
 *      await people.register({ name: 'ada', password });
 *      await people.login({ name: 'ada', password });
 */
import type { Client } from './client.js';
import { RinglogError, ownError } from './error.js';
import type { PageOptions } from './groups.js';
import { type DirectoryOptions, defaults } from './options.js';

export type { DirectoryOptions } from './options.js';
export { type Signing, type Verdict, type VerifierOptions, signerOf, verifierOf } from './signing.js';
export { type Receipt, receiptsOf } from './receipts.js';
export { type Group, type GroupMember, type Role, groupChannel, groupsOf } from './groups.js';

export interface Registration {
  readonly name: string;
  readonly password?: string;
  /** Raw Ed25519, base64url: its owner logs in by a signature. */
  readonly publicKey?: string;
  readonly email?: string;
  readonly metadata?: unknown;
}

export interface AccountChange extends Partial<Omit<Registration, 'name' | 'email'>> {
  /** A new password or key takes this, or `sign`: by the present key, as to log in. */
  readonly currentPassword?: string;
  readonly sign?: (message: Uint8Array) => string | Promise<string>;
  readonly email?: string | null;
}

export interface Profile {
  readonly name: string;
  readonly since: string;
  readonly hasPassword: boolean;
  readonly publicKey?: string;
  readonly email?: string;
  readonly metadata?: unknown;
}

export interface LoggedIn {
  readonly user: string;
  readonly token: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

export type LogIn =
  | { readonly name: string; readonly password: string }
  /** Signs bytes with the account's key; 64 bytes as base64url. */
  | { readonly name: string; readonly sign: (message: Uint8Array) => string | Promise<string> };

export function peopleOf(client: Client, options: DirectoryOptions = {}): People {
  return new People(client, options);
}

/** Every method rejects with RinglogError. */
class People {
  readonly #client: Client;
  readonly #timeoutMs: number | undefined;

  constructor(client: Client, { timeoutMs }: DirectoryOptions) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
  }

  /** The first registration of a name wins: `NAME_TAKEN` for all others. */
  register(registration: Registration): Promise<{ readonly name: string }> {
    return this.#send('register', registration);
  }

  /** From now on this client is that user. */
  async login(logIn: LogIn): Promise<LoggedIn> {
    const proof = 'password' in logIn ? logIn : await this.#signed(logIn);
    const loggedIn = await this.#send<LoggedIn>('login', proof);
    this.#client.setToken(loggedIn.token);
    return loggedIn;
  }

  profile(): Promise<Profile> {
    return this.#send('profile', {});
  }

  /** A new password or key ends every session of the account, this one too: log in again. */
  async change({ sign, ...change }: AccountChange): Promise<{ readonly name: string }> {
    const proof = sign && (await this.#signed({ name: (await this.profile()).name, sign }));
    return this.#send('change', { ...change, ...proof });
  }

  /** All that is known of the user is gone; the name stays taken. */
  delete(): Promise<{ readonly name: string }> {
    return this.#send('delete', {});
  }

  /** The public key of somebody's account; rejects with NOT_FOUND without one. */
  key(name: string): Promise<{ readonly name: string; readonly publicKey: string }> {
    return this.#send('key', { name });
  }

  /** Users by name, where the hub lists them. */
  list(options: PageOptions = {}): Promise<{
    readonly users: readonly { readonly name: string; readonly since: string }[];
    readonly next?: string;
  }> {
    return this.#send('list', options);
  }

  /** Names of channels, where the hub lists them. Pages may be short of `limit`; `partial`: some may be missing, since not all nodes answered. */
  channels(
    options: PageOptions = {},
  ): Promise<{ readonly channels: readonly string[]; readonly next?: string; readonly partial?: boolean }> {
    return this.#send('channels/list', options);
  }

  /** What administrators say of a channel, for whoever may subscribe to it; `undefined` where nothing is said. */
  async metadata(channel: string): Promise<unknown> {
    const answer = await this.#send<{ readonly metadata?: unknown }>('channels/metadata', { channel });
    return answer.metadata;
  }

  async #signed({ name, sign }: Extract<LogIn, { sign: unknown }>): Promise<object> {
    const { challenge } = await this.#send<{ readonly challenge: string }>('challenge', { name });
    return { name, challenge, signature: await sign(loginMessage(this.#client.hub, name, challenge)) };
  }

  async #send<T>(action: string, request: object): Promise<T> {
    return (await this.#client.askDirectory(action, request, this.#timeoutMs)) as T;
  }
}

/** What an account's key signs to log in. */
export function loginMessage(hub: string, name: string, challenge: string): Uint8Array {
  return new TextEncoder().encode(`ringlog login v1\n${hub}\n${name}\n${challenge}`);
}

/** For `connect({ token })`: logs in whenever a token is due. Rejects, so that the client tries again, where no node answers. */
export function passwordToken(options: {
  /** `http(s)://` of a node, or of several: where one cannot say who logs in, the next is asked. */
  readonly url: string | readonly string[];
  readonly hub?: string;
  readonly name: string;
  readonly password: string;
  /** How long an answer may take: 30 s by default. Several nodes share it, so that one that is silent leaves time for the next. */
  readonly timeoutMs?: number;
}): () => Promise<string> {
  const { url, hub = 'default', name, password, timeoutMs = defaults.historyTimeoutMs } = options;
  const urls = typeof url === 'string' ? [url] : url;
  const eachMs = Math.ceil(timeoutMs / Math.max(1, urls.length));
  // The one that answered last comes first.
  let first = 0;
  return async () => {
    let last: unknown = ownError('UNREACHABLE');
    for (let i = 0; i < urls.length; i++) {
      const at = (first + i) % urls.length;
      try {
        const token = await tokenAt(urls[at]!, { hub, name, password, timeoutMs: eachMs });
        first = at;
        return token;
      } catch (error) {
        // A password that is wrong at one node is wrong at all, and each of them would count it.
        if (error instanceof RinglogError && !atThisNode.has(error.code)) throw error;
        last = error;
      }
    }
    throw last;
  };
}

/** What says nothing of the other nodes. */
const atThisNode: ReadonlySet<string> = new Set(['UNREACHABLE', 'UNAVAILABLE', 'OVERLOADED']);

async function tokenAt(
  url: string,
  { hub, name, password, timeoutMs }: { hub: string; name: string; password: string; timeoutMs: number },
): Promise<string> {
  const answer = await fetch(`${url.replace(/\/+$/, '')}/v1/hubs/${hub}/users/login`, {
    method: 'POST',
    signal: AbortSignal.timeout(timeoutMs),
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name, password }),
  });
  const { token, code, detail, retryAfterMs } = (await answer.json()) as {
    token?: string;
    code?: never;
    detail?: string;
    retryAfterMs?: number;
  };
  if (token !== undefined) return token;
  if (code === undefined) throw ownError('UNREACHABLE');
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  throw new RinglogError({ code, outcome: 'rejected', message: detail ?? '', ...wait });
}
