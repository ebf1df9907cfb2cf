/** Records of a channel that are stored and not delivered yet: kept until they are committed, so that whoever listens gets
 *  them without a read. Bounded: what was let go is read from the log. */
import type { WriterId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Span } from '../log/channel-log.js';
import { RecordWalk } from '../log/entry-wire.js';
import type { RunSummary } from '../log/run.js';

/** Consecutive entries of one run, as they are stored. */
export interface Piece {
  readonly writer: WriterId;
  readonly round: number;
  readonly count: number;
  readonly records: Uint8Array;
}

interface KeptRun extends Piece {
  readonly firstSeq: number;
}

export class KeptRuns {
  #runs: KeptRun[] = [];
  #bytes = 0;

  /** `bytes` are kept as they are: they must not change any more. */
  add(run: RunSummary, bytes: Uint8Array): void {
    const start = run.offset + run.headerBytes;
    const records = bytes.subarray(start, start + run.recordBytes);
    const { writer, round, firstSeq, count } = run;
    this.#runs.push({ writer, round, firstSeq, count, records });
    this.#bytes += records.length;
    while (this.#bytes > limits.keptRecordBytesMax && this.#runs.length > 1) this.#drop(0);
  }

  /** The records of these entries, in their order, which are let go then; `undefined` when some are not here. */
  take(spans: readonly Span[]): readonly Piece[] | undefined {
    const pieces: Piece[] = [];
    for (const { writer, firstSeq, count } of spans) {
      for (let seq = firstSeq; seq < firstSeq + count;) {
        const at = this.#find(writer, seq);
        const piece = at < 0 ? undefined : cut(this.#runs[at]!, seq, firstSeq + count - 1);
        if (!piece) {
          this.#forget(spans);
          return undefined;
        }
        pieces.push(piece);
        seq += piece.count;
      }
    }
    this.#forget(spans);
    return pieces;
  }

  clear(): void {
    this.#runs = [];
    this.#bytes = 0;
  }

  #find(writer: WriterId, seq: number): number {
    return this.#runs.findIndex(
      (run) => run.writer === writer && run.firstSeq <= seq && seq < run.firstSeq + run.count,
    );
  }

  /** Lets go what ends within these spans. */
  #forget(spans: readonly Span[]): void {
    for (const { writer, firstSeq, count } of spans) {
      for (let at = this.#runs.length - 1; at >= 0; at--) {
        const run = this.#runs[at]!;
        if (run.writer === writer && run.firstSeq + run.count <= firstSeq + count) this.#drop(at);
      }
    }
  }

  #drop(at: number): void {
    const [run] = this.#runs.splice(at, 1);
    this.#bytes -= run!.records.length;
  }
}

/** The part of a run from `seq` through `last`. */
function cut(run: KeptRun, seq: number, last: number): Piece {
  const { writer, round, firstSeq, count, records } = run;
  const skip = seq - firstSeq;
  const taken = Math.min(last, firstSeq + count - 1) - seq + 1;
  if (skip === 0 && taken === count) return run;
  let start = 0;
  let at = 0;
  for (const walk = new RecordWalk(records); walk.next(); at++) {
    if (at === skip) start = walk.start;
    if (at === skip + taken - 1)
      return { writer, round, count: taken, records: records.subarray(start, walk.end) };
  }
  return { writer, round, count: taken, records: records.subarray(start) };
}
