/** What waits for a reader that iterates: bounded, in order, handed out one by one. */
import { Fifo } from './fifo.js';

export interface BufferLimits {
  readonly bufferEntries: number;
  readonly bufferBytes: number;
}

/** One delivery may hold far more entries than a buffer should. */
const overfullFactor = 8;

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

  /** A reader that keeps up empties this within the turn. */
  get isFull(): boolean {
    return this.#isBeyond(1);
  }

  /** Not even within a turn may there be this much. */
  get isOverfull(): boolean {
    return this.#isBeyond(overfullFactor);
  }

  /** Empty enough to fill again: not at every entry, because filling costs a request. */
  get isDrained(): boolean {
    return this.length * 2 <= this.#limits.bufferEntries && this.#bytes * 2 <= this.#limits.bufferBytes;
  }

  #isBeyond(factor: number): boolean {
    const { bufferEntries, bufferBytes } = this.#limits;
    return this.length >= factor * bufferEntries || this.#bytes >= factor * bufferBytes;
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
