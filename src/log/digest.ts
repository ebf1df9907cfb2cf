/** Digest of a channel: equal when two homes hold the same entries, whatever the order they came in. The sum modulo
 *  2^256 of SHA-256 over each dot and record, then SHA-256 over sum and count (AdHash: Bellare and Micciancio 1997;
 *  it is no defence against someone who may choose entries, and need not be: peers are authenticated). */
import { fromHex, writeFixed64 } from '../base/bytes.js';
import type { WriterId } from '../base/ids.js';

export type Sha256 = (bytes: Uint8Array) => Uint8Array;

const words = 16;
const dotBytes = 20;

export class ChannelDigestSum {
  readonly #sha256: Sha256;
  /** 16-bit limbs, least significant first: sums of two stay small integers. */
  readonly #sum = new Uint16Array(words);
  #count = 0;
  #scratch = new Uint8Array(1024);
  #writer: WriterId | undefined;

  constructor(sha256: Sha256) {
    this.#sha256 = sha256;
  }

  get count(): number {
    return this.#count;
  }

  /** Adds the entry whose body (the record without tag and length) is body[start, end). */
  add(writer: WriterId, seq: number, body: Uint8Array, start = 0, end = body.length): void {
    this.#addHash(this.#hash(writer, seq, body, start, end));
    this.#count++;
  }

  /** Takes another sum's entries in too; the two must not share any. */
  merge(other: ChannelDigestSum): void {
    let carry = 0;
    for (let i = 0; i < words; i++) {
      const total = this.#sum[i]! + other.#sum[i]! + carry;
      this.#sum[i] = total;
      carry = total >>> 16;
    }
    this.#count += other.#count;
  }

  /** 32 bytes; more may be added afterwards. */
  digest(): Uint8Array {
    const out = new Uint8Array(2 * words + 8);
    for (let i = 0; i < words; i++) {
      out[2 * i] = this.#sum[i]! & 255;
      out[2 * i + 1] = this.#sum[i]! >>> 8;
    }
    writeFixed64(out, 2 * words, this.#count);
    return this.#sha256(out);
  }

  /** SHA-256 over writer 12, seq u64 little-endian, body. */
  #hash(writer: WriterId, seq: number, body: Uint8Array, start: number, end: number): Uint8Array {
    const length = dotBytes + end - start;
    if (this.#scratch.length < length) {
      this.#scratch = new Uint8Array(2 * length);
      this.#writer = undefined;
    }
    if (this.#writer !== writer) {
      this.#scratch.set(fromHex(writer));
      this.#writer = writer;
    }
    writeFixed64(this.#scratch, 12, seq);
    this.#scratch.set(body.subarray(start, end), dotBytes);
    return this.#sha256(this.#scratch.subarray(0, length));
  }

  #addHash(hash: Uint8Array): void {
    let carry = 0;
    for (let i = 0; i < words; i++) {
      const total = this.#sum[i]! + (hash[2 * i]! | (hash[2 * i + 1]! << 8)) + carry;
      this.#sum[i] = total;
      carry = total >>> 16;
    }
  }
}
