/** Order of one publisher's publishes in one channel: each is taken only behind the one before it, so a lost or
 *  overtaken request is noticed before anything is written. Memory is bounded; what was forgotten is made up for by
 *  the publisher's own word on how far it was acked. */
import { limits } from '../base/limits.js';

export interface PublisherMessage {
  /** Actor and publisher id, as in `KeyRow.scope`. */
  readonly scope: string;
  readonly epoch: number;
  /** 1, 2, 3 … within an epoch. */
  readonly seq: number;
  /** The publisher holds acks of everything through this. */
  readonly ackedThrough?: number | undefined;
}

export type PublisherVerdict = 'next' | 'repeat' | { readonly outOfOrder: { readonly lastKnown: number } };

interface Known {
  epoch: number;
  seq: number;
}

export class PublisherTable {
  readonly #publishersMax: number;
  /** In order of use, the least recent first. */
  readonly #known = new Map<string, Known>();

  constructor(publishersMax: number = limits.publishersInMemoryMax) {
    this.#publishersMax = publishersMax;
  }

  get size(): number {
    return this.#known.size;
  }

  /** Changes nothing: `add` says that the publish was taken. */
  check(message: PublisherMessage): PublisherVerdict {
    const { epoch, seq, ackedThrough = 0 } = message;
    const known = this.#known.get(message.scope);
    if (known && epoch < known.epoch) return { outOfOrder: { lastKnown: known.seq } };
    const last = known?.epoch === epoch ? known.seq : 0;
    if (seq <= last) return 'repeat';
    return seq === last + 1 || ackedThrough >= seq - 1 ? 'next' : { outOfOrder: { lastKnown: last } };
  }

  /** Remembers an entry of the log; entries may come in any order. */
  add(scope: string, epoch: number, seq: number): void {
    const known = this.#known.get(scope) ?? { epoch, seq };
    if (epoch > known.epoch) known.seq = seq;
    else if (epoch === known.epoch) known.seq = Math.max(known.seq, seq);
    known.epoch = Math.max(known.epoch, epoch);
    this.#known.delete(scope);
    this.#known.set(scope, known);
    if (this.#known.size <= this.#publishersMax) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }
}
