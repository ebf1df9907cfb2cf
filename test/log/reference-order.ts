/** The order of a channel, written down as plainly as its definition: every entry an object with its whole past, every
 *  step a search through all of them. The twin that the incremental order is held against. */
import { type Dot, type WriterId, dotText } from '../../src/base/ids.js';

export interface ReferenceEntry extends Dot {
  readonly timestamp: number;
  readonly round: number;
  readonly parents?: readonly Dot[];
  /** The entry itself and all it reaches, as one seq per writer. */
  readonly past: ReadonlyMap<WriterId, number>;
}

/** All entries by the text of their dot. */
export type Dag = ReadonlyMap<string, ReferenceEntry>;
export type Past = ReadonlyMap<WriterId, number>;

export function includes(past: Past, dot: Dot): boolean {
  return (past.get(dot.writer) ?? 0) >= dot.seq;
}

export function isWithin(inner: Past, outer: Past): boolean {
  return [...inner].every(([writer, seq]) => includes(outer, { writer, seq }));
}

export function union(...pasts: readonly Past[]): Map<WriterId, number> {
  const out = new Map<WriterId, number>();
  for (const past of pasts)
    for (const [writer, seq] of past) out.set(writer, Math.max(seq, out.get(writer) ?? 0));
  return out;
}

export function primaryOf(entry: ReferenceEntry): Dot | undefined {
  if (entry.parents) return entry.parents[0];
  return entry.seq > 1 ? { writer: entry.writer, seq: entry.seq - 1 } : undefined;
}

export function pastOfNew(dag: Dag, dot: Dot, parents: readonly Dot[] | undefined): Past {
  const below = [...(parents ?? [])];
  if (dot.seq > 1) below.push({ writer: dot.writer, seq: dot.seq - 1 });
  return union(...below.map((parent) => entryOf(dag, parent).past), new Map([[dot.writer, dot.seq]]));
}

export function entryOf(dag: Dag, dot: Dot): ReferenceEntry {
  const entry = dag.get(dotText(dot));
  if (!entry) throw new Error(`no entry ${dotText(dot)}`);
  return entry;
}

/** order(tip) by its recursive definition, unrolled: along the primary chain from its beginning, each entry preceded by
 *  what it brings in. */
export function referenceOrder(dag: Dag, tip: Dot): ReferenceEntry[] {
  const chain: ReferenceEntry[] = [];
  for (let dot: Dot | undefined = tip; dot; dot = primaryOf(chain[0]!)) chain.unshift(entryOf(dag, dot));
  const order: ReferenceEntry[] = [];
  let placed: Past = new Map();
  for (const link of chain) {
    const block = [...dag.values()].filter(
      (entry) => entry !== link && includes(link.past, entry) && !includes(placed, entry),
    );
    order.push(...merged(block, placed), link);
    placed = union(placed, link.past);
  }
  return order;
}

/** Again and again the smallest (timestamp, writer) of the entries that stand on nothing left. */
function merged(block: readonly ReferenceEntry[], before: Past): ReferenceEntry[] {
  const left = new Set(block);
  const out: ReferenceEntry[] = [];
  let placed = new Map(before);
  while (left.size > 0) {
    const ready = [...left].filter((entry) => {
      const needed = new Map(entry.past);
      needed.set(entry.writer, entry.seq - 1);
      return isWithin(needed, placed);
    });
    ready.sort((a, b) => a.timestamp - b.timestamp || (a.writer < b.writer ? -1 : 1));
    const next = ready[0];
    if (!next) throw new Error('a block is not closed');
    left.delete(next);
    out.push(next);
    placed = union(placed, new Map([[next.writer, next.seq]]));
  }
  return out;
}

/** The entries of a set that no other one of it stands on. */
export function referenceHeads(entries: readonly ReferenceEntry[]): ReferenceEntry[] {
  return entries.filter((entry) => !entries.some((other) => other !== entry && includes(other.past, entry)));
}

/** The entry with the greatest (round, writer, seq). */
export function referencePrimary(entries: readonly ReferenceEntry[]): ReferenceEntry | undefined {
  return [...entries].sort(
    (a, b) => b.round - a.round || (a.writer === b.writer ? b.seq - a.seq : a.writer < b.writer ? 1 : -1),
  )[0];
}
