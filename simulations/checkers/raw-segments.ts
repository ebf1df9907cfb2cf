/** Every record that lies whole in segment files, found without any code of the product: the format is written down in
 *  src/storage/segment-format.ts, src/storage/commit-format.ts and src/log/run.ts. Works on bytes, so on the files of a
 *  simulated disk too. */
import { crc32 } from 'node:zlib';
import { fixed32, fixed64, hexOf, textOf } from './protobuf-reader.js';
import { PlaceSeeds } from './record.js';

export interface RawFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface RawRecord {
  /** `hub/channel`. */
  readonly channel: string;
  readonly writer: string;
  readonly round: number;
  readonly seq: number;
  /** Tag and length included: as it is served. */
  readonly bytes: Uint8Array;
  readonly arrival: number;
  readonly file: string;
  readonly offset: number;
  /** Where the header of its run begins. */
  readonly runOffset: number;
}

export interface RawSegments {
  readonly records: readonly RawRecord[];
  /** Numbers of whole written commits, as found. */
  readonly commits: readonly {
    readonly number: number;
    readonly firstArrival: number;
    readonly entries: number;
  }[];
}

const headerPage = 4096;
const commitBytes = 64;
const commitMagic = 0x31434c52;

/** Reads commit after commit of each file; behind anything else it looks for the next commit at every 64th byte. `salvages`:
 *  and there also for runs, and in a damaged run for records that are whole. */
export function readRawSegments(
  files: readonly RawFile[],
  lineage: string,
  options: { readonly salvages?: boolean } = {},
): RawSegments {
  const scan = new RawScan(crc32(lineage), options.salvages);
  for (const file of current(files)) scan.file(file);
  return scan;
}

/** Without files that a rewritten one stands for, and those that are not done. */
function current(files: readonly RawFile[]): RawFile[] {
  const named = files.flatMap((file) => {
    const match = /(\d{10})(?:\.(\d+))?\.seg$/.exec(file.name);
    if (!match) return [];
    const generation = Number(match[2] ?? 0);
    const through = generation > 0 ? fixed32(file.bytes, 36) : Number(match[1]);
    return [{ file, number: Number(match[1]), generation, through }];
  });
  return named
    .filter(
      (one) =>
        !named.some(
          (other) =>
            other.generation > one.generation && other.number <= one.number && other.through >= one.through,
        ),
    )
    .map(({ file }) => file);
}

/** Of which store a segment is, as its header says; `undefined` while that is not written. */
export function lineageOf({ bytes }: RawFile): string | undefined {
  return bytes.length >= headerPage && textOf(bytes, 0, 8) === segmentMagic
    ? hexOf(bytes, 16, 32)
    : undefined;
}

const segmentMagic = 'RINGSEG\n';

export class RawScan implements RawSegments {
  readonly records: RawRecord[] = [];
  readonly commits: { number: number; firstArrival: number; entries: number }[] = [];
  readonly #seeds = new PlaceSeeds();
  readonly #seed: number;

  readonly #salvages: boolean;
  /** Where `tail` found commits whole before, with the sums of their headers. */
  readonly #wholeBefore: Map<number, number>;

  /** `seed` is the sum of the lineage. */
  constructor(seed: number, salvages = false, wholeBefore = new Map<number, number>()) {
    this.#seed = seed;
    this.#salvages = salvages;
    this.#wholeBefore = wholeBefore;
  }

  /** Returns where the last whole commit ends. */
  file({ name, bytes }: RawFile, from = headerPage): number {
    let end = from;
    for (let at = from; at + commitBytes <= bytes.length;) {
      const found = this.commits.length + this.records.length;
      const length = this.#isCommit(bytes, at) ? this.#commit(name, bytes, at) : commitBytes;
      if (this.commits.length + this.records.length > found) end = at + length;
      else if (this.#salvages) this.#salvage(name, bytes, at, at + length);
      at += length;
    }
    return end;
  }

  /** Runs that begin in this part, and what is whole of them. */
  #salvage(name: string, bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; at++) {
      if (!mayBeRun(bytes, at)) continue;
      if (this.#run(name, bytes, at, bytes.length, 0, this.records) === undefined)
        this.#wholeRecords(name, bytes, at);
    }
  }

  /** Records of a damaged run, wherever in it they lie: what is before them may have lost its length. */
  #wholeRecords(file: string, bytes: Uint8Array, at: number): void {
    const start = at + (bytes[at + 4]! | (bytes[at + 5]! << 8));
    const end = Math.min(bytes.length, start + fixed32(bytes, at + 8));
    const place = this.#placeOf(bytes, at);
    for (let position = start; position < end;) {
      const record = recordAt(bytes, position, end, place.seed);
      const { channel, writer, round } = place;
      if (record) {
        const view = bytes.slice(position, record.end);
        const found = { channel, writer, round, seq: record.seq, bytes: view, arrival: 0, file };
        this.records.push({ ...found, offset: position, runOffset: at });
      }
      position = record?.end ?? position + 1;
    }
  }

  /** Reads whole commits one behind the other from `from` (0: the first); returns where the next would begin. One that was
   *  whole before is passed over: a process that ended while it wrote over what is redacted left it half done. */
  tail({ name, bytes }: RawFile, from: number): number {
    let at = Math.max(from, headerPage);
    while (at + commitBytes <= bytes.length && this.#isCommit(bytes, at)) {
      const found = this.records.length + this.commits.length;
      const length = this.#commit(name, bytes, at);
      const sum = fixed32(bytes, at + 4);
      if (this.records.length + this.commits.length > found) {
        this.#wholeBefore.set(at, sum);
        at += length;
      } else if (this.#wholeBefore.get(at) === sum) at += commitLength(bytes, at);
      else break;
    }
    return at;
  }

  #isCommit(bytes: Uint8Array, at: number): boolean {
    return (
      fixed32(bytes, at) === commitMagic &&
      fixed32(bytes, at + 52) === at &&
      crc32(bytes.subarray(at + 8, at + commitBytes), this.#seed) === fixed32(bytes, at + 4)
    );
  }

  /** Returns the bytes to go on by. */
  #commit(name: string, bytes: Uint8Array, at: number): number {
    const isRewritten = bytes[at + 8] === 2;
    const runsAt = at + commitBytes + fixed32(bytes, at + 12);
    const end = runsAt + fixed32(bytes, at + 16);
    if (end > bytes.length) return commitBytes;
    let sum = crc32(bytes.subarray(at + commitBytes, runsAt));
    const found: RawRecord[] = [];
    let arrival = fixed64(bytes, at + 40);
    let position = runsAt;
    for (let run = 0; position < end; run++) {
      if (isRewritten) arrival = fixed64(bytes, at + commitBytes + 8 * run);
      const runEnd = this.#run(name, bytes, position, end, arrival, found);
      if (runEnd === undefined) return commitBytes;
      sum = crc32(bytes.subarray(position, position + 4), sum);
      arrival += fixed32(bytes, position + 12);
      position = runEnd;
    }
    if (sum !== fixed32(bytes, at + 28)) return commitBytes;
    this.records.push(...found);
    const entries = fixed32(bytes, at + 24);
    if (!isRewritten) {
      this.commits.push({ number: fixed64(bytes, at + 32), firstArrival: fixed64(bytes, at + 40), entries });
    }
    return commitLength(bytes, at);
  }

  /** Where the run ends; `undefined` when it is not whole. */
  #run(
    file: string,
    bytes: Uint8Array,
    at: number,
    limit: number,
    firstArrival: number,
    found: RawRecord[],
  ): number | undefined {
    const start = at + (bytes[at + 4]! | (bytes[at + 5]! << 8));
    const end = start + fixed32(bytes, at + 8);
    if (start <= at + 46 || end <= start || end > limit) return undefined;
    if (crc32(bytes.subarray(at + 4, end)) !== fixed32(bytes, at)) return undefined;
    const { channel, writer, round, seed } = this.#placeOf(bytes, at);
    let seq = fixed64(bytes, at + 16);
    let arrival = firstArrival;
    for (let position = start; position < end;) {
      const record = recordAt(bytes, position, end, seed);
      if (record?.seq !== seq) return undefined;
      const view = bytes.slice(position, record.end);
      found.push({
        channel,
        writer,
        round,
        seq: seq++,
        bytes: view,
        arrival: arrival++,
        file,
        offset: position,
        runOffset: at,
      });
      position = record.end;
    }
    return end;
  }

  #placeOf(
    bytes: Uint8Array,
    at: number,
  ): { readonly channel: string; readonly writer: string; readonly round: number; readonly seed: number } {
    const hubEnd = at + 45 + bytes[at + 44]!;
    const hub = textOf(bytes, at + 45, hubEnd);
    const channel = textOf(bytes, hubEnd + 1, hubEnd + 1 + bytes[hubEnd]!);
    const writer = hexOf(bytes, at + 32, at + 44);
    const round = fixed64(bytes, at + 24);
    return { channel: `${hub}/${channel}`, writer, round, seed: this.#seeds.of(hub, channel, writer, round) };
  }
}

/** What the commit takes, as its header says. */
function commitLength(bytes: Uint8Array, at: number): number {
  const length = commitBytes + fixed32(bytes, at + 12) + fixed32(bytes, at + 16);
  return Math.ceil(length / commitBytes) * commitBytes;
}

function mayBeRun(bytes: Uint8Array, at: number): boolean {
  const headerBytes = bytes[at + 4]! | (bytes[at + 5]! << 8);
  if (headerBytes < 48 || at + headerBytes > bytes.length) return false;
  const hubLength = bytes[at + 44]!;
  if (headerBytes !== 46 + hubLength + bytes[at + 45 + hubLength]!) return false;
  for (let i = at + 45; i < at + headerBytes; i++)
    if (i !== at + 45 + hubLength && (bytes[i]! < 33 || bytes[i]! > 126)) return false;
  return true;
}

/** Where a record's length says that it ends. */
function recordEnd(bytes: Uint8Array, at: number, limit: number): number | undefined {
  let length = 0;
  let position = at + 1;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[position++];
    if (byte === undefined || shift > 28) return undefined;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  const end = position + length;
  return bytes[at] === 0x12 && end <= limit ? end : undefined;
}

/** The record at `at`, its checksum verified. */
function recordAt(
  bytes: Uint8Array,
  at: number,
  limit: number,
  seed: number,
): { readonly end: number; readonly seq: number } | undefined {
  const end = recordEnd(bytes, at, limit);
  if (end === undefined) return undefined;
  let position = at + 1;
  while (bytes[position++]! >= 0x80);
  // The sum does not cover the tag before it.
  if (end - position < 28 || bytes[position] !== 0x0d) return undefined;
  if (crc32(bytes.subarray(position + 5, end), seed) !== fixed32(bytes, position + 1)) return undefined;
  return { end, seq: fixed64(bytes, position + 11) };
}
