/** Digests of channels from checked records on disk, in bounded steps: what was summed up before is gone on from, and read
 *  anew once it is old, so that neither a bug of counting nor a bit that flipped later stays unseen. */
import { ChannelMap } from '../base/channel-map.js';
import type { ChannelRef, HubName, WriterId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type {
  ChannelContent,
  ChannelPage,
  Clock,
  DigestOptions,
  MissingRange,
  ReadRange,
  StoredDigest,
} from '../engine/ports.js';
import type { ChannelLog } from '../log/channel-log.js';
import { ChannelDigestSum } from '../log/digest.js';
import type { LostRange } from '../log/entry.js';
import { HashSum } from '../log/hash-sum.js';
import { pairsOf, rangesWithout } from '../log/seq-ranges.js';
import { listChannels } from './channel-list.js';
import {
  type DigestRow,
  type Stretch,
  decodeDigestRow,
  digestKey,
  encodeDigestRow,
  isBegun,
  isWhole,
  missingInRowMax,
} from './digest-rows.js';
import type { Reader } from './reader.js';
import { sha256 } from './sha256.js';
import type { Slot } from './slots.js';
import type { StoreIndex } from './store-index.js';

export interface DigestsOptions {
  readonly index: StoreIndex;
  readonly reader: Reader;
  readonly clock: Clock;
}

/** Rows that are on their way to the index. */
const recentMax = 1_024;
/** How often floors may rise while a channel is read. */
const triesMax = 3;

export class Digests {
  readonly #options: DigestsOptions;
  readonly #recent = new ChannelMap<DigestRow>();
  readonly #recentSlots = new Set<Slot['ref']>();
  /** How often something was stored again: what was missing to a reading that was under way is there now. */
  #repairs = 0;

  constructor(options: DigestsOptions) {
    this.#options = options;
  }

  /** The channel is open. */
  async of(slot: Slot, { notBefore, pause }: DigestOptions = {}): Promise<StoredDigest | undefined> {
    const known = await this.#row(slot);
    for (let tries = 0; tries < triesMax; tries++) {
      const begun =
        known && isBegun(known, slot.log) && !this.#isOld(known, slot.log, notBefore) ? known : undefined;
      if (begun && isWhole(begun, slot.log)) return digestOf(begun, slot.log);
      const row = await this.#read(slot, begun, pause);
      if (!row) continue;
      this.#keep(slot, row);
      return digestOf(row, slot.log);
    }
    return undefined;
  }

  /** Something of it was stored again: what the row misses may be there now. */
  forget(ref: ChannelRef): void {
    this.#repairs++;
    this.#recent.delete(ref);
    this.#options.index.addWrites([{ key: digestKey(ref) }]);
  }

  /** What channels hold, by name, with the digests that are known of exactly that. */
  async list(hub: HubName, page: ChannelPage): Promise<ChannelContent[]> {
    const { index } = this.#options;
    const refs = (await listChannels(index, hub, { ...page, withEmpty: true })).map(({ ref }) => ref);
    const logs = await index.logs(refs);
    const keys = refs.map(digestKey);
    const values = await index.keyValue.getMany(keys);
    return refs.map((ref, i) => {
      const value = values[i];
      const row = this.#recent.get(ref) ?? (value && decodeDigestRow(keys[i]!, value));
      const log = logs[i]!;
      const isKnown =
        row !== undefined && isBegun(row, log) && isWhole(row, log) && !this.#isOld(row, log, undefined);
      return { ref, ...heldOf(log), ...(isKnown ? { digest: digestOf(row, log) } : {}) };
    });
  }

  async #row({ ref }: Slot): Promise<DigestRow | undefined> {
    const recent = this.#recent.get(ref);
    if (recent) return recent;
    const key = digestKey(ref);
    const value = await this.#options.index.keyValue.get(key);
    return value && decodeDigestRow(key, value);
  }

  /** One with holes is looked at again sooner: a disk may give back later what it did not give then. */
  #isOld(row: DigestRow, log: ChannelLog, notBefore: number | undefined): boolean {
    const { readAt } = row;
    const now = this.#options.clock.wallMs();
    const ageMaxMs = missedIn(row, log).length > 0 ? limits.digestDamagedAgeMs : limits.digestAgeMs;
    // A time to come is from a clock that was set back since.
    return readAt > now || readAt < (notBefore ?? now - ageMaxMs);
  }

  /** Reads what `begun` lacks of what is held now; `undefined` when some of it was trimmed, redacted, stored again or given
   *  up meanwhile. */
  async #read(
    slot: Slot,
    begun: DigestRow | undefined,
    pause: DigestOptions['pause'],
  ): Promise<DigestRow | undefined> {
    const repairs = this.#repairs;
    const redactions = slot.log.redactions.version;
    const readAt = begun?.readAt ?? Math.floor(this.#options.clock.wallMs());
    const held = stretchesOf(slot.log);
    // Whoever else has the row goes on from the same sum.
    const sum = new ChannelDigestSum(sha256, begun && HashSum.decode(begun.sum.encode()));
    const missing = [...(begun?.missing ?? [])];
    for (const [writer, { floor, through }] of held) {
      const from = begun?.writers.get(writer)?.through ?? floor;
      const given = slot.log.givenUp().filter((range) => range.writer === writer);
      for (let next = from + 1; next <= through;) {
        const ahead = given.find(({ toSeq }) => toSeq >= next);
        if (ahead && ahead.fromSeq <= next) {
          const toSeq = Math.min(ahead.toSeq, through);
          missing.push({ writer, fromSeq: next, toSeq });
          next = toSeq + 1;
          continue;
        }
        const last = Math.min(through, (ahead?.fromSeq ?? Infinity) - 1);
        const range = { writer, firstSeq: next, count: last - next + 1 };
        const step = await this.#step(slot, range, sum, missing);
        next = step.next;
        await pause?.(step.bytes);
      }
    }
    const isTrimmed = [...held].some(([writer, { floor }]) => slot.log.writer(writer)?.floor !== floor);
    const row = { readAt, sum: sum.sum, writers: held, missing, redactions };
    const isRepaired = repairs !== this.#repairs && missing.length > 0;
    return isTrimmed || isRepaired || !isBegun(row, slot.log) ? undefined : row;
  }

  async #step(
    slot: Slot,
    range: ReadRange,
    sum: ChannelDigestSum,
    missing: MissingRange[],
  ): Promise<{ readonly next: number; readonly bytes: number }> {
    const read = await this.#options.reader.read(slot, [range], limits.digestStepBytes);
    let next = range.firstSeq;
    let bytes = 0;
    for (const slice of read.slices) {
      sum.addRecords(slice);
      bytes += slice.records.length;
      next = Math.max(next, slice.firstSeq + slice.count);
    }
    for (const gone of read.missing) {
      missing.push(gone);
      next = Math.max(next, gone.toSeq + 1);
    }
    return { next, bytes };
  }

  /** For the next time: in the index with its next batch. */
  #keep({ ref }: Slot, row: DigestRow): void {
    const { index } = this.#options;
    const key = digestKey(ref);
    if (row.missing.length > missingInRowMax) return index.addWrites([{ key }]);
    index.addWrites([{ key, value: encodeDigestRow(key, row) }]);
    if (!this.#recent.has(ref)) this.#recentSlots.add(ref);
    this.#recent.set(ref, row);
    if (this.#recent.size <= recentMax) return;
    // An older row in its place is as right, and covers less.
    const [oldest] = this.#recentSlots;
    this.#recentSlots.delete(oldest!);
    this.#recent.delete(oldest!);
  }
}

function stretchesOf(log: ChannelLog): Map<WriterId, Stretch> {
  return new Map(log.writers().map(({ writer, seq, floor }) => [writer, { floor, through: seq }]));
}

function heldOf(log: ChannelLog): Pick<ChannelContent, 'through' | 'floors'> {
  const states = log.writers();
  return {
    through: new Map(states.map(({ writer, seq }) => [writer, seq])),
    floors: new Map(states.flatMap(({ writer, floor }) => (floor > 0 ? [[writer, floor] as const] : []))),
  };
}

function digestOf(row: DigestRow, log: ChannelLog): StoredDigest {
  const { readAt, sum, writers } = row;
  const floors = new Map<WriterId, number>();
  for (const [writer, { floor }] of writers) if (floor > 0) floors.set(writer, floor);
  return {
    digest: sha256(sum.encode()),
    entries: sum.count,
    through: new Map([...writers].map(([writer, { through }]) => [writer, through])),
    floors,
    missing: missedIn(row, log),
    readAt,
  };
}

/** What is given up is in no digest, whoever still has it, and nobody misses it. */
function missedIn({ missing }: DigestRow, log: ChannelLog): readonly MissingRange[] {
  if (missing.length === 0) return missing;
  const given = log.givenUp();
  return missing.flatMap((range) => withoutGiven(range, given));
}

function withoutGiven({ writer, fromSeq, toSeq }: MissingRange, given: readonly LostRange[]): MissingRange[] {
  let pairs = [fromSeq, toSeq];
  for (const each of given)
    if (each.writer === writer) pairs = rangesWithout(pairs, each.fromSeq, each.toSeq);
  return pairsOf(pairs).map(([from, to]) => ({ writer, fromSeq: from, toSeq: to }));
}
