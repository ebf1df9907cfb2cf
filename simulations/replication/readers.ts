/** Readers that move between nodes with nothing but a cursor, kept as a client keeps it. Checked at every delivery. */
import { type ChannelRef, type Dot, channelKey, dotText } from '../../src/base/ids.js';
import type { ChannelLog } from '../../src/log/channel-log.js';
import { LogReader } from '../../src/log/reader.js';
import type { Effect } from '../../src/replication/effects.js';
import type { SimNode } from './node.js';
import { check } from './checkers.js';
import { type OracleEntry, includes, isWithin } from './oracle.js';
import type { Surroundings } from './surroundings.js';

export interface Delivered {
  readonly entry: OracleEntry;
  readonly late: boolean;
  readonly isCommitted: boolean;
}

export class SimReader {
  at = 0;
  heads: Dot[] = [];
  readonly delivered: Delivered[] = [];
  #fetching: { readonly replica: unknown; readonly id: number } | undefined;
  readonly #had = new Map<string, number>();

  constructor(
    readonly world: Surroundings,
    readonly ref: ChannelRef,
    readonly countMax: number,
  ) {}

  has(dot: Dot): boolean {
    return includes(this.#had, dot);
  }

  /** Reads at a node as far as it has something, at most `limit` entries. */
  serve(node: SimNode, limit: number): void {
    if (!node.isUp || node.isPaused) return;
    const log = node.log(this.ref);
    const started = LogReader.atCursor(log, this.heads);
    if (!started.ok) {
      this.#fetch(node);
      return;
    }
    const reader = started.value;
    let left = limit;
    while (left > 0) {
      const step = reader.next(log, Math.min(left, this.countMax));
      if (step.type === 'gap') {
        this.#gap(log, step.heads);
        reader.advance(step);
        continue;
      }
      if (step.type !== 'entries') break;
      const tip = log.committed!;
      for (let i = 0; i < step.count; i++) {
        this.#deliver({ writer: step.writer, seq: step.firstSeq + i }, step.late, [tip], true);
      }
      reader.advance(step);
      left -= step.count;
    }
    const tip = node.degraded.get(channelKey(this.ref));
    if (left > 0 && tip && tip.seq > log.committedSeq(tip.writer)) this.#provisional(node, reader, tip, left);
  }

  /** Told where something was trimmed that this reader never got, and nowhere else. */
  #gap(log: ChannelLog, heads: readonly Dot[]): void {
    const { stats, oracle } = this.world;
    stats.gaps++;
    const through = oracle.channel(this.ref).get(log.trim!.through);
    const isWhole = this.heads.some((head) => includes(oracle.channel(this.ref).get(head).past, through));
    check('delivered', !isWhole, () => `a gap is told to who has ${dotText(through)}`);
    for (const [writer, floor] of log.floors) {
      this.#had.set(writer, Math.max(floor, this.#had.get(writer) ?? 0));
    }
    this.heads = heads.slice();
  }

  /** The cursor is ahead of this replica. */
  #fetch(node: SimNode): void {
    if (this.#fetching?.replica === node.replica) return;
    node.touch(this.ref);
    const missing = this.heads.filter(({ writer, seq }) => node.log(this.ref).have(writer) < seq);
    const id = node.replica.fetch(this.ref, missing, this.world.now);
    this.#fetching = { replica: node.replica, id };
    this.world.stats.fetches++;
    node.drain();
  }

  /** A home says what became of a fetch. */
  fetched(replica: unknown, { id, missing, certain }: Extract<Effect, { type: 'fetched' }>): void {
    const fetching = this.#fetching;
    if (!fetching || fetching.replica !== replica || fetching.id !== id) return;
    this.#fetching = undefined;
    const { stats } = this.world;
    if (missing.length === 0) stats.fetched++;
    if (!certain || missing.length === 0) return;
    stats.fetchedLost++;
    for (const dot of missing) this.world.lost(this.ref, dot);
  }

  #provisional(node: SimNode, reader: LogReader, tip: Dot, limit: number): void {
    const log = node.log(this.ref);
    let left = limit;
    while (left > 0) {
      const step = reader.nextProvisional(log, tip, left);
      if (step.type !== 'entries') break;
      const last = step.firstSeq + step.count - 1;
      for (let seq = step.firstSeq; seq <= last; seq++) {
        this.#deliver(
          { writer: step.writer, seq },
          step.late,
          log.committed ? [log.committed, tip] : [tip],
          false,
        );
      }
      reader.took(step.writer, last);
      left -= step.count;
    }
  }

  /** `tips`: what is committed, and for a provisional delivery the entry whose order goes on from there. */
  #deliver(dot: Dot, late: boolean, tips: readonly Dot[], isCommitted: boolean): void {
    const { world } = this;
    const channel = world.oracle.channel(this.ref);
    const entry = channel.get(dot);
    const text = dotText(dot);
    check('delivered', !this.has(dot), () => `${text} is delivered twice`);
    const below = new Map(entry.past);
    below.set(entry.writer, entry.seq - 1);
    check('delivered', isWithin(below, this.#had), () => `${text} is delivered before what it stands on`);
    const order = new Set(tips.flatMap((tip) => channel.order(tip)));
    const later = [...order].slice([...order].indexOf(entry) + 1);
    const isLate = this.delivered.some((had) => !order.has(had.entry)) || later.some((one) => this.has(one));
    check('late', late === isLate, () => `${text} is ${isLate ? '' : 'not '}late and says ${late}`);
    this.#had.set(entry.writer, entry.seq);
    this.delivered.push({ entry, late, isCommitted });
    const { parents } = entry;
    this.heads = this.heads.filter(
      (head) =>
        head.writer !== entry.writer &&
        !parents.some((parent) => parent.writer === head.writer && parent.seq >= head.seq),
    );
    this.heads.push({ writer: entry.writer, seq: entry.seq });
    world.stats.deliveries++;
    if (late) world.stats.late++;
  }

  /** After the end: everything was got, in the final order but for what was marked. */
  checkComplete(): void {
    const order = this.world.oracle.channel(this.ref).master;
    for (const entry of order)
      check('complete', this.has(entry), () => `a reader never got ${dotText(entry)}`);
    check('complete', this.heads.length <= 1, () => `a cursor has ${this.heads.length} heads in the end`);
    const places = new Map(order.map((entry, i) => [entry, i]));
    let newest = -1;
    for (const { entry, late, isCommitted } of this.delivered) {
      const place = places.get(entry);
      check(
        'complete',
        place !== undefined || !isCommitted,
        () => `${dotText(entry)} was delivered and is gone`,
      );
      if (place === undefined) continue;
      if (isCommitted) {
        check(
          'late',
          late === place < newest,
          () => `${dotText(entry)} is at ${place} after ${newest}: late ${late}`,
        );
      }
      newest = Math.max(newest, place);
    }
  }
}
