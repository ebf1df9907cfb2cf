/** Claims, from the entries that were stamped under them and from the times at which disks had these. */
import { type SeenAck, compareClaims } from '../record.js';
import type { ChannelOrder } from './channel-order.js';
import type { Checker, Evidence } from './evidence.js';
import { dotText, givenUpKind, type StoredEntry } from './store-log.js';
import { placeOf } from '../places.js';

/** What one owner stamped under one claim. */
interface Stint {
  readonly round: number;
  readonly writer: string;
  /** By rising seq. */
  readonly entries: readonly StoredEntry[];
}

function stintsOf({ entries, outside }: ChannelOrder): Stint[] {
  const stints = new Map<string, Stint & { entries: StoredEntry[] }>();
  for (const entry of [...entries, ...outside]) {
    const { round, writer } = entry;
    if (round === 0) continue;
    const key = `${round} ${writer}`;
    let stint = stints.get(key);
    if (!stint) stints.set(key, (stint = { round, writer, entries: [] }));
    stint.entries.push(entry);
  }
  for (const { entries: own } of stints.values()) own.sort((a, b) => a.seq - b.seq);
  return [...stints.values()].sort(compareClaims);
}

/** How many homes had the entry on a disk by then. */
function copiesBy(evidence: Evidence, channel: string, { writer, seq }: StoredEntry, atMs: number): number {
  const nodes = new Set<string>();
  for (const disk of evidence.disks) {
    const syncedMs = disk.syncedAt(placeOf(channel), writer, seq);
    if (syncedMs !== undefined && syncedMs <= atMs) nodes.add(disk.node);
  }
  return nodes.size;
}

function firstSynced(evidence: Evidence, channel: string, { writer, seq }: StoredEntry): number {
  const times = evidence.disks.flatMap((disk) => disk.syncedAt(placeOf(channel), writer, seq) ?? []);
  return Math.min(...times);
}

/** The highest claim under which, by then, enough homes had the entry or one that stands on it. It may be too high, never
 *  too low: copies count here by whatever way they came. */
function countedUnder(
  evidence: Evidence,
  { channel, order, stints }: Place,
  entry: StoredEntry,
  { line, atMs }: SeenAck,
): Stint | undefined {
  const needs = appendQuorumOf(evidence, channel, evidence.record.of(line)!.sentMs, atMs);
  for (let i = stints.length - 1; i >= 0; i--) {
    const stint = stints[i]!;
    // Homes hold a writer's entries without holes: the oldest that stands on it has the most copies.
    const above = oldestAbove(order, stint.entries, entry);
    if (above && copiesBy(evidence, channel, above, atMs) >= needs) return stint;
  }
  return undefined;
}

/** A later entry of a writer stands on all that an earlier one does. */
function oldestAbove(
  order: ChannelOrder,
  entries: readonly StoredEntry[],
  entry: StoredEntry,
): StoredEntry | undefined {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (order.isBelow(entry, entries[middle]!)) high = middle;
    else low = middle + 1;
  }
  return entries[low];
}

interface Place {
  readonly channel: string;
  readonly order: ChannelOrder;
  readonly stints: readonly Stint[];
}

interface Missed {
  readonly what: string;
  readonly isLater: boolean;
}

/** Two checkers ask, and one run answers both. */
const missed = new WeakMap<Evidence, readonly Missed[]>();

/** Acks at level quorum that a higher claim knows nothing of: either its owner did not hear of them before it stamped, or a
 *  fenced owner's acks were counted after it did. */
function missedByClaims(evidence: Evidence): readonly Missed[] {
  let found = missed.get(evidence);
  if (!found) missed.set(evidence, (found = [...findMissed(evidence)]));
  return found;
}

function* findMissed(evidence: Evidence): Generator<Missed, void, undefined> {
  for (const [channel, order] of evidence.orders) {
    const stints = stintsOf(order);
    const place: Place = { channel, order, stints };
    for (const ack of evidence.record.acks) {
      const entry = ackedEntry(evidence, channel, order, ack);
      const counted = entry && countedUnder(evidence, place, entry, ack);
      if (!entry || !counted) continue;
      for (const stint of stints) {
        const first = stint.entries[0]!;
        if (compareClaims(stint, counted) <= 0 || order.isBelow(entry, first)) continue;
        // What named the entry is gone, as the log says.
        const before = order.positions.get(dotText({ writer: first.writer, seq: first.seq - 1 }));
        if (before !== undefined && order.entries[before]!.kind === givenUpKind) continue;
        const isLater = firstSynced(evidence, channel, first) > ack.atMs;
        const claim = `claim ${stint.round} of ${stint.writer}`;
        yield { isLater, what: `${claim} in ${channel} does not stand on ${dotText(entry)}, ${toldOf(ack)}` };
        break;
      }
    }
  }
}

function ackedEntry(
  { record }: Evidence,
  channel: string,
  { positions, entries, outside }: ChannelOrder,
  { dot, level, line }: SeenAck,
): StoredEntry | undefined {
  if (!dot || level !== 'quorum' || record.of(line)?.channel !== channel) return undefined;
  const position = positions.get(dotText(dot));
  if (position !== undefined) return entries[position];
  return outside.find((entry) => dotText(entry) === dotText(dot));
}

function toldOf({ node, atMs, line }: SeenAck): string {
  return `line ${line}, acked by ${node} at ${Math.round(atMs)} ms`;
}

/** The fewest disks that were enough at any time in between. */
function appendQuorumOf({ homesOf, rings }: Evidence, channel: string, fromMs: number, toMs: number): number {
  return rings?.leastQuorum(channel, fromMs, toMs) ?? Math.floor(homesOf(channel).length / 2) + 1;
}

/** I9: what was acked at quorum is known to every later owner before it stamps. */
export const claimsSeeAcks: Checker = function* (evidence) {
  for (const { what, isLater } of missedByClaims(evidence)) if (isLater) yield what;
};

/** R4: once an owner stamps under a higher claim, the acks of the one before it count for nothing. */
export const oneOwnerCounts: Checker = function* (evidence) {
  for (const { what, isLater } of missedByClaims(evidence)) if (!isLater) yield what;
};

/** R36: an owner heard from enough other homes, in this process, before it stamped under its claim. */
export const noLonelyClaim: Checker = function* (evidence) {
  const { record, homesOf, isRingChanging } = evidence;
  // The homes of then are not known.
  if (isRingChanging) return;
  for (const [channel, claims] of record.claims) {
    const homes = homesOf(channel).map(({ node }) => node);
    const needs = homes.length - Math.floor(homes.length / 2) - 1;
    for (const { writer, round, sinceMs } of claims) {
      const process = record.writers.get(writer)?.process;
      if (!process) continue;
      const heard = homes.filter((home) => (process.heard.get(home) ?? Infinity) <= sinceMs);
      if (heard.length < needs)
        yield `${process.node} stamps in ${channel} under claim ${round} of ${writer}, and heard from ${heard.length} other homes`;
    }
  }
};
