/** The maximal entries of a log, kept up to date as it grows, and what follows from them: the parents of new entries and
 *  the cursors of readers. */
import type { Dot, WriterId } from '../base/ids.js';
import { planted } from '../base/planted.js';
import type { LogParts } from './log-parts.js';
import { covers, extendPrefix, maximal, pastOf } from './past.js';
import type { SubLog } from './sub-log.js';

/** Where a set of entries lies in the committed order: all before `position`, and each writer's through its seq in
 *  `beyond`. Below `firstPosition` when the newest trimmed entry is not among them. */
export interface Placement {
  readonly position: number;
  readonly beyond: ReadonlyMap<WriterId, number>;
}

export class Heads {
  readonly #log: LogParts;
  /** Their newest entries are maximal. */
  #subLogs: SubLog[] = [];
  /** Nothing held stands on the newest trimmed entry. */
  #trimIsHead = false;
  /** Heads of the whole order, the place of nearly every reader. */
  #atEnd: { readonly position: number; readonly dots: readonly Dot[] } | undefined;

  constructor(log: LogParts) {
    this.#log = log;
  }

  get subLogs(): readonly SubLog[] {
    return this.#subLogs;
  }

  get trimIsHead(): boolean {
    return this.#trimIsHead;
  }

  restore(subLogs: readonly SubLog[], trimIsHead: boolean): void {
    this.#subLogs = subLogs.slice();
    this.#trimIsHead = trimIsHead;
  }

  /** A sub-log has new entries. Nothing else held can stand on them. */
  grown(subLog: SubLog, hasParents: boolean): void {
    if (hasParents || this.#trimIsHead) {
      const past = pastOf(this.#log, [newest(subLog)]);
      this.#subLogs = this.#subLogs.filter(
        (other) => other === subLog || !covers(this.#log, past, newest(other)),
      );
      if (past.base >= this.#log.order.firstPosition) this.#trimIsHead = false;
    }
    if (this.#subLogs.length === 0) this.#subLogs = [subLog];
    else if (!this.#subLogs.includes(subLog)) this.#subLogs.push(subLog);
  }

  /** What is known of entries below the newest ones has changed. */
  renew(): void {
    const all = this.#log.subLogs.values();
    const dots = new Set(maximal(this.#log, all.map(newest)).map(({ writer }) => writer));
    this.#subLogs = all.filter(({ writer }) => dots.has(writer));
    this.trimmed();
  }

  /** Floors have risen. */
  trimmed(): void {
    this.#atEnd = undefined;
    this.#subLogs = this.#subLogs.filter((subLog) => subLog.seq > subLog.floor);
    const { firstPosition } = this.#log.order;
    this.#trimIsHead = !this.#subLogs.some(
      (subLog) => pastOf(this.#log, [newest(subLog)]).base >= firstPosition,
    );
  }

  dots(): Dot[] {
    const dots = this.#subLogs.map(newest);
    const through = this.#log.trim?.through;
    return this.#trimIsHead && through ? [...dots, through] : dots;
  }

  primary(): Dot | undefined {
    const { trim, subLogs } = this.#log;
    let best = trim && { ...trim.through, round: trim.round };
    for (const subLog of subLogs.values()) {
      const newestOfRound = subLog.newestOfGreatestRound();
      if (!newestOfRound) continue;
      const candidate = { writer: subLog.writer, ...newestOfRound };
      if (!best || compareClaims(candidate, best) > 0) best = candidate;
    }
    return best && { writer: best.writer, seq: best.seq };
  }

  parentsFor(writer: WriterId, opening: boolean): readonly Dot[] | undefined {
    const seq = this.#log.subLogs.get(writer)?.seq ?? 0;
    // The usual case: nothing foreign came since the writer's own last entry.
    if (!opening && seq > 0 && !this.#trimIsHead && this.#isOnly(writer)) return undefined;
    const foreign = this.dots().filter((head) => head.writer !== writer);
    if ((!opening || planted('own-primary')) && seq > 0)
      return foreign.length > 0 ? [{ writer, seq }, ...foreign] : undefined;
    const primary = planted('primary-by-time') ? latest(this.#subLogs) : this.primary();
    if (!primary) return undefined;
    const past = pastOf(this.#log, [primary]);
    return [primary, ...foreign.filter((head) => !covers(this.#log, past, head))];
  }

  /** Heads of exactly what lies before `position`. */
  before(position: number): readonly Dot[] {
    const { order, trim } = this.#log;
    const end = Math.min(position, order.endPosition);
    if (this.#atEnd?.position === end) return this.#atEnd.dots;
    // What a reader had below what is kept is not known any more: as good as nothing, so that it is told a gap.
    if (end < order.firstPosition) return [];
    if (end === order.firstPosition) return trim ? [trim.through] : [];
    const dots = this.#headsBefore(end);
    if (end === order.endPosition) this.#atEnd = { position: end, dots };
    return dots;
  }

  /** Where the pasts of some held entries lie together. */
  placementOf(heads: readonly Dot[]): Placement {
    const past = pastOf(this.#log, heads);
    extendPrefix(this.#log, past);
    return { position: past.base, beyond: past.beyond };
  }

  of({ position, beyond }: Placement): readonly Dot[] {
    const before = this.before(position);
    if (beyond.size === 0) return before;
    const others = [...beyond].map(([writer, seq]) => ({ writer, seq }));
    const ahead = new Set(others.map(({ writer }) => writer));
    return maximal(this.#log, [...before.filter(({ writer }) => !ahead.has(writer)), ...others]);
  }

  #headsBefore(position: number): readonly Dot[] {
    const { order, trim } = this.#log;
    const chainSpan = order.chainSpanBefore(position);
    const chainEnd = chainSpan
      ? Math.min(position, chainSpan.position + chainSpan.count)
      : order.firstPosition;
    const chainDot = chainSpan
      ? { writer: chainSpan.subLog.writer, seq: chainSpan.firstSeq + chainEnd - chainSpan.position - 1 }
      : trim?.through;
    // In the middle of a block: beside the chain's entry each writer's newest since then may be maximal.
    const newestOf = new Map<WriterId, Dot>();
    if (chainDot) newestOf.set(chainDot.writer, chainDot);
    for (let at = chainEnd; at < position;) {
      const span = order.at(at)!;
      const count = Math.min(span.count, position - span.position);
      newestOf.set(span.subLog.writer, { writer: span.subLog.writer, seq: span.firstSeq + count - 1 });
      at = span.position + count;
    }
    return maximal(this.#log, [...newestOf.values()]);
  }

  #isOnly(writer: WriterId): boolean {
    return this.#subLogs.length === 1 && this.#subLogs[0]!.writer === writer;
  }
}

function newest(subLog: SubLog): Dot {
  return { writer: subLog.writer, seq: subLog.seq };
}

interface ClaimedDot extends Dot {
  readonly round: number;
}

/** By the claim an entry was written under, then by seq. */
function compareClaims(a: ClaimedDot, b: ClaimedDot): number {
  if (a.round !== b.round) return a.round - b.round;
  if (a.writer !== b.writer) return a.writer < b.writer ? -1 : 1;
  return a.seq - b.seq;
}

/** The planted mistake: the newest by the clock. */
function latest(heads: readonly SubLog[]): Dot | undefined {
  const [first, ...others] = heads;
  return first && newest(others.reduce((a, b) => (b.lastTimestamp > a.lastTimestamp ? b : a), first));
}
