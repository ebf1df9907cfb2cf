/** Server frames of RFC 6455 as bytes: never masked, never fragmented, no extensions. */
import type { OutFrame } from '../engine/api.js';

export type Opcode = 1 | 2;
export const textOpcode = 1;
export const binaryOpcode = 2;

/** Frames up to this size are copied together; larger ones are handed to the socket as they are. */
const copiedBytesMax = 2_048;

/** What one turn writes to a socket: few chunks, small frames joined. */
export function chunksOf(frames: readonly OutFrame[], opcode: Opcode): Uint8Array[] {
  if (frames.length === 1) return [preparedFrame(frames[0]!, opcode)];
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < frames.length;) {
    const end = endOfSmallFrames(frames, at);
    if (end > at) {
      chunks.push(joined(frames, at, end, opcode));
      at = end;
    } else {
      chunks.push(preparedFrame(frames[at++]!, opcode));
    }
  }
  return chunks;
}

/** The frame with its header, made once however many sockets get it. */
export function preparedFrame(frame: OutFrame, opcode: Opcode): Uint8Array {
  if (frame.prepared) return frame.prepared;
  const prepared = Buffer.allocUnsafe(headerLength(frame.bytes.length) + frame.bytes.length);
  writeFrame(prepared, 0, frame.bytes, opcode);
  frame.prepared = prepared;
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
  let at = start;
  out[at++] = 0x80 | opcode;
  if (payload.length < 126) {
    out[at++] = payload.length;
  } else if (payload.length < 65_536) {
    out[at++] = 126;
    at = out.writeUInt16BE(payload.length, at);
  } else {
    out[at++] = 127;
    at = out.writeUInt32BE(0, at);
    at = out.writeUInt32BE(payload.length, at);
  }
  out.set(payload, at);
  return at + payload.length;
}
