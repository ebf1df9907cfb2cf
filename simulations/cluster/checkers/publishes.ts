/** What publishers were told, against the disks. */
import type { ClusterRecord, Publish, SeenDot } from '../record.js';
import { deletedIn, endsIn } from './deletions.js';
import type { Checker } from './evidence.js';
import { type StoreLog, type StoredEntry, dotText, givenUpKind } from './store-log.js';
import { trimmedIn } from './trims.js';

function entryAt({ channels }: StoreLog, channel: string, { writer, seq }: SeenDot): StoredEntry | undefined {
  const entries = channels.get(channel)?.writers.get(writer);
  const first = entries?.[0];
  if (!entries || !first) return undefined;
  const likely = entries[seq - first.seq];
  return likely?.seq === seq ? likely : entries.find((entry) => entry.seq === seq);
}

/** I1, I2: what was acked is on every node at the end or was trimmed there, as long as one of the disks that held it then is there. */
export const ackedIsKept: Checker = function* (evidence) {
  const { record, homesOf, everAt } = evidence;
  const deleted = new Map<string, (dot: SeenDot) => boolean>();
  for (const { line, dot, level, holders, node } of record.acks) {
    if (!dot || level === 'memory') continue;
    if (holders.length > 0 && holders.every((disk) => record.lostDisks.has(disk))) continue;
    const { channel } = record.of(line)!;
    const isDeleted = deleted.get(channel) ?? deletedIn(evidence, channel);
    deleted.set(channel, isDeleted);
    // Who wrote beside the end of a generation was told of one copy.
    if (level === 'owner' && isDeleted(dot)) continue;
    for (const store of homesOf(channel)) {
      const isTrimmed = dot.seq <= (store.channels.get(channel)?.floors?.get(dot.writer) ?? 0);
      const entry = isTrimmed ? everAt(channel, dot.writer, dot.seq) : entryAt(store, channel, dot);
      const what = `line ${line}, acked by ${node} at ${level} as ${dotText(dot)} in ${channel},`;
      if (!entry) yield `${what} is not on ${store.node}`;
      else if (entry.line !== line) yield `${what} is line ${entry.line} on ${store.node}`;
    }
  }
};

/** I23: acks claim what is; what a quorum is, the ring says that held between the publish and its ack. A node that lost a disk and
 *  got the entry back is one copy on two disks. */
export const acksAreHonest: Checker = function* ({ record, homesOf, rings, disks }) {
  for (const { line, dot, level, copies, holders, node, atMs } of record.acks) {
    if (!dot) {
      if (level !== 'memory') yield `${node} acks line ${line} at ${level} without an entry`;
      continue;
    }
    const what = `${node} acks line ${line} at ${level} with ${copies} copies`;
    const nodes = [...new Set(holders.map((disk) => disks[disk]!.node))];
    const held = nodes.length;
    if (copies > held) yield `${what}, and ${held} nodes hold it`;
    if (copies < 1) yield what;
    const publish = record.of(line)!;
    const needs = Math.floor(homesOf(publish.channel).length / 2) + 1;
    const isQuorum = rings ? rings.isQuorum(publish.channel, nodes, publish.sentMs, atMs) : held >= needs;
    if (level === 'quorum' && !isQuorum)
      yield `${node} acks line ${line} at quorum, and ${held} of ${needs} nodes hold it`;
    if (!publish.degrade && publish.level !== 'owner' && level !== 'quorum')
      yield `${what}, which was not to be degraded`;
  }
};

/** I23: what an application was told is what a node said. */
export const outcomesAreTrue: Checker = function* ({ record }) {
  const acked = new Map(record.acks.map((ack) => [`${ack.line} ${ack.dot ? dotText(ack.dot) : ''}`, ack]));
  for (const publish of record.publishes) {
    if (publish.outcome !== 'acked') continue;
    const ack = acked.get(`${publish.line} ${publish.dot ? dotText(publish.dot) : ''}`);
    if (!ack) yield `line ${publish.line} was acked to its application, and by no node`;
  }
};

/** I23: what was rejected is nowhere. */
export const rejectedIsNowhere: Checker = function* ({ record, stores }) {
  const rejected = new Map<number, Publish>();
  for (const publish of record.publishes)
    if (publish.outcome === 'rejected') rejected.set(publish.line, publish);
  for (const { node, channels } of stores)
    for (const { writers } of channels.values())
      for (const entries of writers.values())
        for (const entry of entries) {
          const publish = rejected.get(entry.line);
          if (publish)
            yield `line ${publish.line}, rejected as ${publish.code}, is ${dotText(entry)} on ${node}`;
        }
};

/** I16: a retry is not stored again by who knows of the first. Sides that could not know of each other may both have it,
 *  and readers get one. Keys are remembered for a time, by the clock of the log; a home that was away until an entry was
 *  trimmed never knew its key. */
export const retriesCountOnce: Checker = function* (evidence) {
  const { orders, record, disks } = evidence;
  for (const [channel, order] of orders) {
    const { entries, isBelow } = order;
    const isTrimmed = trimmedIn(evidence, channel);
    const wasThere = (first: StoredEntry, { writer }: StoredEntry): boolean =>
      disks[record.writers.get(writer)!.disk]!.syncedAt(channel, first.writer, first.seq) !== undefined;
    const ends = endsIn(order);
    // What was deleted is not remembered.
    const isOlder = (first: StoredEntry, later: StoredEntry): boolean =>
      ends.some((end) => isBelow(end, later) && (first.isVoid === true || !isBelow(end, first)));
    const seen = new Map<number, StoredEntry>();
    for (const entry of entries) {
      if (entry.line === 0) continue;
      const first = seen.get(entry.line);
      const isKnown = first && !isOlder(first, entry) && (!isTrimmed(first) || wasThere(first, entry));
      if (isKnown && isBelow(first, entry) && Math.abs(unixMs(entry) - unixMs(first)) < keysKnownMs)
        yield `line ${entry.line} is ${dotText(first)} and ${dotText(entry)} in ${channel}`;
      seen.set(entry.line, first ?? entry);
    }
  }
};

const keysKnownMs = 600_000;

/** A timestamp counts milliseconds in units of 4096. */
function unixMs({ timestamp }: StoredEntry): number {
  return Math.floor(timestamp / 4096);
}

/** Whether something was given up between what the publisher sent last before and what it sent first after it. Whose that was
 *  nobody can read any more; that nothing acknowledged is lost is for I1 to say. */
function isPlaceGivenUp(
  record: ClusterRecord,
  entries: readonly StoredEntry[],
  { publisher, line }: Publish,
): boolean {
  let isGivenUp = false;
  for (const entry of entries) {
    if (entry.kind === givenUpKind) isGivenUp = true;
    else if (record.of(entry.line)?.publisher === publisher) {
      if (entry.line > line) return isGivenUp;
      if (entry.line < line) isGivenUp = false;
    }
  }
  return false;
}

/** I17: what one publisher sent to one channel stands in the order in which it sent it, as far as those who wrote it could
 *  know of each other. Where its place is one that was given up, nobody knew what had been there, and it was said again. */
export const publishersInOrder: Checker = function* ({ record, orders }) {
  for (const [channel, { entries, isBelow }] of orders) {
    const last = new Map<string, StoredEntry>();
    const lines = new Set<number>();
    for (const entry of entries) {
      const publish = record.of(entry.line);
      // Whether it may stand there twice is for another checker to say.
      if (!publish || lines.has(entry.line)) continue;
      lines.add(entry.line);
      if (!publish.isNumbered && publish.outcome !== 'acked') continue;
      // Its first answer was lost with a link, and with it maybe the refusal of an earlier one, which was then taken elsewhere.
      if (!publish.isNumbered && publish.duplicate) continue;
      const before = last.get(publish.publisher);
      if (!before || entry.line > before.line) last.set(publish.publisher, entry);
      else if (isBelow(before, entry) && !isPlaceGivenUp(record, entries, publish))
        yield `line ${entry.line} of ${publish.publisher} stands behind line ${before.line} in ${channel}`;
    }
  }
};
