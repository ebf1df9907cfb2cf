/** What administrators ask of a log: pages with filters, and the digest that proves two homes equal. */
import { toHex } from '../base/bytes.js';
import type { ChannelRef } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import { encodeCursor } from '../log/cursor.js';
import { ChannelDigestSum } from '../log/digest.js';
import type { Entry, Timestamp } from '../log/entry.js';
import { decodeEntry, placeOf } from '../log/entry-wire.js';
import { timestampFromUnixMs } from '../log/timestamp.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { ChannelDigest, LogPage, LogQuery } from './api.js';
import { type ScanItem, positionCovered, scanBackward, scanForward } from './history.js';
import type { Hashing } from './ports.js';
import type { Scan } from './scan.js';
import { cursorHeads, scanStart } from './start-position.js';

export async function queryLog(scan: Scan, query: LogQuery): Promise<Result<LogPage, Failure>> {
  return query.order === 'newest' ? newestFirst(scan, query) : oldestFirst(scan, query);
}

async function oldestFirst(scan: Scan, query: LogQuery): Promise<Result<LogPage, Failure>> {
  const start = await scanStart(scan, query.since);
  if (!start.ok) return start;
  const { reader, log, lost } = start.value;
  const fixed = { ...scan, log };
  const until = untilOf(fixed, query);
  if (!until.ok) return until;
  const { ref } = scan;
  const page = new QueryPage(ref, query);
  if (lost) page.gaps.push(lost);
  let heads = reader.heads(log);
  for await (const item of scanForward(fixed, reader)) {
    if (item.type === 'record' && isPast(log, item, until.value))
      return ok(page.done(encodeCursor(ref, heads), false));
    if (!page.take(item)) return ok(page.done(encodeCursor(ref, heads), true));
    heads = reader.heads(log);
    if (page.isScannedOut) return ok(page.done(encodeCursor(ref, heads), true));
  }
  return ok(page.done(encodeCursor(ref, heads), false));
}

async function newestFirst(scan: Scan, query: LogQuery): Promise<Result<LogPage, Failure>> {
  const { ref, log } = scan;
  const until = untilOf(scan, query);
  if (!until.ok) return until;
  const since = sinceOf(scan, query);
  if (!since.ok) return since;
  const page = new QueryPage(ref, query);
  let position = Math.min(until.value.position, log.endPosition);
  for await (const item of scanBackward(scan, position)) {
    if (item.position < since.value.position) break;
    const inTime =
      item.type === 'gap' ||
      (item.timestamp >= since.value.timestamp && item.timestamp < until.value.timestamp);
    if (inTime && !page.take(item)) return ok(page.done(encodeCursor(ref, log.headsAt(position)), true));
    position = item.position;
    if (page.isScannedOut) return ok(page.done(encodeCursor(ref, log.headsAt(position)), true));
  }
  return ok(page.done(encodeCursor(ref, log.headsAt(position)), false));
}

interface Bound {
  readonly position: number;
  readonly timestamp: Timestamp;
}

function untilOf({ ref, log }: Scan, { until }: LogQuery): Result<Bound, Failure> {
  if (until === undefined) return ok({ position: Infinity, timestamp: Infinity });
  if (typeof until === 'number') return ok({ position: Infinity, timestamp: timestampFromUnixMs(until) });
  const heads = cursorHeads(ref, until);
  return heads.ok ? ok({ position: positionCovered(log, heads.value), timestamp: Infinity }) : heads;
}

function sinceOf({ ref, log }: Scan, { since }: LogQuery): Result<Bound, Failure> {
  if (since === undefined) return ok({ position: 0, timestamp: 0 });
  if (typeof since === 'number') return ok({ position: 0, timestamp: timestampFromUnixMs(since) });
  const heads = cursorHeads(ref, since);
  return heads.ok ? ok({ position: positionCovered(log, heads.value), timestamp: 0 }) : heads;
}

/** Whether reading forward may stop: by position exactly; by time only the entry itself is left out. */
function isPast(log: Scan['log'], item: ScanItem & { type: 'record' }, until: Bound): boolean {
  if (until.position === Infinity) return item.timestamp >= until.timestamp;
  return (log.positionOf({ writer: item.slice.writer, seq: item.seq }) ?? Infinity) >= until.position;
}

class QueryPage {
  readonly gaps: LogPage['gaps'][number][] = [];
  readonly #entries: { entry: Entry; bytes: number }[] = [];
  readonly #limit: number;
  #scanned = 0;

  constructor(
    readonly ref: ChannelRef,
    readonly query: LogQuery,
  ) {
    this.#limit = Math.min(query.limit ?? limits.historyEntriesDefault, limits.historyEntriesMax);
  }

  get isScannedOut(): boolean {
    return this.#scanned >= limits.queryScanEntriesMax;
  }

  /** False when the page is full: the item belongs to the next one. */
  take(item: ScanItem): boolean {
    if (item.type === 'gap') {
      this.gaps.push(item.gap);
      return true;
    }
    const entry = entryOf(this.ref, item);
    if (entry && matches(entry, this.query)) {
      if (this.#entries.length >= this.#limit) return false;
      this.#entries.push({ entry, bytes: item.end - item.start });
    }
    this.#scanned++;
    return true;
  }

  done(cursor: Uint8Array, more: boolean): LogPage {
    return { entries: this.#entries, gaps: this.gaps, cursor, more };
  }
}

function entryOf(
  ref: ChannelRef,
  { slice, bodyStart, end }: ScanItem & { type: 'record' },
): Entry | undefined {
  const entry = decodeEntry(slice.records.subarray(bodyStart, end), placeOf(ref, slice.writer, slice.round));
  return entry.ok ? entry.value : undefined;
}

function matches(entry: Entry, query: LogQuery): boolean {
  return (
    (query.kind === undefined || entry.kind === query.kind) &&
    (query.event === undefined || entry.content?.event === query.event) &&
    (query.actor === undefined || entry.actor === query.actor) &&
    (query.writer === undefined || entry.writer === query.writer)
  );
}

/** Digest of everything above the floors, computed from verified records on disk, never from running sums. */
export async function channelDigest(
  { logs, ref, log }: Scan,
  hashing: Hashing,
): Promise<Result<ChannelDigest, Failure>> {
  const sum = new ChannelDigestSum((bytes) => hashing.sha256(bytes));
  for (const state of log.writers()) {
    const floor = log.floors.get(state.writer) ?? 0;
    for (let next = floor + 1; next <= state.seq;) {
      const range = { writer: state.writer, firstSeq: next, count: state.seq - next + 1 };
      const read = await logs.read(ref, [range], limits.replayChunkBytes);
      if (read.slices.length === 0 && read.missing.length === 0) return err(failure('UNAVAILABLE'));
      for (const slice of read.slices) sum.addRecords(slice);
      next = Math.max(
        ...read.slices.map((s) => s.firstSeq + s.count),
        ...read.missing.map((m) => m.toSeq + 1),
      );
    }
  }
  const floors = [...log.floors].map(([writer, seq]) => ({ writer, seq }));
  return ok({
    hub: ref.hub,
    channel: ref.channel,
    entries: sum.count,
    digest: toHex(sum.digest()),
    floors,
    heads: log.heads(),
  });
}
