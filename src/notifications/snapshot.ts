/** An inbox as an entry's content, so that nobody has to begin at the first entry. It says what the order before it gives,
 *  and so only counts where its entry is on the primary chain (log/order.ts).
 *
 *  Payload: count of writers, their ids (12 bytes each), count of items; then for each item, all varints: index of the writer
 *  x 4 + state (0 unread, 1 read, 2 expired), seq, timestamp, timestamp from which it has expired + 1, or 0. */
import { ByteReader, ByteWriter, fromHex, toHex } from '../base/bytes.js';
import type { WriterId } from '../base/ids.js';
import { notificationLimits as limits } from '../base/notification-limits.js';
import type { Content } from '../log/entry.js';
import { inboxVersion } from './fold.js';
import { Inbox, type Item, type ItemState } from './inbox.js';

const states: readonly ItemState[] = ['unread', 'read', 'expired'];

export function snapshotOfInbox(inbox: Inbox): Content {
  const writers = [...new Set(Array.from(inbox, ({ writer }) => writer))];
  const indexes = new Map(writers.map((writer, i) => [writer, i]));
  const out = new ByteWriter(16 * inbox.length + 64);
  out.varint(writers.length);
  for (const writer of writers) out.raw(fromHex(writer));
  out.varint(inbox.length);
  for (const { writer, seq, timestamp, expiresAt, state } of inbox) {
    out.varint(indexes.get(writer)! * 4 + states.indexOf(state));
    out.varint(seq);
    out.varint(timestamp);
    out.varint(expiresAt === Infinity ? 0 : expiresAt + 1);
  }
  return {
    contentType: 'application/octet-stream',
    payload: out.bytes().slice(),
    headers: new Map([['fold', String(inboxVersion)]]),
  };
}

/** `undefined` for what is none, or one of another fold. */
export function readInboxSnapshot({ payload, headers }: Content): Inbox | undefined {
  if (headers?.get('fold') !== String(inboxVersion)) return undefined;
  const reader = new ByteReader(payload);
  const writers: WriterId[] = [];
  for (let left = reader.varint(); left > 0 && !reader.failed; left--)
    writers.push(toHex(reader.take(12)) as WriterId);
  const count = reader.varint();
  if (reader.failed || count > limits.notificationsCounted) return undefined;
  const items: Item[] = [];
  for (let i = 0; i < count; i++) {
    const mixed = reader.varint();
    const writer = writers[Math.floor(mixed / 4)];
    const state = states[mixed % 4];
    const [seq, timestamp, expiry] = [reader.varint(), reader.varint(), reader.varint()];
    if (reader.failed || !writer || !state || seq === 0) return undefined;
    items.push({ writer, seq, timestamp, expiresAt: expiry === 0 ? Infinity : expiry - 1, state });
  }
  return reader.position === payload.length ? Inbox.of(items) : undefined;
}

/** About how long the payload is. */
export function inboxBytes(inbox: Inbox): number {
  return 16 * inbox.length + 16;
}
