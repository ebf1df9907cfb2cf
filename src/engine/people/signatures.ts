/** Whether a publish carries the signature of its author, where the rules want one. */
import { fromBase64 } from '../../base/bytes.js';
import type { ChannelRef } from '../../base/ids.js';
import { decodeContent } from '../../log/entry-wire.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { PublishMessage } from '../../protocol/messages.js';
import { signedBytes } from '../../protocol/signed-message.js';
import type { Principal } from '../api.js';
import type { Secrets } from '../ports.js';

export interface SignatureKeys extends Pick<Secrets, 'isSignature'> {
  /** base64url; `null`: none, `undefined`: not known yet. */
  keyOf(name: string): string | null | undefined;
}

/** `undefined` where it is right. */
export function signatureFault(
  { hub, channel }: ChannelRef,
  { actor, account }: Principal,
  { content: bytes, idempotencyKey, kind }: PublishMessage,
  keys: SignatureKeys,
): Failure | undefined {
  const bad = (message?: string) =>
    failure('BAD_SIGNATURE', { channel, ...(message === undefined ? {} : { message }) });
  const noKey = 'Who publishes here has an account of the hub’s directory, with a public key.';
  if (account === undefined) return bad(noKey);
  // Without it one message could not be told from the same once more.
  if (idempotencyKey === undefined) return bad('What is signed has an idempotency key; signals have none.');
  const content = decodeContent(bytes);
  if (!content.ok || !content.value.signature) return bad();
  const publicKey = keys.keyOf(actor);
  if (publicKey === null) return bad(noKey);
  if (publicKey === undefined)
    return failure('UNAVAILABLE', {
      channel,
      message: 'The key of this account is not known here yet.',
      retryAfterMs: 200,
    });
  const signed = signedBytes({
    hub,
    channel,
    user: actor,
    publicKey,
    idempotencyKey,
    kind,
    content: content.value,
  });
  return keys.isSignature(fromBase64(publicKey)!, signed, content.value.signature) ? undefined : bad();
}
