/** Each publisher's lines come in the order in which it sent them. */
import type { Ledger } from './ledger.js';

export class PublisherOrder {
  readonly #ledger: Ledger;
  readonly #lastLine = new Map<string, number>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** The line of the same publisher and channel that came before although it was sent later; 0 when there is none. */
  add(line: number): number {
    const stream = `${this.#ledger.channelOf(line)} ${this.#ledger.publisherOf(line)}`;
    const last = this.#lastLine.get(stream) ?? 0;
    if (last > line) return last;
    this.#lastLine.set(stream, line);
    return 0;
  }
}
