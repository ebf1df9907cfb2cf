/** What a publish is that goes by the kind of its channel: read once, where it is let in, and judged where it is stamped. */
import { Fault } from '../documents/faults.js';
import { type Change, type Fold, foldChange, readChange } from '../documents/fold.js';
import { dotText } from '../base/ids.js';
import { kindOf } from '../channels/kinds.js';
import { decodeContent } from '../log/entry-wire.js';
import { timestampFromUnixMs } from '../log/timestamp.js';
import { unknownIn } from '../notifications/fold.js';
import type { Inbox } from '../notifications/inbox.js';
import { readNotification } from '../notifications/notification.js';
import { type Reading, readReading } from '../notifications/reading.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { PublishedKind } from '../protocol/messages.js';
import { faultFailure } from './documents/fault-failure.js';

export type Judged =
  | { readonly kind: 'patch'; readonly change: Change; readonly ifHash: string | undefined }
  | { readonly kind: 'notification'; readonly expiresAtMs: number | undefined }
  | { readonly kind: 'read'; readonly reading: Reading };

/** The header of a patch that says how the hash of the document begins that it changes: a version has another one where a
 *  partition had two orders. It goes where the patch is stamped, and is no part of what the log comes to. */
const ifHashHeader = 'if-hash';
const hashBeginning = /^[0-9a-f]{8,64}$/;

const channelKinds = { patch: 'document', notification: 'notification', read: 'notification' } as const;

/** Whether a channel may be published to in this way at all; `undefined` kind: a message. */
export function misplaced(kind: PublishedKind | undefined, channel: string): Failure | undefined {
  const channelKind = kindOf(channel);
  if (kind === undefined && channelKind !== 'notification') return undefined;
  if (kind !== undefined && channelKind === channelKinds[kind]) return undefined;
  const message =
    kind === 'patch'
      ? 'Only documents are patched: channels called "doc:…".'
      : 'Notifications and what is read of them, and nothing else, are in channels called "notification:…".';
  return failure('INVALID', { channel, message });
}

/** What it says, or why it makes no sense. Another node may say so of any channel, also of one that is the system's. */
export function judgedOf(
  kind: PublishedKind,
  channel: string,
  bytes: Uint8Array,
  createParents: boolean,
): Judged | Failure {
  const wrong = misplaced(kind, channel);
  if (wrong) return wrong;
  const content = decodeContent(bytes);
  if (!content.ok) return failure('INVALID', { channel });
  if (kind === 'patch') {
    const change = readChange(content.value, createParents, 'kept');
    if (change instanceof Fault) return faultFailure(channel, change);
    const ifHash = content.value.headers?.get(ifHashHeader);
    if (ifHash === undefined || hashBeginning.test(ifHash)) return { kind, change, ifHash };
    return invalid(
      channel,
      `"${ifHashHeader}" is how a hash begins: 8 to 64 digits, hexadecimal, in lower case.`,
    );
  }
  const { payload } = content.value;
  if (kind === 'read') {
    const reading = readReading(payload);
    return reading.ok ? { kind, reading: reading.value } : invalid(channel, reading.error);
  }
  const facts = readNotification(payload);
  return facts.ok ? { kind, ...facts.value } : invalid(channel, facts.error);
}

/** Whether it is a patch that makes parents that are missing. */
export function createsParents(judged: Judged | undefined): boolean {
  return judged?.kind === 'patch' && judged.change.createParents;
}

/** Where it is stamped. */
export interface Place {
  readonly channel: string;
  /** What the channel comes to before it; `undefined` where that is not known. */
  readonly tip: unknown;
  readonly isOwner: boolean;
  readonly nowMs: number;
  /** In hexadecimal. */
  hashOf(fold: Fold): string;
}

/** `fold`: what the channel comes to behind it, where that is known by now. */
export interface Taken {
  readonly fold?: unknown;
  /** Of a document. */
  readonly version?: number;
}

/** Whether it makes sense there; `undefined` where that cannot be said. */
export function judge(judged: Judged, place: Place): Taken | Failure | undefined {
  if (judged.kind === 'notification') return judgeNotification(judged, place);
  if (place.tip === undefined) return undefined;
  return judged.kind === 'patch' ? judgePatch(judged, place) : judgeReading(judged.reading, place);
}

function judgePatch({ change, ifHash }: Extract<Judged, { kind: 'patch' }>, place: Place): Taken | Failure {
  const { channel } = place;
  const before = place.tip as Fold;
  const { version } = before;
  // At another version it is refused for that.
  const isCompared = ifHash !== undefined && (change.ifVersion ?? version) === version;
  if (isCompared && !place.hashOf(before).startsWith(ifHash))
    return faultFailure(channel, new Fault('version', `The document is another one at version ${version}.`));
  const { fold, fault } = foldChange(before, change);
  return fault ? faultFailure(channel, fault) : { fold, version: fold.version };
}

/** What is past counts for nobody: whoever sends that has waited too long. */
function judgeNotification(
  { expiresAtMs = Infinity }: Extract<Judged, { kind: 'notification' }>,
  { channel, nowMs }: Place,
): Taken | Failure {
  return expiresAtMs > nowMs ? {} : invalid(channel, 'The notification has expired: "expiresAt" is past.');
}

function judgeReading(
  reading: Reading,
  { channel, tip, isOwner, nowMs }: Place,
): Taken | Failure | undefined {
  const inbox = tip as Inbox;
  const unknown = unknownIn(inbox, reading);
  if (unknown)
    return failure('NOT_FOUND', {
      channel,
      message: `${dotText(unknown)} is no notification of this channel, or it is too old to be marked as read.`,
    });
  if (reading.type !== 'time') return {};
  // By one clock alone, and nowhere but under a claim.
  if (!isOwner) return undefined;
  return inbox.expiresAt <= timestampFromUnixMs(nowMs) ? {} : invalid(channel, 'Nothing has expired.');
}

function invalid(channel: string, message: string): Failure {
  return failure('INVALID', { channel, message });
}
