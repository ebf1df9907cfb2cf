/** Who fails to log in again and again waits, longer each time: the account as it is tried from one address, and the address.
 *  Also the challenges that are to be signed: each good once. */
import { limits } from '../../base/limits.js';

interface Attempts {
  failures: number;
  untilMs: number;
}

/** A try, and until when whoever comes next waits by it. */
interface Counted {
  readonly key: string;
  readonly untilMs: number;
}

export class LogIns {
  /** The oldest first. */
  readonly #attempts = new Map<string, Attempts>();
  readonly #challenges = new Map<string, { readonly of: string; readonly untilMs: number }>();

  /** Milliseconds to wait; 0: it may be tried. */
  waitMs(account: string, address: string, nowMs: number): number {
    const untilMs = Math.max(
      this.#attempts.get(accountKey(account, address))?.untilMs ?? 0,
      this.#attempts.get(address)?.untilMs ?? 0,
    );
    return Math.max(0, Math.ceil(untilMs - nowMs));
  }

  /** One more try, counted before it is known how it ends: those that are asked at once would all find that nobody has failed
   *  yet. Returns what gives it back where it was no failure. */
  tried(account: string, address: string, nowMs: number): () => void {
    const counted = [
      this.#count(accountKey(account, address), limits.loginFailuresAccountMax, nowMs),
      this.#count(address, limits.loginFailuresAddressMax, nowMs),
    ];
    return () => {
      for (const each of counted) this.#giveBack(each);
    };
  }

  /** The account's alone: an address that has one account may not try others without end. */
  succeeded(account: string, address: string): void {
    this.#attempts.delete(accountKey(account, address));
  }

  challenged(challenge: string, of: string, nowMs: number): void {
    for (const [known, { untilMs }] of this.#challenges) {
      if (untilMs > nowMs && this.#challenges.size < limits.challengesMax) break;
      this.#challenges.delete(known);
    }
    this.#challenges.set(challenge, { of, untilMs: nowMs + limits.challengeMs });
  }

  /** Whether it was given to that account, and not used yet. */
  redeem(challenge: string, of: string, nowMs: number): boolean {
    const given = this.#challenges.get(challenge);
    this.#challenges.delete(challenge);
    return given !== undefined && given.of === of && given.untilMs > nowMs;
  }

  #count(key: string, free: number, nowMs: number): Counted {
    const before = this.#attempts.get(key);
    this.#attempts.delete(key);
    const failures = (before?.failures ?? 0) + 1;
    const waitMs =
      failures < free ? 0 : Math.min(limits.loginWaitMsMax, 1_000 * 2 ** Math.min(failures - free, 16));
    if (this.#attempts.size >= limits.loginAttemptsKnownMax)
      this.#attempts.delete(this.#attempts.keys().next().value!);
    const untilMs = nowMs + waitMs;
    this.#attempts.set(key, { failures, untilMs });
    return { key, untilMs };
  }

  /** With the wait that it brought: what a later failure brought stays. */
  #giveBack({ key, untilMs }: Counted): void {
    const attempts = this.#attempts.get(key);
    if (!attempts) return;
    attempts.failures--;
    if (attempts.untilMs === untilMs) attempts.untilMs = 0;
    if (attempts.failures <= 0) this.#attempts.delete(key);
  }
}

const accountKey = (account: string, address: string) => `${account} ${address}`;
