/** What waits for a reader that iterates: bounded, in order, handed out one by one. */
import { Fifo } from './fifo.js';

export interface BufferLimits {
  readonly bufferEntries: number;
  readonly bufferBytes: number;
}

export interface Buffered<T> {
  readonly item: T;
  readonly bytes: number;
}

export class EntryBuffer<B extends Buffered<unknown>> {
  readonly #limits: BufferLimits;
  readonly #items = new Fifo<B>();
  #bytes = 0;
  /** Newest of `#items`, so that what needs no place of its own can be noted behind it. */
  #last: B | undefined;

  constructor(limits: BufferLimits) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#items.length;
  }

  get last(): B | undefined {
    return this.length > 0 ? this.#last : undefined;
  }

  get isFull(): boolean {
    return this.length >= this.#limits.bufferEntries || this.#bytes >= this.#limits.bufferBytes;
  }

  /** Empty enough to fill again: not at every entry, because filling costs a request. */
  get isDrained(): boolean {
    return this.length * 2 <= this.#limits.bufferEntries && this.#bytes * 2 <= this.#limits.bufferBytes;
  }

  push(buffered: B): void {
    this.#items.push(buffered);
    this.#last = buffered;
    this.#bytes += buffered.bytes;
  }

  shift(): B | undefined {
    const buffered = this.#items.shift();
    if (buffered) this.#bytes -= buffered.bytes;
    return buffered;
  }

  clear(): void {
    while (this.shift());
  }
}
