/** Reads fields of letters between nodes, beyond those that replication has too. */
import { toHex } from '../base/bytes.js';
import type { ChannelRef, Dot, NodeId, WriterId } from '../base/ids.js';
import type { SeqRange } from '../log/channel-log.js';
import type { Level } from '../protocol/messages.js';
import { PeerReader } from '../replication/wire-reader.js';

const nodeBytes = 16;
const levels: readonly (Level | undefined)[] = [undefined, 'memory', 'owner', 'quorum'];
const nobody = '' as WriterId;

export class LetterReader extends PeerReader {
  #bytes: Uint8Array | undefined;
  #ref: ChannelRef | undefined;

  /** Publishes of one channel mostly come together: names that are those read last are not checked again. */
  override ref(): ChannelRef {
    const start = this.position;
    if (this.#ref && this.#bytes && this.#isNext(this.#bytes)) {
      this.position += this.#bytes.length;
      return this.#ref;
    }
    this.#ref = super.ref();
    this.#bytes = this.bytes.subarray(start, this.position);
    return this.#ref;
  }

  #isNext(bytes: Uint8Array): boolean {
    if (bytes.length > this.end - this.position) return false;
    for (let i = 0; i < bytes.length; i++) if (this.bytes[this.position + i] !== bytes[i]) return false;
    return true;
  }

  bounded(bytesMax: number): Uint8Array {
    const bytes = this.chunk();
    if (bytes.length > bytesMax) this.fail();
    return bytes;
  }

  node(): NodeId {
    const bytes = this.chunk();
    if (bytes.length !== nodeBytes) this.fail();
    return toHex(bytes) as NodeId;
  }

  /** `undefined`, and failed, for one of a later version: nobody may claim what is not understood. */
  level(): Level | undefined {
    const level = levels[this.varint()];
    if (!level) this.fail();
    return level;
  }

  /** One more of a list. */
  nextDot(): Dot {
    this.item();
    return this.dot();
  }

  /** One more of a list. */
  range(): SeqRange {
    this.item();
    let writer = nobody;
    let firstSeq = 0;
    let count = 0;
    this.nested((tag) => {
      if (tag === 0x0a) writer = this.writer();
      else if (tag === 0x10) firstSeq = this.varint();
      else if (tag === 0x18) count = this.varint();
      else return false;
      return true;
    });
    const isRange = writer !== nobody && firstSeq >= 1 && count >= 1;
    if (!isRange || !Number.isSafeInteger(firstSeq + count)) this.fail();
    return { writer, firstSeq, count };
  }
}
