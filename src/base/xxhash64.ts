/** xxHash64 (Yann Collet, "XXH64 algorithm description", version 0.2): where things lie on the ring, and digests that need
 *  be no defence. Without BigInt, which takes more than twice as long for a channel's name: 64-bit words are pairs of 32-bit
 *  halves, the product of two 32-bit numbers comes from one floating-point multiplication. Read little-endian, as the
 *  algorithm says. */
import { assert } from './assert.js';
import { readFixed32 } from './bytes.js';

/** A 64-bit number as two unsigned 32-bit halves: exact, compared without allocating, and stored in typed arrays. */
export interface Hash64 {
  readonly high: number;
  readonly low: number;
}

/** Hash of bytes[start, end). `seed` is a non-negative safe integer. */
export function xxhash64(bytes: Uint8Array, seed = 0, start = 0, end = bytes.length): Hash64 {
  assert(Number.isSafeInteger(seed) && seed >= 0, 'a seed is a non-negative safe integer');
  const seedHigh = Math.floor(seed / two32) | 0;
  const seedLow = seed | 0;
  const length = end - start;
  const hash = new Word(seedHigh, seedLow);
  let at = start;
  if (length >= stripeBytes) at = hashStripes(hash, bytes, start, end);
  else hash.add(p5High, p5Low);
  hash.add(0, length | 0);

  const lane = new Word(0, 0);
  for (; at + 8 <= end; at += 8) {
    lane.set(0, 0);
    lane.round(bytes, at);
    hash.mix(lane.high, lane.low);
    hash.rotate(27);
    hash.multiply(p1High, p1Low);
    hash.add(p4High, p4Low);
  }
  if (at + 4 <= end) {
    lane.set(0, readFixed32(bytes, at) | 0);
    lane.multiply(p1High, p1Low);
    hash.mix(lane.high, lane.low);
    hash.rotate(23);
    hash.multiply(p2High, p2Low);
    hash.add(p3High, p3Low);
    at += 4;
  }
  for (; at < end; at++) {
    lane.set(0, bytes[at]!);
    lane.multiply(p5High, p5Low);
    hash.mix(lane.high, lane.low);
    hash.rotate(11);
    hash.multiply(p1High, p1Low);
  }
  avalanche(hash);
  return { high: hash.high >>> 0, low: hash.low >>> 0 };
}

const two32 = 4294967296;
const stripeBytes = 32;

// The five primes of the algorithm, halves as signed integers.
const [p1High, p1Low] = [0x9e3779b1 | 0, 0x85ebca87 | 0];
const [p2High, p2Low] = [0xc2b2ae3d | 0, 0x27d4eb4f];
const [p3High, p3Low] = [0x165667b1, 0x9e3779f9 | 0];
const [p4High, p4Low] = [0x85ebca77 | 0, 0xc2b2ae63 | 0];
const [p5High, p5Low] = [0x27d4eb2f, 0x165667c5];

/** One 64-bit accumulator. The halves are signed, so that the engine keeps them as small integers. */
class Word {
  constructor(
    public high: number,
    public low: number,
  ) {}

  set(high: number, low: number): void {
    this.high = high;
    this.low = low;
  }

  add(high: number, low: number): void {
    const sum = (this.low >>> 0) + (low >>> 0);
    this.low = sum | 0;
    this.high = (this.high + high + (sum >= two32 ? 1 : 0)) | 0;
  }

  mix(high: number, low: number): void {
    this.high ^= high;
    this.low ^= low;
  }

  /** To the left by 1 to 31 bits. */
  rotate(bits: number): void {
    const { high, low } = this;
    this.high = (high << bits) | (low >>> (32 - bits));
    this.low = (low << bits) | (high >>> (32 - bits));
  }

  multiply(high: number, low: number): void {
    const product = Math.imul(this.low, low);
    // The double is off by at most 2^10, its lower half is known exactly: rounding the rest finds the upper half.
    const rest = (this.low >>> 0) * (low >>> 0) - (product >>> 0);
    const carry = Math.floor(rest / two32 + 0.5);
    this.high = (Math.imul(this.high, low) + Math.imul(this.low, high) + carry) | 0;
    this.low = product;
  }

  /** Takes in the eight bytes at `at`. */
  round(bytes: Uint8Array, at: number): void {
    this.roundOf(readFixed32(bytes, at + 4) | 0, readFixed32(bytes, at) | 0);
  }

  roundOf(high: number, low: number): void {
    const [accumulatedHigh, accumulatedLow] = [this.high, this.low];
    this.set(high, low);
    this.multiply(p2High, p2Low);
    this.add(accumulatedHigh, accumulatedLow);
    this.rotate(31);
    this.multiply(p1High, p1Low);
  }
}

/** Whole stripes of 32 bytes in four lanes, which `hash`, so far the seed, becomes the sum of. Returns where they end. */
function hashStripes(hash: Word, bytes: Uint8Array, start: number, end: number): number {
  const { high, low } = hash;
  const [a, b, c, d] = [new Word(high, low), new Word(high, low), new Word(high, low), new Word(high, low)];
  a.add(p1High, p1Low);
  a.add(p2High, p2Low);
  b.add(p2High, p2Low);
  // Minus the first prime: its complement, and one.
  d.add(~p1High, ~p1Low);
  d.add(0, 1);
  let at = start;
  for (; at + stripeBytes <= end; at += stripeBytes) {
    a.round(bytes, at);
    b.round(bytes, at + 8);
    c.round(bytes, at + 16);
    d.round(bytes, at + 24);
  }
  const lane = new Word(0, 0);
  hash.set(0, 0);
  const rotations = [1, 7, 12, 18];
  const lanes = [a, b, c, d];
  for (let i = 0; i < 4; i++) {
    lane.set(lanes[i]!.high, lanes[i]!.low);
    lane.rotate(rotations[i]!);
    hash.add(lane.high, lane.low);
  }
  for (const { high: laneHigh, low: laneLow } of lanes) {
    lane.set(0, 0);
    lane.roundOf(laneHigh, laneLow);
    hash.mix(lane.high, lane.low);
    hash.multiply(p1High, p1Low);
    hash.add(p4High, p4Low);
  }
  return at;
}

/** Every bit of the input comes to bear on every bit of the hash. */
function avalanche(hash: Word): void {
  hash.mix(0, hash.high >>> 1);
  hash.multiply(p2High, p2Low);
  hash.mix(hash.high >>> 29, (hash.low >>> 29) | (hash.high << 3));
  hash.multiply(p3High, p3Low);
  hash.mix(0, hash.high);
}
