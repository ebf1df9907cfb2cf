/** The time that this node stamps with, for as long as its process runs. */
import { PeerClocks } from '../cluster/peer-clocks.js';
import { PhysicalClock } from '../log/physical-clock.js';
import type { Clock, Observer } from './ports.js';

/** A wall clock that is further off than this is told. */
const toldMs = 1_000;

export class NodeTime {
  readonly peers = new PeerClocks();
  readonly #clock: Clock;
  readonly #observer: Observer;
  readonly #physical: PhysicalClock;
  #isToldOff = false;

  constructor(clock: Clock, observer: Observer) {
    this.#clock = clock;
    this.#observer = observer;
    const agree = (): boolean | undefined => this.peers.agree(clock.wallMs(), clock.monotonicMs());
    this.#physical = new PhysicalClock(clock.wallMs(), clock.monotonicMs(), agree);
  }

  /** Unix milliseconds, with a fraction. */
  physicalMs(): number {
    return this.#physical.read(this.#clock.wallMs(), this.#clock.monotonicMs());
  }

  /** Tells when the wall clock was set and the other nodes deny it: once, until it is right again. */
  watch(): void {
    const offMs = this.#clock.wallMs() - this.physicalMs();
    const isOff = Math.abs(offMs) > toldMs;
    if (isOff && !this.#isToldOff) {
      const message = `The clock of this machine is ${Math.round(offMs)} ms off what it was, and the other nodes do not have that time. Set it right; until then entries are stamped with the time from before.`;
      this.#observer.observe({ type: 'alarm', code: 'CLOCK_STEP', message });
    }
    this.#isToldOff = isOff;
  }
}
