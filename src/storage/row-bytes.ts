/** Memory for keys and values on their way to the index, cut from larger pieces: a buffer of its own for each of
 *  millions of rows costs the allocator and the collector more than the row's bytes. A piece is given up with the last
 *  row that was cut from it, so rows must not be kept for long. */

const pieceBytes = 65_536;
const cutBytesMax = 4_096;

let piece = new Uint8Array(0);
let used = 0;

/** Zeros. */
export function rowBytes(length: number): Uint8Array {
  if (length > cutBytesMax) return new Uint8Array(length);
  if (used + length > piece.length) {
    piece = new Uint8Array(pieceBytes);
    used = 0;
  }
  used += length;
  return piece.subarray(used - length, used);
}
