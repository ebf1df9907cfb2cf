/** What only channels of one kind come to is asked of no other: there would be a fold of something else. */
import type { ChannelRef } from '../../base/ids.js';
import { kindOf } from '../../channels/kinds.js';
import { type Failure, failure } from '../../protocol/errors.js';

const messages = {
  document: 'Only documents are asked for what they are: channels called "doc:…".',
  notification: 'Only channels called "notification:…" have notifications.',
} as const;

/** `undefined` where the channel is of that kind. */
export function onlyOfKind(kind: keyof typeof messages, { channel }: ChannelRef): Failure | undefined {
  return kindOf(channel) === kind ? undefined : failure('INVALID', { channel, message: messages[kind] });
}
