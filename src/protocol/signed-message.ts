/** What the author of a message signs: all that it says, where, as whom and by which key, and the key of this one publish; so that it
 *  is good for no other hub, channel, author or message, and twice the same is seen as that. docs/people.md describes the form. */
import { ByteWriter, utf8 } from '../base/bytes.js';
import type { Content } from '../log/entry.js';
import type { PublishedKind } from './messages.js';

export interface SignedMessage {
  readonly hub: string;
  readonly channel: string;
  /** Who it is from, as the hub knows it. */
  readonly user: string;
  /** Raw Ed25519, base64url. */
  readonly publicKey: string;
  readonly idempotencyKey: string;
  /** Left out: a message. */
  readonly kind?: PublishedKind | undefined;
  readonly content: Pick<Content, 'event' | 'contentType' | 'headers' | 'payload'>;
}

export function signedBytes(message: SignedMessage): Uint8Array {
  const { hub, channel, user, publicKey, idempotencyKey, kind = 'publish', content } = message;
  const { event = '', contentType = '', headers = new Map<string, string>(), payload } = content;
  const texts = [
    'ringlog message v1',
    hub,
    channel,
    user,
    publicKey,
    idempotencyKey,
    kind,
    event,
    contentType,
  ];
  const named = [...headers].sort(([a], [b]) => (a < b ? -1 : 1)).flat();
  const out = new ByteWriter(payload.length + 256);
  for (const part of [...texts.map(utf8), payload, ...named.map(utf8)]) {
    // A netstring: its length says where a part ends, whatever is in it.
    out.raw(utf8(`${part.length}:`));
    out.raw(part);
    out.raw(utf8(','));
  }
  return out.bytes();
}
