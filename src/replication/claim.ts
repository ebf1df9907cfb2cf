/** A claim: who orders the appends of an interval now. Homes promise themselves to one at a time; the higher fences the
 *  lower. The order is total, writers included: with an even number of homes two sets that may grant need not meet, and
 *  two claims of one round must not both stand. */
import { ByteReader, ByteWriter, fromHex, toHex } from '../base/bytes.js';
import type { WriterId } from '../base/ids.js';
import { planted } from '../base/planted.js';

export interface Claim {
  readonly round: number;
  readonly writer: WriterId;
}

/** By round, then writer; no claim at all is below every claim. */
export function compareClaims(a: Claim | undefined, b: Claim | undefined): number {
  if (!a || !b) return (a ? 1 : 0) - (b ? 1 : 0);
  if (a.round !== b.round) return a.round - b.round;
  if (a.writer === b.writer || planted('equal-rounds')) return 0;
  return a.writer < b.writer ? -1 : 1;
}

export function sameClaim(a: Claim | undefined, b: Claim | undefined): boolean {
  return compareClaims(a, b) === 0;
}

/** What a home keeps of an interval in its store, in the note `noteOf(interval)`. */
export interface IntervalNote {
  /** The highest claim granted or adopted. */
  readonly promise: Claim | undefined;
  /** What was held here may be forgotten: neither acks nor grants until others gave it back. */
  readonly recovering: boolean;
  /** It recovers since the ring made it a home: it never acked or promised anything that would be forgotten. */
  readonly incoming?: true;
}

const isRecovering = 1;
const hasPromise = 2;
const isIncoming = 4;

export function noteOf(interval: string): string {
  return `interval/${interval}`;
}

/** flags u8 · [round u64 · writer 12]. */
export function encodeIntervalNote({ promise, recovering, incoming }: IntervalNote): Uint8Array {
  const out = new ByteWriter(21);
  out.u8((recovering ? isRecovering : 0) | (promise ? hasPromise : 0) | (incoming ? isIncoming : 0));
  if (promise) {
    out.fixed64(promise.round);
    out.raw(fromHex(promise.writer));
  }
  return out.bytes();
}

/** `undefined` when the note is missing or not ours. */
export function decodeIntervalNote(bytes: Uint8Array | undefined): IntervalNote | undefined {
  if (!bytes) return undefined;
  const reader = new ByteReader(bytes);
  const flags = reader.u8();
  const recovering = (flags & isRecovering) !== 0;
  const incoming = recovering && (flags & isIncoming) !== 0 ? { incoming: true as const } : {};
  if ((flags & hasPromise) === 0)
    return reader.failed ? undefined : { promise: undefined, recovering, ...incoming };
  const round = reader.fixed64();
  const writer = toHex(reader.take(12)) as WriterId;
  return reader.failed ? undefined : { promise: { round, writer }, recovering, ...incoming };
}
