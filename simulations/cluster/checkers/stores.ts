/** What lies on the disks, against itself. */
import type { Checker, Evidence } from './evidence.js';
import { type StoreLog, digestText, dotText, givenUpKind } from './store-log.js';
import { isElsewhere } from '../places.js';

/** I4: one dot has one content on all disks there ever were. */
export const dotsAreUnique: Checker = function* ({ disks }) {
  const sums = new Map<string, readonly [sum: number, disk: number]>();
  for (const disk of disks)
    for (const [key, seq, sum] of disk.dots()) {
      const dot = `${key}-${seq}`;
      const known = sums.get(dot);
      if (known && known[0] !== sum)
        yield `${dot} is another on disk ${disk.number} than on disk ${known[1]}`;
      sums.set(dot, [sum, disk.number]);
    }
};

/** I5, I6: a writer's entries have no holes, and later ones later timestamps. Who is no home any more may have left before it
 *  had the entry that gives up what is missing. */
export const writersAreWhole: Checker = function* (evidence) {
  for (const store of evidence.stores)
    for (const { name, writers, floors } of store.channels.values()) {
      if (isLeftToRot(evidence, store, name)) continue;
      const { node } = store;
      for (const [writer, entries] of writers)
        for (let i = 0; i < entries.length; i++) {
          const [entry, before] = [entries[i]!, entries[i - 1]];
          const expected = before ? before.seq + 1 : (floors?.get(writer) ?? 0) + 1;
          const isMissed = (seq: number): boolean => !isGivenUp(evidence, name, dotText({ writer, seq }));
          if (seqsBetween(expected, entry.seq).some(isMissed))
            yield `${name} on ${node} lacks what is before ${dotText(entry)}`;
          const isThere = entry.kind !== givenUpKind && before?.kind !== givenUpKind;
          if (before && isThere && entry.timestamp <= before.timestamp)
            yield `${dotText(entry)} in ${name} on ${node} is not later than the entry before it`;
        }
    }
};

function seqsBetween(from: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - from) }, (_, i) => from + i);
}

function isGivenUp({ orders }: Evidence, channel: string, dot: string): boolean {
  const order = orders.get(channel);
  return order?.entries[order.positions.get(dot) ?? -1]?.kind === givenUpKind;
}

/** I11: at the end all homes hold the same, but for what they wrote for themselves while all stopped. */
export const storesAreEqual: Checker = function* ({ stores, homesOf, lastOwn }) {
  const names = new Set(stores.flatMap(({ channels }) => [...channels.keys()]));
  for (const name of names) {
    // Where nobody reads in the end, who takes over at the very end may write.
    if (isElsewhere(name)) continue;
    const [first, ...others] = homesOf(name);
    for (const other of others) {
      const [here, there] = [dotsIn(first!.channels.get(name)), dotsIn(other.channels.get(name))];
      const isLacking = (held: ReadonlySet<string>) => (dot: string) =>
        !held.has(dot) && !lastOwn.has(`${name} ${dot}`);
      const missing = [...here].find(isLacking(there));
      const more = [...there].find(isLacking(here));
      if (missing !== undefined) yield `${missing} of ${name} is on ${first!.node} and not on ${other.node}`;
      if (more !== undefined) yield `${more} of ${name} is on ${other.node} and not on ${first!.node}`;
    }
  }
};

/** I7, I11: what a store tells of a channel by its digest is what lies on its disk. */
export const digestsAreTrue: Checker = function* (evidence) {
  const { stores, digests } = evidence;
  for (const store of stores)
    for (const [name, told] of digests.get(store.node) ?? []) {
      if (isLeftToRot(evidence, store, name) || isToBeRedacted(store, name)) continue;
      const { node, channels } = store;
      const writers = channels.get(name)?.writers.values() ?? [];
      const found = digestText([...writers].flatMap((entries) => entries.flatMap(({ hash }) => hash ?? [])));
      if (told !== found) yield `${node} tells ${told} of ${name}, and its disk comes to ${found}`;
    }
};

/** I11: at the end every entry has its place; what an isolated node wrote gets one once somebody reads or writes there. */
export const everyEntryIsPlaced: Checker = function* ({ orders }) {
  for (const [channel, { outside }] of orders)
    if (outside[0] && !isElsewhere(channel))
      yield `${dotText(outside[0])} of ${channel} and ${outside.length - 1} more have no place`;
};

/** A channel of which the node is no home any more, on a disk that changed by itself: nobody reads there, so nobody finds
 *  out before it does become one again. */
function isLeftToRot({ disks, homesOf }: Evidence, store: StoreLog, name: string): boolean {
  const disk = disks.findLast(({ node }) => node === store.node);
  return disk?.isRotten === true && !homesOf(name).includes(store);
}

/** It knows of a redaction, and not that it is committed: at a node that is no home any more. */
function isToBeRedacted({ channels, contents }: StoreLog, name: string): boolean {
  return [...(channels.get(name)?.writers.values() ?? [])]
    .flat()
    .some(({ redacts }) => redacts && contents.has(`${name} ${dotText(redacts)}`));
}

function dotsIn(
  channel: { writers: ReadonlyMap<string, readonly { writer: string; seq: number }[]> } | undefined,
) {
  return new Set([...(channel?.writers.values() ?? [])].flat().map((entry) => dotText(entry)));
}
