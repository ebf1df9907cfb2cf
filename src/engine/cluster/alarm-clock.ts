/** Wakes whoever has deadlines of its own: set to the next one after everything that may have changed it. */
import type { Clock, Timers } from '../ports.js';

export class AlarmClock {
  readonly #ports: { readonly clock: Clock; readonly timers: Timers };
  readonly #ring: (now: number) => void;
  #at = Infinity;
  #cancel: (() => void) | undefined;

  constructor(ports: { readonly clock: Clock; readonly timers: Timers }, ring: (now: number) => void) {
    this.#ports = ports;
    this.#ring = ring;
  }

  /** At the latest then; an earlier one that was set stays. */
  set(at: number): void {
    if (at >= this.#at) return;
    this.#cancel?.();
    this.#at = at;
    const { clock, timers } = this.#ports;
    this.#cancel = timers.after(Math.max(0, at - clock.monotonicMs()), () => {
      this.#at = Infinity;
      this.#ring(clock.monotonicMs());
    });
  }

  /** For good. */
  stop(): void {
    this.#cancel?.();
    this.#at = -Infinity;
  }
}
