/** What the replica of a node must know of its store to say how far it is, and what of it lies in notes. */
import { toHex, utf8 } from '../../base/bytes.js';
import type { WriterId } from '../../base/ids.js';
import type { StoreFacts } from '../../replication/replica.js';
import { decodeStarts, encodeStarts, noteNames } from '../notes.js';
import type { Hashing, LogStore, Random } from '../ports.js';

const keyBytes = 16;

/** Notes of this start, to be durable before anything is said. */
export function startNotes(
  store: LogStore,
  writer: WriterId,
  random: Random,
): ReadonlyMap<string, Uint8Array> {
  const notes = new Map<string, Uint8Array>([
    [noteNames.starts, encodeStarts([...decodeStarts(store.notes.get(noteNames.starts)), writer])],
  ]);
  if (!store.notes.has(noteNames.sealKey)) notes.set(noteNames.sealKey, random.bytes(keyBytes));
  return notes;
}

/** Once they are. */
export function storeFacts(store: LogStore, writer: WriterId, hashing: Hashing): StoreFacts {
  const key = toHex(store.notes.get(noteNames.sealKey) ?? new Uint8Array(0));
  const starts = decodeStarts(store.notes.get(noteNames.starts));
  return {
    newest: () => store.newestArrival,
    commits: () => store.newestCommit,
    notes: store.notes,
    seal: (text) => toHex(hashing.sha256(utf8(`${key} ${text} ${key}`)).subarray(0, keyBytes)),
    earlier: new Set(starts.filter((start) => start !== writer)),
  };
}
