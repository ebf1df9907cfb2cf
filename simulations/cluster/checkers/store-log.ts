/** One node's store as its raw bytes have it: channels, their entries, and the order they stand in. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { lineOf } from '../../checkers/ledger.js';
import { type RawFile, lineageOf, readRawSegments } from '../../checkers/raw-segments.js';
import { decodeRecord } from '../../checkers/record.js';
import type { SeenDot } from '../record.js';

export interface StoredEntry extends SeenDot {
  /** 0: written without a claim. */
  readonly round: number;
  readonly timestamp: number;
  /** Number of `EntryKind`; 0 is a publish. */
  readonly kind: number;
  readonly parents: readonly SeenDot[];
  readonly line: number;
  readonly sum: number;
  /** SHA-256 over dot and record, as a number that is little-endian. */
  readonly hash: bigint;
}

export interface StoredChannel {
  readonly name: string;
  /** Sorted by seq. */
  readonly writers: ReadonlyMap<string, readonly StoredEntry[]>;
}

export interface StoreLog {
  readonly node: string;
  readonly channels: ReadonlyMap<string, StoredChannel>;
}

export function dotText({ writer, seq }: SeenDot): string {
  return `${writer}-${seq}`;
}

/** `onConflict` is told of a dot that is there twice, with different contents. */
export function readStoreLog(
  node: string,
  files: readonly RawFile[],
  onConflict: (what: string) => void,
): StoreLog {
  const lineage = files.map(lineageOf).find((found) => found !== undefined);
  const channels = new Map<string, { name: string; writers: Map<string, StoredEntry[]> }>();
  const { records } = readRawSegments(files, lineage ?? '');
  for (const { channel: place, writer, round, seq, bytes } of records) {
    const name = place.slice(place.indexOf('/') + 1);
    const channel = channels.get(name) ?? { name, writers: new Map<string, StoredEntry[]>() };
    channels.set(name, channel);
    const entries = channel.writers.get(writer) ?? [];
    channel.writers.set(writer, entries);
    entries.push(entryOf({ writer, seq }, round, bytes));
  }
  for (const { name, writers } of channels.values())
    for (const [writer, entries] of writers) writers.set(writer, once(name, entries, onConflict));
  return { node, channels };
}

function entryOf(dot: SeenDot, round: number, bytes: Uint8Array): StoredEntry {
  let start = 1;
  while (bytes[start++]! >= 0x80);
  const { timestamp, kind, parents, payload } = decodeRecord(bytes, start, bytes.length, 0);
  const line = kind === 0 ? lineOf(payload) : 0;
  const hash = hashOf(dot, bytes.subarray(start));
  return { ...dot, round, timestamp, kind, parents, line, sum: crc32(bytes), hash };
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
