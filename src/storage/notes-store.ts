/** The store of a node that holds nothing: notes in memory, and never a channel. What it forgets nobody rests on, so every start
 *  is another store. */
import { assert } from '../base/assert.js';
import { toHex } from '../base/bytes.js';
import type { StoreId } from '../base/ids.js';
import type { Random } from '../base/random.js';
import type { CommitReceipt, LogStore } from '../engine/ports.js';
import type { Lock } from './files.js';

/** `lock`: of the node's directory, released with the store. */
export function openNotesStore(random: Random, lock?: Lock): LogStore {
  const notes = new Map<string, Uint8Array>();
  const storeId = toHex(random.bytes(16)) as StoreId;
  let commits = 0;
  const nothing = async <T>(value: T): Promise<T> => value;
  return {
    storeId,
    notes,
    newestArrival: 0,
    get newestCommit() {
      return commits;
    },
    open: () => Promise.reject(new Error('a node that holds nothing opens no log')),
    peek: () => undefined,
    release: () => undefined,
    commit: ({ runs, notes: written }): Promise<CommitReceipt> => {
      assert(runs.length === 0, 'a node that holds nothing stores no entry');
      for (const [name, value] of written ?? []) notes.set(name, value);
      return nothing({ number: ++commits, firstArrival: 1 });
    },
    space: () => 'ok',
    bytes: 0,
    hubBytes: () => 0,
    read: () => nothing({ slices: [], missing: [] }),
    seqsSince: () => nothing(new Map()),
    findKeys: (rows) => nothing(rows.map(() => undefined)),
    arrivedSince: () => nothing({ runs: [], through: 0 }),
    hubs: () => nothing([]),
    channels: () => nothing([]),
    waiting: () => [],
    damaged: () => [],
    examine: () => nothing(undefined),
    scrub: () => nothing(true),
    maintain: () => nothing(undefined),
    rename: () => nothing(undefined),
    digest: () => nothing(undefined),
    contents: () => nothing([]),
    close: async () => await lock?.release(),
  };
}
