/** Bytes on a disk change, and nobody is told: one flips, a block is zeroed, or lies where another belongs. */
import type { Random } from '../../src/base/random.js';
import { pick, whole } from './chance.js';
import type { SimulatedNode } from './node.js';

export type RotKind = 'flip' | 'zero' | 'misplace' | 'index';

const blockBytes = 512;
const headerBytes = 4_096;
/** A block of zeros in the newest commits is what a crash leaves of them: docs/guarantees.md. */
const newestBytes = 32_768;

/** False where there is nothing to rot. */
export function rot(node: SimulatedNode, kind: RotKind, random: Random): boolean {
  if (kind === 'index') return node.index.flipValue();
  const files = node.disk.names.files().filter(([path]) => path.endsWith('.seg'));
  const full = files.filter(([, inode]) => endOf(inode.data) > headerBytes + blockBytes);
  if (full.length === 0) return false;
  const [, inode] = pick(random, full);
  const isNewest = inode === full.at(-1)![1];
  const end = endOf(inode.data) - (isNewest && kind !== 'flip' ? newestBytes : 0);
  if (end <= headerBytes + blockBytes) return false;
  const at = (): number => whole(random, headerBytes, end - blockBytes);
  inode.corrupt((bytes) => {
    if (kind === 'flip') bytes[at()]! ^= 1 << whole(random, 0, 7);
    else if (kind === 'zero') bytes.fill(0, ...blockAt(at()));
    else bytes.copyWithin(blockAt(at())[0], ...blockAt(at()));
  });
  return true;
}

function blockAt(at: number): [from: number, to: number] {
  const from = Math.floor(at / blockBytes) * blockBytes;
  return [from, from + blockBytes];
}

function endOf(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}
