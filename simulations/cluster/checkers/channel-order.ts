/** The order of a channel from its entries alone, as docs/architecture.md defines it and without any code of the product:
 *  along the primary chain of the newest entry, each preceded by what it brings in. */
import { type StoredChannel, type StoredEntry, dotText } from './store-log.js';

export interface ChannelOrder {
  readonly entries: readonly StoredEntry[];
  /** By the text of a dot. */
  readonly positions: ReadonlyMap<string, number>;
  /** The primary chain, as texts of dots. */
  readonly chain: ReadonlySet<string>;
  /** Entries that the newest does not stand on. */
  readonly outside: readonly StoredEntry[];
  /** Whether the second stands on the first. */
  readonly isBelow: (first: StoredEntry, second: StoredEntry) => boolean;
}

type Vector = Map<string, number>;

export function orderOf(channel: StoredChannel): ChannelOrder {
  return new Ordering(channel).run();
}

class Ordering {
  readonly #writers: ReadonlyMap<string, ReadonlyMap<number, StoredEntry>>;
  /** The newest entry with parents at or before each one of the same writer. */
  readonly #anchors = new Map<StoredEntry, StoredEntry>();
  readonly #pasts = new Map<StoredEntry, Vector>();
  readonly #order: StoredEntry[] = [];
  readonly #placed: Vector = new Map();

  constructor({ writers }: StoredChannel) {
    this.#writers = new Map(
      [...writers].map(([writer, entries]) => [writer, new Map(entries.map((entry) => [entry.seq, entry]))]),
    );
    for (const entries of writers.values())
      for (const [i, entry] of entries.entries()) {
        const isAnchor = i === 0 || entry.parents.length > 0;
        this.#anchors.set(entry, isAnchor ? entry : this.#anchors.get(entries[i - 1]!)!);
      }
  }

  run(): ChannelOrder {
    const chain = this.#chain();
    for (const link of chain) {
      const isNext = link.parents.length === 0 && this.#placed.get(link.writer) === link.seq - 1;
      if (!isNext) this.#placeBlock(this.#pastOf(link), link);
      this.#place(link);
    }
    const positions = new Map(this.#order.map((entry, i) => [dotText(entry), i]));
    const all = [...this.#writers.values()].flatMap((entries) => [...entries.values()]);
    const outside = all.filter((entry) => !positions.has(dotText(entry)));
    const isBelow = (first: StoredEntry, second: StoredEntry): boolean =>
      first.writer === second.writer
        ? first.seq <= second.seq
        : (this.#pastOf(this.#anchors.get(second)!).get(first.writer) ?? 0) >= first.seq;
    return { entries: this.#order, positions, chain: new Set(chain.map(dotText)), outside, isBelow };
  }

  #entry(writer: string, seq: number): StoredEntry | undefined {
    return this.#writers.get(writer)?.get(seq);
  }

  /** From the oldest link to the newest entry: the one that stands on most. */
  #chain(): StoredEntry[] {
    let tip: StoredEntry | undefined;
    let most = -1;
    for (const entries of this.#writers.values()) {
      const last = [...entries.values()].at(-1)!;
      const size = [...this.#pastOf(last).values()].reduce((sum, seq) => sum + seq, 0);
      if (size > most) [tip, most] = [last, size];
    }
    const chain: StoredEntry[] = [];
    for (let link = tip; link; link = this.#primaryOf(link)) chain.push(link);
    return chain.reverse();
  }

  #primaryOf({ parents, writer, seq }: StoredEntry): StoredEntry | undefined {
    const primary = parents[0] ?? { writer, seq: seq - 1 };
    return this.#entry(primary.writer, primary.seq);
  }

  /** Of an entry without parents it is its predecessor's and itself: only the others are remembered. */
  #pastOf(entry: StoredEntry): Vector {
    const anchor = this.#anchors.get(entry)!;
    let past = this.#pasts.get(anchor);
    if (!past) {
      past = new Map([[anchor.writer, anchor.seq]]);
      for (const { writer, seq } of [...anchor.parents, { writer: anchor.writer, seq: anchor.seq - 1 }]) {
        const below = this.#entry(writer, seq);
        if (below) merge(past, this.#pastOf(below));
      }
      this.#pasts.set(anchor, past);
    }
    return anchor === entry ? past : new Map(past).set(entry.writer, entry.seq);
  }

  /** Again and again the smallest (timestamp, writer) of the entries that stand on nothing left. */
  #placeBlock(past: Vector, link: StoredEntry): void {
    for (;;) {
      let next: StoredEntry | undefined;
      for (const [writer, through] of past) {
        const seq = (this.#placed.get(writer) ?? 0) + 1;
        const entry = seq <= through ? this.#entry(writer, seq) : undefined;
        if (!entry || entry === link || !this.#isReady(entry)) continue;
        if (!next || isBefore(entry, next)) next = entry;
      }
      if (!next) return;
      this.#place(next);
    }
  }

  #isReady({ parents }: StoredEntry): boolean {
    return parents.every(({ writer, seq }) => (this.#placed.get(writer) ?? 0) >= seq);
  }

  #place(entry: StoredEntry): void {
    this.#order.push(entry);
    this.#placed.set(entry.writer, Math.max(entry.seq, this.#placed.get(entry.writer) ?? 0));
  }
}

function isBefore(a: StoredEntry, b: StoredEntry): boolean {
  return a.timestamp < b.timestamp || (a.timestamp === b.timestamp && a.writer < b.writer);
}

function merge(into: Vector, other: Vector): void {
  for (const [writer, seq] of other) into.set(writer, Math.max(seq, into.get(writer) ?? 0));
}
