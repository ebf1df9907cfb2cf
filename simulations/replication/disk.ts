/** What a node has on its disk: runs in order of arrival and notes. A commit is there whole or not at all. */
import { type ChannelRef, type StoreId, type WriterId, channelKey, dotText } from '../../src/base/ids.js';
import { ChannelLog, type SeqRange } from '../../src/log/channel-log.js';
import { RecordWalk, recordSeq } from '../../src/log/entry-wire.js';
import type { RunSummary } from '../../src/log/run.js';
import { verifyRun } from '../../src/log/run-reader.js';
import type { ArrivedRun } from '../../src/replication/replica.js';
import type { StoredSlice } from '../../src/replication/transfer.js';

export interface StoredRun {
  readonly bytes: Uint8Array;
  readonly run: RunSummary;
}

export class Disk {
  readonly runs: StoredRun[] = [];
  readonly notes = new Map<string, Uint8Array>();
  /** Starts on it, the present one left out. */
  readonly starts = new Set<WriterId>();
  commits = 0;
  entries = 0;
  readonly #records = new Map<string, { readonly round: number; readonly record: Uint8Array }>();

  constructor(public storeId: StoreId) {}

  /** What it holds now, to be put back later or used twice. */
  image(): Disk {
    const image = new Disk(this.storeId);
    image.write(this.runs, this.notes);
    for (const start of this.starts) image.starts.add(start);
    image.commits = this.commits;
    return image;
  }

  /** Of its first entry each, in order of arrival: those with entries above `after`, about `limit` of them. */
  arrivedSince(after: number, limit: number): { runs: ArrivedRun[]; through: number } {
    const runs: ArrivedRun[] = [];
    let through = 0;
    for (const { run } of this.runs) {
      const { ref, writer, firstSeq, count } = run;
      const arrival = through + 1;
      through += count;
      if (through > after) runs.push({ arrival, ref, writer, firstSeq, count });
      if (runs.length === limit) break;
    }
    return { runs, through };
  }

  write(runs: readonly StoredRun[], notes: ReadonlyMap<string, Uint8Array>): void {
    this.commits++;
    for (const { bytes, run } of runs) {
      const own = bytes.slice(run.offset, run.offset + run.headerBytes + run.recordBytes);
      const verified = verifyRun(own, 0, own.length);
      if (!verified.ok) throw new Error(`a ${verified.error} run reached the disk`);
      this.runs.push({ bytes: own, run: verified.value });
      this.entries += verified.value.count;
      this.#index(own, verified.value);
    }
    for (const [name, value] of notes) this.notes.set(name, value);
  }

  /** The logs as a start finds them: what is committed is forgotten. */
  logs(): Map<string, ChannelLog> {
    const logs = new Map<string, ChannelLog>();
    for (const { run } of this.runs) {
      const key = channelKey(run.ref);
      let log = logs.get(key);
      if (!log) logs.set(key, (log = new ChannelLog(run.ref)));
      log.apply(run);
    }
    return logs;
  }

  /** A beginning of the ranges, at most `countMax` entries. */
  read(ref: ChannelRef, ranges: readonly SeqRange[], countMax: number): StoredSlice[] {
    const slices: { -readonly [K in keyof StoredSlice]: StoredSlice[K] }[] = [];
    let left = countMax;
    for (const { writer, firstSeq, count } of ranges) {
      for (let seq = firstSeq; seq < firstSeq + count && left > 0; seq++, left--) {
        const stored = this.#records.get(`${channelKey(ref)} ${dotText({ writer, seq })}`);
        // A home with a planted bug may ask for what it does not hold.
        if (!stored) return slices;
        const { round, record } = stored;
        const last = slices.at(-1);
        if (last?.writer === writer && last.round === round && last.firstSeq + last.count === seq) {
          last.count++;
          last.records = joined(last.records, record);
        } else slices.push({ writer, round, firstSeq: seq, count: 1, records: record });
      }
    }
    return slices;
  }

  #index(bytes: Uint8Array, run: RunSummary): void {
    const walk = new RecordWalk(bytes, run.headerBytes);
    while (walk.next()) {
      const key = `${channelKey(run.ref)} ${dotText({ writer: run.writer, seq: recordSeq(bytes, walk.bodyStart) })}`;
      this.#records.set(key, { round: run.round, record: bytes.subarray(walk.start, walk.end) });
    }
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
