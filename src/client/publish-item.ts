/** One publish on its way, and the channel it goes to. */
import type { Failure } from '../protocol/errors.js';
import type { Ack, Level, PublishMessage, PublishedKind } from '../protocol/messages.js';
import type { RinglogError } from './error.js';
import { Fifo } from './fifo.js';

export interface PublishRequest {
  readonly channel: string;
  /** The encoded content. */
  readonly content: Uint8Array;
  /** Absent for a signal: it is sent once, and nobody knows it again. */
  readonly idempotencyKey?: string;
  readonly level?: Level;
  readonly degrade?: boolean;
  readonly kind?: PublishedKind;
  /** Infinite for one that is kept. */
  readonly timeoutMs: number;
  /** Of one that is kept: says what became of it, where it may have been written longer ago than its key is known for sure. */
  look?(decide: (found: Found) => void): void;
  accepted(ack: Ack): void;
  refused(error: RinglogError): void;
}

/** What became of a publish that may have been written: where it is, that it is nowhere, or that nobody can say. */
export type Found = Ack | 'unwritten' | RinglogError;

/** By the clock that only goes forward, and by the one that goes on while the machine sleeps. */
export interface Moment {
  readonly nowMs: number;
  readonly unixMs: number;
}

export class Item {
  state: 'waiting' | 'sent' | 'done' = 'waiting';
  requestId = 0;
  /** It was sent once and had no answer that says it was not written. */
  maybeWritten = false;
  /** Since then its outcome may be unknown: the first sending that was not answered with a refusal. */
  sentSince: Moment | undefined;
  failures = 0;
  outOfOrder = 0;
  lastFailure: Failure | undefined;

  constructor(
    readonly request: PublishRequest,
    readonly lane: Lane,
    /** Over all channels; a signal has one too. */
    readonly order: number,
    readonly seq: number | undefined,
    public deadlineMs: number,
  ) {}

  get bytes(): number {
    return this.request.content.length;
  }
}

/** One channel. */
export interface Lane {
  readonly channel: string;
  lastSeq: number;
  /** Every number through this one is done with. */
  doneThrough: number;
  /** Numbers above `doneThrough` that are done. */
  readonly done: Set<number>;
  /** In order. */
  readonly waiting: Fifo<Item>;
  sent: number;
  /** Stopped until nothing is under way and this time has come. */
  stoppedUntilMs: number | undefined;
  isReady: boolean;
  /** It is being found out what became of the first one that waits. */
  isLooking: boolean;
}

/** First in its channel and out of order still: its number was used by somebody else. */
const outOfOrderMax = 5;

/** Everything before it is done, and still it is out of order: somebody else used its number. */
export function isTaken(item: Item): boolean {
  return item.seq === item.lane.doneThrough + 1 && ++item.outOfOrder > outOfOrderMax;
}

/** Keys are known for ten minutes of log time at least: what is on its way until then comes within that. */
const repeatableMs = 480_000;

/** Whether it may be sent: again only while its key is known for sure, where somebody can say what became of it. */
export function isRepeatable({ request, sentSince }: Item, { nowMs, unixMs }: Moment): boolean {
  if (!sentSince || !request.look) return true;
  return Math.max(nowMs - sentSince.nowMs, unixMs - sentSince.unixMs) < repeatableMs;
}

export function messageOf(item: Item): PublishMessage {
  const { seq, lane } = item;
  const { channel, content, idempotencyKey, level, degrade, kind } = item.request;
  return {
    type: 'publish',
    channel,
    content,
    ...(idempotencyKey === undefined ? undefined : { idempotencyKey }),
    ...(seq === undefined ? undefined : { publisherSeq: seq, ackedThrough: lane.doneThrough }),
    ...(level === undefined ? undefined : { level }),
    ...(degrade === undefined ? undefined : { degrade }),
    ...(kind === undefined ? undefined : { kind }),
  };
}

export function newLane(channel: string): Lane {
  return {
    channel,
    lastSeq: 0,
    doneThrough: 0,
    done: new Set(),
    waiting: new Fifo(),
    sent: 0,
    stoppedUntilMs: undefined,
    isReady: false,
    isLooking: false,
  };
}
