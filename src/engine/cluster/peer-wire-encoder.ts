/** Writes letters (proto/peer.proto). Contents, runs and records go in as they are. */
import { unreachable } from '../../base/assert.js';
import { ByteWriter, fromHex } from '../../base/bytes.js';
import type { NodeId, WriterId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { closeField, openField, writeVarintField } from '../../base/protobuf.js';
import type { Keep } from '../../log/retention.js';
import { isPresenceMessage } from '../../presence/messages.js';
import type { Failure } from '../../protocol/errors.js';
import { levelNumber, publishedKindNumber } from '../../protocol/levels.js';
import type { Signal } from '../../protocol/messages.js';
import { putFrame } from '../../replication/wire-encoder.js';
import { putBytes, putDot, putNumber, putRef, putText, putVector } from '../../replication/wire-writer.js';
import {
  type Followed,
  type Following,
  type ForwardedOutcome,
  type ForwardedPublish,
  type PeerMessage,
  isRingMessage,
} from './peer-messages.js';
import { putListing } from './peer-wire-list.js';
import { presenceItems, putPresenceMessage } from './peer-wire-presence.js';
import { putRingMessage } from './peer-wire-ring.js';
import { putVerifying } from './peer-wire-verify.js';
import type { RecordSlice } from '../ports.js';

/** Of ranges that are missing because they were removed. */
const goneTags = { trimmed: 0x22, deleted: 0x2a, forced: 0x32 } as const;

/** Tags of the fields of `Part`. */
export const partTags: Readonly<Record<PeerMessage['type'], number>> = {
  replication: 0x0a,
  publish: 0x12,
  published: 0x1a,
  follow: 0x22,
  unfollow: 0x2a,
  following: 0x32,
  followEnded: 0x3a,
  followed: 0x42,
  read: 0x4a,
  readAnswer: 0x52,
  since: 0x5a,
  sinceAnswer: 0x62,
  declined: 0x6a,
  took: 0x72,
  cover: 0x7a,
  covered: 0x82,
  ring: 0x8a,
  askRing: 0x92,
  ballot: 0x9a,
  ballotAnswer: 0xa2,
  ringReport: 0xaa,
  askChange: 0xb2,
  changeAnswer: 0xba,
  verify: 0xc2,
  verified: 0xca,
  listAsked: 0xe2,
  listed: 0xea,
  orphan: 0xf2,
  adopted: 0xfa,
  presence: 0x142,
  askPresence: 0x14a,
  followPresence: 0x152,
  unfollowPresence: 0x15a,
  presenceFollowed: 0x162,
  presenceEnded: 0x16a,
};

/** One letter; a view of a buffer of its own. */
export function encodePeerMessages(messages: readonly PeerMessage[]): Uint8Array {
  const out = new ByteWriter(256);
  for (const message of messages) putPart(out, message);
  return out.bytes();
}

/** As many letters as keep each within what its receiver takes. Each is a view of `out`, until the next one. */
export function eachLetter(
  messages: readonly PeerMessage[],
  out: ByteWriter,
  send: (letter: Uint8Array) => void,
): void {
  out.clear();
  let items = 0;
  for (const message of messages) {
    const added = itemsOf(message);
    if (out.length >= limits.peerLetterBytes || items + added > limits.peerFrameItemsMax) {
      send(out.bytes());
      out.clear();
      items = 0;
    }
    putPart(out, message);
    items += added;
  }
  if (out.length > 0) send(out.bytes());
}

/** Elements of lists, as the receiver counts them. */
function itemsOf(message: PeerMessage): number {
  switch (message.type) {
    case 'publish':
      return 1 + message.publishes.length;
    case 'published':
      return 1 + message.outcomes.length;
    case 'follow':
      return 1 + message.covers.length;
    case 'following':
      return 1 + message.lost.length + message.unknown.length + message.signals.length;
    case 'followed':
      return 1 + message.runs.length + message.signals.length;
    case 'read':
      return 1 + message.ranges.length;
    case 'readAnswer':
      return 1 + message.slices.length + 2 * message.missing.length;
    case 'askChange':
      return 1 + ('nodes' in message.intent ? message.intent.nodes.length : 2);
    case 'sinceAnswer':
      return 1 + message.vector.size;
    case 'cover':
      return 1 + message.dots.length;
    case 'covered':
      return 1 + message.lost.length;
    case 'orphan':
      return 1 + message.runs.length;
    case 'adopted':
      return 1 + (message.have?.size ?? 0);
    case 'verify':
      return 1 + message.arcs.length;
    case 'verified':
      return message.peers.reduce((sum, { differences }) => sum + 1 + differences.length, 1);
    case 'listed':
      return 1 + message.channels.length;
    case 'presence':
    case 'presenceFollowed':
      return presenceItems(message);
    default:
      // A frame of replication counts its own.
      return 1;
  }
}

function putPart(out: ByteWriter, message: PeerMessage): void {
  const part = openField(out, 0x0a);
  const inner = openField(out, partTags[message.type]);
  if (message.type === 'replication') putFrame(out, message.frame);
  else putMembers(out, message);
  closeField(out, inner);
  closeField(out, part);
}

type Own = Exclude<PeerMessage, { type: 'replication' }>;

function putMembers(out: ByteWriter, message: Own): void {
  if (isRingMessage(message)) return putRingMessage(out, message);
  if (isPresenceMessage(message)) return putPresenceMessage(out, message);
  if (message.type === 'publish') {
    for (const publish of message.publishes) putPublish(out, publish);
    return;
  }
  if (message.type === 'published') {
    for (const outcome of message.outcomes) putOutcome(out, outcome);
    return;
  }
  if (message.type === 'took') return putNumber(out, 0x08, message.bytes);
  putNumber(out, 0x08, message.id);
  switch (message.type) {
    case 'follow':
      putRef(out, 0x12, message.ref);
      putNumber(out, 0x18, message.what === 'signals' ? 1 : 0);
      for (const dot of message.covers) putDot(out, 0x22, dot);
      return;
    case 'unfollow':
    case 'declined':
      return;
    case 'following':
      return putFollowing(out, message);
    case 'followEnded':
      return putMoved(out, 0x12, message.moved);
    case 'followed':
      return putFollowed(out, message);
    case 'read':
      putRef(out, 0x12, message.ref);
      for (const { writer, firstSeq, count } of message.ranges) putRange(out, 0x1a, writer, firstSeq, count);
      return putNumber(out, 0x20, message.bytesMax);
    case 'readAnswer':
      for (const slice of message.slices) putSlice(out, slice);
      for (const { writer, fromSeq, toSeq, gone } of message.missing) {
        const count = toSeq - fromSeq + 1;
        putRange(out, 0x1a, writer, fromSeq, count);
        if (gone) putRange(out, goneTags[gone], writer, fromSeq, count);
      }
      return;
    case 'since':
      putRef(out, 0x12, message.ref);
      return putNumber(out, 0x18, message.timestamp);
    case 'sinceAnswer':
      return putVector(out, 0x12, message.vector);
    case 'cover':
      putRef(out, 0x12, message.ref);
      for (const dot of message.dots) putDot(out, 0x1a, dot);
      return;
    case 'covered':
      for (const dot of message.lost) putDot(out, 0x12, dot);
      return;
    case 'orphan':
      putRef(out, 0x12, message.ref);
      for (const run of message.runs) putBytes(out, 0x1a, run);
      return;
    case 'adopted':
      if (message.have) return putVector(out, 0x12, message.have);
      return putFlag(out, 0x18, true);
    case 'verify':
    case 'verified':
      return putVerifying(out, message);
    case 'listAsked':
    case 'listed':
      return putListing(out, message);
    default:
      unreachable(message);
  }
}

function putPublish(out: ByteWriter, publish: ForwardedPublish): void {
  const field = openField(out, 0x0a);
  const { publisher } = publish;
  putNumber(out, 0x08, publish.id);
  putRef(out, 0x12, publish.ref);
  putText(out, 0x1a, publish.actor);
  putBytes(out, 0x22, publish.content);
  if (publisher) {
    const inner = openField(out, 0x2a);
    putText(out, 0x0a, publisher.id);
    putNumber(out, 0x10, publisher.epoch);
    putNumber(out, 0x18, publisher.seq);
    putNumber(out, 0x20, publisher.ackedThrough);
    closeField(out, inner);
  }
  putText(out, 0x32, publish.idempotencyKey ?? '');
  putFlag(out, 0x38, publish.retain);
  putNumber(out, 0x40, levelNumber(publish.level));
  putFlag(out, 0x48, publish.degrade);
  putFlag(out, 0x50, publish.first);
  putFlag(out, 0x58, publish.push);
  if (publish.kind) putNumber(out, 0x140, publishedKindNumber(publish.kind));
  putFlag(out, 0x148, publish.createParents === true);
  putFlag(out, 0x168, publish.isDelete === true);
  if (publish.redacts) putDot(out, 0x172, publish.redacts);
  if (publish.keep) putKeep(out, publish.keep);
  closeField(out, field);
}

function putKeep(out: ByteWriter, keep: Keep): void {
  const field = openField(out, 0x17a);
  if ('entries' in keep) writeVarintField(out, 0x08, keep.entries);
  else if ('bytes' in keep) writeVarintField(out, 0x10, keep.bytes);
  else writeVarintField(out, 0x18, keep.since);
  closeField(out, field);
}

function putOutcome(out: ByteWriter, outcome: ForwardedOutcome): void {
  const field = openField(out, 0x0a);
  putNumber(out, 0x08, outcome.id);
  if ('failure' in outcome) putFailure(out, outcome.failure);
  else if ('moved' in outcome) putMoved(out, 0x22, outcome.moved);
  else {
    const inner = openField(out, 0x12);
    putDot(out, 0x0a, outcome.dot);
    putNumber(out, 0x10, outcome.timestamp);
    putFlag(out, 0x18, outcome.duplicate);
    putNumber(out, 0x20, levelNumber(outcome.level));
    putNumber(out, 0x28, outcome.copies);
    putNumber(out, 0x140, outcome.version ?? 0);
    closeField(out, inner);
  }
  closeField(out, field);
}

function putFailure(out: ByteWriter, error: Failure): void {
  const { code, outcome, message, retryAfterMs, channel, operation, reason } = error;
  const field = openField(out, 0x1a);
  putText(out, 0x0a, code);
  putFlag(out, 0x10, outcome === 'indeterminate');
  putText(out, 0x1a, message);
  putNumber(out, 0x20, retryAfterMs ?? 0);
  putText(out, 0x2a, channel ?? '');
  if (operation !== undefined) writeVarintField(out, 0x140, operation);
  putText(out, 0x14a, reason ?? '');
  closeField(out, field);
}

function putMoved(out: ByteWriter, tag: number, node: NodeId | undefined): void {
  const field = openField(out, tag);
  if (node !== undefined) putBytes(out, 0x0a, fromHex(node));
  closeField(out, field);
}

function putFollowing(out: ByteWriter, { log, lost, unknown, signals }: Following): void {
  if (log) putBytes(out, 0x12, log);
  for (const dot of lost) putDot(out, 0x1a, dot);
  for (const signal of signals) putSignal(out, 0x22, signal);
  for (const dot of unknown) putDot(out, 0x2a, dot);
}

function putFollowed(out: ByteWriter, { runs, committed, tip, signals }: Followed): void {
  for (const run of runs) putBytes(out, 0x12, run);
  putDot(out, 0x1a, committed);
  putDot(out, 0x22, tip);
  for (const signal of signals) putSignal(out, 0x2a, signal);
}

function putSignal(out: ByteWriter, tag: number, { timestamp, actor, content }: Signal): void {
  const field = openField(out, tag);
  putNumber(out, 0x08, timestamp);
  putText(out, 0x12, actor ?? '');
  putBytes(out, 0x1a, content);
  closeField(out, field);
}

function putSlice(out: ByteWriter, { writer, round, firstSeq, count, records }: RecordSlice): void {
  const field = openField(out, 0x12);
  putRange(out, 0x0a, writer, firstSeq, count);
  putNumber(out, 0x10, round);
  putBytes(out, 0x1a, records);
  closeField(out, field);
}

function putRange(out: ByteWriter, tag: number, writer: WriterId, firstSeq: number, count: number): void {
  const field = openField(out, tag);
  putBytes(out, 0x0a, fromHex(writer));
  putNumber(out, 0x10, firstSeq);
  putNumber(out, 0x18, count);
  closeField(out, field);
}

function putFlag(out: ByteWriter, tag: number, value: boolean): void {
  if (value) out.varint(tag);
  if (value) out.u8(1);
}
