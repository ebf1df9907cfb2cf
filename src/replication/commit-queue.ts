/** What waits for the disk, in order of receipt: runs to be stored, notes, and what may be said only after that. A cut
 *  takes a beginning of it into one commit, so an answer always stands behind everything received before it. */
import type { NodeId, WriterId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Refusal } from '../log/acceptance.js';
import type { Intake } from '../log/intake.js';
import type { Vector } from '../log/entry.js';
import type { RunSummary } from '../log/run.js';
import { runFrom } from '../log/run-bytes.js';
import { verifyRun } from '../log/run-reader.js';
import type { Channel } from './channel.js';
import { type Claim, type IntervalNote, encodeIntervalNote, noteOf } from './claim.js';
import type { Gathering, Interval } from './interval.js';
import type { Find, Mend } from './messages.js';
import type { Repair } from './repair.js';

/** Done once everything before it is synced. */
export type Duty =
  | { readonly type: 'ack'; readonly channel: Channel; readonly to: NodeId; readonly claim: Claim }
  | { readonly type: 'grant'; readonly interval: Interval; readonly to: NodeId; readonly claim: Claim }
  | { readonly type: 'state'; readonly channel: Channel; readonly to: NodeId; readonly pull: PullTerms }
  | { readonly type: 'giveBack'; readonly interval: Interval; readonly to: NodeId; readonly session: number }
  | { readonly type: 'found'; readonly channel: Channel; readonly to: NodeId; readonly find: Find }
  | { readonly type: 'mend'; readonly channel: Channel; readonly to: NodeId; readonly mend: Mend }
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
}

export interface ReceivedRun {
  readonly type: 'run';
  readonly channel: Channel;
  readonly from: NodeId;
  readonly bytes: Uint8Array;
  readonly run: RunSummary;
}

/** A run to be stored again: its entries are held, and could not be read. */
export interface RepairRun {
  readonly type: 'repair';
  readonly channel: Channel;
  readonly bytes: Uint8Array;
  readonly run: RunSummary;
  /** Absent where nothing had to be looked for. */
  readonly repair?: Repair;
}

type Item = ReceivedRun | RepairRun | Duty;

/** A run to be stored: `run.offset` is its place in `bytes`. */
export interface AcceptedRun {
  readonly channel: Channel;
  readonly bytes: Uint8Array;
  readonly run: RunSummary;
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
}

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
    this.#items.push(item);
  }

  /** Bounded by the repairs there may be at once. */
  repair(item: RepairRun): void {
    this.#bytes += item.bytes.length;
    this.#items.push(item);
  }

  duty(duty: Duty): void {
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
      if (item.type === 'repair') {
        repairs.push(item);
        continue;
      }
      if (item.type === 'note') notes.set(noteOf(item.interval.id), encodeIntervalNote(item.note));
      duties.push(item);
    }
    return { runs: deciding.runs, repairs, notes, duties, refused: deciding.refused };
  }

  #take(bytesMax: number): readonly Item[] {
    let bytes = 0;
    let taken = 0;
    while (taken < this.#items.length && bytes < bytesMax) {
      bytes += bytesOf(this.#items[taken++]!);
    }
    const items = this.#items.slice(0, taken);
    this.#items = this.#items.slice(taken);
    this.#bytes -= bytes;
    return items;
  }
}

function bytesOf(item: Item): number {
  return 'bytes' in item ? item.bytes.length : 0;
}

/** Which runs of a commit are taken, each on top of those before it. */
class Deciding {
  readonly runs: AcceptedRun[] = [];
  readonly refused: RefusedRun[] = [];
  readonly #intakes = new Map<Channel, Intake>();

  take({ channel, from, bytes, run }: ReceivedRun): void {
    let intake = this.#intakes.get(channel);
    if (!intake) this.#intakes.set(channel, (intake = channel.log.intake()));
    const taken = intake.take(run);
    if (taken.ok) {
      this.runs.push({ channel, bytes, run });
      return;
    }
    const refusal = taken.error;
    if (refusal.type === 'duplicate' || refusal.type === 'trimmed') return;
    if (refusal.type !== 'overlap') {
      this.refused.push({ channel, from, refusal });
      return;
    }
    const rest = runFrom(bytes, run, refusal.expected.seq);
    const verified = verifyRun(rest, 0, rest.length);
    if (verified.ok) this.take({ type: 'run', channel, from, bytes: rest, run: verified.value });
  }
}

/** The greatest seq of `writer` in some runs; 0 without one. */
export function lastSeqOf(runs: readonly RunSummary[], writer: WriterId): number {
  return runs.reduce(
    (last, run) => (run.writer === writer ? Math.max(last, run.firstSeq + run.count - 1) : last),
    0,
  );
}
