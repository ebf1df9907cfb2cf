/** What a read found, put together for its caller. */
import type { WriterId } from '../base/ids.js';
import type { MissingRange, ReadResult, RecordSlice } from '../engine/ports.js';
import { RecordWalk } from '../log/entry-wire.js';
import type { Stretch } from './damaged-run.js';

/** Collects slices, joining what follows one another, and stops when there is enough. */
export class ResultBuilder {
  readonly #slices: (Stretch & { readonly writer: WriterId })[] = [];
  readonly #missing: MissingRange[] = [];
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isFull(): boolean {
    return this.#bytes >= this.#bytesMax;
  }

  get room(): number {
    return Math.max(0, this.#bytesMax - this.#bytes);
  }

  addMissing(range: MissingRange): void {
    const last = this.#missing.at(-1);
    if (last && last.writer === range.writer && last.toSeq + 1 === range.fromSeq) {
      this.#missing[this.#missing.length - 1] = { ...last, toSeq: range.toSeq };
    } else this.#missing.push(range);
  }

  /** Adds fromSeq … toSeq of a run, of which the stretches are whole; returns the seq after the last one dealt with. */
  addRun(writer: WriterId, stretches: readonly Stretch[], fromSeq: number, toSeq: number): number {
    let seq = fromSeq;
    for (const stretch of stretches) {
      const last = stretch.firstSeq + stretch.count - 1;
      if (last < seq || stretch.firstSeq > toSeq) continue;
      if (stretch.firstSeq > seq) this.addMissing({ writer, fromSeq: seq, toSeq: stretch.firstSeq - 1 });
      seq = Math.max(seq, stretch.firstSeq);
      seq = this.#addStretch(writer, stretch, seq, Math.min(toSeq, last));
      if (this.isFull) return seq;
    }
    if (seq <= toSeq) this.addMissing({ writer, fromSeq: seq, toSeq });
    return toSeq + 1;
  }

  #addStretch(writer: WriterId, whole: Stretch, fromSeq: number, toSeq: number): number {
    const part = cutStretch(whole, fromSeq, toSeq, Math.max(1, this.room));
    this.#bytes += part.end - part.start;
    const last = this.#slices.at(-1);
    const joins =
      last?.writer === writer &&
      last.round === part.round &&
      last.bytes === part.bytes &&
      last.firstSeq + last.count === part.firstSeq &&
      last.end <= part.start;
    if (joins) {
      // Headers between the two are not handed out: close the gap. These bytes were verified and are ours alone.
      last.bytes.copyWithin(last.end, part.start, part.end);
      last.end += part.end - part.start;
      last.count += part.count;
    } else this.#slices.push({ ...part, writer });
    return part.firstSeq + part.count;
  }

  done(): ReadResult {
    const slices = this.#slices.map(({ writer, round, firstSeq, count, bytes, start, end }): RecordSlice => {
      return { writer, round, firstSeq, count, records: bytes.subarray(start, end) };
    });
    return { slices, missing: this.#missing };
  }
}

/** Records fromSeq … toSeq, the last of them that which reaches `bytesMax`. */
function cutStretch(whole: Stretch, fromSeq: number, toSeq: number, bytesMax: number): Stretch {
  const { bytes, round } = whole;
  const isAll = fromSeq === whole.firstSeq && toSeq === whole.firstSeq + whole.count - 1;
  if (isAll && whole.end - whole.start <= bytesMax) return { ...whole };
  const walk = new RecordWalk(bytes, whole.start, whole.end);
  for (let seq = whole.firstSeq; seq < fromSeq; seq++) walk.next();
  const start = walk.end;
  let count = 0;
  while (fromSeq + count <= toSeq && walk.end - start < bytesMax && walk.next()) count++;
  return { bytes, start, end: walk.end, round, firstSeq: fromSeq, count };
}
