/** One step of range-based set reconciliation (Meyer, arXiv 2212.13567): what a home makes of ranges that another one told
 *  it, from its own items alone. Equal ranges are dropped; a range of many items is split, of few is listed; a list is
 *  compared, and what differs is found. It never answers a sum with the sum of one part, so each step makes ranges smaller
 *  on one side. Pure. */
import { toHex } from '../base/bytes.js';
import type { ChannelRef } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import { type ItemTable, idBytes, isDamagedItem, itemBytes } from './reconcile-items.js';
import type { ComparedRange, Difference, FoundItem, Purpose, RingRange } from './reconcile-messages.js';

/** As the home that compares sees it: `lacking` is its own lack. */
export interface Finding {
  readonly ref: ChannelRef;
  readonly difference: Difference;
}

export interface Compared {
  /** What the other home is told. */
  readonly ranges: readonly ComparedRange[];
  readonly findings: readonly Finding[];
  /** Differences told by number only. */
  readonly more: number;
}

/** `side`: of the home that compares. */
export function compareRanges(
  table: ItemTable,
  told: readonly ComparedRange[],
  purpose: Purpose,
  side: 'asks' | 'answers',
): Compared {
  const out = new Comparison(table, purpose, side);
  for (const range of told) {
    if (range.kind === 'sum') out.sum(range, range.fingerprint);
    else if (range.kind === 'items') out.items(range, range.items);
    else out.found(range, range.found);
  }
  return out;
}

/** Ranges to begin with: each split in so many parts that few steps are left. */
export function firstRanges(table: ItemTable, arcs: readonly RingRange[]): ComparedRange[] {
  const partsMax = Math.max(1, Math.floor(limits.reconcileFirstRanges / Math.max(1, arcs.length)));
  return arcs.flatMap((arc): ComparedRange[] => {
    const [first, end] = table.within(arc);
    const parts = Math.min(partsMax, Math.ceil((end - first) / limits.reconcileItemsMax));
    // Whoever has next to nothing says so at once.
    if (end === first) return [{ ...arc, kind: 'items', items: new Uint8Array(0) }];
    return split(table, arc, Math.max(1, parts)).map((range) => summed(table, range));
  });
}

class Comparison implements Compared {
  readonly ranges: ComparedRange[] = [];
  readonly findings: Finding[] = [];
  more = 0;
  #named = 0;

  constructor(
    readonly table: ItemTable,
    readonly purpose: Purpose,
    readonly side: 'asks' | 'answers',
  ) {}

  sum({ from, to }: RingRange, theirs: Uint8Array): void {
    const { table } = this;
    const range = { from, to };
    const [first, end] = table.within(range);
    if (isSame(table.fingerprint(first, end), 0, theirs, 0, theirs.length)) return;
    if (end - first <= limits.reconcileItemsMax) {
      this.ranges.push({ ...range, kind: 'items', items: table.items(first, end) });
      return;
    }
    for (const part of split(table, range, limits.reconcileBranching)) this.ranges.push(summed(table, part));
  }

  items(range: RingRange, theirs: Uint8Array): void {
    const { table } = this;
    const others = new Map<string, number>();
    for (let at = 0; at < theirs.length; at += itemBytes) {
      others.set(toHex(theirs.subarray(at, at + idBytes)), at);
    }
    const told: FoundItem[] = [];
    const [first, end] = table.within(range);
    if (this.#isTooMuch(end - first, others.size)) {
      for (const part of split(table, range, limits.reconcileBranching))
        this.ranges.push(summed(table, part));
      return;
    }
    for (let i = first; i < end; i++) {
      const id = table.id(i);
      const at = others.get(id);
      others.delete(id);
      const difference = at === undefined ? 'only' : differenceOf(table.item(i), theirs, at);
      if (!difference) continue;
      const ref = table.ref(i);
      this.findings.push({ ref, difference });
      this.#tell(told, difference === 'only' ? { difference, id, ref } : { difference, id });
    }
    for (const id of others.keys()) this.#tell(told, { difference: 'lacking', id });
    if (told.length > 0) this.ranges.push({ from: range.from, to: range.to, kind: 'found', found: told });
  }

  /** What the other home found in what it was told from here. */
  found(range: RingRange, found: readonly FoundItem[]): void {
    const { table } = this;
    const wanted = new Map(found.map((each) => [each.id, each]));
    const told: FoundItem[] = [];
    const [first, end] = table.within(range);
    for (let i = first; i < end && wanted.size > 0; i++) {
      const each = wanted.get(table.id(i));
      if (!each || !wanted.delete(each.id)) continue;
      const difference = seenFromHere(each.difference);
      this.findings.push({ ref: table.ref(i), difference });
      if (difference === 'only') this.#tell(told, { difference, id: each.id, ref: table.ref(i) });
    }
    if (told.length > 0) this.ranges.push({ from: range.from, to: range.to, kind: 'found', found: told });
    for (const { difference, ref } of wanted.values()) {
      if (difference === 'only' && ref) this.findings.push({ ref, difference: 'lacking' });
    }
  }

  /** Whoever asks to learn has next to nothing where much is held here: it is named a few channels at a time. */
  #isTooMuch(ours: number, theirs: number): boolean {
    return (
      this.purpose === 'learn' && this.side === 'answers' && ours > Math.max(theirs, limits.reconcileItemsMax)
    );
  }

  /** To mend, whoever finds what the other can be asked for asks: it need not be told. Else whoever asks keeps what it
   *  found, and wants the names it does not know. */
  #tell(told: FoundItem[], item: FoundItem): void {
    const { difference } = item;
    if (this.purpose === 'mend') {
      if (difference !== 'only' && difference !== 'heads') told.push(item);
    } else if (this.side === 'asks') {
      if (difference === 'lacking') told.push(item);
    } else if (this.purpose === 'learn' || this.#named++ < limits.reconcileNamedMax) told.push(item);
    else this.more++;
  }
}

function seenFromHere(difference: Difference): Difference {
  if (difference === 'lacking') return 'only';
  return difference === 'only' ? 'lacking' : difference;
}

/** What is the matter with a channel that both have, if anything. */
function differenceOf(ours: Uint8Array, theirs: Uint8Array, at: number): Difference | undefined {
  if (isDamagedItem(ours, 0) || isDamagedItem(theirs, at)) return 'damaged';
  if (!isSame(ours, 8, theirs, at + 8, 8)) return 'heads';
  if (planted('heads-are-content')) return undefined;
  return isSame(ours, 16, theirs, at + 16, 8) ? undefined : 'content';
}

function summed(table: ItemTable, range: RingRange): ComparedRange {
  const [first, end] = table.within(range);
  return { ...range, kind: 'sum', fingerprint: table.fingerprint(first, end) };
}

/** Parts of about equally many items that together are the range. */
function split(table: ItemTable, { from, to }: RingRange, parts: number): RingRange[] {
  const [first, end] = table.within({ from, to });
  const out: RingRange[] = [];
  let start = from;
  for (let part = 1; part < parts; part++) {
    const at = first + Math.floor((part * (end - first)) / parts);
    const bound = table.boundAt(at);
    if (bound <= start) continue;
    out.push({ from: start, to: bound });
    // Whoever took the first item of the next part for one of this would leave it out of both.
    start = planted('range-off-by-one') && at + 1 < end ? table.boundAt(at + 1) : bound;
  }
  out.push({ from: start, to });
  return out;
}

function isSame(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}
