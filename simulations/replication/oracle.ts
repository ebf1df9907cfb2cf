/** What is true of the channels, kept beside the product and without its help: every entry ever stamped with its whole past,
 *  the order by its definition, and who was told what. Plain and slow. */
import { type ChannelRef, type Dot, channelKey, dotText } from '../../src/base/ids.js';
import type { Trim } from '../../src/log/entry.js';
import { check, mustHold } from './checkers.js';

export type Past = ReadonlyMap<string, number>;

export interface OracleEntry extends Dot {
  readonly channel: string;
  readonly timestamp: number;
  readonly round: number;
  readonly kind: string;
  readonly parents: readonly Dot[];
  readonly checksum: number;
  readonly trim?: Trim | undefined;
  /** The entry and all it reaches through its predecessor and its parents. */
  readonly past: Past;
  /** Homes that ever had it on their disk. */
  readonly homes: Set<number>;
}

export function includes(past: Past, { writer, seq }: Dot): boolean {
  return (past.get(writer) ?? 0) >= seq;
}

export function isWithin(inner: Past, outer: Past): boolean {
  for (const [writer, seq] of inner) if ((outer.get(writer) ?? 0) < seq) return false;
  return true;
}

export class ChannelOracle {
  readonly entries = new Map<string, OracleEntry>();
  /** Of the newest committed entry known to anybody. */
  master: readonly OracleEntry[] = [];
  readonly #orders = new Map<string, readonly OracleEntry[]>();

  get(dot: Dot): OracleEntry {
    const entry = this.entries.get(dotText(dot));
    mustHold(entry, () => `nobody stamped ${dotText(dot)}`);
    return entry;
  }

  stamped(fields: Omit<OracleEntry, 'past' | 'homes'>): OracleEntry {
    const past = new Map<string, number>();
    const below = [...fields.parents];
    if (fields.seq > 1) below.push({ writer: fields.writer, seq: fields.seq - 1 });
    for (const dot of below) {
      for (const [writer, seq] of this.get(dot).past) past.set(writer, Math.max(seq, past.get(writer) ?? 0));
    }
    past.set(fields.writer, fields.seq);
    const key = dotText(fields);
    check('content', !this.entries.has(key), () => `${key} is stamped twice`);
    const entry = { ...fields, past, homes: new Set<number>() };
    this.entries.set(key, entry);
    return entry;
  }

  /** order(e) is order(primary of e), then what e takes in beside it, then e. */
  order(dot: Dot): readonly OracleEntry[] {
    const key = dotText(dot);
    const known = this.#orders.get(key);
    if (known) return known;
    const entry = this.get(dot);
    const primary =
      entry.parents[0] ?? (entry.seq > 1 ? { writer: entry.writer, seq: entry.seq - 1 } : undefined);
    const before = primary ? this.order(primary) : [];
    const placed = new Map<string, number>(primary ? this.get(primary).past : []);
    const block = [...this.entries.values()].filter(
      (other) => other !== entry && includes(entry.past, other) && !includes(placed, other),
    );
    const order = [...before, ...merged(block, placed), entry];
    this.#orders.set(key, order);
    return order;
  }

  /** Somebody removes something: a committed trim said so, and names the whole past of a committed entry. */
  raised(trim: Trim): void {
    const said = this.master.find((entry) => entry.trim && sameTrim(entry.trim, trim));
    check(
      'trimmed',
      said !== undefined,
      () => `no committed trim removes all through ${dotText(trim.through)}`,
    );
    const through = this.get(trim.through);
    check('trimmed', this.master.includes(through), () => `${dotText(through)} is trimmed and not committed`);
    const isPast = isWithin(through.past, trim.floors) && isWithin(trim.floors, through.past);
    check('trimmed', isPast, () => `the floors are not the past of ${dotText(through)}`);
  }

  /** Somebody says that everything through `dot` is committed. */
  committed(dot: Dot): void {
    const order = this.order(dot);
    const { master } = this;
    const shared = Math.min(order.length, master.length);
    for (let i = 0; i < shared; i++) {
      check(
        'order',
        order[i] === master[i],
        () => `the order changed at ${i}: ${dotText(master[i]!)} became ${dotText(order[i]!)}`,
      );
    }
    if (order.length > master.length) this.master = order;
  }
}

function sameTrim(a: Trim, b: Trim): boolean {
  return (
    dotText(a.through) === dotText(b.through) && isWithin(a.floors, b.floors) && isWithin(b.floors, a.floors)
  );
}

/** Of the entries that stand on nothing left, the one with the smallest (timestamp, writer), again and again. */
function merged(block: readonly OracleEntry[], before: Past): OracleEntry[] {
  const placed = new Map(before);
  const left = new Set(block);
  const out: OracleEntry[] = [];
  while (left.size > 0) {
    let next: OracleEntry | undefined;
    for (const entry of left) if (isReady(entry, placed) && (!next || isSmaller(entry, next))) next = entry;
    check('closed', next !== undefined, () => 'a block is not closed');
    if (!next) return out;
    left.delete(next);
    out.push(next);
    placed.set(next.writer, next.seq);
  }
  return out;
}

function isReady(entry: OracleEntry, placed: Past): boolean {
  for (const [writer, seq] of entry.past) {
    if ((placed.get(writer) ?? 0) < (writer === entry.writer ? seq - 1 : seq)) return false;
  }
  return true;
}

function isSmaller(a: OracleEntry, b: OracleEntry): boolean {
  return a.timestamp === b.timestamp ? a.writer < b.writer : a.timestamp < b.timestamp;
}

export class Oracle {
  readonly #channels = new Map<string, ChannelOracle>();

  channel(ref: ChannelRef): ChannelOracle {
    const key = channelKey(ref);
    let channel = this.#channels.get(key);
    if (!channel) this.#channels.set(key, (channel = new ChannelOracle()));
    return channel;
  }

  get channels(): Iterable<ChannelOracle> {
    return this.#channels.values();
  }
}
