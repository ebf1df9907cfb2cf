/** CRC-32 (IEEE 802.3, reflected, as in zlib), eight bytes a step (Intel's slicing-by-8, Kounavis and Berry 2005).
 *  In place of a native call because records are small: a call into native code costs more than the sum itself. */

const tables: readonly Uint32Array[] = makeTables();
const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
];

/** Sum of bytes[start, end), going on from `seed` (a sum returned earlier, or 0). */
export function crc32(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  let crc = ~seed;
  let at = start;
  for (const last = end - 7; at < last; at += 8) {
    const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    crc =
      t7[low & 255]! ^
      t6[(low >>> 8) & 255]! ^
      t5[(low >>> 16) & 255]! ^
      t4[low >>> 24]! ^
      t3[bytes[at + 4]!]! ^
      t2[bytes[at + 5]!]! ^
      t1[bytes[at + 6]!]! ^
      t0[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = t0[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

function makeTables(): Uint32Array[] {
  const first = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    first[i] = crc >>> 0;
  }
  const all = [first];
  for (let k = 1; k < 8; k++) {
    const next = new Uint32Array(256);
    const before = all[k - 1]!;
    for (let i = 0; i < 256; i++) next[i] = (first[before[i]! & 255]! ^ (before[i]! >>> 8)) >>> 0;
    all.push(next);
  }
  return all;
}
