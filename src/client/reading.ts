/** How far a reader of one channel is: the maximal entries it has, and what must not surface again. */
import { toBase64Url } from '../base/bytes.js';
import type { ChannelRef, Dot } from '../base/ids.js';
import { type Result, err, ok } from '../base/result.js';
import { advanceHeads, decodeCursor, encodeCursor } from '../log/cursor.js';
import type { Entry, LostRange } from '../log/entry.js';
import type { GapReason, Start } from '../protocol/messages.js';
import { RinglogError } from './error.js';
import { Seen } from './seen.js';

/** Entries this reader will not get. */
export interface GapNotice {
  readonly channel: string;
  /** `trimmed`: removed by retention. `forced`: by an operator, whoever needed it. `damaged`, `lost`: no readable copy is left. */
  readonly reason: GapReason;
  /** Where they are known. */
  readonly ranges: readonly LostRange[];
}

/** What became of an entry: shown, passed over, or had before. */
export type Taken = 'shown' | 'hidden' | 'repeated' | GapNotice;

export class Reading {
  readonly #ref: ChannelRef;
  readonly #start: Start;
  readonly #seen = new Seen();
  /** Absent until the server has said where the reading starts. */
  #heads: readonly Dot[] | undefined;

  constructor(ref: ChannelRef, start: Start) {
    this.#ref = ref;
    this.#start = start;
  }

  /** Fails on a cursor that is damaged or of another channel. */
  static from(ref: ChannelRef, start: Start): Result<Reading, RinglogError> {
    const reading = new Reading(ref, start);
    const isKnown = start.type !== 'cursor' || reading.moveTo(start.cursor);
    return isKnown ? ok(reading) : err(badCursor(ref.channel));
  }

  get heads(): readonly Dot[] | undefined {
    return this.#heads;
  }

  /** Where a subscription must start to go on from here. */
  get start(): Start {
    return this.#heads ? { type: 'cursor', cursor: encodeCursor(this.#ref, this.#heads) } : this.#start;
  }

  /** Heads as the text an application keeps. */
  cursorOf(heads: readonly Dot[]): string {
    return toBase64Url(encodeCursor(this.#ref, heads));
  }

  /** The server opened the reading. One that goes on keeps its own heads: they are as good, and surely its own. */
  begun(cursor: Uint8Array | undefined): boolean {
    return this.#heads !== undefined || (cursor !== undefined && this.moveTo(cursor));
  }

  /** Takes a cursor of the server's as the place; false when it cannot be read. */
  moveTo(cursor: Uint8Array): boolean {
    const heads = decodeCursor(this.#ref, cursor);
    if (!heads.ok) return false;
    this.#heads = heads.value;
    for (const { writer, seq } of heads.value) this.#seen.coverWriter(writer, seq);
    return true;
  }

  take(entry: Entry): Taken {
    // After a gap `lost` the server begins again where it is sure of this reader, and what it says the document is there lacks
    // the patches that follow; one that the order has twice is done twice.
    const isPatch = entry.kind === 'patch';
    if (this.#seen.isRepeated(entry) && !isPatch) return 'repeated';
    // Before it is noted: what this reader had of a lost range is not lost to it.
    const lost = entry.lost && this.#gapOf(entry, entry.lost);
    const isNew = this.#seen.add(entry);
    this.#heads = advanceHeads(this.#heads ?? [], entry, entry.parents);
    if (lost) return lost;
    // A snapshot says what a reader of the patches before it has made of them.
    const isSaid = entry.content ?? entry.redacted ?? entry.redacts;
    const isShown = (isNew || isPatch) && isSaid && entry.kind !== 'snapshot';
    return isShown ? 'shown' : 'hidden';
  }

  #gapOf(entry: Entry, lost: LostRange): GapNotice | undefined {
    const { channel } = this.#ref;
    const hadAll = this.#seen.isRepeated({ ...entry, writer: lost.writer, seq: lost.toSeq });
    return hadAll ? undefined : { channel, reason: 'lost', ranges: [lost] };
  }
}

export function badCursor(channel: string): RinglogError {
  const message =
    'The cursor is damaged or belongs to another channel. Subscribe without it, or from the beginning.';
  return new RinglogError({ code: 'BAD_CURSOR', outcome: 'rejected', message, channel });
}
