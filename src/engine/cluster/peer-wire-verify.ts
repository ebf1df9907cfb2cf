/** Proofs that nodes ask of each other, in letters (proto/peer.proto: VerifyAsked, Verified), both ways. */
import { type ByteWriter, fromHex } from '../../base/bytes.js';
import type { NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { closeField, openField } from '../../base/protobuf.js';
import { type RingRange, ringEnd, ringStart } from '../../replication/reconcile-messages.js';
import { differences, readBound } from '../../replication/wire-reconcile.js';
import { putBytes, putNumber, putRef } from '../../replication/wire-writer.js';
import type { VerifiedPeer } from '../api.js';
import type { Verified, VerifyAsked } from './peer-messages.js';
import { type LetterReader, noRef } from './peer-wire-reader.js';

type Difference = VerifiedPeer['differences'][number];

/** By their number on the wire, less one. */
const states: readonly VerifiedPeer['state'][] = ['compared', 'unreachable', 'interrupted', 'late'];

/** What follows the id. */
export function putVerifying(out: ByteWriter, message: VerifyAsked | Verified): void {
  if (message.type === 'verified') {
    for (const peer of message.peers) putHome(out, peer);
    putNumber(out, 0x18, message.channels);
    return putNumber(out, 0x20, message.entries);
  }
  for (const { from, to } of message.arcs) {
    const field = openField(out, 0x12);
    if (from !== ringStart) putBytes(out, 0x0a, fromHex(from));
    if (to !== ringEnd) putBytes(out, 0x12, fromHex(to));
    closeField(out, field);
  }
  putNumber(out, 0x18, message.repair ? 1 : 0);
  putNumber(out, 0x20, message.timeMs);
  putNumber(out, 0x28, message.ringVersion);
}

function putHome(out: ByteWriter, home: VerifiedPeer): void {
  const field = openField(out, 0x12);
  putBytes(out, 0x0a, fromHex(home.peer));
  putNumber(out, 0x10, states.indexOf(home.state) + 1);
  putNumber(out, 0x18, home.channels);
  putNumber(out, 0x20, home.entries);
  for (const { difference, ref } of home.differences) {
    const inner = openField(out, 0x2a);
    putNumber(out, 0x08, differences.indexOf(difference) + 1);
    putRef(out, 0x12, ref);
    closeField(out, inner);
  }
  putNumber(out, 0x30, home.more);
  putNumber(out, 0x38, home.repaired);
  closeField(out, field);
}

export function readVerify(reader: LetterReader): VerifyAsked {
  const arcs: RingRange[] = [];
  let repair = false;
  let timeMs = 0;
  let ringVersion = 0;
  const id = reader.withId((tag) => {
    if (tag === 0x12) arcs.push(readArc(reader));
    else if (tag === 0x18) repair = reader.varint() !== 0;
    else if (tag === 0x20) timeMs = reader.varint();
    else if (tag === 0x28) ringVersion = reader.varint();
    else return false;
    return true;
  });
  const isRising = arcs.every(({ from, to }, i) => from < to && (i === 0 || arcs[i - 1]!.to <= from));
  if (!isRising || arcs.length > limits.verifyArcsMax) reader.fail();
  return { type: 'verify', id, ringVersion, arcs, repair, timeMs };
}

function readArc(reader: LetterReader): RingRange {
  reader.item();
  let [from, to] = [ringStart, ringEnd];
  reader.nested((tag) => {
    if (tag === 0x0a) from = readBound(reader);
    else if (tag === 0x12) to = readBound(reader);
    else return false;
    return true;
  });
  return { from, to };
}

export function readVerified(reader: LetterReader): Verified {
  const peers: VerifiedPeer[] = [];
  let [channels, entries] = [0, 0];
  const id = reader.withId((tag) => {
    if (tag === 0x12) peers.push(readHome(reader));
    else if (tag === 0x18) channels = reader.varint();
    else if (tag === 0x20) entries = reader.varint();
    else return false;
    return true;
  });
  return { type: 'verified', id, channels, entries, peers };
}

function readHome(reader: LetterReader): VerifiedPeer {
  reader.item();
  let peer: NodeId | undefined;
  let state: VerifiedPeer['state'] | undefined;
  const numbers = { channels: 0, entries: 0, more: 0, repaired: 0 };
  const found: Difference[] = [];
  reader.nested((tag) => {
    if (tag === 0x0a) peer = reader.node();
    else if (tag === 0x10) state = states[reader.varint() - 1];
    else if (tag === 0x18) numbers.channels = reader.varint();
    else if (tag === 0x20) numbers.entries = reader.varint();
    else if (tag === 0x2a) found.push(readDifference(reader));
    else if (tag === 0x30) numbers.more = reader.varint();
    else if (tag === 0x38) numbers.repaired = reader.varint();
    else return false;
    return true;
  });
  if (!peer || found.length > limits.verifyDifferencesMax) reader.fail();
  // A state of a later version: at least nothing is proven.
  return { peer: peer ?? ('' as NodeId), state: state ?? 'interrupted', differences: found, ...numbers };
}

function readDifference(reader: LetterReader): Difference {
  reader.item();
  let difference: Difference['difference'] | undefined;
  let ref = noRef;
  reader.nested((tag) => {
    if (tag === 0x08) difference = differences[reader.varint() - 1];
    else if (tag === 0x12) ref = reader.ref();
    else return false;
    return true;
  });
  if (ref === noRef) reader.fail();
  // One of a later version: whatever it is, something differs.
  return { difference: difference ?? 'heads', ref };
}
