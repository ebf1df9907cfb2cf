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
  readonly timeoutMs: number;
  accepted(ack: Ack): void;
  refused(error: RinglogError): void;
}

export class Item {
  state: 'waiting' | 'sent' | 'done' = 'waiting';
  requestId = 0;
  /** It was sent once and had no answer that says it was not written. */
  maybeWritten = false;
  failures = 0;
  outOfOrder = 0;
  lastFailure: Failure | undefined;

  constructor(
    readonly request: PublishRequest,
    readonly lane: Lane,
    /** Over all channels; a signal has one too. */
    readonly order: number,
    readonly seq: number | undefined,
    readonly deadlineMs: number,
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
}

/** First in its channel and out of order still: its number was used by somebody else. */
const outOfOrderMax = 5;

/** Everything before it is done, and still it is out of order: somebody else used its number. */
export function isTaken(item: Item): boolean {
  return item.seq === item.lane.doneThrough + 1 && ++item.outOfOrder > outOfOrderMax;
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
  };
}
