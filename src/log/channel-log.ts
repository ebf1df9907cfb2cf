/** The state of one channel's log without payloads: what is held of each writer, the committed order, heads, floors.
 *  It is what a store keeps in memory for a channel in use and writes beside its index. The rules it follows are in
 *  docs/architecture.md; a channel with one writer costs a few hundred bytes and constant time an operation. */
import { assert } from '../base/assert.js';
import { type ChannelRef, type Dot, type WriterId } from '../base/ids.js';
import { type Result, err, ok } from '../base/result.js';
import { type Refusal, refusalOf } from './acceptance.js';
import { decodeState, encodeState } from './channel-log-codec.js';
import { CommittedOrder, type Span } from './committed-order.js';
import {
  canPlaceThrough,
  committedDot,
  committedThrough,
  placeThrough,
  provisionalSpans,
} from './committing.js';
import { lostOf, noteDeletion, putInForce, relearnOld, takeVoids, tookIn, voidLost } from './deletion.js';
import type { Entry, LostRange, Timestamp, Trim, Vector } from './entry.js';
import { floorsIn, isFloorRun, trimmedCount } from './floors.js';
import { Generation } from './generation.js';
import { Heads, type Placement } from './heads.js';
import { Intake } from './intake.js';
import { type SeqRange, lackingRanges } from './lacking.js';
import { type HeldTrim, type LogParts, SubLogs, entriesOf } from './log-parts.js';
import { pastOf, vectorOf } from './past.js';
import { Redactions } from './redactions.js';
import type { RunSummary } from './run.js';
import { type WriterState, stateOf } from './writer-state.js';
import {
  type DueTrims,
  type FloorsVerdict,
  dueTrims,
  judgeFloors,
  noteForced,
  rises,
  trimAt,
} from './trims.js';
import { forgetEffects, forgetEffectsOf, holdEffects } from './waiting-effects.js';

export type { Refusal } from './acceptance.js';
export type { Span } from './committed-order.js';
export type { Placement } from './heads.js';
export type { SeqRange } from './lacking.js';
export type { WriterState } from './writer-state.js';

const nothing: ReadonlyMap<WriterId, number> = new Map();

export class ChannelLog {
  readonly ref: ChannelRef;
  readonly #parts: LogParts;
  readonly #heads: Heads;
  readonly generation: Generation;
  readonly redactions: Redactions;
  #entries = 0;
  #bytes = 0;
  #lastTimestamp: Timestamp = 0;
  /** Nearly no log ever lost anything, and this is asked with every append. */
  #hasLost = false;
  #hasGivenUp = false;

  constructor(ref: ChannelRef) {
    this.ref = ref;
    this.#parts = {
      subLogs: new SubLogs(),
      order: new CommittedOrder(),
      trim: undefined,
      trims: [],
      deletion: undefined,
      retained: undefined,
      redactions: [],
    };
    this.#heads = new Heads(this.#parts);
    this.generation = new Generation(this.#parts);
    this.redactions = new Redactions(this.#parts);
  }

  /** Takes back what `encode` wrote for the same channel. */
  static decode(ref: ChannelRef, bytes: Uint8Array): Result<ChannelLog, string> {
    const log = new ChannelLog(ref);
    const decoded = decodeState(ref, bytes, log.#parts);
    if (!decoded.ok) return decoded;
    log.#bytes = decoded.value.bytes;
    log.#lastTimestamp = decoded.value.lastTimestamp;
    log.#entries = entriesOf(log.#parts);
    log.#hasLost = log.#parts.subLogs.values().some(({ lost }) => lost.length > 0);
    log.#hasGivenUp = log.#parts.subLogs.values().some(({ given }) => given.length > 0);
    log.#heads.restore(decoded.value.heads, decoded.value.trimIsHead);
    return ok(log);
  }

  encode(): Uint8Array {
    return encodeState(this.ref, this.#parts, {
      bytes: this.#bytes,
      lastTimestamp: this.#lastTimestamp,
      heads: this.#heads.subLogs,
      trimIsHead: this.#heads.trimIsHead,
    });
  }

  // What is held.

  get isEmpty(): boolean {
    return this.#parts.subLogs.size === 0;
  }

  /** Entries above the floors, lost ones included. */
  get entries(): number {
    return this.#entries;
  }

  /** Record bytes of the entries above the floors. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The greatest ever held. */
  get lastTimestamp(): Timestamp {
    return this.#lastTimestamp;
  }

  /** Seq through which the writer's entries are held or below the floor; 0 for an unknown writer. */
  have(writer: WriterId): number {
    return this.#parts.subLogs.get(writer)?.seq ?? 0;
  }

  writer(writer: WriterId): WriterState | undefined {
    const subLog = this.#parts.subLogs.get(writer);
    return subLog && stateOf(subLog);
  }

  writers(): readonly WriterState[] {
    return this.#parts.subLogs.values().map(stateOf);
  }

  /** Whether a run may be applied: it follows what is held of its writer, and all it names is held; or it raises the floors. */
  accepts(run: RunSummary): Result<void, Refusal> {
    if (isFloorRun(run)) return rises(floorsIn(run)?.floors ?? nothing, this.floors) ? accepted : known;
    const refusal = refusalOf(this.#parts.subLogs, run);
    return refusal ? err(refusal) : accepted;
  }

  /** For deciding on several runs before any of them is stored. */
  intake(): Intake {
    return new Intake(this.#parts.subLogs);
  }

  /** Takes in a run that is stored now. */
  apply(run: RunSummary): void {
    const floors = floorsIn(run);
    if (floors) return this.applyTrim(floors, 0);
    const refusal = refusalOf(this.#parts.subLogs, run);
    assert(!refusal, `a run is applied once it is accepted, not as ${refusal?.type}`);
    const subLog = this.#parts.subLogs.obtain(run.writer);
    subLog.append(run);
    if (this.#parts.deletion) tookIn(this.#parts, run);
    this.#entries += run.count;
    this.#bytes += run.recordBytes;
    this.#lastTimestamp = Math.max(this.#lastTimestamp, run.lastTimestamp);
    this.#heads.grown(
      subLog,
      run.marked.some((entry) => entry.parents !== undefined),
    );
    for (const entry of run.marked) this.#takeSaid(entry);
    if (run.marked.length > 0) holdEffects(this.#parts, run);
  }

  /** What an entry says of others that are not there, or are not to be. */
  #takeSaid({ lost, voids }: Entry): void {
    const nowhere = lost ? [lost] : lostOf(this.#parts, voids ?? []);
    for (const range of nowhere) this.#giveUp(range);
    if (nowhere.length > 0) relearnOld(this.#parts);
    if (!voids) return;
    // Giving up forgets what tells one generation from another.
    takeVoids(this.#parts, voids);
    for (const range of voids) this.#giveUp(range);
    voidLost(this.#parts, voids);
    forgetEffects(this.#parts);
    this.#entries = entriesOf(this.#parts);
  }

  /** Counts unreadable entries as held, so that what follows them can be stored and placed. */
  lose({ writer, fromSeq, toSeq }: LostRange): void {
    if (fromSeq > toSeq) return;
    const subLog = this.#parts.subLogs.obtain(writer);
    const before = subLog.seq;
    subLog.lose(fromSeq, toSeq);
    this.#hasLost = true;
    this.#entries += subLog.seq - before;
    if (subLog.seq > before) this.#heads.grown(subLog, false);
  }

  /** Takes in again what was lost of a run that is stored now; whether there was any. */
  restore(run: RunSummary): boolean {
    const subLog = this.#parts.subLogs.get(run.writer);
    if (!subLog || !this.#hasLost) return false;
    // What it names was not known to be missing as long as it was missing itself.
    for (const { seq, parents = [] } of run.marked) {
      if (!subLog.isLost(seq)) continue;
      for (const { writer, seq: toSeq } of parents)
        if (toSeq > this.have(writer)) this.lose({ writer, fromSeq: this.have(writer) + 1, toSeq });
    }
    const { writer, marked } = run;
    const restored = marked.filter(({ seq }) => subLog.isLost(seq));
    if (!subLog.restore(run)) return false;
    relearnOld(this.#parts);
    holdEffects(this.#parts, { writer, marked: restored });
    for (const entry of restored) this.#takeSaid(entry);
    this.#lastTimestamp = Math.max(this.#lastTimestamp, run.lastTimestamp);
    this.#heads.renew();
    return true;
  }

  /** What was lost and not given up: to be looked for elsewhere. */
  holes(): readonly LostRange[] {
    if (!this.#hasLost) return [];
    return this.#parts.subLogs.values().flatMap((subLog) => (subLog.lost.length > 0 ? subLog.holes() : []));
  }

  /** What the log says no home has, in order of seq of each writer. */
  givenUp(): readonly LostRange[] {
    if (!this.#hasGivenUp) return [];
    return this.#parts.subLogs.values().flatMap((subLog) => subLog.givenUpRanges());
  }

  /** Whether the log says of all these that no home has them. */
  isGivenUp(writer: WriterId, fromSeq: number, toSeq: number): boolean {
    return this.#hasGivenUp && this.#parts.subLogs.get(writer)?.isGivenUp(fromSeq, toSeq) === true;
  }

  /** Whether entries that have no place yet are lost and not given up: what they stood on is not known, so nothing can be
   *  placed now as other homes place it. */
  get hasUnplacedHole(): boolean {
    return this.#hasLost && this.holes().some(({ writer, toSeq }) => toSeq > this.committedSeq(writer));
  }

  /** What a replica with `have` lacks of what is held here, in an order in which it can take it. Whatever lies at or
   *  below the floors is left out. */
  lacking(have: Vector): readonly SeqRange[] {
    return lackingRanges(this.#parts, this.#heads.dots(), have);
  }

  /** Round of a held entry; 0 below the floor. */
  roundOf({ writer, seq }: Dot): number {
    const subLog = this.#parts.subLogs.get(writer);
    return subLog && seq > subLog.floor && seq <= subLog.seq ? subLog.roundOf(seq) : 0;
  }

  lostRanges(): readonly LostRange[] {
    return this.#parts.subLogs.values().flatMap((subLog) => subLog.lostRanges());
  }

  // What the next entry must carry.

  /** The maximal entries held. */
  heads(): readonly Dot[] {
    return this.#heads.dots();
  }

  /** The entry that a claim's first entry follows: the greatest (round, writer, seq), the newest trimmed one included. */
  primary(): Dot | undefined {
    return this.#heads.primary();
  }

  /** Whether a held entry could be committed with all its past, which it can unless the order has gone another way. */
  canCommitThrough(dot: Dot): boolean {
    return canPlaceThrough(this.#parts, dot);
  }

  /** Parents due on the next entry of `writer`, the primary first; `undefined` when none are. `opening`: it is the
   *  writer's first entry under a claim. Its first one in this channel always is. */
  parentsFor(writer: WriterId, opening: boolean): readonly Dot[] | undefined {
    return this.#heads.parentsFor(writer, opening);
  }

  // The committed order.

  get committed(): Dot | undefined {
    return committedDot(this.#parts);
  }

  /** Seq through which the writer's entries are committed, or below the floor. */
  committedSeq(writer: WriterId): number {
    return committedThrough(this.#parts, writer);
  }

  /** The channel's retained message: the entry marked `retain` that is last in the order; none once that is trimmed. */
  get retained(): Dot | undefined {
    return this.#parts.retained;
  }

  get firstPosition(): number {
    return this.#parts.order.firstPosition;
  }

  get endPosition(): number {
    return this.#parts.order.endPosition;
  }

  /** Says that a held entry is committed, and with it all its past. Returns what this adds to the order; nothing for an
   *  entry that was placed before. */
  commitThrough(dot: Dot): readonly Span[] {
    const spans = placeThrough(this.#parts, dot);
    if (this.#parts.trims.length > 0) noteDeletion(this.#parts, this.#lastTimestamp);
    return spans;
  }

  /** The part of the order at positions [from, to) that is kept. */
  spans(from: number, to: number): Span[] {
    return this.#parts.order.between(from, to);
  }

  /** The entries from `position` on that follow one another in the order and in their writer. */
  spanAt(position: number): Span | undefined {
    return this.#parts.order.from(position);
  }

  /** Whether the entry at a position is of the primary chain: what lies before it in the order is its past, for good. */
  isOnChain(position: number): boolean {
    return this.#parts.order.at(position)?.onChain === true;
  }

  dotAt(position: number): Dot | undefined {
    const span = this.spanAt(position);
    return span && { writer: span.writer, seq: span.firstSeq };
  }

  /** `undefined` for what is not committed, and for what is trimmed but the newest such entry. */
  positionOf(dot: Dot): number | undefined {
    const through = this.#parts.trim?.through;
    if (through?.writer === dot.writer && through.seq === dot.seq) return this.firstPosition - 1;
    const span = this.#parts.subLogs.get(dot.writer)?.placementOf(dot.seq);
    return span && span.position + dot.seq - span.firstSeq;
  }

  /** What order(dot) has beyond the committed order, as if `dot` were committed now. Provisional: a merge may place
   *  other entries before these. Positions go on from `endPosition`. Also what is of an older generation. */
  provisional(dot: Dot): readonly Span[] {
    return provisionalSpans(this.#parts, dot);
  }

  /** Heads of a reader who has exactly what lies before `position`. */
  headsAt(position: number): readonly Dot[] {
    return this.#heads.before(position);
  }

  /** For each writer the seq through which entries lie before `position`; at least its floor. */
  vectorAt(position: number): Vector {
    return vectorOf(this.#parts, { base: position, beyond: nothing });
  }

  /** The entry and all it stands on, and what is trimmed: for each writer the seq through which. */
  pastOf(dot: Dot): Vector {
    return vectorOf(this.#parts, pastOf(this.#parts, [dot]));
  }

  /** Where the pasts of some held entries lie together. */
  placementOf(heads: readonly Dot[]): Placement {
    return this.#heads.placementOf(heads);
  }

  /** Heads of a reader who has what `placement` says. */
  headsOf(placement: Placement): readonly Dot[] {
    return this.#heads.of(placement);
  }

  // Retention.

  /** The newest trim applied. */
  get trim(): Trim | undefined {
    return this.#parts.trim;
  }

  get floors(): Vector {
    return this.#parts.trim?.floors ?? nothing;
  }

  /** Trims that are held and not in force: they are not committed yet, or their floors are not written down. */
  get heldTrims(): readonly HeldTrim[] {
    return this.#parts.trims;
  }

  /** Of those what is to take effect now; ones that never may are forgotten. */
  dueTrims(): DueTrims {
    return dueTrims(this.#parts);
  }

  /** What floors that somebody tells are to this log, with `intake` on its way into it. */
  judgeFloors(trim: Trim, intake: Intake = this.intake()): FloorsVerdict {
    return judgeFloors(this.#parts, intake, trim);
  }

  /** The trim that removes as much as possible before `position`: up to the newest committed entry of the primary chain
   *  there. `undefined` when nothing kept would go. */
  trimAt(position: number): Trim | undefined {
    return trimAt(this.#parts, position);
  }

  /** Drops what a committed trim names; `droppedBytes` are the record bytes of those entries that were held. A trim that
   *  removes less than an earlier one changes nothing. Entries named but not held yet count as held from now on. */
  applyTrim(trim: Trim, droppedBytes: number): void {
    const { subLogs, order, retained } = this.#parts;
    const floors = new Map(this.floors);
    let rises = false;
    for (const [writer, floor] of trim.floors) {
      if (floor <= (floors.get(writer) ?? 0)) continue;
      rises = true;
      floors.set(writer, floor);
      subLogs.obtain(writer).raiseFloor(floor);
    }
    if (!rises) return noteForced(this.#parts, trim.forced);
    putInForce(this.#parts, { ...trim, floors });
    if (retained && retained.seq <= (floors.get(retained.writer) ?? 0)) this.#parts.retained = undefined;
    order.trim(trimmedCount(floors));
    for (const subLog of subLogs.values()) subLog.forgetEmptyPlacements();
    this.#entries = entriesOf(this.#parts);
    this.dropBytes(droppedBytes);
    this.#heads.trimmed();
    forgetEffects(this.#parts);
  }

  /** Record bytes of entries that a trim dropped, where they were counted later than it was applied. */
  dropBytes(bytes: number): void {
    this.#bytes = Math.max(0, this.#bytes - bytes);
  }

  /** The log itself says that no home has these: what of them is not here by now is not waited for, and what is known of
   *  the others is as little everywhere. */
  #giveUp({ writer, fromSeq, toSeq }: LostRange): void {
    const next = this.have(writer) + 1;
    if (fromSeq <= next && next <= toSeq) this.lose({ writer, fromSeq: next, toSeq });
    this.#hasGivenUp = true;
    forgetEffectsOf(this.#parts, { writer, fromSeq, toSeq });
    this.#parts.subLogs.get(writer)?.giveUp(fromSeq, toSeq);
    this.#heads.renew();
  }
}

const accepted = ok<void>(undefined);
const known: Result<void, Refusal> = err({ type: 'duplicate' });
