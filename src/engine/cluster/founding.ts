/** What a node of a cluster finds in its store at a start: the ring, and how far each interval it holds can be trusted. */
import { utf8 } from '../../base/bytes.js';
import type { NodeId } from '../../base/ids.js';
import { intervalsOf } from '../../cluster/intervals.js';
import type { RingVote } from '../../cluster/ring-agreement.js';
import { decodeRing, encodeRing } from '../../cluster/ring-codec.js';
import { type Interval, RingTable } from '../../cluster/ring-table.js';
import { compareRings } from '../../cluster/ring-versions.js';
import { decodeVote } from '../../cluster/ring-vote-codec.js';
import type { Ring } from '../../cluster/ring.js';
import {
  type IntervalNote,
  decodeIntervalNote,
  encodeIntervalNote,
  noteOf,
} from '../../replication/claim.js';
import type { Changing, HomeSet } from '../../replication/quorum.js';
import type { IntervalStart } from '../../replication/replica.js';
import { decodeClaimNote, noteNames } from '../notes.js';
import type { ClusterOptions } from '../options.js';
import type { LogStore } from '../ports.js';
import { changingOf, homeSetsOf, isIncoming } from './ring-plan.js';

export interface HeldInterval {
  readonly id: string;
  readonly sets: readonly HomeSet[];
  readonly changing: Changing | undefined;
  readonly start: IntervalStart;
}

export interface Found {
  readonly table: RingTable;
  readonly vote: RingVote | undefined;
  readonly held: readonly HeldInterval[];
  /** To be durable before anything is done under the ring. */
  readonly notes: ReadonlyMap<string, Uint8Array>;
}

/** `inUse`: the ring of an earlier incarnation. The store has a later one where that was made durable and no more. */
export function foundIn(store: LogStore, self: NodeId, options: ClusterOptions, inUse?: Ring): Found {
  const stored = store.notes.get(noteNames.ring);
  const decoded = stored && decodeRing(stored);
  const used = laterOf(inUse, decoded?.ok ? decoded.value : undefined) ?? options.ring;
  const table = new RingTable(used);
  const isNew = stored === undefined && options.isFounding;
  const isSameStore = decodeText(store.notes.get(noteNames.ringStore)) === store.storeId;
  const held = intervalsOf(table, self).map((interval) => {
    const start = isNew ? firstNote(store) : startOf(store, self, interval, isSameStore);
    return { id: interval.id, sets: homeSetsOf(interval), changing: changingOf(interval), start };
  });
  const notes = new Map<string, Uint8Array>([
    [noteNames.ring, encodeRing(used)],
    [noteNames.ringStore, utf8(store.storeId)],
  ]);
  // In one commit with the ring: an interval without a note is one that was lost.
  for (const { id, start } of held)
    if (typeof start !== 'string') notes.set(noteOf(id), encodeIntervalNote(start));
  return { table, vote: decodeVote(store.notes.get(noteNames.ringVote)), held, notes };
}

/** Of another cluster is a stored ring that a node had just joined. */
function laterOf(inUse: Ring | undefined, stored: Ring | undefined): Ring | undefined {
  if (!inUse || !stored) return inUse ?? stored;
  const { kind } = compareRings(inUse, stored);
  return kind === 'newer' || kind === 'foreign' ? stored : inUse;
}

/** What a node promised as long as it was alone binds it still. */
function firstNote({ notes }: LogStore): IntervalNote {
  return { promise: decodeClaimNote(notes.get(noteNames.promise)), recovering: false };
}

function startOf(store: LogStore, self: NodeId, interval: Interval, isSameStore: boolean): IntervalStart {
  const note = decodeIntervalNote(store.notes.get(noteOf(interval.id)));
  const promise = note?.promise;
  // It counts nowhere yet: whatever it forgot, nobody rests on it.
  if (interval.state === 'filling' && isIncoming(interval, self))
    return { promise, recovering: true, incoming: true };
  if (!note) return 'recovering';
  return isSameStore ? note : { promise, recovering: true };
}

function decodeText(bytes: Uint8Array | undefined): string {
  return bytes ? new TextDecoder().decode(bytes) : '';
}
