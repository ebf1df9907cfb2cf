/** From a channel's entries in their order to what is unread. Time is what the entries say: a notification has expired from
 *  the first entry on, behind it in the order, that is as late; no clock is looked at, so whoever folds the same entries has
 *  the same. What becomes of a notification depends on entries behind it alone: a fold may begin anywhere. */
import { planted } from '../base/planted.js';
import type { Dot } from '../base/ids.js';
import type { Content, EntryKind, Timestamp, Trim, Vector } from '../log/entry.js';
import { timestampFromUnixMs } from '../log/timestamp.js';
import type { Inbox } from './inbox.js';
import { readNotification } from './notification.js';
import { type Reading, readReading } from './reading.js';

/** Raised when the same entries would fold to something else. Snapshots of another one are not used. */
export const inboxVersion = 1;

/** What of an entry the fold goes by. */
export interface InboxEntry extends Dot {
  readonly kind: EntryKind;
  readonly timestamp: Timestamp;
  readonly content?: Content | undefined;
  readonly trim?: Trim | undefined;
  readonly redacts?: Dot | undefined;
}

/** `past`: what the entry stands on, where that may be less than all before it in the order. Nobody who wrote on a minority
 *  side marks as read what was written on the other meanwhile. */
export function foldInbox(inbox: Inbox, entry: InboxEntry, past?: () => Vector): Inbox {
  return changed(inbox, entry, past).expire(entry.timestamp);
}

function changed(inbox: Inbox, entry: InboxEntry, past: (() => Vector) | undefined): Inbox {
  const { kind, content, trim, redacts } = entry;
  if (kind === 'trim') return trim ? inbox.trim(trim.floors) : inbox;
  if (kind === 'redact') return redacts ? inbox.remove(redacts) : inbox;
  if (kind === 'notification') return content ? created(inbox, entry, content) : inbox;
  if (kind !== 'read' || !content) return inbox;
  const reading = readReading(content.payload);
  return reading.ok ? foldReading(inbox, reading.value, past) : inbox;
}

function created(inbox: Inbox, { writer, seq, timestamp }: InboxEntry, { payload }: Content): Inbox {
  const facts = readNotification(payload);
  if (!facts.ok) return inbox;
  const { expiresAtMs } = facts.value;
  const expiresAt = expiresAtMs === undefined ? Infinity : timestampFromUnixMs(expiresAtMs);
  return inbox.add({ writer, seq, timestamp, expiresAt, state: 'unread' });
}

function foldReading(inbox: Inbox, reading: Reading, past: (() => Vector) | undefined): Inbox {
  switch (reading.type) {
    case 'ids':
      return inbox.readIds(reading.ids);
    case 'until':
      return inbox.readBefore(
        timestampFromUnixMs(reading.unixMs + 1),
        planted('read-unseen') ? undefined : past?.(),
      );
    case 'time':
      return inbox;
  }
}

/** Of what a request names as read, the first that is no notification of the channel, or too old to be known. */
export function unknownIn(inbox: Inbox, reading: Reading): Dot | undefined {
  return reading.type === 'ids' ? reading.ids.find((dot) => !inbox.find(dot)) : undefined;
}
