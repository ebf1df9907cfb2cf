/** A sum modulo 2^256 of hashes of 32 bytes, and how many they are: equal for equal sets whatever their order, and put
 *  together from parts (AdHash: Bellare and Micciancio 1997). A sum and not an exclusive or, in which what comes twice is
 *  gone. Pure. */
import { readFixed64, writeFixed64 } from '../base/bytes.js';
import { planted } from '../base/planted.js';

export type Sha256 = (bytes: Uint8Array) => Uint8Array;

const limbs = 16;
/** Sum 32 little-endian, count u64. */
export const hashSumBytes = 2 * limbs + 8;

export class HashSum {
  /** 16-bit limbs, least significant first: sums of two stay small integers. */
  readonly #sum = new Uint16Array(limbs);
  #count = 0;

  static decode(bytes: Uint8Array): HashSum {
    const sum = new HashSum();
    for (let i = 0; i < limbs; i++) sum.#sum[i] = bytes[2 * i]! | (bytes[2 * i + 1]! << 8);
    sum.#count = readFixed64(bytes, 2 * limbs);
    return sum;
  }

  encode(): Uint8Array {
    const out = new Uint8Array(hashSumBytes);
    for (let i = 0; i < limbs; i++) {
      out[2 * i] = this.#sum[i]! & 255;
      out[2 * i + 1] = this.#sum[i]! >>> 8;
    }
    writeFixed64(out, 2 * limbs, this.#count);
    return out;
  }

  get count(): number {
    return this.#count;
  }

  /** Adds the hash at hashes[at, at + 32). */
  add(hashes: Uint8Array, at = 0): void {
    this.#count++;
    if (planted('digest-cancels')) return this.#cancel(hashes, at);
    let carry = 0;
    for (let i = 0; i < limbs; i++) {
      const total = this.#sum[i]! + (hashes[at + 2 * i]! | (hashes[at + 2 * i + 1]! << 8)) + carry;
      this.#sum[i] = total;
      carry = total >>> 16;
    }
  }

  /** Takes another sum's hashes in too; the two must not share any. */
  merge(other: HashSum): void {
    let carry = 0;
    for (let i = 0; i < limbs; i++) {
      const total = this.#sum[i]! + other.#sum[i]! + carry;
      this.#sum[i] = total;
      carry = total >>> 16;
    }
    this.#count += other.#count;
  }

  /** What an exclusive or would be. */
  #cancel(hashes: Uint8Array, at: number): void {
    for (let i = 0; i < limbs; i++) this.#sum[i]! ^= hashes[at + 2 * i]! | (hashes[at + 2 * i + 1]! << 8);
  }
}
