import type { HubName } from '../base/ids.js';
import { type Result, err, ok } from '../base/result.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { PublishMessage } from '../protocol/messages.js';
import type { Accepted, Reached } from '../sessions/ack-range.js';
import type { Principal, PublishAccepted } from './api.js';
import type { Quotas } from './hubs/quotas.js';
import type { PublishOrigin } from './pending.js';
import type { Publishing } from './publishing.js';

interface Batch {
  readonly hub: HubName;
  readonly principal: Principal;
  readonly messages: readonly PublishMessage[];
}

/** Publishes what one request brings, as far as the quotas go. */
export function publishBatch(
  publishing: Publishing,
  quotas: Quotas,
  nowMs: number,
  { hub, principal, messages }: Batch,
): Promise<Result<PublishAccepted, Failure>[]> {
  return new Promise((resolve) => {
    const origin = new BatchOrigin(messages.length, resolve);
    messages.forEach((message, requestId) => {
      const retryAfterMs = quotas.take(hub, principal, nowMs);
      if (retryAfterMs > 0) origin.publishFailed(requestId, failure('RATE_LIMITED', { retryAfterMs }));
      else publishing.publish({ origin, requestId, hub, principal, message });
    });
  });
}

/** Gathers the results of one HTTP request. */
class BatchOrigin implements PublishOrigin {
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
