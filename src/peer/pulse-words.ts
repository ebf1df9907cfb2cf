/** What threads beside nodes' loops say to each other, before it is sealed (seal.ts), integers little-endian:
 *
 *  question: 1 (1), number (4), node that is asked (16);
 *  answer: 2 (1), number of the question (4), milliseconds since the loop ran (4).
 *
 *  The number is chance: whoever has not read the question cannot answer. */
import { fromHex, toHex } from '../base/bytes.js';
import type { NodeId } from '../base/ids.js';

export type PulseWord =
  | { readonly type: 'question'; readonly seq: number; readonly to: NodeId }
  | { readonly type: 'answer'; readonly seq: number; readonly ageMs: number };

const kinds = { question: 1, answer: 2 } as const;
const seqAt = 1;
const restAt = 5;
const lengths = { question: restAt + 16, answer: restAt + 4 } as const;
const ageMsMax = 2 ** 32 - 1;

export function encodePulseWord(word: PulseWord): Uint8Array {
  const bytes = new Uint8Array(lengths[word.type]);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kinds[word.type]);
  view.setUint32(seqAt, word.seq, true);
  if (word.type === 'question') bytes.set(fromHex(word.to), restAt);
  else view.setUint32(restAt, Math.min(ageMsMax, Math.ceil(word.ageMs)), true);
  return bytes;
}

/** `undefined` for what is none, or of a later version. */
export function decodePulseWord(bytes: Uint8Array): PulseWord | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [kind] = bytes;
  if (kind === kinds.question && bytes.length === lengths.question) {
    const to = toHex(bytes.subarray(restAt)) as NodeId;
    return { type: 'question', seq: view.getUint32(seqAt, true), to };
  }
  if (kind === kinds.answer && bytes.length === lengths.answer)
    return { type: 'answer', seq: view.getUint32(seqAt, true), ageMs: view.getUint32(restAt, true) };
  return undefined;
}
