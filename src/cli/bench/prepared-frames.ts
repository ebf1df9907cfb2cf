/** Client frames made before the load starts, so that sending many is one write of bytes that exist. Each carries a mask
 *  of its own: a mask of zeros would spare the server work that no real client spares it. */
import { randomBytes } from 'node:crypto';

/** Frames one after another; sent in a circle. */
export class PreparedFrames {
  readonly bytes: Buffer;
  readonly #ends: Uint32Array;

  constructor(frames: readonly Uint8Array[]) {
    this.bytes = Buffer.concat(frames);
    this.#ends = new Uint32Array(frames.length);
    let end = 0;
    for (const [i, frame] of frames.entries()) this.#ends[i] = end += frame.length;
  }

  get count(): number {
    return this.#ends.length;
  }

  /** The frames of the numbers `from` up to `to`, as at most two ranges. */
  send(from: number, to: number, write: (bytes: Uint8Array) => void): void {
    for (let at = from; at < to;) {
      const slot = at % this.count;
      const taken = Math.min(to - at, this.count - slot);
      write(this.bytes.subarray(this.#startOf(slot), this.#ends[slot + taken - 1]));
      at += taken;
    }
  }

  #startOf(slot: number): number {
    return slot === 0 ? 0 : this.#ends[slot - 1]!;
  }
}

/** One WebSocket frame as a client sends it. */
export function maskedFrame(payload: Uint8Array, opcode = 2): Buffer {
  const { length } = payload;
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + 4 + length);
  frame[0] = 0x80 | opcode;
  if (head === 2) {
    frame[1] = 0x80 | length;
  } else if (head === 4) {
    frame[1] = 0x80 | 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 0x80 | 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  const mask = nonZeroMask();
  mask.copy(frame, head);
  for (let i = 0; i < length; i++) frame[head + 4 + i] = payload[i]! ^ mask[i & 3]!;
  return frame;
}

function nonZeroMask(): Buffer {
  for (;;) {
    const mask = randomBytes(4);
    if (mask.readUInt32LE(0) !== 0) return mask;
  }
}
