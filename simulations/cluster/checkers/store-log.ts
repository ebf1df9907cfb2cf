/** One node's store as its raw bytes have it: channels, their entries, and the order they stand in. */
import { crc32 } from 'node:zlib';
import { lineOf } from '../../checkers/ledger.js';
import { type RawFile, lineageOf, readRawSegments } from '../../checkers/raw-segments.js';
import { type RecordRange, decodeRecord } from '../../checkers/record.js';
import type { SeenDot } from '../record.js';

export interface StoredEntry extends SeenDot {
  /** 0: written without a claim. */
  readonly round: number;
  readonly timestamp: number;
  /** Number of `EntryKind`; 0 is a publish. */
  readonly kind: number;
  readonly parents: readonly SeenDot[];
  /** What it gives up. */
  readonly lost?: RecordRange | undefined;
  readonly line: number;
  readonly sum: number;
  readonly payloadSum: number;
}

/** Numbers of `EntryKind`. */
export const trimKind = 6;
export const gapKind = 8;
/** Stands for an entry that another one gave up. */
export const givenUpKind = -1;

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
  options: { readonly salvages?: boolean } = {},
): StoreLog {
  const lineage = files.map(lineageOf).find((found) => found !== undefined);
  const channels = new Map<string, { name: string; writers: Map<string, StoredEntry[]> }>();
  const { records } = readRawSegments(files, lineage ?? '', options);
  for (const { channel: place, writer, round, seq, bytes } of records) {
    const name = place.slice(place.indexOf('/') + 1);
    const channel = channels.get(name) ?? { name, writers: new Map<string, StoredEntry[]>() };
    channels.set(name, channel);
    const entries = channel.writers.get(writer) ?? [];
    channel.writers.set(writer, entries);
    entries.push(entryOf({ writer, seq }, round, bytes));
  }
  for (const { name, writers } of channels.values()) {
    for (const [writer, entries] of writers) writers.set(writer, once(name, entries, onConflict));
    for (const { lost } of [...writers.values()].flat()) if (lost) giveUp(writers, lost);
  }
  return { node, channels };
}

function entryOf(dot: SeenDot, round: number, bytes: Uint8Array): StoredEntry {
  let start = 1;
  while (bytes[start++]! >= 0x80);
  const { timestamp, kind, parents, lost, payload } = decodeRecord(bytes, start, bytes.length, 0);
  const line = kind === 0 ? lineOf(payload) : 0;
  return {
    ...dot,
    round,
    timestamp,
    kind,
    parents,
    lost,
    line,
    sum: crc32(bytes),
    payloadSum: crc32(payload),
  };
}

/** What is missing of it has a place all the same: right behind its predecessor. */
function giveUp(writers: Map<string, StoredEntry[]>, { writer, fromSeq, toSeq }: RecordRange): void {
  const entries = writers.get(writer) ?? [];
  for (let seq = fromSeq; seq <= toSeq; seq++) {
    const at = entries.findIndex((entry) => entry.seq >= seq);
    if (entries[at]?.seq === seq) continue;
    const lost = { writer, seq, round: 0, timestamp: -1, kind: givenUpKind, parents: [] };
    entries.splice(at < 0 ? entries.length : at, 0, { ...lost, line: 0, sum: 0, payloadSum: 0 });
  }
  writers.set(writer, entries);
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
