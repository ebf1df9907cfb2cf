/** Another process lives under this node's id. Each ends the other's links as fast as they are made, and neither gets a word in.
 *  So each leaves the links to the other for a while, now and then, and their peers get to hear both: then one of them is
 *  told to stop (replication/statements.ts). */
import type { Clock, Random, Timers } from '../ports.js';

const shortestMs = 200;
const longestMs = 800;

interface TurnPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

export class TakingTurns {
  readonly #ports: TurnPorts;
  readonly #changed: () => void;
  #nextAt = -Infinity;
  /** The other one's turn: no links are kept. */
  isSilent = false;

  /** `changed`: whose turn it is. */
  constructor(ports: TurnPorts, changed: () => void) {
    this.#ports = ports;
    this.#changed = changed;
  }

  /** The other process was heard. */
  conflict(): void {
    const { clock, timers } = this.#ports;
    if (this.isSilent || clock.monotonicMs() < this.#nextAt) return;
    this.isSilent = true;
    this.#changed();
    timers.after(this.#whileMs(), () => {
      this.isSilent = false;
      this.#nextAt = clock.monotonicMs() + this.#whileMs();
      this.#changed();
    });
  }

  #whileMs(): number {
    return shortestMs + this.#ports.random.next() * (longestMs - shortestMs);
  }
}
