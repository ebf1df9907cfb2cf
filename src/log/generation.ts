/** What a log tells of its generations: where the present one begins, and what of it is of an older one. */
import type { Dot, WriterId } from '../base/ids.js';
import type { Span } from './committed-order.js';
import { isPresent, oldThrough, presentOf, voidsDue } from './deletion.js';
import type { Deletion, LostRange, Trim } from './entry.js';
import type { LogParts } from './log-parts.js';
import { endsGeneration } from './trims.js';

export class Generation {
  readonly #parts: LogParts;

  constructor(parts: LogParts) {
    this.#parts = parts;
  }

  /** The newest deletion that took effect and is remembered. */
  get deletion(): Deletion | undefined {
    return this.#parts.deletion;
  }

  /** Position at which it begins: nothing before that is for anybody. */
  get start(): number {
    return this.#parts.deletion?.end ?? 0;
  }

  /** Whether an entry is of an older one, or ends it. */
  isDeleted({ writer, seq }: Dot): boolean {
    const through = this.#parts.deletion?.through;
    return seq <= this.oldThrough(writer) || (through?.writer === writer && through.seq === seq);
  }

  /** Whether a committed entry was written beside the end of its generation: it had no effect. */
  isVoid(dot: Dot): boolean {
    const { subLogs, deletion, order } = this.#parts;
    const subLog = subLogs.get(dot.writer);
    if (!deletion || !subLog || dot.seq <= subLog.floor || dot.seq > this.oldThrough(dot.writer))
      return false;
    const span = subLog.placementOf(dot.seq);
    const position = span ? span.position + dot.seq - span.firstSeq : order.endPosition;
    return position >= deletion.end;
  }

  /** Whether a committed entry ended a generation: not where another owner went on without it. */
  isEnd(dot: Dot): boolean {
    return this.isDeleted(dot) && !this.isVoid(dot);
  }

  /** Seq through which the writer's entries are known to be of an older one; 0 without any. */
  oldThrough(writer: WriterId): number {
    return oldThrough(this.#parts, writer);
  }

  /** What of these is of the present one. */
  present(spans: readonly Span[]): readonly Span[] {
    return this.#parts.deletion ? spans.flatMap((span) => presentOf(this.#parts, span)) : spans;
  }

  /** What of these, which are not committed, comes before an end that may yet take effect. */
  beforeEnds(spans: readonly Span[]): readonly Span[] {
    const { trims, subLogs } = this.#parts;
    const ends = trims.filter(
      (held) => endsGeneration(held) && subLogs.get(held.dot.writer)?.placementOf(held.dot.seq) === undefined,
    );
    if (ends.length === 0) return spans;
    for (const [i, span] of spans.entries()) {
      const seqs = ends.flatMap(({ dot }) => (isWithin(span, dot) ? dot.seq : []));
      if (seqs.length === 0) continue;
      const count = Math.min(...seqs) - span.firstSeq;
      return count === 0 ? spans.slice(0, i) : [...spans.slice(0, i), { ...span, count }];
    }
    return spans;
  }

  /** Whether any of these is deleted. */
  hasDeleted(spans: readonly Span[]): boolean {
    const { deletion } = this.#parts;
    return deletion !== undefined && spans.some((span) => !isPresent(this.#parts, deletion, span));
  }

  /** What is held and of an older one, and was not said to be: an owner says so where it takes it in. */
  voidsDue(): readonly LostRange[] {
    return this.#parts.deletion ? voidsDue(this.#parts) : [];
  }

  /** The trim of an entry of `writer` that ends the present one, to be stamped as `seq` in `round`. */
  endAt(writer: WriterId, seq: number, round: number): Trim {
    const held = this.#parts.subLogs.values().filter((subLog) => subLog.seq > 0);
    const floors = new Map(held.map((subLog) => [subLog.writer, subLog.seq]));
    return { through: { writer, seq }, floors: floors.set(writer, seq), round };
  }
}

function isWithin({ writer, firstSeq, count }: Span, dot: Dot): boolean {
  return writer === dot.writer && firstSeq <= dot.seq && dot.seq < firstSeq + count;
}
