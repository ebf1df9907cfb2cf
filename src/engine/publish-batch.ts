import type { HubName } from '../base/ids.js';
import type { Result } from '../base/result.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { PublishMessage } from '../protocol/messages.js';
import type { Principal, PublishAccepted } from './api.js';
import { BatchOrigin } from './batch-origin.js';
import type { Quotas } from './hubs/quotas.js';
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
