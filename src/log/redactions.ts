/** Which entries of a channel are redacted. An entry of kind `redact` names one that it stands on: whoever holds it shows no
 *  content of that any more, and takes it from the disk once the redaction is committed. What is kept here comes of the entries
 *  held, so it goes with them: a trim that removes a redaction has removed what it names. */
import type { Dot, WriterId } from '../base/ids.js';
import { planted } from '../base/planted.js';
import type { Span } from './committed-order.js';
import type { Entry, LostRange } from './entry.js';
import type { LogParts, Redaction } from './log-parts.js';
import { mergedRanges, overlaps, pairsOf, rangesWithout } from './seq-ranges.js';
import type { RunSummary } from './run.js';

export class Redactions {
  readonly #parts: LogParts;

  constructor(parts: LogParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#parts.redactions.length;
  }

  /** How many times something was named as redacted that is still held: what was read before the last of them has another form now. */
  get version(): number {
    return this.#parts.redactions.reduce((sum, { by }) => sum + by.length, 0);
  }

  /** The redaction of an entry, as far as one is held. */
  of({ writer, seq }: Dot): Redaction | undefined {
    return this.#parts.redactions.find((each) => each.writer === writer && each.seq === seq);
  }

  /** Of these entries those that are redacted. */
  within(writer: WriterId, firstSeq: number, lastSeq: number): readonly Redaction[] {
    const { redactions } = this.#parts;
    if (redactions.length === 0) return redactions;
    return redactions.filter((each) => each.writer === writer && firstSeq <= each.seq && each.seq <= lastSeq);
  }

  /** Whether any of these is redacted: then they are to be read, not passed on as they came. */
  touches(spans: readonly Span[]): boolean {
    if (this.size === 0) return false;
    return spans.some(
      ({ writer, firstSeq, count }) => this.within(writer, firstSeq, firstSeq + count - 1).length > 0,
    );
  }

  /** Of these entries those that are here without their content though nothing here says that they are redacted: no more than
   *  the word of whoever sent them. They count as unreadable. */
  unfounded(writer: WriterId, firstSeq: number, lastSeq: number): readonly number[] {
    const bare = this.#parts.subLogs.get(writer)?.redacted ?? nothing;
    if (bare.length === 0) return nothing;
    const seqs: number[] = [];
    for (const [from, to] of overlaps(bare, firstSeq, lastSeq))
      for (let seq = from; seq <= to; seq++) if (!this.of({ writer, seq })) seqs.push(seq);
    return seqs;
  }

  /** Committed, or of what is trimmed, which nobody needs to be sure of; and on the disk as far as is known here. */
  due(): readonly Redaction[] {
    const { redactions, subLogs } = this.#parts;
    const isCommitted = ({ writer, seq }: Dot): boolean => seq <= (subLogs.get(writer)?.placed ?? 0);
    const isGone = ({ writer, seq }: Dot): boolean =>
      seq <= (subLogs.get(writer)?.goneThrough ?? 0) && !planted('trimmed-unerased');
    const isHeld = ({ writer, seq }: Dot): boolean => seq <= (subLogs.get(writer)?.seq ?? 0);
    return redactions.filter(
      (each) => !each.isErased && isHeld(each) && (isGone(each) || each.by.some(isCommitted)),
    );
  }

  /** Nothing is left to be taken from the disk, now or later. */
  get isDone(): boolean {
    return this.#parts.redactions.every(({ isErased }) => isErased);
  }

  /** Its content is taken from the disk, or cannot be on it. */
  erased(dot: Dot): void {
    this.#mark(dot, true);
    forgetRedactions(this.#parts);
  }

  #mark(dot: Dot, isErased: boolean): void {
    this.#parts.redactions = this.#parts.redactions.map((each) =>
      isSame(dot)(each) ? { ...each, isErased } : each,
    );
  }

  /** A run of what is held was stored again, in this form. */
  storedAgain({ writer, firstSeq, count, redacted = nothing }: RunSummary): void {
    const subLog = this.#parts.subLogs.get(writer);
    if (!subLog) return;
    const lastSeq = firstSeq + count - 1;
    for (const each of this.within(writer, firstSeq, lastSeq)) this.#mark(each, false);
    if (subLog.redacted.length === 0 && redacted.length === 0) return;
    subLog.redacted = rangesWithout(subLog.redacted, firstSeq, lastSeq);
    for (const [from, to] of pairsOf(redacted)) subLog.redacted = mergedRanges(subLog.redacted, from, to);
  }
}

/** Entries came in; what they redact is held, or counts as that. */
export function takeRedactions(
  parts: LogParts,
  { writer, marked }: { readonly writer: WriterId; readonly marked: readonly Entry[] },
): void {
  for (const { seq, redacts } of marked) {
    if (!redacts || !mayCome(parts, redacts)) continue;
    const by = { writer, seq };
    const known = parts.redactions.find(isSame(redacts));
    if (!known) parts.redactions = [...parts.redactions, { ...redacts, by: [by], isErased: false }];
    else if (!known.by.some(isSame(by)))
      parts.redactions = parts.redactions.map((each) =>
        each === known ? { ...each, by: [...each.by, by] } : each,
      );
  }
}

/** Whether an entry that is named is held. Where something is lost it may be what names it as a parent: then it comes. */
function mayCome({ subLogs }: LogParts, { writer, seq }: Dot): boolean {
  const { seq: have = 0, goneThrough = 0 } = subLogs.get(writer) ?? {};
  return seq > goneThrough && (seq <= have || subLogs.values().some(({ lost }) => lost.length > 0));
}

/** Floors have risen, or something turned out to be void: of what is gone nothing needs to be known once it is erased. */
export function forgetRedactions(parts: LogParts): void {
  if (parts.redactions.length === 0) return;
  const goneThrough = (writer: WriterId): number => parts.subLogs.get(writer)?.goneThrough ?? 0;
  parts.redactions = parts.redactions.filter(
    ({ writer, seq, isErased }) => !isErased || seq > goneThrough(writer),
  );
}

/** Forgets redactions among entries that are given up before they were committed: other homes cannot know of them. */
export function forgetRedactionsBy(parts: LogParts, { writer, fromSeq, toSeq }: LostRange): void {
  if (parts.redactions.length === 0) return;
  const placed = parts.subLogs.get(writer)?.placed ?? 0;
  const isGone = (by: Dot): boolean =>
    by.writer === writer && by.seq >= fromSeq && by.seq <= toSeq && by.seq > placed;
  parts.redactions = parts.redactions.flatMap((each) => {
    const by = each.by.filter((dot) => !isGone(dot));
    return by.length === 0 ? [] : [{ ...each, by }];
  });
}

function isSame(dot: Dot): (other: Dot) => boolean {
  return ({ writer, seq }) => writer === dot.writer && seq === dot.seq;
}

const nothing: readonly never[] = [];
