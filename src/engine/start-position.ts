/** Where a reader begins: a cursor, a time, the last entries, the beginning, or now. */
import type { ChannelRef, Dot } from '../base/ids.js';
import { type Result, err, ok } from '../base/result.js';
import { planted } from '../base/planted.js';
import { encodeCursor, decodeCursor } from '../log/cursor.js';
import type { ChannelLog } from '../log/channel-log.js';
import { LogReader } from '../log/reader.js';
import { timestampFromUnixMs, timestampMax } from '../log/timestamp.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { Gap, Start } from '../protocol/messages.js';
import type { Scan } from './scan.js';

export interface StartPosition {
  readonly reader: LogReader;
  /** Told before anything else: the cursor named entries that no home has any more. */
  readonly lost?: Gap;
}

export async function startPosition(scan: Scan, start: Start): Promise<Result<StartPosition, Failure>> {
  const { log } = scan;
  switch (start.type) {
    case 'live':
      return ok({ reader: LogReader.atPosition(log, log.endPosition) });
    case 'last':
      return ok({
        reader: LogReader.atPosition(
          log,
          Math.max(log.firstPosition, log.generation.start, log.endPosition - start.count),
        ),
      });
    case 'beginning':
      // Not from what is left: what retention removed is told as a gap.
      return ok({ reader: LogReader.atPosition(log, log.generation.start) });
    case 'since':
      return ok({ reader: await readerSince(scan, start.unixMs) });
    case 'cursor':
      return await atCursor(scan, start.cursor);
  }
}

/** Where a scan begins, by cursor or time, else at the beginning, and the log that it is a place of: a place found in one
 *  that another home's has replaced meanwhile says nothing of that one, and is found anew. */
export async function scanStart(
  scan: Scan,
  from: Uint8Array | number | undefined,
): Promise<Result<StartPosition & { readonly log: ChannelLog }, Failure>> {
  for (;;) {
    const { log } = scan;
    const start = await startOf(scan, from);
    if (scan.log === log) return start.ok ? ok({ ...start.value, log }) : start;
  }
}

async function startOf(
  scan: Scan,
  from: Uint8Array | number | undefined,
): Promise<Result<StartPosition, Failure>> {
  if (from instanceof Uint8Array) return await atCursor(scan, from);
  return ok({
    reader:
      from === undefined
        ? LogReader.atPosition(scan.log, scan.log.generation.start)
        : await readerSince(scan, from),
  });
}

async function readerSince({ logs, ref, log }: Scan, unixMs: number): Promise<LogReader> {
  const timestamp = Math.min(timestampFromUnixMs(unixMs), timestampMax);
  return LogReader.atVector(log, await logs.seqsSince(ref, timestamp));
}

/** Parses a cursor of this channel. */
export function cursorHeads(ref: ChannelRef, cursor: Uint8Array): Result<readonly Dot[], Failure> {
  const heads = decodeCursor(ref, cursor);
  return heads.ok ? heads : err(failure('BAD_CURSOR', { channel: ref.channel }));
}

async function atCursor(scan: Scan, cursor: Uint8Array): Promise<Result<StartPosition, Failure>> {
  const { ref } = scan;
  const heads = cursorHeads(ref, cursor);
  if (!heads.ok) return heads;
  const reader = LogReader.atCursor(scan.log, heads.value);
  if (reader.ok) return ok({ reader: reader.value });
  if (planted('cursor-reset')) return ok({ reader: LogReader.atPosition(scan.log, scan.log.endPosition) });
  // A reader may have had at another node what is not here yet.
  const fetched = await scan.fetch(reader.error.missingHeads);
  if (fetched.type === 'lost') return atWhatIsLeft(ref, scan.log, heads.value);
  const again = fetched.type === 'held' ? LogReader.atCursor(scan.log, heads.value) : undefined;
  return again?.ok
    ? ok({ reader: again.value })
    : err(failure('UNAVAILABLE', { channel: ref.channel, retryAfterMs: 1000 }));
}

/** Every home answered and none has these heads: the reader goes on from what is held of their writers, and is told. */
function atWhatIsLeft(
  ref: ChannelRef,
  log: ChannelLog,
  heads: readonly Dot[],
): Result<StartPosition, Failure> {
  const held: Dot[] = [];
  const ranges = [];
  for (const { writer, seq } of heads) {
    const have = log.have(writer);
    if (have >= seq) held.push({ writer, seq });
    else {
      if (have > 0) held.push({ writer, seq: have });
      ranges.push({ writer, fromSeq: have + 1, toSeq: seq });
    }
  }
  const reader = LogReader.atCursor(log, held);
  if (!reader.ok) return err(failure('BAD_CURSOR', { channel: ref.channel }));
  const cursor = encodeCursor(ref, held);
  return ok({
    reader: reader.value,
    lost: { type: 'gap', channel: ref.channel, reason: 'lost', ranges, cursor },
  });
}
