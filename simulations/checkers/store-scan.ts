/** Reads the segment files of a stopped node from their bytes alone: headers, commits, runs, records, and every
 *  checksum and number on the way. It shares no code with src/storage, so that both cannot be wrong in the same way;
 *  the format is written down in src/storage/segment-format.ts, src/storage/commit-format.ts and src/log/run.ts.
 *
 *  Whatever does not fit is a problem with its place; records that could be read are handed on all the same. */
import { closeSync, fstatSync, openSync, readSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { MalformedError, ProtobufReader, fixed32, fixed64, hexOf, textOf } from './protobuf-reader.js';
import { type LogRecord, PlaceSeeds, decodeRecord } from './record.js';

export interface StoredRecord {
  readonly hub: string;
  readonly channel: string;
  readonly writer: string;
  readonly round: number;
  /** Number of this record in the order in which the store took things in. */
  readonly arrival: number;
  /** Its payload is valid until the next record is asked for. */
  readonly record: LogRecord;
  /** For people: where it lies. */
  readonly place: string;
}

export interface ScanTotals {
  segments: number;
  commits: number;
  records: number;
  /** Up to the end of the last whole commit of each segment. */
  bytes: number;
}

interface Segment {
  readonly name: string;
  readonly number: number;
  readonly through: number;
  readonly generation: number;
  readonly lineage: string;
  readonly seed: number;
  readonly lastCommit: number;
}

interface CommitHeader {
  readonly rewritten: boolean;
  readonly sectionBytes: number;
  readonly runsBytes: number;
  readonly runCount: number;
  readonly entryCount: number;
  readonly bodyChecksum: number;
  readonly number: number;
  readonly firstArrival: number;
  readonly segment: number;
  readonly offset: number;
  readonly generation: number;
}

interface RunHeader {
  readonly end: number;
  readonly recordsStart: number;
  readonly count: number;
  readonly firstSeq: number;
  readonly round: number;
  readonly writer: string;
  readonly hub: string;
  readonly channel: string;
}

const headerPage = 4096;
const segmentMagic = 'RINGSEG\n';
const commitMagic = 'RLC1';
const commitHeaderBytes = 64;
const runFixedBytes = 45;
const recordField = 2;

export class StoreScan {
  readonly totals: ScanTotals = { segments: 0, commits: 0, records: 0, bytes: 0 };
  readonly problems: string[] = [];
  readonly #folder: string;
  readonly #seeds = new PlaceSeeds();
  #nextCommit: number | undefined;
  #nextArrival = 0;

  /** `folder` is `store/segments` of a data directory. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Every record of the store; per channel in order of arrival. */
  *records(): Generator<StoredRecord, void, undefined> {
    let lineage: string | undefined;
    for (const segment of this.#segments()) {
      if (lineage !== undefined && segment.lineage !== lineage)
        this.#problem(segment.name, 'belongs to another store');
      lineage ??= segment.lineage;
      this.totals.segments++;
      yield* this.#segmentRecords(segment);
    }
  }

  /** In order, without those that a rewritten one stands for. */
  #segments(): Segment[] {
    const found: Segment[] = [];
    for (const name of readdirSync(this.#folder).sort()) {
      const match = /^(\d{10})(?:\.(\d+))?\.seg$/.exec(name);
      const segment = match && this.#parseSegment(name);
      if (!segment) continue;
      if (Number(match[1]) !== segment.number || Number(match[2] ?? 0) !== segment.generation)
        this.#problem(name, `says it is segment ${segment.number}, generation ${segment.generation}`);
      found.push(segment);
    }
    const stands = (other: Segment, one: Segment) =>
      other.generation > one.generation && other.number <= one.number && other.through >= one.through;
    return found
      .filter((one) => !found.some((other) => stands(other, one)))
      .sort((a, b) => a.number - b.number);
  }

  #parseSegment(name: string): Segment | undefined {
    const page = this.#withFile(name, (file) => readAt(file, 0, headerPage));
    // Made ahead for the next segment: nothing was ever written to it.
    if (page.every((byte) => byte === 0)) return undefined;
    if (page.length < headerPage || page.toString('latin1', 0, 8) !== segmentMagic)
      return this.#problem(name, 'has no segment header');
    if (crc32(page.subarray(12, 128)) !== fixed32(page, 8))
      return this.#problem(name, 'has a damaged segment header');
    const lineage = hexOf(page, 16, 32);
    return {
      name,
      number: fixed32(page, 32),
      through: fixed32(page, 36),
      generation: fixed32(page, 40),
      lineage,
      seed: crc32(lineage),
      lastCommit: fixed64(page, 64),
    };
  }

  *#segmentRecords(segment: Segment): Generator<StoredRecord, void, undefined> {
    const file = openSync(join(this.#folder, segment.name), 'r');
    try {
      const size = fstatSync(file).size;
      let at = headerPage;
      while (at + commitHeaderBytes <= size) {
        const header = parseCommit(readAt(file, at, commitHeaderBytes), segment.seed);
        if (!header || !this.#isNext(header, segment, at)) break;
        const length = commitHeaderBytes + header.sectionBytes + header.runsBytes;
        const bytes = readAt(file, at, length);
        if (bytes.length < length) {
          this.#problem(`${segment.name} at ${at}`, `commit ${header.number} is cut off`);
          break;
        }
        yield* this.#commitRecords(header, bytes, `${segment.name} at ${at}, commit ${header.number}`);
        at += Math.ceil(length / commitHeaderBytes) * commitHeaderBytes;
      }
      this.totals.bytes += at;
      this.#lookBehind(file, segment, at, size);
      if (segment.generation > 0) this.#nextCommit = segment.lastCommit + 1;
    } finally {
      closeSync(file);
    }
  }

  /** Whether the commit at this place goes on from the one before it. */
  #isNext(header: CommitHeader, segment: Segment, at: number): boolean {
    const { number, firstArrival } = header;
    const here =
      header.segment === segment.number && header.offset === at && header.generation === segment.generation;
    if (!here) return false;
    if (header.rewritten) return true;
    if (this.#nextCommit !== undefined && number !== this.#nextCommit) {
      this.#problem(`${segment.name} at ${at}`, `commit ${number} stands where ${this.#nextCommit} belongs`);
    } else if (this.#nextArrival > 0 && header.entryCount > 0 && firstArrival !== this.#nextArrival) {
      this.#problem(
        `${segment.name} at ${at}`,
        `arrival ${firstArrival} stands where ${this.#nextArrival} belongs`,
      );
    }
    this.#nextCommit = number + 1;
    if (header.entryCount > 0) this.#nextArrival = firstArrival + header.entryCount;
    return true;
  }

  *#commitRecords(
    header: CommitHeader,
    bytes: Buffer,
    place: string,
  ): Generator<StoredRecord, void, undefined> {
    const sectionEnd = commitHeaderBytes + header.sectionBytes;
    let sum = crc32(bytes.subarray(commitHeaderBytes, sectionEnd));
    let arrival = header.firstArrival;
    let [at, runs, entries] = [sectionEnd, 0, 0];
    for (; runs < header.runCount && at < bytes.length; runs++) {
      const run = parseRun(bytes, at);
      if (!run) {
        this.#problem(place, `run ${runs + 1} has no readable header`);
        break;
      }
      if (crc32(bytes.subarray(at + 4, run.end)) !== fixed32(bytes, at))
        this.#problem(place, `run ${runs + 1} is damaged`);
      sum = crc32(bytes.subarray(at, at + 4), sum);
      if (header.rewritten) arrival = fixed64(bytes, commitHeaderBytes + 8 * runs);
      yield* this.#runRecords(run, bytes, arrival, place);
      arrival += run.count;
      entries += run.count;
      at = run.end;
    }
    this.totals.commits++;
    if (sum !== header.bodyChecksum) this.#problem(place, 'its runs are not those it was written with');
    if (runs !== header.runCount || entries !== header.entryCount || at !== bytes.length)
      this.#problem(place, 'its counts do not fit what is in it');
  }

  *#runRecords(
    run: RunHeader,
    bytes: Buffer,
    firstArrival: number,
    place: string,
  ): Generator<StoredRecord, void, undefined> {
    const { hub, channel, writer, round } = run;
    const seed = this.#seeds.of(hub, channel, writer, round);
    const reader = new ProtobufReader(bytes, run.recordsStart, run.end);
    let count = 0;
    try {
      while (reader.next()) {
        if (reader.field !== recordField) throw new MalformedError(`field ${reader.field} in a run`);
        const record = decodeRecord(bytes, reader.start, reader.end, seed);
        if (record.seq !== run.firstSeq + count)
          this.#problem(place, `seq ${record.seq} stands where ${run.firstSeq + count} belongs`);
        if (!record.isWhole) this.#problem(place, `the record of seq ${record.seq} in ${channel} is damaged`);
        this.totals.records++;
        yield { hub, channel, writer, round, arrival: firstArrival + count++, record, place };
      }
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#problem(place, `a record in ${channel} cannot be decoded: ${error.message}`);
    }
    if (count !== run.count) this.#problem(place, `a run in ${channel} has ${count} of ${run.count} records`);
  }

  /** A commit of this segment behind the end of the readable ones means that something between them was lost. */
  #lookBehind(file: number, segment: Segment, end: number, size: number): void {
    const step = 1 << 20;
    for (let from = end; from < size; from += step) {
      const chunk = readAt(file, from, step + commitHeaderBytes);
      for (
        let at = chunk.indexOf(commitMagic, 0, 'latin1');
        at >= 0;
        at = chunk.indexOf(commitMagic, at + 1, 'latin1')
      ) {
        const header = parseCommit(chunk.subarray(at, at + commitHeaderBytes), segment.seed);
        if (header?.segment !== segment.number || header.offset !== from + at) continue;
        this.#problem(
          `${segment.name} at ${from + at}`,
          `commit ${header.number} lies behind the end at ${end}`,
        );
      }
    }
  }

  #withFile<T>(name: string, use: (file: number) => T): T {
    const file = openSync(join(this.#folder, name), 'r');
    try {
      return use(file);
    } finally {
      closeSync(file);
    }
  }

  #problem(place: string, what: string): undefined {
    this.problems.push(`${place}: ${what}`);
    return undefined;
  }
}

/** Fewer bytes at the end of the file. */
function readAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const read = readSync(file, bytes, done, length - done, position + done);
    if (read === 0) break;
    done += read;
  }
  return bytes.subarray(0, done);
}

function parseCommit(bytes: Buffer, seed: number): CommitHeader | undefined {
  if (bytes.length < commitHeaderBytes || bytes.toString('latin1', 0, 4) !== commitMagic) return undefined;
  if (crc32(bytes.subarray(8, commitHeaderBytes), seed) !== fixed32(bytes, 4)) return undefined;
  return {
    rewritten: bytes[8] === 2,
    sectionBytes: fixed32(bytes, 12),
    runsBytes: fixed32(bytes, 16),
    runCount: fixed32(bytes, 20),
    entryCount: fixed32(bytes, 24),
    bodyChecksum: fixed32(bytes, 28),
    number: fixed64(bytes, 32),
    firstArrival: fixed64(bytes, 40),
    segment: fixed32(bytes, 48),
    offset: fixed32(bytes, 52),
    generation: fixed32(bytes, 56),
  };
}

function parseRun(bytes: Buffer, at: number): RunHeader | undefined {
  if (at + runFixedBytes + 1 > bytes.length) return undefined;
  const headerBytes = bytes.readUInt16LE(at + 4);
  const hubStart = at + runFixedBytes;
  const hubEnd = hubStart + bytes[at + 44]!;
  const channelStart = hubEnd + 1;
  const channelEnd = channelStart + (bytes[hubEnd] ?? 0);
  const recordsStart = at + headerBytes;
  const end = recordsStart + fixed32(bytes, at + 8);
  if (channelEnd > recordsStart || end > bytes.length) return undefined;
  return {
    end,
    recordsStart,
    count: fixed32(bytes, at + 12),
    firstSeq: fixed64(bytes, at + 16),
    round: fixed64(bytes, at + 24),
    writer: hexOf(bytes, at + 32, at + 44),
    hub: textOf(bytes, hubStart, hubEnd),
    channel: textOf(bytes, channelStart, channelEnd),
  };
}
