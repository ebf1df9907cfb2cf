/** What readers were given, against the order of the channel at the end. */
import type { EntryEvent, Reader, ReaderEvent } from '../record.js';
import type { ChannelOrder } from './channel-order.js';
import { deletedIn, endsIn } from './deletions.js';
import type { Checker, Evidence } from './evidence.js';
import { Lines } from './lines.js';
import { type StoredEntry, dotText, givenUpKind } from './store-log.js';
import { trimmedIn } from './trims.js';
import { placeOf } from '../places.js';

function entriesOf({ events }: Reader): EntryEvent[] {
  return events.filter((event): event is EntryEvent => event.type === 'entry');
}

/** A cursor names the newest entries only: where these are lost with a disk, nobody knows what it stood for beside them, and
 *  the reader is told a gap and begins anew with what is left. What the same writers wrote before them it is known to have:
 *  what comes again and has its place before that is late. */
function isLoss(event: ReaderEvent): boolean {
  return event.type === 'gap' && event.reason === 'lost';
}

function* eachReader({ record, orders }: Evidence): Generator<readonly [Reader, ChannelOrder, string]> {
  const none: ChannelOrder = {
    entries: [],
    positions: new Map(),
    chain: new Set(),
    outside: [],
    isBelow: () => false,
  };
  for (const reader of record.readers)
    yield [reader, orders.get(reader.channel) ?? none, `${reader.name} in ${reader.channel}`];
}

/** I3, I4: what was delivered is in the log, as it was published. With a disk may go what was on that disk alone, and was
 *  delivered there at level `owner`: it is in the log no more, or was given up in it. */
export const deliveredIsStored: Checker = function* (evidence) {
  const isFirm = firmness(evidence);
  for (const [reader, { positions, entries }, who] of eachReader(evidence))
    for (const { dot, line } of entriesOf(reader)) {
      const stored = entries[positions.get(dotText(dot)) ?? -1];
      if (stored === undefined || (stored.kind === givenUpKind && !stored.isVoid)) {
        const mayGo = evidence.record.lostDisks.size > 0 && !isFirm(reader, dot);
        if (!mayGo) yield `${who} got ${dotText(dot)} (line ${line}), which is not in the log`;
      } else if (stored.line !== line)
        yield `${who} got line ${line} as ${dotText(dot)}, which is line ${stored.line}`;
    }
};

/** Entries that every disk had lost, as the log says. What such an entry stood on nobody knows any more: whoever had it may get
 *  that again, late. */
function givenUpIn({ entries }: ChannelOrder): string[] {
  return entries.flatMap(({ lost }) => {
    if (!lost) return [];
    const { writer, fromSeq, toSeq } = lost;
    return Array.from({ length: toSeq - fromSeq + 1 }, (_, i) => dotText({ writer, seq: fromSeq + i }));
  });
}

/** I14: nothing twice. A publish that two owners wrote surfaces once in each client: one that goes on from another's cursor
 *  does not know what that one surfaced. */
export const nothingTwice: Checker = function* (evidence) {
  for (const [reader, order, who] of eachReader(evidence)) {
    const dots = new Set<string>();
    const lines = new Lines(evidence.record);
    const givenUp = givenUpIn(order);
    for (const event of reader.events) {
      if (event.type === 'subscribed' && !event.resumed) lines.clear();
      if (isLoss(event)) for (const seen of [dots, lines]) seen.clear();
      if (event.type !== 'entry') continue;
      const { dot, line } = event;
      if (event.late && givenUp.some((each) => dots.has(each))) continue;
      if (dots.has(dotText(dot))) yield `${who} got ${dotText(dot)} twice`;
      // Pages of history are the log itself, where it may stand twice.
      else if (lines.seen(line) === 'known' && reader.phase !== 'history')
        yield `${who} got line ${line} twice`;
      dots.add(dotText(dot));
      lines.add(line);
    }
  }
};

/** I5: of one writer, later entries later. */
export const writersInOrder: Checker = function* (evidence) {
  for (const [reader, , who] of eachReader(evidence)) {
    const last = new Map<string, number>();
    for (const event of reader.events) {
      if (isLoss(event)) last.clear();
      if (event.type !== 'entry') continue;
      const { dot } = event;
      const before = last.get(dot.writer) ?? 0;
      if (dot.seq < before) yield `${who} got ${dotText(dot)} after ${dot.writer}-${before}`;
      last.set(dot.writer, Math.max(before, dot.seq));
    }
  }
};

/** Says of a channel's dots whether they were acknowledged at quorum. */
function firmness({ record }: Evidence): (reader: Reader, dot: EntryEvent['dot']) => boolean {
  const firm = new Set<string>();
  for (const { dot, level, line } of record.acks)
    if (dot && level === 'quorum') firm.add(`${record.of(line)?.channel} ${dotText(dot)}`);
  return ({ channel }, dot) => firm.has(`${channel} ${dotText(dot)}`);
}

/** I8, I15: all readers get the one order; what comes behind its place is marked, and nothing else is. Where something was
 *  written without a claim, deliveries may be in an order that is not final: then this is said of what was acknowledged at
 *  quorum alone, and a mark too many is none. */
export const oneOrderOrLate: Checker = function* (evidence) {
  const isFirm = firmness(evidence);
  for (const [reader, { positions, entries }, who] of eachReader(evidence)) {
    const isFinal = entries.every(({ round }) => round > 0);
    // Of all it had, and of what it had since it was told of a loss.
    let most = -1;
    let mostKnown = -1;
    for (const event of reader.events) {
      if (isLoss(event)) mostKnown = -1;
      if (event.type !== 'entry') continue;
      const { dot, late } = event;
      const position = positions.get(dotText(dot));
      if (position === undefined || entries[position]!.isVoid || !(isFinal || isFirm(reader, dot))) continue;
      if (position < mostKnown && !late)
        yield `${who} got ${dotText(dot)} behind its place, and not marked late`;
      if (position > most && late && isFinal)
        yield `${who} got ${dotText(dot)} in its place, and marked late`;
      most = Math.max(most, position);
      mostKnown = Math.max(mostKnown, position);
    }
  }
};

/** I13: no hole that was not told. */
export const nothingSkipped: Checker = function* (evidence) {
  for (const [reader, order, who] of eachReader(evidence)) {
    const { positions, entries } = order;
    const isTrimmed = trimmedIn(evidence, reader.channel);
    const got = entriesOf(reader).flatMap(({ dot }) => positions.get(dotText(dot)) ?? []);
    if (got.length === 0) continue;
    const had = new Set(got);
    // Of a publish that stands there twice one is enough.
    const lines = new Set(entriesOf(reader).map(({ line }) => line));
    // The beginning is that of the generation there was.
    const begun = endsIn(order).findLast((end) => positions.get(dotText(end))! < got[0]!);
    const beginning = begun ? positions.get(dotText(begun))! + 1 : 0;
    const first = reader.start === 'beginning' ? beginning : got[0]!;
    const last = got.reduce((most, position) => Math.max(most, position), 0);
    for (let i = first; i < last; i++) {
      const entry = entries[i]!;
      if (entry.line > 0 && !had.has(i) && !lines.has(entry.line) && !isInGap(reader, entry, isTrimmed)) {
        yield `${who} never got line ${entry.line} (${dotText(entry)}), and later ones`;
        break;
      }
    }
  }
};

type GapEvent = Extract<ReaderEvent, { type: 'gap' }>;

function isInGap(
  { events }: Reader,
  dot: EntryEvent['dot'],
  isTrimmed: (dot: EntryEvent['dot']) => boolean,
): boolean {
  return events.some(
    (event) => event.type === 'gap' && (!isOfTrims(event) || isTrimmed(dot)) && names(event, dot),
  );
}

function isOfTrims({ reason }: GapEvent): boolean {
  return reason === 'trimmed' || reason === 'forced';
}

/** A gap without ranges is one of everything. */
function names({ ranges }: GapEvent, { writer, seq }: EntryEvent['dot']): boolean {
  return (
    ranges.length === 0 ||
    ranges.some((range) => range.writer === writer && range.fromSeq <= seq && seq <= range.toSeq)
  );
}

/** I13: where nothing was lost no gap may be told but of what was trimmed before the reader got it, and of what only a node that
 *  is no home any more has until it brings it home. */
export const noNeedlessGap: Checker = function* (evidence) {
  if (evidence.record.lostDisks.size > 0) return;
  for (const [reader, order, who] of eachReader(evidence)) {
    const { entries, positions, isBelow } = order;
    const isDeleted = endsIn(order).length > 0;
    const trimmed = entries.filter(trimmedIn(evidence, reader.channel));
    const had = new Set<string>();
    let first = reader.start === 'beginning' ? 0 : undefined;
    for (const [i, event] of reader.events.entries()) {
      if (event.type === 'entry') {
        had.add(dotText(event.dot));
        first ??= positions.get(dotText(event.dot));
      }
      if (event.type !== 'gap' || (event.reason === 'lost' && isAway(evidence, reader.channel, event)))
        continue;
      // It goes on behind the gap.
      const next = reader.events.slice(i).find((one) => one.type === 'entry' && !one.late) as
        | EntryEvent
        | undefined;
      const end = next && positions.get(dotText(next.dot));
      // What was written beside its first entry may have its place before that one.
      const isPast = (entry: StoredEntry, position: number): boolean =>
        first !== undefined && position < first && isBelow(entry, entries[first]!);
      const missed = trimmed
        .slice(0, end)
        .filter((entry, position) => !isPast(entry, position) && !had.has(dotText(entry)));
      // Between two gaps there may be entries that are not shown.
      const isNext = reader.events.slice(0, i).findLast(isGapOrEntry)?.type === 'gap';
      if (event.reason === 'deleted' && isDeleted) continue;
      const isForced = event.reason !== 'forced' || entries.some(({ trim }) => trim?.forced);
      if (!isOfTrims(event) || !isForced || (missed.length === 0 && !isNext))
        yield `${who} was told of a gap: ${event.reason}`;
      for (const entry of missed) if (names(event, entry)) had.add(dotText(entry));
    }
  }
};

/** Whether no home of then had any of it when the gap was told. */
function isAway(
  { disks, rings, homesOf, isRingChanging }: Evidence,
  channel: string,
  gap: GapEvent,
): boolean {
  if (!isRingChanging) return false;
  const sets = rings?.homesAt(channel, gap.atMs) ?? [homesOf(channel).map(({ node }) => node)];
  return sets.some((homes) => hadNone(disks, channel, gap, homes));
}

function hadNone(
  disks: Evidence['disks'],
  channel: string,
  gap: GapEvent,
  homes: readonly string[],
): boolean {
  return gap.ranges.every(({ writer, fromSeq, toSeq }) =>
    disks.every((disk) => {
      for (let seq = fromSeq; homes.includes(disk.node) && seq <= toSeq; seq++)
        if ((disk.syncedAt(placeOf(channel), writer, seq) ?? Infinity) <= gap.atMs) return false;
      return true;
    }),
  );
}

/** I18: a last page of a log that has an entry goes as far as that entry. */
export const ownWritesAreRead: Checker = function* (evidence) {
  for (const [reader, , who] of eachReader(evidence)) {
    const isTrimmed = trimmedIn(evidence, reader.channel);
    const isDeleted = deletedIn(evidence, reader.channel);
    for (const [i, event] of reader.events.entries()) {
      if (event.type !== 'page' || event.more || !event.including) continue;
      const dot = event.including;
      const before = { ...reader, events: reader.events.slice(0, i) };
      const had = entriesOf(before).some((entry) => dotText(entry.dot) === dotText(dot));
      if (!had && !isDeleted(dot) && !isInGap(before, dot, isTrimmed))
        yield `${who} asked for a log that has ${dotText(dot)}, and got one without it`;
    }
  }
};

const isGapOrEntry = ({ type }: ReaderEvent): boolean => type === 'gap' || type === 'entry';

/** I15: where everybody asks for quorum and takes nothing less, nothing ever comes behind its place. */
export const neverLateAtQuorum: Checker = function* (evidence) {
  for (const [reader, , who] of eachReader(evidence)) {
    if (!evidence.strict.has(reader.channel)) continue;
    const late = entriesOf(reader).find((event) => event.late);
    if (late) yield `${who} got ${dotText(late.dot)} marked late`;
  }
};

/** I15: a mark is exact. What was written without a claim is delivered in an order that is not final, and so is what it stands
 *  on; behind the last such entry of a reader everything comes in the final order. */
export const lateIsExact: Checker = function* (evidence) {
  for (const [reader, { positions, entries }, who] of eachReader(evidence)) {
    const positionOf = (event: ReaderEvent): number | undefined =>
      event.type === 'entry' ? positions.get(dotText(event.dot)) : undefined;
    const isProvisional = (event: ReaderEvent): boolean => {
      const position = positionOf(event);
      return event.type === 'entry' && (position === undefined || entries[position]!.round === 0);
    };
    const finalFrom = reader.events.findLastIndex(isProvisional) + 1;
    const lastPlaces = new Map(entries.map(({ line }, position) => [line, position]));
    // Of all it had, and of what it had since it was told of a loss.
    let most = -1;
    let mostKnown = -1;
    // Of a publish that two owners wrote the client shows one; it may have got the other one too.
    let mostHidden = -1;
    // What turns out to be void is beside everything, until it is known to be.
    let hadVoid = false;
    for (const [i, event] of reader.events.entries()) {
      if (isLoss(event)) mostKnown = -1;
      const position = positionOf(event);
      if (position !== undefined && entries[position]!.isVoid) hadVoid = true;
      if (event.type !== 'entry' || position === undefined || entries[position]!.isVoid) continue;
      if (i >= finalFrom && position < mostKnown && !event.late)
        yield `${who} got ${dotText(event.dot)} behind its place, and not marked late`;
      if (i >= finalFrom && position > Math.max(most, mostHidden) && event.late && !hadVoid)
        yield `${who} got ${dotText(event.dot)} in its place, and marked late`;
      most = Math.max(most, position);
      mostKnown = Math.max(mostKnown, position);
      mostHidden = Math.max(mostHidden, lastPlaces.get(event.line) ?? -1);
    }
  }
};
