/** Key sets (RFC 7517 §5) of token issuers, fetched when they are needed: anew every ten minutes, and for a key nobody knows at most
 *  every 30 seconds however many tokens name such a one. When they cannot be fetched they go on serving for an hour. */
import { limits } from '../../base/limits.js';
import type { Clock } from '../../engine/ports.js';
import { type Jwk, checkKey } from '../../hubs/provider.js';
import type { Outbound } from '../outbound/outbound.js';

interface KeySet {
  keys: ReadonlyMap<string, Jwk>;
  fetchedMs: number;
  triedMs: number;
  fetching: Promise<void> | undefined;
}

export class KeySets {
  readonly #sets = new Map<string, KeySet>();

  constructor(
    readonly outbound: Pick<Outbound, 'call'>,
    readonly clock: Clock,
    readonly failed: (url: string, error: unknown) => void,
  ) {}

  /** `undefined` for a key that is not in the set. Rejects where the set cannot be had. */
  async key(hub: string, url: string, kid: string): Promise<Jwk | undefined> {
    const set = this.#setOf(hub, url);
    const isFresh = this.#nowMs() - set.fetchedMs < limits.keySetFreshMs;
    const isTried = this.#nowMs() - set.triedMs < limits.keySetRetryMs;
    if (!(isFresh && set.keys.has(kid)) && (!isTried || set.fetching)) await this.#fetch(hub, url, set);
    if (this.#nowMs() - set.fetchedMs >= limits.keySetStaleMs) throw new Error('the key set cannot be had');
    return set.keys.get(kid);
  }

  #fetch(hub: string, url: string, set: KeySet): Promise<void> {
    if (set.fetching) return set.fetching;
    set.triedMs = this.#nowMs();
    set.fetching = this.#fetched(hub, url)
      .then(
        (keys) => {
          set.keys = keys;
          set.fetchedMs = this.#nowMs();
        },
        (error: unknown) => this.failed(url, error),
      )
      .finally(() => (set.fetching = undefined));
    return set.fetching;
  }

  async #fetched(hub: string, url: string): Promise<ReadonlyMap<string, Jwk>> {
    const { status, body } = await this.outbound.call({ hub, url, method: 'GET' });
    if (status !== 200) throw new Error(`the key set was answered with ${status}`);
    const { keys } = JSON.parse(body) as { keys?: unknown };
    if (!Array.isArray(keys)) throw new Error('what was answered is no key set');
    const usable = (keys as readonly Jwk[]).filter((key) => checkKey(key) === undefined && key.kty !== 'oct');
    return new Map(usable.slice(0, limits.keysPerProviderMax).map((key) => [key.kid, key]));
  }

  /** Of each hub its own, so that none is kept from keys by another's calls. */
  #setOf(hub: string, url: string): KeySet {
    const name = `${hub} ${url}`;
    let set = this.#sets.get(name);
    if (!set) {
      set = { keys: new Map(), fetchedMs: -Infinity, triedMs: -Infinity, fetching: undefined };
      if (this.#sets.size >= limits.keySetsMax) this.#sets.delete(this.#sets.keys().next().value!);
      this.#sets.set(name, set);
    }
    return set;
  }

  #nowMs(): number {
    return this.clock.monotonicMs();
  }
}
