/** Random histories of one channel on three homes: claims that move, homes cut off that write on their own, merges, late
 *  arrivals, commits, trims. Claims are given out by one hand here, so what is committed is certain; that the protocol
 *  achieves it is for others to show. Every home is a ChannelLog; what is true is kept beside it in the plainest form. */
import { type ChannelRef, type Dot, type WriterId, dotText } from '../../src/base/ids.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import type { EntryKind, Trim } from '../../src/log/entry.js';
import { encodeContent } from '../../src/log/content-wire.js';
import type { RunSummary } from '../../src/log/run.js';
import { RunWriter } from '../../src/log/run-writer.js';
import {
  type ReferenceEntry,
  entryOf,
  includes,
  pastOfNew,
  referenceHeads,
  referenceOrder,
  referencePrimary,
} from './reference-order.js';

export const ref = { hub: 'default', channel: 'room:1' } as ChannelRef;

export interface WrittenEntry extends ReferenceEntry {
  readonly kind: EntryKind;
  readonly previous: number;
  readonly checksum: number;
  readonly trim?: Trim;
  readonly retain?: boolean;
}

export interface Home {
  readonly index: number;
  log: ChannelLog;
  /** Everything ever held, by arrival. */
  readonly held: WrittenEntry[];
  readonly have: Map<WriterId, number>;
  writer: WriterId;
  /** Round of the claim its writer holds. */
  round: number;
  /** The writer's next entry is its first under the claim. */
  opening: boolean;
  skew: number;
}

export interface HistoryOptions {
  readonly steps?: number;
  readonly trims?: boolean;
  /** Called after every step. */
  readonly check?: (history: History) => void;
}

const content = encodeContent({ payload: new Uint8Array([1, 2, 3]) });

export class History {
  readonly random: Random;
  readonly dag = new Map<string, WrittenEntry>();
  readonly homes: Home[];
  committed: WrittenEntry | undefined;
  /** order(committed), grown with it. */
  order: ReferenceEntry[] = [];
  now = 1000;
  #writers = 0;
  #rounds = 0;
  readonly #runWriter = new RunWriter();

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.homes = [0, 1, 2].map((index) => ({
      index,
      log: new ChannelLog(ref),
      held: [],
      have: new Map(),
      writer: this.#newWriter(),
      round: 0,
      opening: false,
      skew: this.integer(30),
    }));
  }

  static run(seed: number, options: HistoryOptions = {}): History {
    const history = new History(seed);
    const { trims = false, steps = trims ? 90 : 60, check } = options;
    for (let i = 0; i < steps; i++) {
      history.#step(trims);
      check?.(history);
    }
    history.#heal();
    check?.(history);
    return history;
  }

  integer(below: number): number {
    return Math.floor(this.random.next() * below);
  }

  chance(probability: number): boolean {
    return this.random.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(items.length)]!;
  }

  /** The summary of entries as they are sent: written anew, which gives the same bytes. */
  run(entries: readonly WrittenEntry[]): RunSummary {
    const first = entries[0]!;
    const writer = this.#runWriter;
    writer.clear();
    writer.begin(ref, first.writer, first.round, first.seq, first.previous);
    for (const entry of entries) {
      const { timestamp, kind, parents, trim, retain } = entry;
      const payload = kind === 'publish' ? content : undefined;
      writer.append({ timestamp, kind, parents, trim, retain, content: payload });
    }
    return writer.end();
  }

  #step(trims: boolean): void {
    // Often none passes, so that timestamps go on without a step across runs.
    this.now += this.pick([0, 0, 1, 20]);
    const home = this.pick(this.homes);
    const dice = this.random.next();
    if (dice < 0.5) this.#write(home);
    else if (dice < 0.75)
      this.#send(this.pick(this.homes), home, this.chance(0.3) ? this.integer(6) : Infinity);
    else if (dice < 0.83) this.#claim(home);
    else if (dice < 0.87) {
      home.writer = this.#newWriter();
      home.round = 0;
      home.opening = false;
    } else if (dice < 0.9) home.skew = this.pick([0, 0, 30, 300]);
    else if (dice < 0.96 && trims) this.#writeTrim();
    else this.#tellCommitted(home);
    this.#commit();
  }

  #newWriter(): WriterId {
    // Random first, so that writers do not sort by their start.
    const number = (this.#writers++).toString(16).padStart(4, '0');
    return `${this.integer(65536).toString(16).padStart(4, '0')}${number}0000000000000000` as WriterId;
  }

  /** One or a few entries in one run. */
  #write(home: Home): void {
    const count = this.chance(0.3) ? 1 + this.integer(5) : 1;
    const entries: WrittenEntry[] = [];
    for (let i = 0; i < count; i++) entries.push(this.#stamp(home, 'publish', i > 0));
    this.#take(home, entries);
  }

  #writeTrim(): void {
    const home = this.homes.find(({ round, opening }) => round > 0 && !opening);
    if (!home?.log.committed) return;
    const position = home.log.firstPosition + this.integer(home.log.endPosition - home.log.firstPosition + 1);
    const trim = home.log.trimAt(position);
    if (trim) this.#take(home, [this.#stamp(home, 'trim', false, trim)]);
  }

  #stamp(home: Home, kind: EntryKind, follows: boolean, trim?: Trim): WrittenEntry {
    const seq = (this.#last(home.writer)?.seq ?? 0) + 1;
    const last = this.#last(home.writer);
    const parents = follows ? undefined : this.parentsDue(home, home.opening || seq === 1);
    const dot = { writer: home.writer, seq };
    const timestamp = Math.max(this.now + home.skew, (last?.timestamp ?? 0) + 1);
    const fields = { ...dot, timestamp, round: home.round, kind, previous: last?.checksum ?? 0 };
    const retain = kind === 'publish' && this.chance(0.2);
    const optional = {
      ...(parents ? { parents } : {}),
      ...(trim ? { trim } : {}),
      ...(retain ? { retain } : {}),
    };
    const past = pastOfNew(this.dag, dot, parents);
    const unsigned = { ...fields, ...optional, past, checksum: 0 };
    const entry = { ...unsigned, checksum: this.run([unsigned]).lastChecksum };
    this.dag.set(dotText(dot), entry);
    home.opening = false;
    return entry;
  }

  /** Rule 2 in plain words; `undefined` when no parents are due. */
  parentsDue(home: Home, opening: boolean): readonly Dot[] | undefined {
    const own = this.#last(home.writer);
    const heads = referenceHeads(home.held).filter((head) => head.writer !== home.writer);
    const primary = opening || !own ? referencePrimary(home.held) : own;
    if (!primary || (!opening && own && heads.length === 0)) return undefined;
    const others = heads.filter((head) => head !== primary && !includes(primary.past, head));
    return [primary, ...others].map(({ writer, seq }) => ({ writer, seq }));
  }

  #last(writer: WriterId): WrittenEntry | undefined {
    let last: WrittenEntry | undefined;
    for (const entry of this.dag.values()) if (entry.writer === writer) last = entry;
    return last;
  }

  #take(home: Home, entries: readonly WrittenEntry[]): void {
    home.log.apply(this.run(entries));
    for (const entry of entries) {
      home.held.push(entry);
      home.have.set(entry.writer, entry.seq);
    }
  }

  /** Sends what the other lacks, in order of arrival here, at most `count` entries, in runs of random length. */
  #send(from: Home, to: Home, count: number): void {
    if (from === to) return;
    if (from.log.trim) to.log.applyTrim(from.log.trim, 0);
    for (const [writer, floor] of from.log.floors) this.#countHeld(to, writer, floor);
    const lacking = from.held.filter((entry) => !includes(to.have, entry)).slice(0, count);
    while (lacking.length > 0) {
      const length = runLength(lacking, 1 + this.integer(4));
      this.#take(to, lacking.splice(0, length));
    }
    this.#tellCommitted(to);
  }

  /** What floors cover counts as held, and the plain form holds it really. */
  #countHeld(home: Home, writer: WriterId, floor: number): void {
    for (let seq = (home.have.get(writer) ?? 0) + 1; seq <= floor; seq++) {
      home.held.push(entryOf(this.dag, { writer, seq }) as WrittenEntry);
      home.have.set(writer, seq);
    }
  }

  /** The home hears from another one, both hold all the two have, and every other claim ends. */
  #claim(home: Home): void {
    const other = this.pick(this.homes.filter((candidate) => candidate !== home));
    this.#send(other, home, Infinity);
    for (const each of this.homes) each.round = 0;
    home.round = ++this.#rounds;
    home.opening = true;
  }

  /** The newest entry of the live claim that a second home holds is committed. */
  #commit(): void {
    const owner = this.homes.find((home) => home.round > 0);
    if (!owner) return;
    const mine = owner.held.filter((entry) => entry.writer === owner.writer && entry.round === owner.round);
    const acked = mine.findLast((entry) =>
      this.homes.some((home) => home !== owner && includes(home.have, entry)),
    );
    if (!acked || acked === this.committed) return;
    if (this.committed && !includes(acked.past, this.committed)) throw new Error('the histories are wrong');
    this.committed = acked;
    this.order = referenceOrder(this.dag, acked);
    this.#tellCommitted(owner);
  }

  /** A home learns what is committed, if it holds it, and applies the trims that are. */
  #tellCommitted(home: Home): void {
    const { committed } = this;
    if (!committed || !includes(home.have, committed)) return;
    home.log.commitThrough(committed);
    for (const entry of home.held) {
      if (entry.trim && includes(committed.past, entry)) home.log.applyTrim(entry.trim, 0);
    }
  }

  #heal(): void {
    const owner = this.pick(this.homes);
    for (let i = 0; i < 2; i++) {
      for (const from of this.homes) for (const to of this.homes) this.#send(from, to, Infinity);
    }
    if (owner.round === 0) this.#claim(owner);
    this.#write(owner);
    for (const to of this.homes) this.#send(owner, to, Infinity);
    this.#commit();
    for (const home of this.homes) this.#tellCommitted(home);
  }
}

/** Entries from the start on that make one run. */
export function runLength(entries: readonly WrittenEntry[], lengthMax: number): number {
  const first = entries[0]!;
  let length = 1;
  while (length < Math.min(lengthMax, entries.length)) {
    const { writer, seq, round } = entries[length]!;
    if (writer !== first.writer || round !== first.round || seq !== first.seq + length) break;
    length++;
  }
  return length;
}

export function dots(entries: readonly Dot[]): string[] {
  return entries.map(dotText);
}
