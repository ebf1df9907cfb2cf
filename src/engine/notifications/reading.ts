/** Pages of notifications, newest or oldest first: those that are not read, which the fold names, or all that the log has. */
import { type WriterId, dotText } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import { encodeCursor } from '../../log/cursor.js';
import type { Entry } from '../../log/entry.js';
import { iterateRecords } from '../../log/entry-wire.js';
import { LogReader } from '../../log/reader.js';
import { timestampFromUnixMs } from '../../log/timestamp.js';
import type { Inbox, Item } from '../../notifications/inbox.js';
import { readNotification } from '../../notifications/notification.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type {
  ListedNotification,
  NotificationPage,
  NotificationState,
  NotificationsMessage,
} from '../../protocol/messages.js';
import type { ActiveChannel } from '../active-channel.js';
import type { Core } from '../core.js';
import type { ReadRange } from '../ports.js';
import { positionOf, readable } from '../documents/reading.js';
import { FoldUnreadableError, entryOf, isNothing } from '../folds/log-fold.js';
import { onlyOfKind } from '../folds/only-of-kind.js';
import { type ScanItem, scanBackward, scanForward } from '../history.js';
import { isNowhere } from '../missing.js';
import { type Scan, scanOf } from '../scan.js';
import { infoOf } from './notifications.js';

export async function notificationPage(
  core: Core,
  channel: ActiveChannel,
  request: NotificationsMessage,
): Promise<Result<NotificationPage, Failure>> {
  const { ref } = channel;
  const wrong = onlyOfKind('notification', ref);
  if (wrong) return err(wrong);
  return await readable(channel, async () => {
    const folded = await core.notifications.now(channel);
    if (!folded) return err(failure('UNAVAILABLE', { channel: ref.channel, retryAfterMs: 200 }));
    const { log } = channel;
    const info = infoOf(channel, folded);
    const { forward, cursor, sinceUnixMs, untilUnixMs } = request;
    // Where time ends the page at one side it begins there.
    const from = await positionOf(core, channel, cursor ?? (forward ? (sinceUnixMs ?? 0) : untilUnixMs));
    if (!from.ok) return from;
    if (channel.log !== log) throw new FoldUnreadableError('The log was replaced.');
    const page = new PageBuilder(channel, request, folded.fold);
    const scan = { ...scanOf(core, channel), log };
    const start = Math.min(Math.max(from.value, log.firstPosition), folded.position);
    const found = request.unread ? unreadFrom(scan, folded.fold, start, page) : allFrom(scan, start, forward);
    for await (const item of found) if (!page.take(item)) break;
    return ok({ channel: ref.channel, info, ...page.done(start) });
  });
}

/** An entry of the order and its place. */
interface Placed {
  readonly entry: Entry;
  readonly position: number;
}

async function* allFrom(scan: Scan, start: number, forward: boolean): AsyncGenerator<Placed> {
  const { log } = scan;
  const items = forward ? scanForward(scan, LogReader.atPosition(log, start)) : scanBackward(scan, start);
  for await (const item of items) {
    const placed = placedOf(scan, item);
    if (placed) yield placed;
  }
}

function placedOf(scan: Scan, item: ScanItem): Placed | undefined {
  if (item.type === 'record') {
    if (isNothing(scan.log, item)) return undefined;
    const entry = entryOf(scan.ref, item);
    return { entry, position: scan.log.positionOf(entry) ?? 0 };
  }
  // What nobody has any more is no notification; what only this node cannot read is waited for.
  const { ranges, reason } = item.gap;
  if (reason === 'damaged' && !ranges.every((range) => isNowhere(scan.log, range))) throw unreadable();
  return undefined;
}

/** So many are read at once, where a page may have them. */
const batchItems = 64;

async function* unreadFrom(
  scan: Scan,
  inbox: Inbox,
  start: number,
  { request }: PageBuilder,
): AsyncGenerator<Placed> {
  const { log } = scan;
  const { forward, limit = limits.notificationsPageDefault } = request;
  let batch: PlacedItem[] = [];
  for (const item of forward ? inbox : inbox.backward()) {
    if (item.state !== 'unread') continue;
    const position = log.positionOf(item);
    if (position === undefined || (forward ? position < start : position >= start)) continue;
    batch.push({ item, position });
    if (batch.length < Math.min(batchItems, limit)) continue;
    yield* entriesOf(scan, batch);
    batch = [];
  }
  yield* entriesOf(scan, batch);
}

interface PlacedItem {
  readonly item: Item;
  readonly position: number;
}

async function* entriesOf(scan: Scan, batch: readonly PlacedItem[]): AsyncGenerator<Placed> {
  const read = await readAtOnce(scan, batch);
  for (const { item, position } of batch) {
    const entry = read.get(dotText(item)) ?? (await entryAt(scan, item));
    if (entry) yield { entry, position };
  }
}

/** What of them comes by one read, by id: not all, where they are long, or one of them is missing. */
async function readAtOnce(scan: Scan, batch: readonly PlacedItem[]): Promise<Map<string, Entry>> {
  const wanted = new Set(batch.map(({ item }) => dotText(item)));
  const ranges = rangesOf(batch.map(({ item }) => item));
  const { slices } = await scan.logs.read(scan.ref, ranges, limits.replayChunkBytes);
  const read = new Map<string, Entry>();
  for (const slice of slices) {
    for (const record of iterateRecords(slice.records)) {
      const id = dotText({ writer: slice.writer, seq: record.seq });
      if (wanted.has(id)) read.set(id, entryOf(scan.ref, { slice, ...record }));
    }
  }
  return read;
}

/** So many entries between two of them are read with them. */
const joinedGap = 4;

/** Near ones of one writer together. */
function rangesOf(items: readonly Item[]): ReadRange[] {
  const ranges: ReadRange[] = [];
  const open = new Map<WriterId, { writer: WriterId; firstSeq: number; count: number }>();
  for (const { writer, seq } of [...items].sort((a, b) => a.seq - b.seq)) {
    const last = open.get(writer);
    if (last && seq - last.firstSeq - last.count <= joinedGap) last.count = seq + 1 - last.firstSeq;
    else {
      const range = { writer, firstSeq: seq, count: 1 };
      ranges.push(range);
      open.set(writer, range);
    }
  }
  return ranges;
}

async function entryAt(scan: Scan, { writer, seq }: Item): Promise<Entry | undefined> {
  const range = { writer, firstSeq: seq, count: 1 };
  const { slices } = await scan.logs.read(scan.ref, [range], limits.replayChunkBytes);
  const [slice] = slices;
  const [record] = slice ? iterateRecords(slice.records) : [];
  if (slice && record) return entryOf(scan.ref, { slice, ...record });
  // Counted before it was lost.
  if (isNowhere(scan.log, { writer, fromSeq: seq, toSeq: seq })) return undefined;
  throw unreadable();
}

function unreadable(): FoldUnreadableError {
  return new FoldUnreadableError('An entry cannot be read.');
}

class PageBuilder {
  readonly #notifications: ListedNotification[] = [];
  readonly #limit: number;
  readonly #since: number;
  readonly #until: number;
  #bytes = 0;
  #scanned = 0;
  #isMore = false;
  /** The next page begins with it, or in backward order before it. */
  #next: number | undefined;

  constructor(
    readonly channel: ActiveChannel,
    readonly request: NotificationsMessage,
    readonly inbox: Inbox,
  ) {
    const { limit = limits.notificationsPageDefault, sinceUnixMs, untilUnixMs } = request;
    this.#limit = Math.min(limit, limits.notificationsPageMax);
    this.#since = sinceUnixMs === undefined ? 0 : timestampFromUnixMs(sinceUnixMs);
    this.#until = untilUnixMs === undefined ? Infinity : timestampFromUnixMs(untilUnixMs);
  }

  /** False when the page is full; what did not fit is on the next. */
  take({ entry, position }: Placed): boolean {
    const listed = this.#listed(entry);
    if (listed && !this.#hasRoomFor(listed.value.length)) {
      this.#isMore = true;
      return false;
    }
    this.#next = this.request.forward ? position + 1 : position;
    if (listed) {
      this.#notifications.push(listed);
      this.#bytes += listed.value.length;
    }
    this.#isMore = ++this.#scanned >= limits.queryScanEntriesMax;
    return !this.#isMore;
  }

  done(start: number): Omit<NotificationPage, 'channel' | 'info'> {
    const { ref, log } = this.channel;
    return {
      notifications: this.#notifications,
      cursor: encodeCursor(ref, log.headsAt(this.#next ?? start)),
      more: this.#isMore,
    };
  }

  #hasRoomFor(bytes: number): boolean {
    const { length } = this.#notifications;
    return length < this.#limit && (length === 0 || this.#bytes + bytes <= limits.historyBytesMax);
  }

  #listed(entry: Entry): ListedNotification | undefined {
    const { kind, timestamp, writer, seq, actor, content } = entry;
    if (kind !== 'notification' || !content || timestamp < this.#since || timestamp >= this.#until)
      return undefined;
    const facts = readNotification(content.payload);
    if (!facts.ok) return undefined;
    return {
      dot: { writer, seq },
      timestamp,
      ...(actor === undefined ? {} : { actor }),
      state: this.inbox.find(entry)?.state ?? this.#stateOfOld(facts.value.expiresAtMs),
      value: content.payload,
    };
  }

  /** Of one that is too old to count. */
  #stateOfOld(expiresAtMs = Infinity): NotificationState {
    const hasExpired = timestampFromUnixMs(expiresAtMs) <= this.channel.log.lastTimestamp;
    return hasExpired ? 'expired' : 'read';
  }
}
