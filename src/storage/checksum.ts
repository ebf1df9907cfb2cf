/** CRC-32 at the best speed for the size: the script's own for small ranges, zlib's (in this Node since 20.15) above,
 *  where entering native code has paid for itself. Both are the same sum. */
import { crc32 as zlibCrc32 } from 'node:zlib';
import { crc32 } from '../base/crc32.js';

const nativeBytesMin = 384;

/** Sum of bytes[start, end), going on from `seed`. */
export function checksum(bytes: Uint8Array, start: number, end: number, seed = 0): number {
  return end - start < nativeBytesMin
    ? crc32(bytes, start, end, seed)
    : zlibCrc32(bytes.subarray(start, end), seed);
}
