/** Who fails to log in again and again waits, longer each time: the account as it is tried from one address, and the address. */
import { limits } from '../../base/limits.js';

interface Attempts {
  failures: number;
  untilMs: number;
}

/** A try, and until when whoever comes next waits by it. */
export interface Counted {
  readonly key: string;
  readonly untilMs: number;
}

export class LogIns {
  /** The oldest first. */
  readonly #attempts = new Map<string, Attempts>();

  /** Milliseconds to wait; 0: it may be tried. */
  waitMs(account: string, address: string, nowMs: number): number {
    const untilMs = Math.max(
      this.#attempts.get(accountKey(account, address))?.untilMs ?? 0,
      this.#attempts.get(address)?.untilMs ?? 0,
    );
    return Math.max(0, Math.ceil(untilMs - nowMs));
  }

  /** One more try, counted before it is known how it ends: those that are asked at once would all find that nobody has failed
   *  yet. `giveBack` takes what it returns, where it was no failure. */
  tried(account: string, address: string, nowMs: number): readonly Counted[] {
    return [
      this.#count(accountKey(account, address), limits.loginFailuresAccountMax, nowMs),
      this.#count(address, limits.loginFailuresAddressMax, nowMs),
    ];
  }

  giveBack(counted: readonly Counted[]): void {
    for (const each of counted) this.#giveBack(each);
  }

  /** The account's alone: an address that has one account may not try others without end. */
  succeeded(account: string, address: string): void {
    this.#attempts.delete(accountKey(account, address));
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
