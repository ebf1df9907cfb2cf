/** Server frames of RFC 6455 as bytes: never masked, never fragmented, no extensions. */
import type { OutFrame } from '../engine/api.js';

export type Opcode = 1 | 2;
export const textOpcode = 1;
export const binaryOpcode = 2;

/** Frames up to this size are copied together; larger ones are handed to the socket as they are. */
const copiedBytesMax = 2_048;
/** Of a frame that one socket gets, a larger payload is not copied behind its header. */
const joinedBytesMax = 16_384;

/** What one turn writes to a socket: few chunks, small frames joined. */
export function chunksOf(frames: readonly OutFrame[], opcode: Opcode): Uint8Array[] {
  if (frames.length === 1) return chunksOfOne(frames[0]!, opcode);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < frames.length;) {
    const end = endOfSmallFrames(frames, at);
    if (end > at) {
      chunks.push(joined(frames, at, end, opcode));
      at = end;
    } else {
      chunks.push(...chunksOfOne(frames[at++]!, opcode));
    }
  }
  return chunks;
}

function chunksOfOne(frame: OutFrame, opcode: Opcode): Uint8Array[] {
  const { bytes } = frame;
  if (frame.isShared || bytes.length <= joinedBytesMax) return [preparedFrame(frame, opcode)];
  const header = Buffer.allocUnsafe(headerLength(bytes.length));
  writeHeader(header, 0, bytes.length, opcode);
  return [header, bytes];
}

/** The frame with its header; of a shared one it is made once however many sockets get it. */
export function preparedFrame(frame: OutFrame, opcode: Opcode): Uint8Array {
  if (frame.prepared) return frame.prepared;
  const prepared = Buffer.allocUnsafe(headerLength(frame.bytes.length) + frame.bytes.length);
  writeFrame(prepared, 0, frame.bytes, opcode);
  if (frame.isShared) frame.prepared = prepared;
  return prepared;
}

function endOfSmallFrames(frames: readonly OutFrame[], start: number): number {
  let end = start;
  while (end < frames.length && frames[end]!.bytes.length <= copiedBytesMax) end++;
  return end;
}

function joined(frames: readonly OutFrame[], start: number, end: number, opcode: Opcode): Uint8Array {
  let total = 0;
  for (let i = start; i < end; i++) total += headerLength(frames[i]!.bytes.length) + frames[i]!.bytes.length;
  const chunk = Buffer.allocUnsafe(total);
  let at = 0;
  for (let i = start; i < end; i++) at = writeFrame(chunk, at, frames[i]!.bytes, opcode);
  return chunk;
}

function headerLength(payloadLength: number): number {
  return payloadLength < 126 ? 2 : payloadLength < 65_536 ? 4 : 10;
}

function writeFrame(out: Buffer, start: number, payload: Uint8Array, opcode: Opcode): number {
  const at = writeHeader(out, start, payload.length, opcode);
  out.set(payload, at);
  return at + payload.length;
}

function writeHeader(out: Buffer, start: number, payloadLength: number, opcode: Opcode): number {
  let at = start;
  out[at++] = 0x80 | opcode;
  if (payloadLength < 126) {
    out[at++] = payloadLength;
    return at;
  }
  if (payloadLength < 65_536) {
    out[at++] = 126;
    return out.writeUInt16BE(payloadLength, at);
  }
  out[at++] = 127;
  at = out.writeUInt32BE(0, at);
  return out.writeUInt32BE(payloadLength, at);
}
