/** What was removed, against the trims that were written. */
import type { SeenDot } from '../record.js';
import type { Checker, Evidence } from './evidence.js';
import { type StoredEntry, type StoredTrim, dotText } from './store-log.js';
import { isElsewhere } from '../places.js';

/** Says of a channel's entries whether they are trimmed at the end. */
export function trimmedIn({ homesOf }: Evidence, channel: string): (dot: SeenDot) => boolean {
  const floors = homesOf(channel)[0]?.channels.get(channel)?.floors;
  return ({ writer, seq }) => seq <= (floors?.get(writer) ?? 0);
}

/** I19, I20: floors are raised by a trim that is in the order, and are all that the entry it names stands on; on one disk
 *  they only rise. */
export const floorsAreTrims: Checker = function* (evidence) {
  const last = new Map<string, ReadonlyMap<string, number>>();
  for (const { disk, node, channel, trim } of evidence.raised) {
    const who = `${node} trims ${channel} through ${dotText(trim.through)}`;
    const order = evidence.orders.get(channel);
    const said = order?.entries.find((entry) => entry.trim && sameTrim(entry.trim, trim));
    if (!order || !said) yield `${who}, and no trim in its order says so`;
    else {
      const position = order.positions.get(dotText(trim.through));
      const before = order.entries.slice(0, (position ?? -1) + 1);
      if (position === undefined || !isExactly(trim.floors, before))
        yield `${who}, and removes something else than what that stands on`;
    }
    const known = last.get(`${disk} ${channel}`);
    if (known && [...known].some(([writer, floor]) => (trim.floors.get(writer) ?? 0) < floor))
      yield `${who}, and removed more before`;
    last.set(`${disk} ${channel}`, trim.floors);
  }
};

/** I19: what is trimmed on a disk never comes to it again. */
export const trimmedStaysAway: Checker = function* ({ again }) {
  yield* again;
};

/** I19: at the end all homes have the same floors. */
export const floorsAreEqual: Checker = function* ({ stores, homesOf }: Evidence) {
  const names = new Set(stores.flatMap(({ channels }) => [...channels.keys()]));
  for (const name of names) {
    if (isElsewhere(name)) continue;
    const [first, ...others] = homesOf(name);
    for (const other of others) {
      const [here, there] = [
        textOf(first!.channels.get(name)?.floors),
        textOf(other.channels.get(name)?.floors),
      ];
      if (here !== there)
        yield `${name} is trimmed to ${here} on ${first!.node}, to ${there} on ${other.node}`;
    }
  }
};

function textOf(floors: ReadonlyMap<string, number> | undefined): string {
  return [...(floors ?? [])]
    .map(([writer, floor]) => `${writer}-${floor}`)
    .sort()
    .join();
}

function isExactly(floors: ReadonlyMap<string, number>, entries: readonly StoredEntry[]): boolean {
  const through = new Map<string, number>();
  for (const { writer, seq } of entries) through.set(writer, Math.max(seq, through.get(writer) ?? 0));
  return textOf(through) === textOf(floors);
}

function sameTrim(a: StoredTrim, b: StoredTrim): boolean {
  return dotText(a.through) === dotText(b.through) && textOf(a.floors) === textOf(b.floors);
}
