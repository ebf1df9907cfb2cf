/** A publish as an HTTP request makes it: the key is in its headers, the level in its query. */
import type { IncomingHttpHeaders } from 'node:http';
import { type Result, ok } from '../base/result.js';
import { encodeContent } from '../log/entry-wire.js';
import type { Content } from '../log/entry.js';
import { checkPublishContent } from '../protocol/content-check.js';
import type { Failure } from '../protocol/errors.js';
import type { Level, PublishMessage } from '../protocol/messages.js';
import { idempotencyKeyFrom } from './request-values.js';

export interface PublishRequest {
  readonly params: { readonly channel: string };
  readonly headers: IncomingHttpHeaders;
  readonly query: { readonly level?: string; readonly degrade?: string };
}

export function publishMessage(
  { params: { channel }, headers, query: { level, degrade } }: PublishRequest,
  content: Content,
  kind?: PublishMessage['kind'],
): Result<PublishMessage, Failure> {
  const key = idempotencyKeyFrom(headers);
  if (!key.ok) return key;
  const encoded = encodeContent(content);
  const checked = checkPublishContent(encoded, channel);
  if (!checked.ok) return checked;
  const { store, retain, push } = checked.value;
  return ok({
    type: 'publish',
    channel,
    content: encoded,
    ...(kind !== undefined && { kind }),
    ...(store !== undefined && { store }),
    ...(retain !== undefined && { retain }),
    ...(push !== undefined && { push }),
    ...(key.value !== undefined && { idempotencyKey: key.value }),
    ...(level !== undefined && { level: level as Level }),
    ...(degrade !== undefined && { degrade: degrade === 'true' }),
  });
}
