/** Builds the runs of one commit, one after another in one reused buffer. The hot path of every publish: bytes are
 *  written once, with one checksum for the record; the run's checksum is taken over all of them at its end. */
import { assert } from '../base/assert.js';
import { ByteWriter, readFixed32 } from '../base/bytes.js';
import type { ChannelRef, WriterId } from '../base/ids.js';
import { contentHash, decodeContent } from './content-wire.js';
import { type Entry, type Timestamp, isContentKind } from './entry.js';
import { type RunEntry, writeRecord } from './entry-encoder.js';
import { placeSeed } from './record-layout.js';
import type { KeyRow, RunSummary } from './run.js';
import { putRunHeader, sealRun } from './run-bytes.js';
import { keyScope } from './run-layout.js';
import { addSeq } from './seq-ranges.js';

export type { RunEntry } from './entry-encoder.js';

/** The run being written. */
interface OpenRun {
  readonly ref: ChannelRef;
  readonly writer: WriterId;
  readonly round: number;
  readonly seed: number;
  readonly offset: number;
  readonly headerBytes: number;
  readonly firstSeq: number;
  readonly firstPrevious: number;
  readonly marked: Entry[];
  readonly keys: KeyRow[];
  readonly timestampSteps: number[];
  readonly retained: number[];
}

const keptBytesMax = 16_777_216;

export class RunWriter {
  readonly #capacity: number;
  #out: ByteWriter;
  readonly #scratch = new ByteWriter(256);
  #runs: RunSummary[] = [];
  #open: OpenRun | undefined;
  #count = 0;
  #entryCount = 0;
  #firstTimestamp: Timestamp = 0;
  #lastTimestamp: Timestamp = 0;
  #lastChecksum = 0;

  constructor(capacity = 65_536) {
    this.#capacity = capacity;
    this.#out = new ByteWriter(capacity);
  }

  /** Entries in all runs since `clear`, the open one's included. */
  get entryCount(): number {
    return this.#entryCount;
  }

  get byteLength(): number {
    return this.#out.length;
  }

  /** The runs that were ended, in the order of their bytes. */
  get runs(): readonly RunSummary[] {
    return this.#runs;
  }

  /** Of the entry appended last, or what `begin` was given. */
  get lastChecksum(): number {
    return this.#lastChecksum;
  }

  /** Starts a run: `previousChecksum` is that of the writer's entry before `firstSeq`, 0 for seq 1. */
  begin(ref: ChannelRef, writer: WriterId, round: number, firstSeq: number, previousChecksum: number): void {
    assert(this.#open === undefined, 'a run ends before the next begins');
    assert(firstSeq >= 1 && (firstSeq > 1 || previousChecksum === 0), 'the first entry follows none');
    const offset = this.#out.length;
    putRunHeader(this.#out, ref, writer, round, firstSeq);
    this.#count = 0;
    this.#lastTimestamp = -1;
    this.#lastChecksum = previousChecksum;
    this.#open = {
      ref,
      writer,
      round,
      seed: placeSeed(ref, writer, round),
      offset,
      headerBytes: this.#out.length - offset,
      firstSeq,
      firstPrevious: previousChecksum,
      marked: [],
      keys: [],
      timestampSteps: [],
      retained: [],
    };
  }

  /** Appends an entry and returns its seq; `lastChecksum` is its checksum. `content` must be valid, as
   *  `checkContent` says. */
  append(entry: RunEntry): number {
    const run = this.#open;
    assert(run, 'entries are appended between begin and end');
    assert(entry.timestamp > this.#lastTimestamp, 'timestamps rise inside a writer');
    const seq = run.firstSeq + this.#count;
    const previous = this.#lastChecksum;
    const length = writeRecord(this.#out, this.#scratch, run.seed, seq, previous, entry);
    this.#lastChecksum = readFixed32(this.#out.buffer, this.#out.length - length + 1);
    if (this.#count === 0) this.#firstTimestamp = entry.timestamp;
    else if (entry.timestamp !== this.#lastTimestamp + 1) run.timestampSteps.push(seq, entry.timestamp);
    this.#lastTimestamp = entry.timestamp;
    this.#count++;
    this.#entryCount++;
    if (entry.retain) addSeq(run.retained, seq);
    if (entry.idempotencyKey) run.keys.push(this.#keyRow(run, seq, entry));
    if (!isContentKind(entry.kind) || entry.parents?.length)
      run.marked.push(this.#entry(run, seq, previous, entry));
    return seq;
  }

  end(): RunSummary {
    const run = this.#open;
    assert(run && this.#count > 0, 'a run has an entry');
    const { buffer, length } = this.#out;
    const { offset, headerBytes } = run;
    const recordBytes = length - offset - headerBytes;
    sealRun(buffer, offset, headerBytes, length, this.#count);
    const summary: RunSummary = {
      ref: run.ref,
      writer: run.writer,
      round: run.round,
      firstSeq: run.firstSeq,
      count: this.#count,
      firstTimestamp: this.#firstTimestamp,
      lastTimestamp: this.#lastTimestamp,
      timestampSteps: run.timestampSteps.length > 0 ? run.timestampSteps : undefined,
      retained: run.retained.length > 0 ? run.retained : undefined,
      redacted: undefined,
      firstPrevious: run.firstPrevious,
      lastChecksum: this.#lastChecksum,
      recordBytes,
      marked: run.marked,
      keys: run.keys,
      offset,
      headerBytes,
    };
    this.#runs.push(summary);
    this.#open = undefined;
    return summary;
  }

  /** Adds a run that was made elsewhere as it is: `run.offset` is its place in `bytes`. Returns it with its place here. */
  add(bytes: Uint8Array, run: RunSummary): RunSummary {
    assert(this.#open === undefined, 'a run ends before the next begins');
    const added = { ...run, offset: this.#out.length };
    this.#out.raw(bytes.subarray(run.offset, run.offset + run.headerBytes + run.recordBytes));
    this.#entryCount += run.count;
    this.#runs.push(added);
    return added;
  }

  /** A view of all runs, valid until the next `begin` or `clear`. */
  bytes(): Uint8Array {
    assert(this.#open === undefined, 'an open run has no checksum yet');
    return this.#out.bytes();
  }

  /** Forgets everything, an open run too; `runs` handed out before stay as they are. */
  clear(): void {
    // One huge commit must not hold its memory for ever.
    if (this.#out.buffer.length > keptBytesMax) this.#out = new ByteWriter(this.#capacity);
    this.#out.clear();
    this.#runs = [];
    this.#open = undefined;
    this.#count = 0;
    this.#entryCount = 0;
  }

  #keyRow(run: OpenRun, seq: number, entry: RunEntry): KeyRow {
    return {
      ref: run.ref,
      scope: keyScope(entry.actor, entry.publisher),
      key: entry.idempotencyKey ?? '',
      dot: { writer: run.writer, seq },
      timestamp: entry.timestamp,
      contentHash: entry.content ? contentHash(entry.content) : 0,
    };
  }

  /** A marked entry as a value of its own, with its content copied. */
  #entry(run: OpenRun, seq: number, previous: number, entry: RunEntry): Entry {
    const content = entry.content && decodeContent(entry.content.slice());
    assert(content?.ok ?? true, 'content is checked before it is appended');
    return {
      writer: run.writer,
      seq,
      timestamp: entry.timestamp,
      round: run.round,
      kind: entry.kind,
      checksum: this.#lastChecksum,
      previous,
      ...(entry.actor ? { actor: entry.actor } : {}),
      ...(entry.publisher ? { publisher: entry.publisher } : {}),
      ...(entry.idempotencyKey ? { idempotencyKey: entry.idempotencyKey } : {}),
      ...(entry.parents?.length ? { parents: entry.parents } : {}),
      ...(entry.trim ? { trim: entry.trim } : {}),
      ...(entry.lost ? { lost: entry.lost } : {}),
      ...(entry.voids ? { voids: entry.voids } : {}),
      ...(entry.retain ? { retain: true } : {}),
      ...(entry.push ? { push: true } : {}),
      ...(entry.createParents ? { createParents: true } : {}),
      ...(content?.ok ? { content: content.value } : {}),
      ...(entry.redacts ? { redacts: entry.redacts } : {}),
    };
  }
}
