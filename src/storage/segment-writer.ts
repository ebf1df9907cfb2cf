/** Appends commits to the newest segment: one write and one sync each. Space ahead of them is filled with zeros in small
 *  paced steps with their own sync, and the next segment's file is made before it is needed, because growing a file or
 *  a directory costs more than overwriting. Zeros ahead are also what tells a torn commit apart. */
import { assert } from '../base/assert.js';
import { ByteWriter } from '../base/bytes.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import type { Commit } from '../engine/ports.js';
import {
  type CommitHeader,
  type Notes,
  bodySums,
  commitHeaderBytes,
  commitLength,
  encodeNotes,
  lineageSeed,
  writeCommitHeader,
} from './commit-format.js';
import { type Files, type StoreFile, errorCode } from './files.js';
import {
  encodeSegmentHeader,
  pageBytes,
  roundUp,
  segmentHeaderBytes,
  storeFormat,
} from './segment-format.js';
import type { Segment, SegmentSet } from './segments.js';

/** Where a commit went. `runsAt` is the position in its segment of the first byte of the caller's runs. */
export interface Appended {
  readonly header: CommitHeader;
  readonly segment: Segment;
  readonly runsAt: number;
  readonly length: number;
}

export interface SegmentWriterOptions {
  readonly files: Files;
  readonly directory: string;
  readonly segments: SegmentSet;
  readonly lineage: string;
  readonly segmentBytes: number;
  /** A step ahead that could not be written or synced: the store has failed. */
  readonly onFailure: (error: unknown) => void;
  /** False while space is short: then nothing is filled ahead. */
  readonly mayPrepare: () => boolean;
}

export interface WriterStart {
  /** The last commit's number. */
  readonly commit: number;
  readonly nextArrival: number;
  /** Number of the next segment to begin. */
  readonly nextSegment: number;
}

const stepBytesMin = 65_536;
const stepBytesMax = 1_048_576;
const zeros = new Uint8Array(stepBytesMax);

interface OpenSegment {
  readonly file: StoreFile;
  readonly segment: Segment;
  /** Size of the file: up to here it holds commits, then zeros. */
  allocated: number;
}

export class SegmentWriter {
  readonly #options: SegmentWriterOptions;
  readonly #seed: number;
  readonly #buffer = new ByteWriter(limits.commitBytesMax + 2 * pageBytes);
  #current: OpenSegment | undefined;
  #spare: OpenSegment | undefined;
  #preparing: Promise<void> | undefined;
  #commit: number;
  #nextArrival: number;
  #nextSegment: number;
  #writtenBytes = 0;
  #closed = false;

  constructor(options: SegmentWriterOptions, start: WriterStart) {
    this.#options = options;
    this.#seed = lineageSeed(options.lineage);
    this.#commit = start.commit;
    this.#nextArrival = start.nextArrival;
    this.#nextSegment = start.nextSegment;
  }

  /** Opens the segment to go on in, unless the next commit must begin a new one, and takes over a file that an earlier
   *  process made ahead. */
  async open(segment: Segment | undefined): Promise<void> {
    if (segment) this.#current = await this.#reopen(segment);
    const next = emptySegment(this.#nextSegment);
    try {
      this.#spare = await this.#reopen(next);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }

  get nextArrival(): number {
    return this.#nextArrival;
  }

  get lastCommit(): number {
    return this.#commit;
  }

  /** Bytes written since the store was opened. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** The segment that commits go to now. */
  get current(): Segment | undefined {
    return this.#current?.segment;
  }

  /** Writes and syncs. `allNotes` gives those that a new segment must repeat, the commit's own included. */
  async append(commit: Commit, allNotes: () => Notes): Promise<Appended> {
    const length = this.#encode(commit, commit.notes ?? noNotes);
    const current = this.#current;
    const fits = current && current.segment.end + length <= this.#options.segmentBytes;
    const appended = fits ? this.#write(current, length, commit) : await this.#begin(commit, allNotes());
    if (!planted('sync-left-out')) await this.#current!.file.sync();
    this.#commit = appended.header.number;
    this.#nextArrival += appended.header.entryCount;
    appended.segment.lastCommit = this.#commit;
    appended.segment.end += appended.length;
    this.#prepare();
    return appended;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#preparing;
    await this.#current?.file.close();
    await this.#spare?.file.close();
    this.#current = undefined;
    this.#spare = undefined;
  }

  /** Lays out section and runs behind room for a segment header and a commit header; returns the commit's length. */
  #encode(commit: Commit, notes: Notes): number {
    const out = this.#buffer;
    out.clear();
    out.length = segmentHeaderBytes + commitHeaderBytes;
    encodeNotes(notes, out);
    const sectionBytes = out.length - segmentHeaderBytes - commitHeaderBytes;
    out.raw(commit.bytes);
    return commitLength({ sectionBytes, runsBytes: commit.bytes.length });
  }

  /** Starts a new segment: its header and its first commit, which repeats all notes, go out in one write. */
  async #begin(commit: Commit, allNotes: Notes): Promise<Appended> {
    // A step under way may be making the very file.
    await this.#preparing;
    const previous = this.#current;
    const next = this.#spare ?? (await this.#create());
    this.#spare = undefined;
    this.#nextSegment++;
    const length = this.#encode(commit, allNotes);
    next.segment.firstCommit = this.#commit + 1;
    next.segment.firstArrival = this.#nextArrival;
    this.#options.segments.add(next.segment);
    this.#current = next;
    await previous?.file.close();
    return this.#write(next, length, commit);
  }

  #write(to: OpenSegment, length: number, commit: Commit): Appended {
    const { segment } = to;
    const out = this.#buffer;
    const start = segmentHeaderBytes;
    const runsAt = out.length - commit.bytes.length;
    const header: CommitHeader = {
      kind: 'written',
      sectionBytes: runsAt - start - commitHeaderBytes,
      runsBytes: commit.bytes.length,
      runCount: runsOf(commit).length,
      entryCount: entryCount(commit),
      ...bodySums(out.buffer, start + commitHeaderBytes, runsAt, runsOf(commit)),
      number: this.#commit + 1,
      firstArrival: this.#nextArrival,
      segment: segment.number,
      offset: segment.end,
      generation: 0,
    };
    writeCommitHeader(out.buffer, start, header, this.#seed);
    this.#put(to, length);
    return { header, segment, runsAt: segment.end + runsAt - start, length };
  }

  /** The first commit of a segment takes the segment's header with it; the end is filled up to a whole page, so that no
   *  page has to be read before it is written. */
  #put(to: OpenSegment, length: number): void {
    const { segment } = to;
    const out = this.#buffer;
    const first = segment.end === segmentHeaderBytes;
    if (first) {
      const { number, generation, through, firstCommit, firstArrival } = segment;
      const header = { number, generation, through, firstCommit, firstArrival, lastCommit: 0, end: 0 };
      out.buffer.set(encodeSegmentHeader({ format: storeFormat, lineage: this.#options.lineage, ...header }));
    }
    const padded = roundUp(segment.end + length, pageBytes) - segment.end;
    const used = out.length;
    out.reserve(segmentHeaderBytes + padded - used);
    out.buffer.fill(0, used, segmentHeaderBytes + padded);
    const from = first ? 0 : segmentHeaderBytes;
    to.file.write(out.buffer.subarray(from, segmentHeaderBytes + padded), first ? 0 : segment.end);
    to.allocated = Math.max(to.allocated, segment.end + padded);
    this.#writtenBytes += padded;
  }

  /** Keeps some space ahead, one step at a time. */
  #prepare(): void {
    if (this.#preparing || this.#closed || !this.#options.mayPrepare()) return;
    const step = this.#nextStep();
    if (!step) return;
    this.#preparing = step().then(
      () => {
        this.#preparing = undefined;
      },
      (error: unknown) => {
        this.#preparing = undefined;
        this.#options.onFailure(error);
      },
    );
  }

  #nextStep(): (() => Promise<void>) | undefined {
    const { segmentBytes } = this.#options;
    const current = this.#current;
    if (!current) return undefined;
    const { end } = current.segment;
    // An idle node stays small: no more is filled ahead than has been needed so far.
    const stepBytes = Math.min(stepBytesMax, Math.max(stepBytesMin, roundUp(this.#writtenBytes, pageBytes)));
    const limit = roundUp(segmentBytes, pageBytes);
    if (current.allocated < limit && current.allocated - end < stepBytes / 2) {
      return () => this.#fill(current, Math.min(stepBytes, limit - current.allocated));
    }
    if (!this.#spare && end > segmentBytes * 0.75) {
      return async () => {
        const spare = await this.#create();
        if (!this.#closed) await this.#fill(spare, Math.min(stepBytes, limit));
        this.#spare = spare;
      };
    }
    return undefined;
  }

  async #fill(to: OpenSegment, bytes: number): Promise<void> {
    to.file.write(zeros.subarray(0, bytes), to.allocated);
    to.allocated += bytes;
    await to.file.sync();
  }

  async #create(): Promise<OpenSegment> {
    const { files, directory, segments } = this.#options;
    const segment = emptySegment(this.#nextSegment);
    const file = await files.open(segments.pathOf(segment), 'create');
    await files.syncDirectory(directory);
    return { file, segment, allocated: 0 };
  }

  async #reopen(segment: Segment): Promise<OpenSegment> {
    const { files, segments } = this.#options;
    const file = await files.open(segments.pathOf(segment), 'write');
    const allocated = await file.size();
    assert(segment.end >= segmentHeaderBytes, 'commits follow the header');
    return { file, segment, allocated };
  }
}

const noNotes: Notes = new Map();

function emptySegment(number: number): Segment {
  return {
    number,
    generation: 0,
    through: number,
    firstCommit: 0,
    firstArrival: 0,
    lastCommit: 0,
    end: segmentHeaderBytes,
    liveBytes: 0,
  };
}

function entryCount(commit: Commit): number {
  let count = 0;
  for (const run of runsOf(commit)) count += run.count;
  return count;
}

function runsOf({ runs, repairs }: Commit): Commit['runs'] {
  return repairs ? [...runs, ...repairs] : runs;
}
