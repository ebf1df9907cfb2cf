/** The segments of a store: what is known of each, and reading from them with a bounded number of open files. */
import { assert } from '../base/assert.js';
import type { Files, StoreFile } from './files.js';
import { segmentFileName } from './segment-format.js';

/** A written segment holds commits `firstCommit` and up; a rewritten one stands for `number` to `through`. */
export interface Segment {
  readonly number: number;
  readonly generation: number;
  readonly through: number;
  firstCommit: number;
  firstArrival: number;
  /** 0 while it is not known. */
  lastCommit: number;
  /** Where its content ends, as far as the store knows. */
  end: number;
  /** Bytes of runs that are above the floors. */
  liveBytes: number;
}

/** Reads may go on in a segment that compaction has replaced: its file is closed after the last of them. */
interface Handle {
  readonly file: Promise<StoreFile>;
  users: number;
  retired: boolean;
}

const openFilesMax = 64;

export class SegmentSet {
  readonly #files: Files;
  readonly #directory: string;
  readonly #segments = new Map<number, Segment>();
  /** By file name, the longest unused first. */
  readonly #handles = new Map<string, Handle>();

  constructor(files: Files, directory: string) {
    this.#files = files;
    this.#directory = directory;
  }

  /** By number, rising. */
  all(): Segment[] {
    return [...this.#segments.values()].sort((a, b) => a.number - b.number);
  }

  get(number: number, generation: number): Segment | undefined {
    const segment = this.#segments.get(number);
    return segment?.generation === generation ? segment : undefined;
  }

  /** Whether some segment is this one or stands for it. */
  covers(number: number): boolean {
    if (this.#segments.has(number)) return true;
    return this.all().some((segment) => segment.number <= number && number <= segment.through);
  }

  add(segment: Segment): void {
    this.#segments.set(segment.number, segment);
  }

  pathOf(segment: Pick<Segment, 'number' | 'generation'>): string {
    return `${this.#directory}/${segmentFileName(segment.number, segment.generation)}`;
  }

  /** `replacement` takes the place of all it stands for. Returns what was replaced. */
  replace(replacement: Segment): Segment[] {
    const replaced = this.all().filter(
      ({ number }) => number >= replacement.number && number <= replacement.through,
    );
    for (const segment of replaced) {
      this.#segments.delete(segment.number);
      this.#retire(segment);
    }
    this.add(replacement);
    return replaced;
  }

  /** Bytes from `offset` on; fewer than `length` only where the file ends. */
  async read(segment: Segment, offset: number, length: number): Promise<Uint8Array> {
    const handle = this.#use(segment);
    try {
      // Not cleared first: what was not read is cut off.
      const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
      const done = await (await handle.file).read(bytes, offset);
      return done === length ? bytes : bytes.subarray(0, done);
    } finally {
      this.#release(handle);
    }
  }

  async close(): Promise<void> {
    const handles = [...this.#handles.values()];
    this.#handles.clear();
    await Promise.all(handles.map(closeHandle));
  }

  #use(segment: Segment): Handle {
    const name = segmentFileName(segment.number, segment.generation);
    let handle = this.#handles.get(name);
    if (handle) this.#handles.delete(name);
    else handle = { file: this.#files.open(this.pathOf(segment), 'read'), users: 0, retired: false };
    this.#handles.set(name, handle);
    handle.users++;
    handle.file.catch(() => this.#handles.delete(name));
    this.#closeUnused();
    return handle;
  }

  #release(handle: Handle): void {
    handle.users--;
    assert(handle.users >= 0, 'a segment is released as often as it is used');
    if (handle.retired && handle.users === 0) void closeHandle(handle);
  }

  #retire(segment: Segment): void {
    const name = segmentFileName(segment.number, segment.generation);
    const handle = this.#handles.get(name);
    if (!handle) return;
    this.#handles.delete(name);
    handle.retired = true;
    if (handle.users === 0) void closeHandle(handle);
  }

  #closeUnused(): void {
    if (this.#handles.size <= openFilesMax) return;
    for (const [name, handle] of this.#handles) {
      if (handle.users > 0) continue;
      this.#handles.delete(name);
      void closeHandle(handle);
      return;
    }
  }
}

/** Nothing was written through these files, so an error in closing one loses nothing. */
async function closeHandle(handle: Handle): Promise<void> {
  try {
    await (await handle.file).close();
  } catch {
    // Never opened, or gone.
  }
}
