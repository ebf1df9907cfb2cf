/** One node's store as its raw bytes have it: channels, their entries, and the order they stand in. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { lineOf } from '../../checkers/ledger.js';
import { type RawFile, lineageOf, readRawSegments } from '../../checkers/raw-segments.js';
import { type RecordRange, type RecordTrim, decodeRecord } from '../../checkers/record.js';
import type { SeenDot } from '../record.js';
import { nameIn } from '../places.js';

export type StoredTrim = RecordTrim;

/** Names the runs by which a store says that it raised floors. */
export const floorWriter = '0'.repeat(24);

export interface StoredEntry extends SeenDot {
  /** 0: written without a claim. */
  readonly round: number;
  readonly timestamp: number;
  /** Number of `EntryKind`; 0 is a publish. */
  readonly kind: number;
  readonly parents: readonly SeenDot[];
  readonly trim?: StoredTrim | undefined;
  /** What it gives up. */
  readonly lost?: RecordRange | undefined;
  /** What it says is of an older generation. */
  readonly voids?: readonly RecordRange[] | undefined;
  /** That was said of it. */
  readonly isVoid?: true;
  /** Its content was taken out: then the line is known from elsewhere. */
  readonly isRedacted?: true;
  readonly redacts?: SeenDot | undefined;
  readonly line: number;
  readonly sum: number;
  /** SHA-256 over dot and record, as a number that is little-endian; absent for what was given up, which is in no digest. */
  readonly hash?: bigint | undefined;
  readonly payloadSum: number;
}

/** Number of `EntryKind`. */
export const gapKind = 8;
export const deleteKind = 10;
export const redactKind = 11;
/** Stands for an entry that another one gave up. */
export const givenUpKind = -1;

export interface StoredChannel {
  readonly name: string;
  /** Sorted by seq; above the floors. */
  readonly writers: ReadonlyMap<string, readonly StoredEntry[]>;
  /** By writer; nothing at or below them is read. */
  readonly floors?: ReadonlyMap<string, number>;
}

export interface StoreLog {
  readonly node: string;
  /** Publishes of which some copy in its files has a payload, wherever it lies: channel and dot. */
  readonly contents: ReadonlySet<string>;
  readonly channels: ReadonlyMap<string, StoredChannel>;
}

export function dotText({ writer, seq }: SeenDot): string {
  return `${writer}-${seq}`;
}

/** `onConflict` is told of a dot that is there twice, with different contents. `isAlone`: no cluster, where a trim is in force
 *  as soon as it is stored. `salvages`: whole records of damaged commits count. */
export function readStoreLog(
  node: string,
  files: readonly RawFile[],
  onConflict: (what: string) => void,
  options: {
    readonly isAlone: boolean;
    readonly salvages?: boolean;
    /** The line of an entry whose content was taken out. */
    readonly lineAt?: (channel: string, writer: string, seq: number) => number | undefined;
  },
): StoreLog {
  const lineage = files.map(lineageOf).find((found) => found !== undefined);
  const channels = new Map<string, Read>();
  const contents = new Set<string>();
  const { records } = readRawSegments(files, lineage ?? '', options);
  for (const { channel: place, writer, round, seq, bytes } of records) {
    const name = nameIn(place);
    const channel = channels.get(name) ?? { name, writers: new Map(), floors: new Map() };
    channels.set(name, channel);
    const found = entryOf({ writer, seq }, round, bytes);
    const line = found.isRedacted && options.lineAt?.(name, writer, seq);
    const entry = line === undefined ? found : { ...found, line: line || found.line };
    if (entry.line > 0 && !entry.isRedacted) contents.add(`${name} ${dotText(entry)}`);
    if (entry.trim && (writer === floorWriter || options.isAlone)) raise(channel.floors, entry.trim);
    if (writer === floorWriter) continue;
    const entries = channel.writers.get(writer) ?? [];
    channel.writers.set(writer, entries);
    entries.push(entry);
  }
  for (const channel of channels.values()) {
    const { name, writers, floors } = channel;
    for (const [writer, entries] of writers) {
      const kept = entries.filter(({ seq }) => seq > (floors.get(writer) ?? 0));
      if (kept.length > 0) writers.set(writer, once(name, kept, onConflict));
      else writers.delete(writer);
    }
    for (const { lost, voids = [] } of [...writers.values()].flat()) {
      if (lost) giveUp(channel, lost);
      for (const range of voids) giveUp(channel, range, true);
    }
  }
  return { node, channels, contents };
}

interface Read extends StoredChannel {
  readonly writers: Map<string, StoredEntry[]>;
  readonly floors: Map<string, number>;
}

function raise(floors: Map<string, number>, { floors: by }: StoredTrim): void {
  for (const [writer, floor] of by) floors.set(writer, Math.max(floor, floors.get(writer) ?? 0));
}

/** The channel as if nothing had been trimmed: what lies below the floors is known from elsewhere, and so is what was said
 *  there to be void, or lost. */
export function untrimmed(
  channel: StoredChannel,
  entryAt: (writer: string, seq: number) => StoredEntry | undefined,
): StoredChannel {
  const writers = new Map([...channel.writers].map(([writer, entries]) => [writer, [...entries]]));
  for (const [writer, floor] of channel.floors ?? []) {
    const below = Array.from({ length: floor }, (_, i) => entryAt(writer, i + 1) ?? []).flat();
    writers.set(writer, [...below, ...(writers.get(writer) ?? [])]);
  }
  const whole: Read = { ...channel, writers, floors: new Map() };
  for (const { lost, voids = [] } of [...writers.values()].flat()) {
    if (lost) giveUp(whole, lost);
    for (const range of voids) giveUp(whole, range, true);
  }
  for (const [writer, entries] of writers)
    writers.set(
      writer,
      entries.map((entry) =>
        entry.isVoid ? { ...entry, line: entryAt(writer, entry.seq)?.line ?? 0 } : entry,
      ),
    );
  return whole;
}

export function entryOf(dot: SeenDot, round: number, bytes: Uint8Array): StoredEntry {
  let start = 1;
  while (bytes[start++]! >= 0x80);
  const { timestamp, kind, parents, payload, trim, lost, voids, isRedacted, redacts } = decodeRecord(
    bytes,
    start,
    bytes.length,
    0,
  );
  const line = kind === 0 ? lineOf(payload) : 0;
  const hash = hashOf(dot, bytes.subarray(start));
  const sums = { sum: crc32(bytes), payloadSum: crc32(payload) };
  const entry = { ...dot, round, timestamp, kind, parents, trim, lost, voids, line, ...sums, hash, redacts };
  return isRedacted ? { ...entry, isRedacted } : entry;
}

function hashOf({ writer, seq }: SeenDot, body: Uint8Array): bigint {
  const place = Buffer.alloc(20);
  place.write(writer, 0, 'hex');
  place.writeBigUInt64LE(BigInt(seq), 12);
  const hash = createHash('sha256').update(place).update(body).digest();
  return BigInt(`0x${hash.reverse().toString('hex')}`);
}

/** SHA-256 over the sum of these modulo 2^256, and how many they are. */
export function digestText(hashes: readonly bigint[]): string {
  const sum = hashes.reduce((before, hash) => (before + hash) % (1n << 256n), 0n);
  const whole = Buffer.alloc(40);
  Buffer.from(sum.toString(16).padStart(64, '0'), 'hex').reverse().copy(whole);
  whole.writeBigUInt64LE(BigInt(hashes.length), 32);
  return createHash('sha256').update(whole).digest('hex');
}

/** What is missing of it above the floor has a place all the same: right behind its predecessor. */
function giveUp({ writers, floors }: Read, { writer, fromSeq, toSeq }: RecordRange, isVoid = false): void {
  const entries = writers.get(writer) ?? [];
  for (let seq = Math.max(fromSeq, (floors.get(writer) ?? 0) + 1); seq <= toSeq; seq++) {
    const at = entries.findIndex((entry) => entry.seq >= seq);
    const held = entries[at];
    if (held?.seq === seq && !isVoid) {
      entries[at] = { ...held, hash: undefined };
      continue;
    }
    const lost = { writer, seq, round: 0, timestamp: -1, kind: givenUpKind, parents: [] };
    const marked = isVoid ? ({ isVoid } as const) : {};
    const entry = { ...lost, line: 0, sum: 0, payloadSum: 0, ...marked };
    entries.splice(at < 0 ? entries.length : at, held?.seq === seq ? 1 : 0, entry);
  }
  if (entries.length > 0) writers.set(writer, entries);
}

/** Compaction leaves copies behind until the old file is removed. */
function once(channel: string, entries: StoredEntry[], onConflict: (what: string) => void): StoredEntry[] {
  entries.sort((a, b) => a.seq - b.seq);
  return entries.filter((entry, i) => {
    const before = entries[i - 1];
    if (before?.seq !== entry.seq) return true;
    if (before.sum !== entry.sum) onConflict(`${channel} ${dotText(entry)}`);
    return false;
  });
}
