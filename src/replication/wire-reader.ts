/** Reads fields of untrusted messages between nodes. After anything that is not as it must be `failed` stays true, and
 *  the frame is dropped whole: a peer that sends such is broken. */
import { toHex, utf8Text } from '../base/bytes.js';
import {
  type ChannelName,
  type ChannelRef,
  type Dot,
  type HubName,
  type StoreId,
  type WriterId,
  parseChannelName,
  parseHubName,
} from '../base/ids.js';
import { limits } from '../base/limits.js';
import { FieldReader, isUtf8 } from '../base/protobuf.js';
import { floorWriter, trimmedCount } from '../log/floors.js';
import type { Deletion, Forced, LostRange, Trim } from '../log/entry.js';
import type { Claim } from './claim.js';

const writerBytes = 12;
const storeIdBytes = 16;
const nobody = '' as WriterId;
const noDot: Dot = { writer: nobody, seq: 0 };

export class PeerReader extends FieldReader {
  #items = 0;

  /** Reads the fields of the message at hand: `read` is called with each tag and says whether it knew it. */
  fields(read: (tag: number) => boolean): void {
    while (!this.done) {
      const tag = this.tag();
      if (!this.failed && !read(tag)) this.skip(tag);
    }
  }

  /** The length-delimited field at hand as a message of its own. */
  nested(read: (tag: number) => boolean): void {
    const outer = this.enter();
    this.fields(read);
    this.leave(outer);
  }

  /** Counts an element of any list of the frame: no frame has more than a bounded number. */
  item(): void {
    if (++this.#items > limits.peerFrameItemsMax) this.fail();
  }

  text(bytesMax: number): string {
    const bytes = this.chunk();
    if (bytes.length <= bytesMax && isUtf8(bytes, 0, bytes.length)) return utf8Text(bytes);
    this.fail();
    return '';
  }

  interval(): string {
    const text = this.text(limits.intervalIdBytesMax);
    if (text === '') this.fail();
    return text;
  }

  writer(): WriterId {
    const bytes = this.chunk();
    if (bytes.length !== writerBytes) this.fail();
    return toHex(bytes) as WriterId;
  }

  storeId(): StoreId {
    const bytes = this.chunk();
    if (bytes.length !== storeIdBytes) this.fail();
    return toHex(bytes) as StoreId;
  }

  claim(): Claim {
    let round = 0;
    let writer = nobody;
    this.nested((tag) => {
      if (tag === 0x08) round = this.varint();
      else if (tag === 0x12) writer = this.writer();
      else return false;
      return true;
    });
    if (round < 1 || writer === nobody) this.fail();
    return { round, writer };
  }

  dot(): Dot {
    let seq = 0;
    let writer = nobody;
    this.nested((tag) => {
      if (tag === 0x0a) writer = this.writer();
      else if (tag === 0x10) seq = this.varint();
      else return false;
      return true;
    });
    if (seq < 1 || writer === nobody) this.fail();
    return { writer, seq };
  }

  /** One more writer of a vector. */
  into(vector: Map<WriterId, number>): void {
    this.item();
    const { writer, seq } = this.dot();
    vector.set(writer, Math.max(seq, vector.get(writer) ?? 0));
  }

  trim(): Trim {
    let through = noDot;
    let round = 0;
    const floors = new Map<WriterId, number>();
    let deletion: Deletion | undefined;
    let forced: Forced | undefined;
    this.nested((tag) => {
      if (tag === 0x0a) through = this.dot();
      else if (tag === 0x10) round = this.varint();
      else if (tag === 0x1a) this.into(floors);
      else if (tag === 0x22) deletion = this.deletion();
      else if (tag === 0x2a) forced = this.forced();
      else return false;
      return true;
    });
    // The entry a trim names is itself the newest of its writer that goes.
    if (through === noDot || floors.get(through.writer) !== through.seq) this.fail();
    if (floors.has(floorWriter) || !Number.isSafeInteger(trimmedCount(floors))) this.fail();
    return {
      through,
      round,
      floors,
      ...(deletion ? { deletion } : {}),
      ...(forced ? { forced } : {}),
    };
  }

  forced(): Forced {
    let through = noDot;
    let end = 0;
    this.nested((tag) => {
      if (tag === 0x0a) through = this.dot();
      else if (tag === 0x10) end = this.varint();
      else return false;
      return true;
    });
    if (through === noDot) this.fail();
    return { through, end };
  }

  deletion(): Deletion {
    let through = noDot;
    const numbers = { end: 0, timestamp: 0 };
    const old = new Map<WriterId, number>();
    this.nested((tag) => {
      if (tag === 0x0a) through = this.dot();
      else if (tag === 0x10) numbers.end = this.varint();
      else if (tag === 0x18) numbers.timestamp = this.varint();
      else if (tag === 0x22) this.into(old);
      else return false;
      return true;
    });
    if (through === noDot || numbers.end < 1) this.fail();
    return { through, ...numbers, old };
  }

  lost(): LostRange {
    this.item();
    let writer = nobody;
    let fromSeq = 0;
    let toSeq = 0;
    this.nested((tag) => {
      if (tag === 0x0a) writer = this.writer();
      else if (tag === 0x10) fromSeq = this.varint();
      else if (tag === 0x18) toSeq = this.varint();
      else return false;
      return true;
    });
    if (writer === nobody || writer === floorWriter || fromSeq < 1 || toSeq < fromSeq) this.fail();
    return { writer, fromSeq, toSeq };
  }

  ref(): ChannelRef {
    let hub = '';
    let channel = '';
    this.nested((tag) => {
      if (tag === 0x0a) hub = this.text(limits.intervalIdBytesMax);
      else if (tag === 0x12) channel = this.text(limits.cursorBytesMax);
      else return false;
      return true;
    });
    const names = { hub: parseHubName(hub), channel: parseChannelName(channel) };
    if (names.hub.ok && names.channel.ok) return { hub: names.hub.value, channel: names.channel.value };
    this.fail();
    return { hub: '' as HubName, channel: '' as ChannelName };
  }
}
