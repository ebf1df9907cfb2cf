/** Entries that cannot be read here are asked for at the other homes, checked against all that is known of them, and stored
 *  again under the same dots. What no home can read, though all answered and none may have forgotten anything, the owner
 *  gives up in the log itself: docs/decisions/0017-unreadable-records.md. */
import { type NodeId, type WriterId, channelKey, dotText } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import type { LostRange } from '../log/entry.js';
import { runOf } from '../log/run-bytes.js';
import { verifyRun } from '../log/run-reader.js';
import { overlaps } from '../log/seq-ranges.js';
import { pageBytes } from './budgets.js';
import type { Channel } from './channel.js';
import type { Context } from './context.js';
import type { Interval } from './interval.js';
import type { Mend, Mended } from './messages.js';
import {
  type Composed,
  type Damaged,
  type Piece,
  type Pieces,
  compose,
  missingIn,
  piecesHere,
  piecesOfRun,
} from './repair-pieces.js';
import {
  type Answer,
  type Repair,
  askAnew,
  isThere,
  newestThere,
  searchFurther,
  searchNoFurther,
} from './repair.js';
import type { StoredSlice } from './stored-slice.js';
import { timing } from './timing.js';
import type { Transfer } from './transfer.js';

interface MendReading {
  readonly channel: Channel;
  readonly to: NodeId;
  readonly mend: Mend;
  readonly lastSeq: number;
}

export class Repairing {
  readonly #context: Context;
  readonly #transfer: Transfer;
  readonly #reads = new Map<number, MendReading>();
  #count = 0;

  constructor(context: Context, transfer: Transfer) {
    this.#context = context;
    this.#transfer = transfer;
  }

  /** Something damaged was found here. Nothing where it is dealt with already, or where there is too much of it at once: it
   *  is found again. */
  begin(channel: Channel, damaged: Damaged, now: number): void {
    const here = piecesHere(damaged);
    const missing = wantedOf(channel, damaged, here);
    if (missing.length > 0) this.#begin(channel, { kind: 'mend', damaged, here }, missing, now);
    else this.#mendHere(channel, damaged, here);
  }

  /** All entries are there, and what tells a start where they are is not. */
  #mendHere(channel: Channel, damaged: Damaged, here: Pieces): void {
    const composed = composeIn(channel, damaged, here);
    if (typeof composed === 'string' || channel.repairs.some((each) => isAbout(each, damaged))) return;
    if (!this.#hasRoom(composed)) return;
    this.#context.queue.repair({ type: 'repair', channel, parts: composed });
  }

  #hasRoom(parts: readonly Composed[]): boolean {
    return this.#context.queue.hasRoom(parts.reduce((sum, { bytes }) => sum + bytes.length, 0));
  }

  #begin(
    channel: Channel,
    start: Pick<Repair, 'kind' | 'damaged' | 'here'>,
    missing: readonly number[],
    now: number,
  ): void {
    const { writer } = start.damaged;
    const [firstSeq, lastSeq] = [missing[0]!, missing.at(-1)! + (start.kind === 'search' ? 1 : 0)];
    const isKnown = channel.repairs.some(
      (each) => each.damaged.writer === writer && each.firstSeq <= lastSeq && each.lastSeq >= firstSeq,
    );
    // What others ask about leaves room for what is damaged here.
    const most = start.kind === 'mend' ? limits.repairsMax : limits.repairsMax / 2;
    if (isKnown || this.#count >= most) return;
    this.#count++;
    const session = Math.floor(this.#context.options.random.next() * Number.MAX_SAFE_INTEGER);
    const state = {
      answers: new Map(),
      askAt: now,
      tries: 0,
      isNowhere: false,
      isOther: false,
      isQueued: false,
    };
    channel.repairs.push({ ...start, session, firstSeq, lastSeq, ...state });
    this.#context.dueChannels.changed(channel);
    this.tick(channel, now);
  }

  tick(channel: Channel, now: number): void {
    for (const repair of channel.repairs) {
      if (repair.isQueued || now < repair.askAt) continue;
      // One that recovers, or is away, will have an answer; of what all do not have it is asked now and then.
      const most = repair.isNowhere ? timing.mendMaxMs : timing.mendUnansweredMs;
      repair.askAt = now + Math.min(most, timing.hedgeMs * 2 ** Math.min(repair.tries++, 16));
      if (repair.isNowhere) repair.answers.clear();
      for (const home of channel.interval.others) this.#ask(channel, repair, home);
      this.#decide(channel, repair);
    }
    this.#context.dueChannels.changed(channel);
  }

  /** It may have what it did not have, or not answer, before. */
  connected(channel: Channel, peer: NodeId): void {
    for (const repair of channel.repairs) this.#ask(channel, repair, peer);
  }

  /** Others may be its homes now. */
  replanned({ repairs }: Channel, now: number): void {
    askAnew(repairs, now);
  }

  /** This node is no home of it any more. */
  forget(channel: Channel): void {
    for (const repair of channel.repairs.slice()) this.#drop(channel, repair);
  }

  #ask(
    { interval, ref }: Channel,
    { session, damaged, answers, firstSeq, lastSeq }: Repair,
    home: NodeId,
  ): void {
    const answer = answers.get(home);
    if (answer && !answer.recovering && answer.next > lastSeq) return;
    const from = answer && answer.next <= lastSeq ? answer.next : firstSeq;
    this.#context.outbox.to(home).other({
      type: 'mend',
      interval: interval.id,
      ref,
      session,
      writer: damaged.writer,
      firstSeq: from,
      count: lastSeq - from + 1,
    });
  }

  onMended(channel: Channel, from: NodeId, message: Mended, now: number): void {
    const repair = channel.repairs.find(({ session }) => session === message.session);
    if (!repair || repair.isQueued || !channel.interval.others.includes(from)) return;
    const answer = repair.answers.get(from) ?? {
      pieces: new Map<number, Piece>(),
      next: repair.firstSeq,
      recovering: false,
      floor: 0,
    };
    if (message.through < answer.next && answer.next <= repair.lastSeq) return;
    const isWithheld = this.#collect(channel, repair, answer, from, message);
    answer.next = Math.max(answer.next, message.through + 1);
    answer.recovering = message.recovering || isWithheld;
    answer.floor = Math.max(answer.floor, message.floor);
    repair.answers.set(from, answer);
    if (repair.kind === 'search') searchNoFurther(repair);
    // Some of it is trimmed there: the floors come with what that home holds.
    const floor = channel.log.writer(repair.damaged.writer)?.floor ?? 0;
    if (answer.floor > floor) this.#transfer.ask(channel, from, now, 'due');
    if (answer.next <= repair.lastSeq) this.#ask(channel, repair, from);
    if (repair.kind === 'mend') this.#mend(channel, repair);
    else if (answer.pieces.has(repair.firstSeq)) {
      // Nothing stands in the way any more: it comes as anything does.
      this.#drop(channel, repair);
      return this.#transfer.ask(channel, from, now);
    }
    this.#decide(channel, repair);
  }

  /** Whether something came without its content that is not redacted here: a redaction of it is on its way, or that home lies.
   *  Until the one or the other is known it has not answered. */
  #collect(
    channel: Channel,
    { damaged, firstSeq, lastSeq }: Repair,
    answer: Answer,
    from: NodeId,
    message: Mended,
  ): boolean {
    let isWithheld = false;
    for (const bytes of message.runs) {
      const verified = verifyRun(bytes, 0, bytes.length);
      const isOfChannel = verified.ok && channelKey(verified.value.ref) === channel.key;
      if (!isOfChannel || verified.value.writer !== damaged.writer) {
        this.#context.alarm(
          'DAMAGED_RUN',
          `${channel.key}: what was asked for came as something else.`,
          from,
        );
        continue;
      }
      const pieces = piecesOfRun(bytes, verified.value, channel.log.redactions);
      for (const [first, last] of overlaps(verified.value.redacted ?? [], firstSeq, lastSeq))
        for (let seq = first; seq <= last; seq++) isWithheld ||= !pieces.has(seq);
      for (const [seq, piece] of pieces) {
        if (seq >= firstSeq && seq <= lastSeq) answer.pieces.set(seq, piece);
      }
    }
    return isWithheld;
  }

  /** Stores it again, from what one home has or else from what all have together. */
  #mend(channel: Channel, repair: Repair): void {
    const { answers, here, damaged } = repair;
    const given = [...answers].filter(([, { pieces }]) => pieces.size > 0);
    const together = new Map([...given.flatMap(([, { pieces }]) => [...pieces]), ...here]);
    const sources = given.map(([home, { pieces }]) => [home, new Map([...pieces, ...here])] as const);
    for (const [home, pieces] of given.length > 1 ? [...sources, [undefined, together] as const] : sources) {
      const composed = composeIn(channel, damaged, pieces);
      if (composed === 'missing') continue;
      if (composed === 'other') {
        repair.isOther = true;
        if (home) this.#differs(channel, repair, home);
        continue;
      }
      repair.isQueued = true;
      return this.#context.queue.repair({ type: 'repair', channel, parts: composed, repair });
    }
  }

  /** Both its checksum and its place are right, and still it is not what was here: somebody must look. */
  #differs({ key }: Channel, { damaged: { writer, firstSeq } }: Repair, home: NodeId): void {
    const dot = dotText({ writer, seq: firstSeq });
    this.#context.alarm('DOT_CONFLICT', `${key} ${dot}: another entry is held under this name.`, home);
  }

  /** Whether all other homes have said all they can, and none may have forgotten something. */
  #decide(channel: Channel, repair: Repair): void {
    if (repair.isQueued || !channel.repairs.includes(repair)) return;
    const { answers, lastSeq } = repair;
    const isDone = (home: NodeId): boolean => {
      const answer = answers.get(home);
      return answer !== undefined && !answer.recovering && answer.next > lastSeq;
    };
    const { others } = channel.interval;
    const answered = others.filter(isDone).length;
    if (answered < others.length && !(planted('gap-by-majority') && answered > 0)) return;
    if (repair.kind === 'search') {
      if (!this.#context.owns(channel)) return this.#drop(channel, repair);
      if (shownThrough(channel, repair) < repair.firstSeq) return this.#lookFurther(channel, repair);
    }
    repair.isNowhere = true;
    this.#context.outbox.add({ type: 'repairsChanged', ref: channel.ref, interval: channel.interval.id });
    if (this.#context.owns(channel)) this.#giveUp(channel, repair);
  }

  /** Of what nobody shows an entry behind, nobody can tell that it was ever there: in the end who asked about it asks again. */
  #lookFurther(channel: Channel, repair: Repair): void {
    if (!searchFurther(repair)) return this.#drop(channel, repair);
    for (const home of channel.interval.others) this.#ask(channel, repair, home);
  }

  #giveUp(channel: Channel, repair: Repair): void {
    const { kind, damaged, firstSeq, lastSeq } = repair;
    const { writer } = damaged;
    const last = kind === 'mend' ? lastSeq : shownThrough(channel, repair);
    for (let seq = firstSeq; seq <= last; seq++) {
      if (isThere(repair, seq) || channel.log.isGivenUp(writer, seq, seq)) continue;
      let toSeq = seq;
      while (toSeq < last && !isThere(repair, toSeq + 1)) toSeq++;
      const lost: LostRange = { writer, fromSeq: seq, toSeq };
      return this.#context.outbox.add({ type: 'giveUp', ref: channel.ref, lost });
    }
  }

  /** A commit is synced: what was to be repaired in it is, and what the log gave up needs no repair. */
  settle(channel: Channel, now: number): void {
    const { log, named } = channel;
    for (const [writer, seq] of named ?? []) if (log.have(writer) >= seq) named?.delete(writer);
    if (channel.repairs.length === 0) return;
    for (const repair of channel.repairs.slice()) {
      const { damaged, here, kind } = repair;
      const { writer } = damaged;
      if (kind === 'search' && log.have(writer) >= repair.firstSeq) this.#goOn(channel, repair, now);
      else if (wantedOf(channel, damaged, here).length === 0) this.#drop(channel, repair);
      // What stood in its middle may just have been given up.
      else if (kind === 'mend' && repair.isNowhere && !repair.isOther && !repair.isQueued)
        this.#mend(channel, repair);
    }
  }

  /** What stood in the way is given up: what is behind it can be had. */
  #goOn(channel: Channel, repair: Repair, now: number): void {
    this.#drop(channel, repair);
    for (const home of channel.interval.others) this.#transfer.ask(channel, home, now, 'due');
  }

  /** It is stored again. What of it was left out is looked for anew. Others may lack what stands behind it, which
   *  could not be sent before. */
  stored(channel: Channel, repair: Repair | undefined, now: number): void {
    if (!repair) return;
    this.#drop(channel, repair);
    for (const home of channel.interval.others) this.#transfer.ask(channel, home, now, 'due');
    const { writer } = repair.damaged;
    const hole = channel.log.holes().find((each) => each.writer === writer);
    if (hole) this.#context.outbox.add({ type: 'examine', ref: channel.ref, writer, seq: hole.fromSeq });
  }

  #drop(channel: Channel, repair: Repair): void {
    const at = channel.repairs.indexOf(repair);
    if (at < 0) return;
    channel.repairs.splice(at, 1);
    this.#count--;
    this.#context.dueChannels.changed(channel);
    this.#context.outbox.add({ type: 'repairsChanged', ref: channel.ref, interval: channel.interval.id });
  }

  /** Whether an entry that cannot be read here may still come from another home, or turn out to be trimmed. */
  mayMend({ repairs }: Channel, writer: WriterId, seq: number): boolean {
    const repair = repairs.find(
      ({ kind, damaged, firstSeq, lastSeq }) =>
        kind === 'mend' && damaged.writer === writer && firstSeq <= seq && seq <= lastSeq,
    );
    return !repair?.isNowhere || (!repair.isOther && isThere(repair, seq));
  }

  /** Whether all holes in the logs of an interval are filled, or are in all homes alike. */
  isMended(interval: Interval): boolean {
    for (const { log, repairs } of this.#context.channelsIn(interval)) {
      for (const { writer, fromSeq } of log.holes()) {
        const repair = repairs.find((each) => each.damaged.writer === writer && each.firstSeq <= fromSeq);
        if (!repair?.isNowhere) return false;
      }
    }
    return true;
  }

  // The home that is asked.

  onMend(channel: Channel, from: NodeId, mend: Mend, now: number): void {
    if (this.#context.mayGive(from, limits.questionBytes, now))
      this.#context.queue.duty({ type: 'mend', channel, to: from, mend });
  }

  /** Everything received before the question is synced. */
  answer(channel: Channel, to: NodeId, mend: Mend, now: number): void {
    const { log, ref } = channel;
    const { writer, count } = mend;
    const lastSeq = mend.firstSeq + count - 1;
    const floor = log.writer(writer)?.floor ?? 0;
    const firstSeq = Math.max(mend.firstSeq, floor + 1);
    const through = Math.min(lastSeq, log.have(writer));
    this.#stands(channel, mend, lastSeq);
    if (firstSeq > through) return this.#tell(channel, to, mend, [], lastSeq);
    const ranges = [{ writer, firstSeq, count: through - firstSeq + 1 }];
    if (!this.#context.mayGive(to, pageBytes(channel, ranges), now)) return;
    const id = this.#context.nextId();
    this.#reads.set(id, { channel, to, mend, lastSeq });
    this.#context.outbox.add({ type: 'read', id, ref, ranges, bytesMax: limits.peerReadBytes });
  }

  /** An owner that lacks what another home cannot read goes no further than that: it asks all the others itself. */
  #stands(channel: Channel, { writer, firstSeq }: Mend, lastSeq: number): void {
    const next = channel.log.have(writer) + 1;
    if (!this.#context.owns(channel) || next < firstSeq || next > lastSeq) return;
    const { ref } = channel;
    const damaged: Damaged = {
      ref,
      writer,
      firstSeq: next,
      count: lastSeq - next + 1,
      known: undefined,
      whole: [],
      before: undefined,
      last: undefined,
    };
    this.#begin(channel, { kind: 'search', damaged, here: new Map() }, [next, lastSeq], -Infinity);
  }

  /** What was read for an answer; false when it was read for something else. */
  loaded(id: number, slices: readonly StoredSlice[], isDamaged: boolean): boolean {
    const reading = this.#reads.get(id);
    if (!reading) return false;
    this.#reads.delete(id);
    const { channel, to, mend, lastSeq } = reading;
    const runs = slices.map((slice) => runOf({ ref: channel.ref, ...slice }));
    const last = slices.at(-1);
    const through = last ? last.firstSeq + last.count - 1 : lastSeq;
    if (isDamaged) {
      const { writer, firstSeq: seq } = mend;
      this.#context.outbox.add({ type: 'examine', ref: channel.ref, writer, seq });
    }
    this.#tell(channel, to, mend, runs, through >= channel.log.have(mend.writer) ? lastSeq : through);
    return true;
  }

  #tell(
    { interval, ref, log }: Channel,
    to: NodeId,
    { session, writer }: Mend,
    runs: readonly Uint8Array[],
    through: number,
  ): void {
    const floor = log.writer(writer)?.floor ?? 0;
    // One that comes in has forgotten nothing, and gets the rest only once what stands in its way is given up.
    const recovering = interval.recovery !== undefined && !interval.isIncoming;
    const answer = { interval: interval.id, ref, session, through, floor, recovering, runs };
    this.#context.outbox.to(to).other({ type: 'mended', ...answer });
  }
}

/** What of it is neither here, nor trimmed, nor given up. */
function wantedOf({ log }: Channel, damaged: Damaged, here: Pieces): number[] {
  const { writer } = damaged;
  const floor = log.writer(writer)?.floor ?? 0;
  return missingIn(damaged, here).filter((seq) => seq > floor && !log.isGivenUp(writer, seq, seq));
}

function composeIn({ log }: Channel, damaged: Damaged, pieces: Pieces): ReturnType<typeof compose> {
  return compose(damaged, pieces, (seq) => log.isGivenUp(damaged.writer, seq, seq));
}

/** Of what is looked for because another home cannot read it: through which entry somebody else shows that it existed. */
function shownThrough({ named }: Channel, repair: Repair): number {
  const { damaged, lastSeq } = repair;
  return Math.max(newestThere(repair) - 1, Math.min(lastSeq - 1, named?.get(damaged.writer) ?? 0));
}

function isAbout({ damaged }: Repair, { writer, firstSeq, count }: Damaged): boolean {
  const isBehind = damaged.firstSeq >= firstSeq + count;
  return damaged.writer === writer && !isBehind && damaged.firstSeq + damaged.count > firstSeq;
}
