/** What waits for the disk, in order of receipt: runs to be stored, notes, and what may be said only after that. A cut
 *  takes a beginning of it into one commit, so an answer always stands behind everything received before it. */
import type { NodeId, WriterId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Refusal } from '../log/acceptance.js';
import type { Intake } from '../log/intake.js';
import type { LostRange, Trim, Vector } from '../log/entry.js';
import { floorRun } from '../log/floors.js';
import { planted } from '../base/planted.js';
import type { RunSummary } from '../log/run.js';
import { runFrom } from '../log/run-bytes.js';
import { verifyRun } from '../log/run-reader.js';
import type { Checkpoint } from './catch-up-notes.js';
import { rises } from '../log/trims.js';
import type { Channel } from './channel.js';
import { type Claim, type IntervalNote, encodeIntervalNote, noteOf } from './claim.js';
import type { Gathering, Interval } from './interval.js';
import type { Find, Mend } from './messages.js';
import type { Repair } from './repair.js';
import type { Composed } from './repair-pieces.js';

/** Done once everything before it is synced. */
export type Duty =
  | {
      readonly type: 'ack';
      readonly channel: Channel;
      readonly to: NodeId;
      readonly claim: Claim;
      /** What it answers: a pull is answered by what is held here as well. */
      readonly of: 'append' | 'pull';
    }
  | { readonly type: 'grant'; readonly interval: Interval; readonly to: NodeId; readonly claim: Claim }
  | { readonly type: 'state'; readonly channel: Channel; readonly to: NodeId; readonly pull: PullTerms }
  | { readonly type: 'giveBack'; readonly interval: Interval; readonly to: NodeId; readonly session: number }
  | { readonly type: 'found'; readonly channel: Channel; readonly to: NodeId; readonly find: Find }
  | { readonly type: 'mend'; readonly channel: Channel; readonly to: NodeId; readonly mend: Mend }
  | { readonly type: 'adopt'; readonly channel: Channel; readonly id: number }
  /** A note about a peer, written in the commit itself like that of an interval. */
  | {
      readonly type: 'keep';
      readonly peer: NodeId;
      readonly name: string;
      readonly value: Uint8Array;
      /** What is applied durably then of what arrived at the peer. */
      readonly checkpoint?: Checkpoint;
    }
  /** Written in the commit itself, in its place behind everything received before. */
  | {
      readonly type: 'note';
      readonly interval: Interval;
      readonly note: IntervalNote;
      /** What is over once the note is synced. */
      readonly ends?: Gathering;
    };

export interface PullTerms {
  readonly have: Vector;
  readonly claim: Claim | undefined;
  readonly limited?: true;
}

export interface ReceivedRun {
  readonly type: 'run';
  readonly channel: Channel;
  readonly from: NodeId;
  readonly bytes: Uint8Array;
  readonly run: RunSummary;
}

/** Floors are to be raised: by a trim that is committed here, or as a peer says. */
export interface DueFloors {
  readonly type: 'floors';
  readonly channel: Channel;
  readonly trim: Trim;
  /** Who said so; absent where the trim itself is held. */
  readonly from?: NodeId;
}

/** A run to be stored again, in one commit however many parts it has: its entries are held, and could not be read. */
export interface RepairRun {
  readonly type: 'repair';
  readonly channel: Channel;
  readonly parts: readonly Composed[];
  /** Absent where nothing had to be looked for. */
  readonly repair?: Repair;
}

/** A run to be stored: `run.offset` is its place in `bytes`. */
export interface AcceptedRun {
  readonly channel: Channel;
  readonly bytes: Uint8Array;
  readonly run: RunSummary;
  /** Entries it stands on which were given up: the log counts them as held first. */
  readonly lost?: readonly LostRange[];
}

export interface RefusedRun {
  readonly channel: Channel;
  readonly from: NodeId;
  readonly refusal: Refusal;
}

export interface Cut {
  readonly runs: readonly AcceptedRun[];
  readonly repairs: readonly RepairRun[];
  readonly notes: ReadonlyMap<string, Uint8Array>;
  readonly duties: readonly Duty[];
  readonly refused: readonly RefusedRun[];
  /** Floors that were told and cannot be. */
  readonly conflicts: readonly DueFloors[];
}

type Item = ReceivedRun | RepairRun | DueFloors | Duty;

export class CommitQueue {
  #items: Item[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  hasRoom(bytes: number): boolean {
    return this.#bytes + bytes <= limits.intakeBytesMax;
  }

  run(item: ReceivedRun): void {
    this.#bytes += item.bytes.length;
    item.channel.queued++;
    this.#items.push(item);
  }

  floors(floors: DueFloors): void {
    floors.channel.queued++;
    this.#items.push(floors);
  }

  /** Bounded by the repairs there may be at once. */
  repair(item: RepairRun): void {
    this.#bytes += bytesOf(item);
    item.channel.queued++;
    this.#items.push(item);
  }

  duty(duty: Duty): void {
    if ('channel' in duty) duty.channel.queued++;
    this.#items.push(duty);
  }

  /** Puts others in the place of what waits; `undefined` for nothing. */
  renew(renewed: (item: Item) => Item | undefined): void {
    this.#items = this.#items.flatMap((item) => renewed(item) ?? []);
    this.#bytes = this.#items.reduce((sum, item) => sum + bytesOf(item), 0);
  }

  /** Takes what fits into a commit. */
  cut(bytesMax: number): Cut {
    const deciding = new Deciding();
    const notes = new Map<string, Uint8Array>();
    const duties: Duty[] = [];
    const repairs: RepairRun[] = [];
    for (const item of this.#take(bytesMax)) {
      if (item.type === 'run') {
        deciding.take(item);
        continue;
      }
      if (item.type === 'floors') {
        deciding.raise(item);
        continue;
      }
      if (item.type === 'repair') {
        repairs.push(item);
        continue;
      }
      if (item.type === 'note') notes.set(noteOf(item.interval.id), encodeIntervalNote(item.note));
      else if (item.type === 'keep') notes.set(item.name, item.value);
      duties.push(item);
    }
    const { runs, refused, conflicts } = deciding;
    return { runs, repairs, notes, duties, refused, conflicts };
  }

  #take(bytesMax: number): readonly Item[] {
    let bytes = 0;
    let taken = 0;
    while (taken < this.#items.length && bytes < bytesMax) {
      const item = this.#items[taken++]!;
      if ('channel' in item) item.channel.queued--;
      bytes += bytesOf(item);
    }
    const items = this.#items.slice(0, taken);
    this.#items = this.#items.slice(taken);
    this.#bytes -= bytes;
    return items;
  }
}

function bytesOf(item: Item): number {
  if (item.type === 'repair') return item.parts.reduce((sum, { bytes }) => sum + bytes.length, 0);
  return 'bytes' in item ? item.bytes.length : 0;
}

/** Which runs of a commit are taken, each on top of those before it. */
class Deciding {
  readonly runs: AcceptedRun[] = [];
  readonly refused: RefusedRun[] = [];
  readonly conflicts: DueFloors[] = [];
  readonly #intakes = new Map<Channel, Intake>();
  /** Raised in this commit. */
  readonly #raised = new Map<Channel, Trim>();

  take({ channel, from, bytes, run }: ReceivedRun): void {
    const taken = this.#intake(channel).take(run);
    if (taken.ok) {
      this.runs.push({ channel, bytes, run });
      return;
    }
    const refusal = taken.error;
    if (refusal.type === 'duplicate' || refusal.type === 'trimmed') return;
    if (refusal.type !== 'overlap') {
      const behind = this.#intake(channel).takeBehind(run, channel.toldGivenUp);
      if (behind.ok) this.runs.push({ channel, bytes, run, lost: behind.value });
      else this.refused.push({ channel, from, refusal });
      return;
    }
    const rest = runFrom(bytes, run, refusal.expected.seq);
    const verified = verifyRun(rest, 0, rest.length);
    if (verified.ok) this.take({ type: 'run', channel, from, bytes: rest, run: verified.value });
  }

  /** What comes after it in this commit may stand on it. */
  raise(item: DueFloors): void {
    const { channel, trim, from } = item;
    channel.floorsDue = 0;
    const raised = this.#raised.get(channel);
    if (raised && !rises(trim.floors, raised.floors)) return;
    const intake = this.#intake(channel);
    const verdict = channel.log.judgeFloors(trim, intake);
    if (verdict === 'known' || (from !== undefined && verdict === 'held')) return;
    if (verdict === 'conflict' || (raised && rises(raised.floors, trim.floors))) {
      this.conflicts.push(item);
      return;
    }
    this.#raised.set(channel, trim);
    intake.raise(trim.floors);
    if (!planted('floors-in-memory')) this.runs.push({ channel, ...floorRun(channel.ref, trim) });
    else channel.log.applyTrim(trim, 0);
  }

  #intake(channel: Channel): Intake {
    let intake = this.#intakes.get(channel);
    if (!intake) this.#intakes.set(channel, (intake = channel.log.intake()));
    return intake;
  }
}

/** The greatest seq of `writer` in some runs; 0 without one. */
export function lastSeqOf(runs: readonly RunSummary[], writer: WriterId): number {
  return runs.reduce(
    (last, run) => (run.writer === writer ? Math.max(last, run.firstSeq + run.count - 1) : last),
    0,
  );
}
