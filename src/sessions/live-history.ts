/** The last signals of a channel, for late joiners: bounded in number and bytes, never on disk. */
import { limits } from '../base/limits.js';
import type { Signal } from '../protocol/messages.js';

export class LiveHistory {
  readonly #signals: Signal[] = [];
  readonly #countMax: number;
  #bytes = 0;

  constructor(countMax: number) {
    this.#countMax = Math.min(countMax, limits.liveHistoryEntriesMax);
  }

  get isEmpty(): boolean {
    return this.#signals.length === 0;
  }

  get signals(): readonly Signal[] {
    return this.#signals;
  }

  add(signal: Signal): void {
    this.#signals.push(signal);
    this.#bytes += signal.content.length;
    while (this.#signals.length > this.#countMax || this.#bytes > limits.liveHistoryBytesMax) {
      this.#bytes -= this.#signals.shift()!.content.length;
    }
  }
}
