/** What the network does to what is sent: delays, losses, and paths that carry nothing for a while. */
import type { Random } from '../../src/base/random.js';
import type { SimulatedClock } from '../world/clock.js';

/** Rates are chances for one packet; streams lose nothing, they only stand still. */
export interface Conditions {
  latencyMs: number;
  /** Added by chance, up to this. */
  jitterMs: number;
  loss: number;
  duplication: number;
}

export const calm: Conditions = { latencyMs: 0.3, jitterMs: 0.4, loss: 0, duplication: 0 };

export class Weather {
  readonly line: SimulatedClock;
  readonly random: Random;
  conditions: Conditions = { ...calm };
  readonly #blocks = new Map<string, number>();
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(line: SimulatedClock, random: Random) {
    this.line = line;
    this.random = random;
  }

  /** Nothing goes from one to the other until the result is called. */
  block(from: string, to: string): () => void {
    const path = `${from}>${to}`;
    this.#blocks.set(path, (this.#blocks.get(path) ?? 0) + 1);
    let isBlocking = true;
    return () => {
      if (!isBlocking) return;
      isBlocking = false;
      const left = this.#blocks.get(path)! - 1;
      if (left > 0) this.#blocks.set(path, left);
      else this.#open(path);
    };
  }

  isBlocked(from: string, to: string): boolean {
    return this.#blocks.size > 0 && this.#blocks.has(`${from}>${to}`);
  }

  /** Calls back once the path is open; returns what takes that back. */
  whenOpen(from: string, to: string, callback: () => void): () => void {
    if (!this.isBlocked(from, to)) return this.line.after(0, callback);
    const path = `${from}>${to}`;
    const waiting = this.#waiting.get(path) ?? [];
    this.#waiting.set(path, [...waiting, callback]);
    return () =>
      this.#waiting.set(
        path,
        (this.#waiting.get(path) ?? []).filter((other) => other !== callback),
      );
  }

  delayMs(random = this.random): number {
    const { latencyMs, jitterMs } = this.conditions;
    return latencyMs + random.next() * jitterMs;
  }

  /** How often, and after how long each, a packet arrives. */
  packetDelays(): number[] {
    const { loss, duplication } = this.conditions;
    if (this.random.next() < loss) return [];
    const first = this.delayMs();
    return this.random.next() < duplication ? [first, this.delayMs() * 3] : [first];
  }

  #open(path: string): void {
    this.#blocks.delete(path);
    const waiting = this.#waiting.get(path) ?? [];
    this.#waiting.delete(path);
    for (const callback of waiting) this.line.after(0, callback);
  }
}
