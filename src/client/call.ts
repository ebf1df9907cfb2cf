/** Calls of methods of a hub's services. */
import { channelNameFor } from '../base/ids.js';
import { wireLimits } from '../base/wire-limits.js';
import { failure } from '../protocol/errors.js';
import type { RpcMessage } from '../protocol/messages.js';
import { contentOf } from './content.js';
import { serverError } from './error.js';

export interface CallOptions {
  /** By default the one that fits the data, as of a publish. */
  readonly contentType?: string;
  /** How long an answer is waited for: 30 s by default. */
  readonly timeoutMs?: number;
}

/** Throws RinglogError for what cannot be sent. */
export function callOf(method: string, data: unknown, { contentType }: CallOptions): RpcMessage {
  const content = contentOf(data, contentType === undefined ? {} : { contentType });
  if (content.payload.length > wireLimits.messageBytesMax) throw serverError(failure('TOO_LARGE'));
  return { ...content, type: 'rpc', method: channelNameFor(method) };
}
