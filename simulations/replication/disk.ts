/** What a node has on its disk: runs in order of arrival and notes. A commit is there whole or not at all. */
import {
  type ChannelRef,
  type Dot,
  type StoreId,
  type WriterId,
  channelKey,
  dotText,
} from '../../src/base/ids.js';
import { ChannelLog, type SeqRange } from '../../src/log/channel-log.js';
import { floorsIn, isFloorRun } from '../../src/log/floors.js';
import type { Vector } from '../../src/log/entry.js';
import { RecordWalk, recordSeq } from '../../src/log/entry-wire.js';
import { runFrom } from '../../src/log/run-bytes.js';
import type { RunSummary } from '../../src/log/run.js';
import { verifyRun } from '../../src/log/run-reader.js';
import type { ArrivedRun } from '../../src/replication/replica.js';
import type { StoredSlice } from '../../src/replication/transfer.js';
import { check } from './checkers.js';

export interface StoredRun {
  readonly bytes: Uint8Array;
  readonly run: RunSummary;
}

interface KeptRun extends StoredRun {
  /** Of its first entry. */
  readonly arrival: number;
}

export class Disk {
  runs: KeptRun[] = [];
  readonly notes = new Map<string, Uint8Array>();
  /** Starts on it, the present one left out. */
  readonly starts = new Set<WriterId>();
  commits = 0;
  /** Arrival numbers given: those of floors count, and of what is trimmed. */
  entries = 0;
  /** Written and not trimmed. */
  bytes = 0;
  readonly #records = new Map<string, { readonly round: number; readonly record: Uint8Array }>();

  constructor(public storeId: StoreId) {}

  /** What it holds now, to be put back later or used twice. */
  image(): Disk {
    const image = new Disk(this.storeId);
    for (const each of this.runs) image.#put(each);
    for (const [name, value] of this.notes) image.notes.set(name, value);
    image.entries = this.entries;
    for (const start of this.starts) image.starts.add(start);
    image.commits = this.commits;
    return image;
  }

  /** Of its first entry each, in order of arrival: those with entries above `after`, about `limit` of them. */
  arrivedSince(after: number, limit: number): { runs: ArrivedRun[]; through: number } {
    const runs: ArrivedRun[] = [];
    for (const { arrival, run } of this.runs) {
      const { ref, writer, firstSeq, count } = run;
      const through = arrival + count - 1;
      if (isFloorRun(run) || through <= after) continue;
      runs.push({ arrival, ref, writer, firstSeq, count });
      if (runs.length === limit) return { runs, through };
    }
    return { runs, through: this.entries };
  }

  write(runs: readonly StoredRun[], notes: ReadonlyMap<string, Uint8Array>): void {
    this.commits++;
    for (const { bytes, run } of runs) {
      const own = bytes.slice(run.offset, run.offset + run.headerBytes + run.recordBytes);
      const verified = verifyRun(own, 0, own.length);
      if (!verified.ok) throw new Error(`a ${verified.error} run reached the disk`);
      this.#store({ bytes: own, run: verified.value, arrival: this.entries + 1 });
      this.entries += verified.value.count;
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
        if (!stored) {
          const isTrimmed = seq <= (this.floors(ref).get(writer) ?? 0);
          check('trimmed', isTrimmed, () => `${dotText({ writer, seq })} is held, and not on the disk`);
          continue;
        }
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

  /** Nothing at or below them is on it. */
  floors(ref: ChannelRef): Vector {
    const key = channelKey(ref);
    const run = this.runs.find((each) => isFloorRun(each.run) && channelKey(each.run.ref) === key);
    return (run && floorsIn(run.run)?.floors) ?? new Map();
  }

  has(ref: ChannelRef, dot: Dot): boolean {
    return this.#records.has(`${channelKey(ref)} ${dotText(dot)}`);
  }

  #put(stored: KeptRun): void {
    this.runs.push(stored);
    this.bytes += stored.bytes.length;
    if (!isFloorRun(stored.run)) this.#index(stored.bytes, stored.run);
  }

  #store(stored: KeptRun): void {
    const floors = floorsIn(stored.run)?.floors;
    if (!floors) return this.#put(stored);
    // As a store that compacts at once: what is trimmed is gone, and the floors come before what is left.
    const key = channelKey(stored.run.ref);
    const left = this.runs.flatMap((each) =>
      channelKey(each.run.ref) === key ? above(each, floors) : [each],
    );
    this.runs = [stored, ...left];
    this.bytes = this.runs.reduce((sum, { bytes }) => sum + bytes.length, 0);
    for (const name of this.#records.keys()) {
      const [channel, dot] = name.split(' ') as [string, string];
      const [writer, seq] = dot.split('-') as [WriterId, string];
      if (channel === key && Number(seq) <= (floors.get(writer) ?? 0)) this.#records.delete(name);
    }
  }

  #index(bytes: Uint8Array, run: RunSummary): void {
    const walk = new RecordWalk(bytes, run.headerBytes);
    while (walk.next()) {
      const key = `${channelKey(run.ref)} ${dotText({ writer: run.writer, seq: recordSeq(bytes, walk.bodyStart) })}`;
      this.#records.set(key, { round: run.round, record: bytes.subarray(walk.start, walk.end) });
    }
  }
}

/** What is left of a run above the floors. */
function above({ bytes, run, arrival }: KeptRun, floors: Vector): KeptRun[] {
  if (isFloorRun(run)) return [];
  const floor = floors.get(run.writer) ?? 0;
  if (run.firstSeq > floor) return [{ bytes, run, arrival }];
  if (run.firstSeq + run.count - 1 <= floor) return [];
  const rest = runFrom(bytes, run, floor + 1);
  const verified = verifyRun(rest, 0, rest.length);
  if (!verified.ok) throw new Error(`a ${verified.error} run was cut`);
  return [{ bytes: rest, run: verified.value, arrival: arrival + run.count - verified.value.count }];
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
