/** Messages between nodes in protobuf wire format (proto/peer.proto). By hand, because runs go into a frame as they are
 *  stored. https://protobuf.dev/programming-guides/encoding/ */
import { unreachable } from '../base/assert.js';
import { ByteWriter, fromHex } from '../base/bytes.js';
import type { ChannelRef } from '../base/ids.js';
import { closeField, openField } from '../base/protobuf.js';
import type { Vector } from '../log/entry.js';
import type { Claim } from './claim.js';
import type { Frame, IntervalClaim, PeerMessage, Statement } from './messages.js';
import { putBytes, putDot, putLost, putNumber, putRef, putText, putTrim, putVector } from './wire-writer.js';
import { putReconcile } from './wire-reconcile.js';

/** Tags of the fields of `Message`. */
export const messageTags: Readonly<Record<PeerMessage['type'], number>> = {
  ask: 0x0a,
  asked: 0x12,
  claim: 0x1a,
  granted: 0x22,
  fenced: 0x2a,
  staleRing: 0x32,
  append: 0x3a,
  ack: 0x42,
  refused: 0x4a,
  pull: 0x52,
  state: 0x5a,
  recover: 0x62,
  recovery: 0x6a,
  find: 0x72,
  found: 0x7a,
  askArrived: 0xc2,
  arrived: 0xca,
  reminded: 0xd2,
  reconcile: 0xe2,
  reconciled: 0xea,
  mend: 0xf2,
  mended: 0xfa,
};

export function encodeFrame(frame: Frame): Uint8Array {
  const out = new ByteWriter(256);
  putFrame(out, frame);
  return out.bytes();
}

export function putFrame(out: ByteWriter, { storeId, ringVersion, messages }: Frame): void {
  putBytes(out, 0x0a, fromHex(storeId));
  putNumber(out, 0x10, ringVersion);
  for (const message of messages) {
    const field = openField(out, 0x1a);
    const inner = openField(out, messageTags[message.type]);
    putMembers(out, message);
    closeField(out, inner);
    closeField(out, field);
  }
}

function putMembers(out: ByteWriter, message: PeerMessage): void {
  switch (message.type) {
    case 'ask':
    case 'claim':
    case 'granted':
      return putIntervalClaims(out, message.claims);
    case 'fenced':
      return putIntervalClaims(out, message.promises);
    case 'asked':
      for (const { interval, claim, promise } of message.answers) {
        const field = openField(out, 0x0a);
        putText(out, 0x0a, interval);
        putClaim(out, 0x12, claim);
        putClaim(out, 0x1a, promise);
        closeField(out, field);
      }
      return;
    case 'staleRing':
      return;
    case 'append':
      putText(out, 0x0a, message.interval);
      putClaim(out, 0x12, message.claim);
      putRef(out, 0x1a, message.ref);
      for (const run of message.runs) putBytes(out, 0x22, run);
      putDot(out, 0x2a, message.committed);
      putTrim(out, 0x32, message.trim);
      return putLost(out, 0x3a, message.givenUp);
    case 'ack':
      putText(out, 0x0a, message.interval);
      putClaim(out, 0x12, message.claim);
      for (const { ref, seq } of message.channels) {
        const field = openField(out, 0x1a);
        putRef(out, 0x0a, ref);
        putNumber(out, 0x10, seq);
        closeField(out, field);
      }
      return;
    case 'askArrived':
      putNumber(out, 0x08, message.session);
      if (message.store !== undefined) putBytes(out, 0x12, fromHex(message.store));
      putNumber(out, 0x18, message.after);
      for (const other of message.others) putBytes(out, 0x22, fromHex(other));
      return;
    case 'arrived':
      putNumber(out, 0x08, message.session);
      putNumber(out, 0x10, message.after);
      putNumber(out, 0x18, message.through);
      putNumber(out, 0x20, message.more ? 1 : 0);
      putNumber(out, 0x28, message.unknown ? 1 : 0);
      putHeld(out, 0x32, message.channels);
      return putStatement(out, 0x3a, message.statement);
    case 'reminded':
      return putStatement(out, 0x0a, message.statement);
    case 'reconcile':
    case 'reconciled':
      return putReconcile(out, message);
    default:
      return putOfChannel(out, message);
  }
}

function putOfChannel(
  out: ByteWriter,
  message: Extract<
    PeerMessage,
    { type: 'refused' | 'pull' | 'state' | 'recover' | 'recovery' | 'find' | 'found' | 'mend' | 'mended' }
  >,
): void {
  putText(out, 0x0a, message.interval);
  switch (message.type) {
    case 'refused':
      putRef(out, 0x12, message.ref);
      putVector(out, 0x1a, message.have);
      return putTrim(out, 0x22, message.trim);
    case 'pull':
      putRef(out, 0x12, message.ref);
      putVector(out, 0x1a, message.have);
      putClaim(out, 0x22, message.claim);
      putTrim(out, 0x2a, message.trim);
      return putNumber(out, 0x78, message.limited ? 1 : 0);
    case 'state':
      putRef(out, 0x12, message.ref);
      putVector(out, 0x1a, message.have);
      for (const run of message.runs) putBytes(out, 0x22, run);
      putDot(out, 0x2a, message.committed);
      putClaim(out, 0x32, message.claim);
      putTrim(out, 0x3a, message.trim);
      return putLost(out, 0x42, message.givenUp);
    case 'recover':
      return putNumber(out, 0x10, message.session);
    case 'recovery':
      putNumber(out, 0x10, message.session);
      putClaim(out, 0x1a, message.promise);
      putHeld(out, 0x22, message.channels);
      putNumber(out, 0x28, message.part);
      putNumber(out, 0x30, message.parts);
      putNumber(out, 0x38, message.recovering ? 1 : 0);
      return putNumber(out, 0x40, message.incoming ? 1 : 0);
    case 'find':
      putRef(out, 0x12, message.ref);
      putNumber(out, 0x18, message.session);
      return putVector(out, 0x22, message.wanted);
    case 'found':
      putRef(out, 0x12, message.ref);
      putNumber(out, 0x18, message.session);
      putVector(out, 0x22, message.have);
      return putNumber(out, 0x28, message.recovering ? 1 : 0);
    case 'mend':
      putRef(out, 0x12, message.ref);
      putNumber(out, 0x18, message.session);
      putBytes(out, 0x22, fromHex(message.writer));
      putNumber(out, 0x28, message.firstSeq);
      return putNumber(out, 0x30, message.count);
    case 'mended':
      putRef(out, 0x12, message.ref);
      putNumber(out, 0x18, message.session);
      putNumber(out, 0x20, message.through);
      putNumber(out, 0x28, message.floor);
      putNumber(out, 0x30, message.recovering ? 1 : 0);
      for (const run of message.runs) putBytes(out, 0x3a, run);
      return;
    default:
      unreachable(message);
  }
}

function putHeld(
  out: ByteWriter,
  tag: number,
  channels: readonly { readonly ref: ChannelRef; readonly have: Vector }[],
): void {
  for (const { ref, have } of channels) {
    const field = openField(out, tag);
    putRef(out, 0x0a, ref);
    putVector(out, 0x12, have);
    closeField(out, field);
  }
}

function putStatement(out: ByteWriter, tag: number, statement: Statement): void {
  const field = openField(out, tag);
  putBytes(out, 0x0a, fromHex(statement.storeId));
  putNumber(out, 0x10, statement.commits);
  putBytes(out, 0x1a, fromHex(statement.writer));
  if (statement.other !== undefined) putBytes(out, 0x22, fromHex(statement.other));
  putBytes(out, 0x2a, fromHex(statement.seal));
  closeField(out, field);
}

function putIntervalClaims(out: ByteWriter, claims: readonly IntervalClaim[]): void {
  for (const { interval, claim } of claims) {
    const field = openField(out, 0x0a);
    putText(out, 0x0a, interval);
    putClaim(out, 0x12, claim);
    closeField(out, field);
  }
}

function putClaim(out: ByteWriter, tag: number, claim: Claim | undefined): void {
  if (!claim) return;
  const field = openField(out, tag);
  putNumber(out, 0x08, claim.round);
  putBytes(out, 0x12, fromHex(claim.writer));
  closeField(out, field);
}
