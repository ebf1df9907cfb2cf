/** Digest of a channel: equal when two homes hold the same entries, whatever the order they came in. The sum modulo
 *  2^256 of SHA-256 over each dot and record, then SHA-256 over sum and count (hash-sum.ts). It is no defence against
 *  someone who may choose entries, and need not be: peers are authenticated. */
import { fromHex, writeFixed64 } from '../base/bytes.js';
import type { WriterId } from '../base/ids.js';
import { planted } from '../base/planted.js';
import { RecordWalk } from './entry-wire.js';
import { HashSum, type Sha256 } from './hash-sum.js';

export type { Sha256 } from './hash-sum.js';

const dotBytes = 20;

export class ChannelDigestSum {
  readonly #sha256: Sha256;
  readonly #sum: HashSum;
  #scratch = new Uint8Array(1024);
  #writer: WriterId | undefined;

  /** `sum`: goes on from there; taken over. */
  constructor(sha256: Sha256, sum = new HashSum()) {
    this.#sha256 = sha256;
    this.#sum = sum;
  }

  get count(): number {
    return this.#sum.count;
  }

  /** What more can be added to later: `HashSum.encode`. */
  get sum(): HashSum {
    return this.#sum;
  }

  /** Adds the entry whose body (the record without tag and length) is body[start, end). */
  add(writer: WriterId, seq: number, body: Uint8Array, start = 0, end = body.length): void {
    this.#sum.add(this.#hash(writer, seq, body, start, end));
  }

  /** Adds whole records that follow one another. */
  addRecords({ writer, firstSeq, records }: Records): void {
    let seq = firstSeq;
    for (const walk = new RecordWalk(records); walk.next(); seq++) {
      if (planted('digest-skips') && seq % 3 === 0) continue;
      this.add(writer, seq, records, walk.bodyStart, walk.end);
    }
  }

  /** Takes another sum's entries in too; the two must not share any. */
  merge(other: ChannelDigestSum): void {
    this.#sum.merge(other.#sum);
  }

  /** 32 bytes; more may be added afterwards. */
  digest(): Uint8Array {
    return this.#sha256(this.#sum.encode());
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
}

interface Records {
  readonly writer: WriterId;
  readonly firstSeq: number;
  readonly records: Uint8Array;
}
