/** Where channels and members lie on the ring: unsigned 64-bit positions, clockwise is rising, after the greatest comes 0.
 *
 *  A position is two 32-bit halves: a number of JavaScript holds 53 bits, a BigInt costs an allocation and a slow
 *  comparison. In tables the halves lie in typed arrays and most comparisons look at the upper one alone. At the edges (map
 *  keys, stored claims, messages) a position is 16 hex digits, whose string order is the order of the ring.
 *
 *  These bytes decide who holds what and never change:
 *  - channel: hub length u8 · hub · channel length u8 · channel, names in UTF-8, xxHash64 with seed 0
 *  - virtual node i of a member: node id 16 bytes · i u16 little-endian, xxHash64 with seed 0 */
import { assert } from '../base/assert.js';
import { fromHex } from '../base/bytes.js';
import type { ChannelRef, NodeId } from '../base/ids.js';
import { type Hash64, xxhash64 } from '../base/xxhash64.js';

export type RingPosition = Hash64;
/** The position at which an interval ends, as 16 lower-case hex digits. The same arc of the ring keeps its id across ring
 *  versions as long as the virtual node at its end stays. */
export type IntervalId = string & { readonly __brand: 'IntervalId' };

/** The greatest share of 3, 9 and 100 members is about 3, 7 and 16 % above the mean (simulations/scale/ring-scale.ts). Part of
 *  what decides who holds what. */
export const virtualNodesMax = 256;

const nodeBytes = 16;

export function channelPosition({ hub, channel }: ChannelRef): RingPosition {
  const bytes = new Uint8Array(2 + hub.length + channel.length);
  writeName(bytes, 0, hub);
  writeName(bytes, 1 + hub.length, channel);
  return xxhash64(bytes);
}

/** Calls `each` for the positions of a member's virtual nodes, in order of their number. */
export function eachVirtualNode(node: NodeId, count: number, each: (position: RingPosition) => void): void {
  const bytes = new Uint8Array(nodeBytes + 2);
  bytes.set(fromHex(node));
  for (let i = 0; i < count; i++) {
    bytes[nodeBytes] = i;
    bytes[nodeBytes + 1] = i >>> 8;
    each(xxhash64(bytes));
  }
}

/** Negative where a comes before b, 0 where they are one. */
export function comparePositions(a: RingPosition, b: RingPosition): number {
  return a.high - b.high || a.low - b.low;
}

export function intervalIdOf({ high, low }: RingPosition): IntervalId {
  return (high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')) as IntervalId;
}

/** `undefined` where the text is no interval id. */
export function parseIntervalId(text: string): IntervalId | undefined {
  return /^[0-9a-f]{16}$/.test(text) ? (text as IntervalId) : undefined;
}

/** The end of the interval. */
export function positionOf(id: IntervalId): RingPosition {
  return { high: Number.parseInt(id.slice(0, 8), 16), low: Number.parseInt(id.slice(8), 16) };
}

/** The grammar of names is ASCII, so a character is a byte. */
function writeName(out: Uint8Array, at: number, name: string): void {
  assert(name.length < 256, 'the length of a name fits a byte');
  out[at] = name.length;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    assert(code < 128, 'a name is ASCII');
    out[at + 1 + i] = code;
  }
}
