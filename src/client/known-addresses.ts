/** Where a client may connect: the addresses it was given, which always count, and those that nodes told it of. */
import { hostOfUrl, isLoopback } from '../base/loopback.js';
import { wireLimits } from '../base/wire-limits.js';
import type { Random } from '../base/random.js';
import { webSocketUrl } from './address.js';

export class KnownAddresses {
  /** As the program gave them, as addresses of WebSockets. */
  readonly #given: readonly string[];
  readonly #hub: string;
  #told: readonly string[] = [];
  /** Told before, newest first. A node that is cut off, or busy, tells of no others, and may be gone a moment later. */
  #earlier: readonly string[] = [];
  /** Told, and not tried yet since a node was lost. */
  #moves: string[] = [];
  #current = '';
  #isGiven = true;
  spreadMs = 0;

  constructor(given: readonly string[], hub: string) {
    this.#given = given;
    this.#hub = hub;
  }

  /** A node told of others; what was told before is tried after all else. */
  tell(urls: readonly string[], spreadMs: number): void {
    const usable = urls.slice(0, wireLimits.nodesToldMax).flatMap((url) => this.#usable(url));
    const earlier = new Set([...this.#told, ...this.#earlier]);
    this.#told = [...new Set(usable)];
    for (const url of this.#told) earlier.delete(url);
    this.#earlier = [...earlier].slice(0, wireLimits.nodesToldMax);
    this.spreadMs = spreadMs;
  }

  /** The node that was connected is gone: the others it told of come first, in any order. */
  lost(random: Random): void {
    this.#moves = this.#told.filter((url) => url !== this.#current);
    for (let i = this.#moves.length - 1; i > 0; i--) {
      const j = Math.floor(random.next() * (i + 1));
      [this.#moves[i], this.#moves[j]] = [this.#moves[j]!, this.#moves[i]!];
    }
  }

  get hasMoves(): boolean {
    return this.#moves.length > 0;
  }

  /** The address for the next connection; `attempt` counts those that failed. */
  next(attempt: number): string {
    const told = [...this.#told, ...this.#earlier].filter((url) => !this.#given.includes(url));
    const all = [...this.#given, ...told];
    this.#current = this.#moves.shift() ?? all[attempt % all.length]!;
    this.#isGiven = this.#given.includes(this.#current);
    return this.#current;
  }

  /** The address in use does not want this client: it is not used again unless the program gave it. False: it did. */
  forget(): boolean {
    this.#told = this.#told.filter((url) => url !== this.#current);
    this.#earlier = this.#earlier.filter((url) => url !== this.#current);
    return !this.#isGiven;
  }

  /** No node leads a client from a secure connection to another one, or to the client's own machine. */
  #usable(address: string): string[] {
    try {
      const url = webSocketUrl(address, this.#hub);
      const isLocal = (each: string) => isLoopback(hostOfUrl(each));
      if (!url.startsWith('wss:') && this.#given.some((each) => each.startsWith('wss:'))) return [];
      return isLocal(url) && !this.#given.some(isLocal) ? [] : [url];
    } catch {
      return [];
    }
  }
}
