/** Reads a segment from some commit on and says what is there: whole commits, damage, and where content ends. Memory is
 *  bounded by the window or by the largest commit. Nothing here decides what damage means: see recovery. */
import type { RunSummary } from '../log/run.js';
import { type RefCache, verifyRun } from '../log/run-reader.js';
import {
  type CommitHeader,
  bodySums,
  commitAlignment,
  commitHeaderBytes,
  commitLength,
  parseCommitHeader,
} from './commit-format.js';
import { checksum } from './checksum.js';

export interface ScanSource {
  readonly number: number;
  readonly generation: number;
  /** Size of the file. */
  readonly size: number;
  /** Fills `into` from `position` on; fewer bytes only at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
}

/** Positions without "in bytes" are positions in the file. */
export type ScanItem =
  | {
      readonly type: 'commit';
      readonly header: CommitHeader;
      /** The commit begins at `at` in bytes; both are valid until the scan goes on. Offsets of `runs` are in `bytes`. */
      readonly bytes: Uint8Array;
      readonly at: number;
      readonly length: number;
      readonly runs: readonly RunSummary[];
    }
  /** Not a whole commit. With `header` a commit is known to have been here, of which something is damaged. */
  | { readonly type: 'damage'; readonly from: number; readonly to: number; readonly header?: CommitHeader }
  /** Always last. Behind `content` there is no commit; up to `garbage` there are bytes other than zero. */
  | { readonly type: 'end'; readonly content: number; readonly garbage: number };

const windowBytes = 1_048_576;
const zeroPage = new Uint8Array(4096);

/** Yields what is found in portions. */
export async function* scanSegment(
  source: ScanSource,
  from: number,
  seed: number,
  cache: RefCache,
): AsyncGenerator<readonly ScanItem[], void, undefined> {
  const scan = new Scan(source, from, seed, cache);
  while (!scan.done) {
    await scan.fill();
    const items = scan.take();
    if (items.length > 0) yield items;
  }
}

class Scan {
  done = false;
  readonly #source: ScanSource;
  readonly #seed: number;
  readonly #cache: RefCache;
  #window: Uint8Array = new Uint8Array(0);
  /** The window holds bytes [base, base + length) of the file. */
  #base: number;
  #length = 0;
  #position: number;
  /** What must be in the window before `take` can go on. */
  #wanted = commitHeaderBytes;
  /** Where the file ends; a read that comes short says so before anything else does. */
  #size: number;
  /** Set while searching for the next commit: where whole commits ended, and where bytes other than zero end. */
  #searching: { readonly from: number; garbage: number } | undefined;

  constructor(source: ScanSource, from: number, seed: number, cache: RefCache) {
    this.#source = source;
    this.#size = source.size;
    this.#seed = seed;
    this.#cache = cache;
    this.#base = from;
    this.#position = from;
  }

  /** Reads on until the wanted bytes from the position on are there, or the file ends. */
  async fill(): Promise<void> {
    const keep = this.#base + this.#length - this.#position;
    const left = this.#size - this.#position;
    const next = new Uint8Array(Math.max(Math.min(windowBytes, left), this.#wanted));
    next.set(this.#window.subarray(this.#length - keep, this.#length));
    const done = await this.#source.read(next.subarray(keep), this.#position + keep);
    this.#window = next;
    this.#base = this.#position;
    this.#length = keep + done;
    if (this.#length < next.length) this.#size = Math.min(this.#size, this.#base + this.#length);
  }

  /** All that the window shows whole. */
  take(): ScanItem[] {
    const items: ScanItem[] = [];
    while (!this.done) {
      const left = this.#size - this.#position;
      if (!this.#has(Math.min(left, commitHeaderBytes))) break;
      if (left < commitHeaderBytes) {
        this.#finish(items);
        break;
      }
      const header = this.#headerHere();
      if (header) {
        if (!this.#takeCommit(header, left, items)) break;
      } else this.#skip();
    }
    return items;
  }

  #has(bytes: number): boolean {
    this.#wanted = bytes;
    return this.#position - this.#base + bytes <= this.#length;
  }

  #headerHere(): CommitHeader | undefined {
    const header = parseCommitHeader(this.#window, this.#position - this.#base, this.#seed);
    if (!header) return undefined;
    const { number, generation } = this.#source;
    const isHere =
      header.segment === number && header.generation === generation && header.offset === this.#position;
    return isHere ? header : undefined;
  }

  /** False when more of the file is needed first. */
  #takeCommit(header: CommitHeader, left: number, items: ScanItem[]): boolean {
    const length = commitLength(header);
    if (length <= left && !this.#has(length)) return false;
    this.#endSearch(items);
    const at = this.#position - this.#base;
    const runs = length <= left ? wholeRuns(this.#window, at, header, this.#cache) : undefined;
    const from = this.#position;
    this.#position += Math.min(length, left);
    if (runs) items.push({ type: 'commit', header, bytes: this.#window, at, length, runs });
    else items.push({ type: 'damage', from, to: this.#position, header });
    return true;
  }

  #endSearch(items: ScanItem[]): void {
    if (!this.#searching) return;
    items.push({ type: 'damage', from: this.#searching.from, to: this.#position });
    this.#searching = undefined;
  }

  /** No commit begins here: on to the next place where one could. */
  #skip(): void {
    const at = this.#position - this.#base;
    this.#searching ??= { from: this.#position, garbage: this.#position };
    const page =
      at + zeroPage.length <= this.#length ? this.#window.subarray(at, at + zeroPage.length) : undefined;
    if (page && Buffer.compare(page, zeroPage) === 0) {
      this.#position += zeroPage.length;
      return;
    }
    const last = lastNonZero(this.#window, at, Math.min(at + commitAlignment, this.#length));
    if (last >= 0) this.#searching.garbage = this.#base + last + 1;
    this.#position += commitAlignment;
  }

  #finish(items: ScanItem[]): void {
    const from = this.#position - this.#base;
    const last = lastNonZero(this.#window, from, this.#length);
    const { from: content, garbage } = this.#searching ?? { from: this.#position, garbage: this.#position };
    items.push({ type: 'end', content, garbage: last < 0 ? garbage : this.#base + last + 1 });
    this.done = true;
  }
}

/** The runs of the commit at `at`, or `undefined` unless all of it is whole. */
export function wholeRuns(
  bytes: Uint8Array,
  at: number,
  header: CommitHeader,
  cache: RefCache,
): RunSummary[] | undefined {
  const sectionAt = at + commitHeaderBytes;
  const runsAt = sectionAt + header.sectionBytes;
  const end = runsAt + header.runsBytes;
  const runs: RunSummary[] = [];
  let entries = 0;
  let position = runsAt;
  while (position < end) {
    const run = verifyRun(bytes, position, end - position, cache, checksum);
    if (!run.ok) return undefined;
    runs.push(run.value);
    entries += run.value.count;
    position += run.value.headerBytes + run.value.recordBytes;
  }
  if (runs.length !== header.runCount || entries !== header.entryCount) return undefined;
  // Run offsets count from the start of `bytes` here.
  const sums = bodySums(bytes, sectionAt, runsAt, []);
  let sum = sums.sectionChecksum;
  for (const { offset } of runs) sum = checksum(bytes, offset, offset + 4, sum);
  return sums.sectionChecksum === header.sectionChecksum && sum === header.bodyChecksum ? runs : undefined;
}

function lastNonZero(bytes: Uint8Array, start: number, end: number): number {
  for (let i = end - 1; i >= start; i--) if (bytes[i] !== 0) return i;
  return -1;
}
