/** Many deadlines, one timer. Meant for what mostly does not come to pass: setting and dropping one costs next to
 *  nothing, and when the timer runs out all are looked at. */
import type { Clock, Timers } from '../ports.js';

/** Deadlines this close together are met at once. */
const grainMs = 5;

export class Deadlines<K> {
  readonly #at = new Map<K, number>();
  readonly #due: (key: K) => void;
  #timerAt = Infinity;
  #cancel: (() => void) | undefined;

  constructor(
    readonly clock: Clock,
    readonly timers: Timers,
    due: (key: K) => void,
  ) {
    this.#due = due;
  }

  /** Replaces the one that was set for the key. */
  set(key: K, at: number): void {
    if (at === Infinity) return this.delete(key);
    this.#at.set(key, at);
    this.#arm(at);
  }

  delete(key: K): void {
    this.#at.delete(key);
  }

  stop(): void {
    this.#at.clear();
    this.#cancel?.();
    this.#cancel = undefined;
    this.#timerAt = Infinity;
  }

  #arm(at: number): void {
    if (at >= this.#timerAt) return;
    this.#cancel?.();
    this.#timerAt = at;
    const delay = Math.max(0, at - this.clock.monotonicMs());
    this.#cancel = this.timers.after(Math.ceil(delay / grainMs) * grainMs, () => this.#fire());
  }

  #fire(): void {
    this.#timerAt = Infinity;
    const now = this.clock.monotonicMs();
    const due = [...this.#at].filter(([, at]) => at <= now);
    for (const [key, at] of due) {
      if (this.#at.get(key) !== at) continue;
      this.#at.delete(key);
      this.#due(key);
    }
    let next = Infinity;
    for (const at of this.#at.values()) next = Math.min(next, at);
    if (next < Infinity) this.#arm(next);
  }
}
