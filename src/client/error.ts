/** The one error of the client: a code, and what is known about whether anything was written. */
import { type ErrorCode, type Failure, type Outcome } from '../protocol/errors.js';

/** Beside the server's codes: what only a client can find. */
const ownCodes = {
  QUEUE_FULL: 'Too many publishes wait for the connection. Slow down, or wait for those under way.',
  TIMEOUT: 'There was no answer in time.',
  UNREACHABLE: 'The server cannot be reached. The client goes on trying.',
  CLOSED: 'The client is closed.',
  LOST: 'The one node that had it has lost it, after it said so: no home of the channel has it any more.',
  GAP: 'Entries of this channel are gone. Listen to "gap" to go on behind them.',
} as const;

export type ClientErrorCode = ErrorCode | keyof typeof ownCodes;

export class RinglogError extends Error {
  override readonly name = 'RinglogError';
  readonly code: ClientErrorCode;
  /** `rejected`: nothing was written. `indeterminate`: it may appear; the same idempotency key makes a retry safe. */
  readonly outcome: Outcome;
  readonly retryAfterMs: number | undefined;
  readonly channel: string | undefined;
  /** Of a patch: index of the operation, and what is wrong with it. */
  readonly operation: number | undefined;
  readonly reason: string | undefined;
  /** Of what was acknowledged and came to nothing after all: the id that it was acknowledged with. */
  readonly id: string | undefined;

  constructor(details: {
    readonly code: ClientErrorCode;
    readonly outcome: Outcome;
    readonly message: string;
    readonly retryAfterMs?: number;
    readonly channel?: string;
    readonly operation?: number;
    readonly reason?: string;
    readonly id?: string | undefined;
  }) {
    super(details.message);
    this.code = details.code;
    this.outcome = details.outcome;
    this.retryAfterMs = details.retryAfterMs;
    this.channel = details.channel;
    this.operation = details.operation;
    this.reason = details.reason;
    this.id = details.id;
  }
}

/** No home has what was acknowledged with this id. */
export function lostError(channel: string, id: string | undefined): RinglogError {
  return new RinglogError({ code: 'LOST', outcome: 'indeterminate', message: ownCodes.LOST, channel, id });
}

/** `refusal`: what the server said before, for who reads the message. */
export function ownError(
  code: keyof typeof ownCodes,
  outcome: Outcome = 'rejected',
  channel?: string,
  refusal?: Failure,
): RinglogError {
  const message = ownCodes[code] + (refusal ? ` Before: ${refusal.code}, ${refusal.message}` : '');
  return new RinglogError({ code, outcome, message, ...(channel === undefined ? undefined : { channel }) });
}

/** What the server said. `maybeWritten`: an earlier attempt had no answer, so a refusal of this one settles nothing. */
export function serverError(failure: Failure, maybeWritten = false): RinglogError {
  return new RinglogError(maybeWritten ? { ...failure, outcome: 'indeterminate' } : failure);
}
