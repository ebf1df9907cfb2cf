/** Pages of a channel's log, in both directions, by cursor, time and count: for clients, and with filters for
 *  administrators. Both read whole verified records and tell what could not be read. */
import { limits } from '../base/limits.js';
import type { ChannelRef, Dot } from '../base/ids.js';
import { type Result, ok } from '../base/result.js';
import { encodeCursor } from '../log/cursor.js';
import type { ChannelLog } from '../log/channel-log.js';
import type { LostRange, Timestamp } from '../log/entry.js';
import { RecordWalk, recordTimestamp } from '../log/entry-wire.js';
import type { EntriesStep, LogReader } from '../log/reader.js';
import { timestampFromUnixMs } from '../log/timestamp.js';
import type { Failure } from '../protocol/errors.js';
import type { DeliverySlice, Gap, HistoryMessage } from '../protocol/messages.js';
import type { HistoryPage } from './api.js';
import { included } from './including.js';
import { reasonOf } from './missing.js';
import type { MissingRange, RecordSlice } from './ports.js';
import type { Readable, Scan } from './scan.js';
import { cursorHeads, scanStart } from './start-position.js';

/** One record, or something in its place that could not be read. */
export type ScanItem =
  | {
      readonly type: 'record';
      readonly slice: RecordSlice;
      readonly seq: number;
      readonly start: number;
      readonly bodyStart: number;
      readonly end: number;
      readonly timestamp: Timestamp;
      readonly late: boolean;
    }
  | { readonly type: 'gap'; readonly gap: Gap };

/** Entries of one writer in their order, or something in their place that could not be read. */
export type ScanPart =
  | { readonly type: 'records'; readonly slice: RecordSlice; readonly step: EntriesStep }
  | { readonly type: 'gap'; readonly gap: Gap };

/** What is behind the reader's place, in the one order, up to the end of the log. Whoever takes records says so to the
 *  reader before asking on. */
export async function* scanParts({ logs, ref, log }: Readable, reader: LogReader): AsyncGenerator<ScanPart> {
  for (;;) {
    const step = reader.next(log, limits.replayEntriesMax);
    if (step.type === 'end') return;
    if (step.type === 'gap') {
      reader.advance(step);
      const { reason, ranges } = step;
      yield { type: 'gap', gap: gapAt(ref, reader.heads(log), { reason, ranges }) };
      continue;
    }
    const read = await logs.read(ref, [step], limits.replayChunkBytes);
    for (const part of inOrder(read.slices, read.missing)) {
      const { firstSeq, count } = 'records' in part ? part : extentOf(part);
      const taken = { ...step, firstSeq, count };
      if ('records' in part) yield { type: 'records', slice: part, step: taken };
      else {
        reader.advance(taken);
        const reason = reasonOf(log, part);
        yield { type: 'gap', gap: gapAt(ref, reader.heads(log), { reason, ranges: [part] }) };
      }
    }
  }
}

function extentOf({ fromSeq, toSeq }: MissingRange): { firstSeq: number; count: number } {
  return { firstSeq: fromSeq, count: toSeq - fromSeq + 1 };
}

function gapAt(ref: ChannelRef, heads: readonly Dot[], what: Pick<Gap, 'reason' | 'ranges'>): Gap {
  return { type: 'gap', channel: ref.channel, ...what, cursor: encodeCursor(ref, heads) };
}

/** The same one by one, as the reader takes them. */
export async function* scanForward(scan: Readable, reader: LogReader): AsyncGenerator<ScanItem> {
  for await (const part of scanParts(scan, reader)) {
    if (part.type === 'gap') yield part;
    else {
      const { slice, step } = part;
      let seq = step.firstSeq;
      for (const record of recordsOf(slice)) {
        reader.advance({ ...step, firstSeq: seq, count: 1 });
        yield { type: 'record', slice, seq: seq++, ...record, late: step.late };
      }
    }
  }
}

/** Entries of one writer in their order, or something in their place that could not be read, and where the first of them
 *  stands. */
export type PlacedPart = (Pick<Extract<ScanPart, { type: 'records' }>, 'type' | 'slice'> | GapPart) & {
  readonly position: number;
};

type GapPart = Extract<ScanPart, { type: 'gap' }>;

/** What is before `position`, the newest parts first, down to what retention left. */
export async function* partsBackward(
  { logs, ref, log }: Readable,
  position: number,
): AsyncGenerator<PlacedPart> {
  const start = Math.max(log.firstPosition, log.generation.start);
  let to = position;
  while (to > start) {
    const from = Math.max(start, to - backwardChunkEntries);
    for (const span of [...log.generation.present(log.spans(from, to))].reverse()) {
      const parts = await readWhole(logs, ref, span);
      for (const part of parts.reverse()) {
        const isRead = 'records' in part;
        const at = span.position + (isRead ? part.firstSeq : part.fromSeq) - span.firstSeq;
        if (isRead) yield { type: 'records', slice: part, position: at };
        else {
          const gap = gapAt(ref, log.headsAt(at), { reason: reasonOf(log, part), ranges: [part] });
          yield { type: 'gap', gap, position: at };
        }
      }
    }
    to = from;
  }
}

/** Entries before `position`, newest first, down to what retention left. */
export async function* scanBackward(
  scan: Readable,
  position: number,
): AsyncGenerator<ScanItem & { readonly position: number }> {
  for await (const part of partsBackward(scan, position)) {
    if (part.type === 'gap') {
      yield part;
      continue;
    }
    const { slice } = part;
    const records = recordsOf(slice);
    for (let i = records.length - 1; i >= 0; i--) {
      const placed = { seq: slice.firstSeq + i, position: part.position + i };
      yield { type: 'record', slice, ...placed, ...records[i]!, late: false };
    }
  }
}

const backwardChunkEntries = 256;

function recordsOf({ records }: RecordSlice) {
  const out: { start: number; bodyStart: number; end: number; timestamp: Timestamp }[] = [];
  for (const walk = new RecordWalk(records); walk.next();) {
    const { start, bodyStart, end } = walk;
    out.push({ start, bodyStart, end, timestamp: recordTimestamp(records, bodyStart) });
  }
  return out;
}

/** All of a span, in order, in as many reads as its bytes need. */
async function readWhole(
  logs: Readable['logs'],
  ref: ChannelRef,
  span: { writer: RecordSlice['writer']; firstSeq: number; count: number },
) {
  const parts: (RecordSlice | MissingRange)[] = [];
  let next = span.firstSeq;
  const end = span.firstSeq + span.count;
  while (next < end) {
    const read = await logs.read(
      ref,
      [{ writer: span.writer, firstSeq: next, count: end - next }],
      limits.replayChunkBytes,
    );
    const got = inOrder(read.slices, read.missing);
    if (got.length === 0) break;
    parts.push(...got);
    const last = got[got.length - 1]!;
    next = 'records' in last ? last.firstSeq + last.count : last.toSeq + 1;
  }
  return parts;
}

/** What was read, and what could not be, by seq. */
export function inOrder(
  slices: readonly RecordSlice[],
  missing: readonly MissingRange[],
): (RecordSlice | MissingRange)[] {
  if (missing.length === 0) return [...slices];
  return [...slices, ...missing].sort(
    (a, b) => ('records' in a ? a.firstSeq : a.fromSeq) - ('records' in b ? b.firstSeq : b.fromSeq),
  );
}

/** A page for a client. Bounded by entries and bytes; `cursor` goes on where it ended. */
export async function historyPage(
  scan: Scan,
  request: HistoryMessage,
): Promise<Result<HistoryPage, Failure>> {
  const limit = Math.min(request.limit ?? limits.historyEntriesDefault, limits.historyEntriesMax);
  const since = request.sinceUnixMs === undefined ? 0 : timestampFromUnixMs(request.sinceUnixMs);
  const until = request.untilUnixMs === undefined ? Infinity : timestampFromUnixMs(request.untilUnixMs);
  const page = new PageBuilder(scan.ref, limit);
  const lost = request.including ? await included(scan, request.including) : ok([]);
  if (!lost.ok) return lost;
  if (lost.value.length > 0) page.lacks(lost.value, scan.log);
  return request.backward
    ? backwardPage(scan, request, { since, until }, page)
    : forwardPage(scan, request, { since, until }, page);
}

interface TimeRange {
  readonly since: Timestamp;
  readonly until: Timestamp;
}

async function forwardPage(
  scan: Scan,
  request: HistoryMessage,
  time: TimeRange,
  page: PageBuilder,
): Promise<Result<HistoryPage, Failure>> {
  const start = await scanStart(scan, request.cursor ?? request.sinceUnixMs);
  if (!start.ok) return start;
  const { reader, log, lost } = start.value;
  if (lost) page.gaps.push(lost);
  let heads = reader.heads(log);
  for await (const item of scanForward({ ...scan, log }, reader)) {
    if (item.type === 'gap') page.gaps.push(item.gap);
    else if (item.timestamp >= time.since && item.timestamp < time.until) {
      if (!page.hasRoomFor(item.end - item.start)) return ok(page.done(heads, true));
      page.add(item);
    }
    page.scanned++;
    heads = reader.heads(log);
    if (page.scanned >= limits.queryScanEntriesMax) return ok(page.done(heads, true));
  }
  return ok(page.done(heads, false));
}

async function backwardPage(
  scan: Scan,
  request: HistoryMessage,
  time: TimeRange,
  page: PageBuilder,
): Promise<Result<HistoryPage, Failure>> {
  const { ref, log } = scan;
  let position = log.endPosition;
  if (request.cursor) {
    const heads = cursorHeads(ref, request.cursor);
    if (!heads.ok) return heads;
    position = positionCovered(log, heads.value);
  }
  for await (const item of scanBackward(scan, position)) {
    if (item.type === 'gap') page.gaps.push(item.gap);
    else if (item.timestamp >= time.since && item.timestamp < time.until) {
      if (!page.hasRoomFor(item.end - item.start)) return ok(page.done(log.headsAt(position), true));
      page.add(item);
    }
    position = item.position;
    if (++page.scanned >= limits.queryScanEntriesMax)
      return ok(page.done(log.headsAt(position), position > log.firstPosition));
  }
  return ok(page.done(log.headsAt(log.firstPosition), false));
}

/** Positions a cursor covers: up to its newest head that is in the order. */
export function positionCovered(log: ChannelLog, heads: readonly Dot[]): number {
  let position = 0;
  for (const head of heads) position = Math.max(position, (log.positionOf(head) ?? -1) + 1);
  return position;
}

class PageBuilder {
  readonly gaps: Gap[] = [];
  scanned = 0;
  readonly #deliveries: DeliverySlice[] = [];
  #entries = 0;
  #bytes = 0;

  constructor(
    readonly ref: ChannelRef,
    readonly limit: number,
  ) {}

  hasRoomFor(bytes: number): boolean {
    return (
      this.#entries < this.limit && (this.#entries === 0 || this.#bytes + bytes <= limits.historyBytesMax)
    );
  }

  /** What was asked for and no home has. */
  lacks(ranges: readonly LostRange[], log: ChannelLog): void {
    const cursor = encodeCursor(this.ref, log.headsAt(log.firstPosition));
    this.gaps.push({ type: 'gap', channel: this.ref.channel, reason: 'lost', ranges, cursor });
  }

  add(item: ScanItem & { type: 'record' }): void {
    this.#entries++;
    this.#bytes += item.end - item.start;
    const { slice } = item;
    this.#deliveries.push({
      channel: this.ref.channel,
      writer: slice.writer,
      round: slice.round,
      late: item.late,
      records: slice.records.subarray(item.start, item.end),
    });
  }

  done(heads: readonly Dot[], more: boolean): HistoryPage {
    return {
      channel: this.ref.channel,
      deliveries: joined(this.#deliveries),
      gaps: this.gaps,
      cursor: encodeCursor(this.ref, heads),
      more,
    };
  }
}

/** Neighbouring records of one slice become one delivery again. */
function joined(deliveries: readonly DeliverySlice[]): DeliverySlice[] {
  const out: DeliverySlice[] = [];
  for (const delivery of deliveries) {
    const last = out.at(-1);
    const adjacent =
      last &&
      last.writer === delivery.writer &&
      last.round === delivery.round &&
      last.late === delivery.late &&
      last.records.buffer === delivery.records.buffer &&
      last.records.byteOffset + last.records.length === delivery.records.byteOffset;
    if (!adjacent) out.push(delivery);
    else
      out[out.length - 1] = {
        ...last,
        records: new Uint8Array(
          last.records.buffer,
          last.records.byteOffset,
          last.records.length + delivery.records.length,
        ),
      };
  }
  return out;
}
