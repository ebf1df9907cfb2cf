/** Reads fields of letters between nodes, beyond those that replication has too. */
import { toHex } from '../../base/bytes.js';
import type { ChannelRef, Dot, NodeId, WriterId } from '../../base/ids.js';
import type { SeqRange } from '../../log/channel-log.js';
import { levelOf } from '../../protocol/levels.js';
import type { Level } from '../../protocol/messages.js';
import { PeerReader } from '../../replication/wire-reader.js';

const nodeBytes = 16;
const nobody = '' as WriterId;

/** Stand for what was not read. */
export const noRef = { hub: '', channel: '' } as unknown as ChannelRef;
export const noBytes: Uint8Array = new Uint8Array(0);

export class LetterReader extends PeerReader {
  #ref: ChannelRef | undefined;
  #refBytes: Uint8Array = noBytes;
  #writer = nobody;
  #writerBytes: Uint8Array = noBytes;

  /** Publishes of one channel mostly come together: names that are those read last are not checked again. */
  override ref(): ChannelRef {
    const known = this.#ref;
    if (known && this.#passes(this.#refBytes)) return known;
    const start = this.position;
    this.#ref = super.ref();
    this.#refBytes = this.bytes.subarray(start, this.position);
    return this.#ref;
  }

  /** The same for writers, of which few write much. */
  override writer(): WriterId {
    if (this.#writer !== nobody && this.#passes(this.#writerBytes)) return this.#writer;
    const start = this.position;
    this.#writer = super.writer();
    this.#writerBytes = this.bytes.subarray(start, this.position);
    return this.#writer;
  }

  /** Steps over these bytes if they are the next ones. */
  #passes(bytes: Uint8Array): boolean {
    const { position } = this;
    if (bytes.length > this.end - position) return false;
    for (let i = 0; i < bytes.length; i++) if (this.bytes[position + i] !== bytes[i]) return false;
    this.position += bytes.length;
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

  /** The fields of a message that begins with an id, which it gives. */
  withId(read: (tag: number) => boolean = () => false): number {
    let id = 0;
    this.nested((tag) => {
      if (tag !== 0x08) return read(tag);
      id = this.varint();
      return true;
    });
    return id;
  }

  /** Of a message `Moved`. */
  moved(): NodeId | undefined {
    let node: NodeId | undefined;
    this.nested((tag) => {
      if (tag !== 0x0a) return false;
      node = this.node();
      return true;
    });
    return node;
  }

  /** `undefined`, and failed, for one of a later version: nobody may claim what is not understood. */
  level(): Level | undefined {
    const level = levelOf(this.varint());
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
