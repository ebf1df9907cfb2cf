import { type Result, err, ok } from '../base/result.js';
import type { Failure } from '../protocol/errors.js';
import type { Accepted, Reached } from '../sessions/ack-range.js';
import type { PublishAccepted } from './api.js';
import type { PublishOrigin } from './pending.js';

/** Gathers the results of one HTTP request. */
export class BatchOrigin implements PublishOrigin {
  readonly #results: Result<PublishAccepted, Failure>[] = [];
  #open: number;

  constructor(
    count: number,
    readonly settled: (results: Result<PublishAccepted, Failure>[]) => void,
  ) {
    this.#open = count;
  }

  publishAccepted({ requestId, dot, timestamp, duplicate, version }: Accepted, reached: Reached): void {
    const of = { ...(dot ? { dot } : {}), ...(version === undefined ? {} : { version }) };
    this.#settle(requestId, ok({ ...of, timestamp, ...reached, duplicate }));
  }

  publishFailed(requestId: number, error: Failure): void {
    this.#settle(requestId, err(error));
  }

  #settle(index: number, result: Result<PublishAccepted, Failure>): void {
    this.#results[index] = result;
    if (--this.#open === 0) this.settled(this.#results);
  }
}
