/** The committed order of a channel as spans. Positions count from 0 since the channel began, trimmed entries included,
 *  so a position never changes its entry. */
import { assert } from '../base/assert.js';
import type { WriterId } from '../base/ids.js';
import type { PlacedSpan, SubLog } from './sub-log.js';

/** Consecutive entries of one writer at consecutive positions of the order. */
export interface Span {
  readonly position: number;
  readonly writer: WriterId;
  readonly firstSeq: number;
  readonly count: number;
}

export class CommittedOrder {
  #spans: PlacedSpan[] = [];
  #firstPosition = 0;
  #endPosition = 0;

  /** Position of the oldest entry kept. */
  get firstPosition(): number {
    return this.#firstPosition;
  }

  /** Position of the next entry to be placed. */
  get endPosition(): number {
    return this.#endPosition;
  }

  get spans(): readonly PlacedSpan[] {
    return this.#spans;
  }

  get last(): PlacedSpan | undefined {
    return this.#spans[this.#spans.length - 1];
  }

  /** Places entries at the end; the sub-log's own record of what is placed is the caller's. */
  append(subLog: SubLog, firstSeq: number, count: number, onChain: boolean): void {
    const { last } = this;
    const continues =
      last?.subLog === subLog && last.onChain === onChain && last.firstSeq + last.count === firstSeq;
    if (last && continues) last.count += count;
    else {
      const span = { position: this.#endPosition, subLog, firstSeq, count, onChain };
      // A first push would make room for many; most channels have one span.
      if (this.#spans.length === 0) this.#spans = [span];
      else this.#spans.push(span);
      subLog.addPlacement(span);
    }
    this.#endPosition += count;
  }

  /** The span at a position from `firstPosition` up to `endPosition`. */
  at(position: number): PlacedSpan | undefined {
    if (position < this.#firstPosition || position >= this.#endPosition) return undefined;
    return this.#spans[this.indexAt(position)];
  }

  /** The entries from `position` on that follow one another in the order and in their writer. */
  from(position: number): Span | undefined {
    const span = this.at(position);
    if (!span) return undefined;
    const passed = position - span.position;
    const { writer } = span.subLog;
    return { position, writer, firstSeq: span.firstSeq + passed, count: span.count - passed };
  }

  /** What is kept of positions [from, to). */
  between(from: number, to: number): Span[] {
    const out: Span[] = [];
    let position = Math.max(from, this.#firstPosition);
    for (let span = this.from(position); span && position < to; span = this.from(position)) {
      const count = Math.min(span.count, to - position);
      out.push({ ...span, count });
      position += count;
    }
    return out;
  }

  /** Index of the span at a position that is kept. */
  indexAt(position: number): number {
    // Most readers are near the end.
    const { last } = this;
    if (last && position >= last.position) return this.#spans.length - 1;
    let low = 0;
    let high = this.#spans.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#spans[middle]!.position <= position) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** The newest span of the primary chain that begins before `position`. */
  chainSpanBefore(position: number): PlacedSpan | undefined {
    if (position <= this.#firstPosition) return undefined;
    let index = this.indexAt(Math.min(position, this.#endPosition) - 1);
    while (index >= 0 && !this.#spans[index]!.onChain) index--;
    return this.#spans[index];
  }

  /** Drops what lies at or below the floors, of which `trimmedCount` is the sum. What stays keeps its position: floors
   *  are the past of one entry of the chain, a prefix of the order. (Where lost entries hid their parents from this
   *  node its order may differ, then what stays closes up.) */
  trim(trimmedCount: number): void {
    const kept: PlacedSpan[] = [];
    let position = trimmedCount;
    for (const span of this.#spans) {
      const { floor } = span.subLog;
      const gone = Math.max(0, Math.min(span.count, floor + 1 - span.firstSeq));
      span.firstSeq += gone;
      span.count -= gone;
      span.position = position;
      position += span.count;
      if (span.count > 0) kept.push(span);
    }
    assert(position >= this.#endPosition, 'the order never shrinks at its end');
    this.#spans = kept;
    this.#firstPosition = trimmedCount;
    this.#endPosition = position;
  }
}
