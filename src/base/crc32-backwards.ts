/** CRC-32 the other way round: what a sum was before some bytes, and which bytes lead from one sum to another. It is linear, so
 *  both have one answer. */
import { crc32 } from './crc32.js';

/** What the register is after each byte, from zero; and which byte that was, by the highest of the four: each is another one. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => ~crc32(Uint8Array.of(byte), 0, 1, 0xffffffff));
const indexes = new Uint8Array(256);
for (const [byte, register] of table.entries()) indexes[register >>> 24] = byte;

/** The sum before bytes[start, end) that carrying on over them makes `after`. */
export function crcBefore(bytes: Uint8Array, start: number, end: number, after: number): number {
  let crc = ~after;
  for (let at = end - 1; at >= start; at--) crc = stepBack(crc, bytes[at]!);
  return ~crc >>> 0;
}

/** Four bytes, as a little-endian number, that carry the sum on from `before` to `after`. */
export function crcBridge(before: number, after: number): number {
  let crc = ~after;
  for (let i = 0; i < 4; i++) crc = stepBack(crc, 0);
  return (~before ^ crc) >>> 0;
}

/** What the register was before a byte. The highest byte of each element of the table is another one. */
function stepBack(crc: number, byte: number): number {
  const index = indexes[crc >>> 24]!;
  return ((crc ^ table[index]!) << 8) | (index ^ byte);
}
