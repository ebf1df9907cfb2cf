/** What a node keeps in its store beside the logs: small values, each replaced by the newer one of the same name. */
import type { WriterId } from '../base/ids.js';
import { ByteReader, ByteWriter, fromHex, toHex } from '../base/bytes.js';
import type { Timestamp } from '../log/entry.js';

export const noteNames = {
  /** Upper bound of every timestamp this node may have used. */
  clock: 'clock',
  /** The highest claim this node granted, its own included. */
  promise: 'promise',
  /** In a cluster: the ring, and the store that the notes of its intervals are about. */
  ring: 'ring',
  ringStore: 'ring-store',
  /** The last starts on this store, and the key of what is said of it. */
  starts: 'starts',
  sealKey: 'seal-key',
  /** What this node voted to follow the ring. */
  ringVote: 'ring-vote',
} as const;

/** A claim: who orders appends. Compared by round, then writer. */
export interface Claim {
  readonly round: number;
  readonly writer: WriterId;
}

export function encodeClockNote(bound: Timestamp): Uint8Array {
  const out = new ByteWriter(8);
  out.fixed64(bound);
  return out.bytes();
}

/** `undefined` when the note is missing or not ours. */
export function decodeClockNote(bytes: Uint8Array | undefined): Timestamp | undefined {
  if (!bytes) return undefined;
  const reader = new ByteReader(bytes);
  const bound = reader.fixed64();
  return reader.failed ? undefined : bound;
}

export function encodeClaimNote(claim: Claim): Uint8Array {
  const out = new ByteWriter(20);
  out.fixed64(claim.round);
  out.raw(fromHex(claim.writer));
  return out.bytes();
}

export function decodeClaimNote(bytes: Uint8Array | undefined): Claim | undefined {
  if (!bytes) return undefined;
  const reader = new ByteReader(bytes);
  const round = reader.fixed64();
  const writer = toHex(reader.take(12)) as WriterId;
  return reader.failed ? undefined : { round, writer };
}

/** Starts that are remembered: a peer that was away for longer may take an earlier one for a stranger. */
const startsMax = 64;

/** 12 bytes each, the newest last. */
export function encodeStarts(starts: readonly WriterId[]): Uint8Array {
  const out = new ByteWriter(12 * startsMax);
  for (const start of starts.slice(-startsMax)) out.raw(fromHex(start));
  return out.bytes();
}

export function decodeStarts(bytes: Uint8Array | undefined): readonly WriterId[] {
  const starts: WriterId[] = [];
  for (let at = 0; bytes && at + 12 <= bytes.length; at += 12)
    starts.push(toHex(bytes.subarray(at, at + 12)) as WriterId);
  return starts;
}
