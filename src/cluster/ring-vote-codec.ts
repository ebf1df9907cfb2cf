/** A vote as it is kept: version 1 u8 · base 8 · promised: round varint, node 16 · accepted u8: 0, or 1 followed by its
 *  ballot and the ring: length varint and bytes. */
import { ByteReader, ByteWriter, fromHex, toHex } from '../base/bytes.js';
import type { NodeId } from '../base/ids.js';
import type { RingBallot, RingVote } from './ring-agreement.js';
import { decodeRing, encodeRing } from './ring-codec.js';
import type { RingDigest } from './ring.js';

const version = 1;

export function encodeVote({ base, promised, accepted }: RingVote): Uint8Array {
  const out = new ByteWriter(64);
  out.u8(version);
  out.raw(fromHex(base));
  putBallot(out, promised);
  out.u8(accepted ? 1 : 0);
  if (accepted) {
    const ring = encodeRing(accepted.ring);
    putBallot(out, accepted.ballot);
    out.varint(ring.length);
    out.raw(ring);
  }
  return out.bytes();
}

/** `undefined` when the note is missing or not ours. */
export function decodeVote(bytes: Uint8Array | undefined): RingVote | undefined {
  if (!bytes) return undefined;
  const reader = new ByteReader(bytes);
  if (reader.u8() !== version) return undefined;
  const base = toHex(reader.take(8)) as RingDigest;
  const promised = readBallot(reader);
  if (reader.u8() === 0) return reader.failed ? undefined : { base, promised };
  const ballot = readBallot(reader);
  const ring = decodeRing(reader.take(reader.varint()));
  if (reader.failed || !ring.ok) return undefined;
  return { base, promised, accepted: { ballot, ring: ring.value } };
}

function putBallot(out: ByteWriter, { round, node }: RingBallot): void {
  out.varint(round);
  out.raw(fromHex(node));
}

function readBallot(reader: ByteReader): RingBallot {
  const round = reader.varint();
  return { round, node: toHex(reader.take(16)) as NodeId };
}
