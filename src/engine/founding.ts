/** What a node of a cluster finds in its store at a start: the ring, and how far each interval it holds can be trusted. */
import { utf8 } from '../base/bytes.js';
import type { NodeId } from '../base/ids.js';
import { intervalsOf } from '../cluster/intervals.js';
import { decodeRing, encodeRing } from '../cluster/ring-codec.js';
import type { Ring } from '../cluster/ring.js';
import { type Interval, RingTable } from '../cluster/ring-table.js';
import { type IntervalNote, decodeIntervalNote, encodeIntervalNote, noteOf } from '../replication/claim.js';
import { type HomeSet, homeSet } from '../replication/quorum.js';
import type { IntervalStart } from '../replication/replica.js';
import { decodeClaimNote, noteNames } from './notes.js';
import type { ClusterOptions } from './options.js';
import type { LogStore } from './ports.js';

export interface HeldInterval {
  readonly id: string;
  readonly sets: readonly HomeSet[];
  readonly start: IntervalStart;
}

export interface Found {
  readonly ring: Ring;
  readonly held: readonly HeldInterval[];
  /** To be durable before anything is done under the ring. */
  readonly notes: ReadonlyMap<string, Uint8Array>;
}

/** `ring`: the one in use, where there is one already. */
export function foundIn(store: LogStore, self: NodeId, options: ClusterOptions, ring?: Ring): Found {
  const stored = store.notes.get(noteNames.ring);
  const decoded = stored && decodeRing(stored);
  const used = ring ?? (decoded?.ok ? decoded.value : options.ring);
  const isNew = stored === undefined && options.isFounding;
  const isSameStore = decodeText(store.notes.get(noteNames.ringStore)) === store.storeId;
  const held = intervalsOf(new RingTable(used), self).map((interval) => {
    const start = isNew ? firstNote(store) : startOf(store, interval.id, isSameStore);
    return { id: interval.id, sets: homeSetsOf(interval), start };
  });
  const notes = new Map<string, Uint8Array>([
    [noteNames.ring, encodeRing(used)],
    [noteNames.ringStore, utf8(store.storeId)],
  ]);
  // In one commit with the ring: an interval without a note is one that was lost.
  for (const { id, start } of held)
    if (typeof start !== 'string') notes.set(noteOf(id), encodeIntervalNote(start));
  return { ring: used, held, notes };
}

/** What a node promised as long as it was alone binds it still. */
function firstNote({ notes }: LogStore): IntervalNote {
  return { promise: decodeClaimNote(notes.get(noteNames.promise)), recovering: false };
}

function startOf({ notes }: LogStore, id: string, isSameStore: boolean): IntervalStart {
  const note = decodeIntervalNote(notes.get(noteOf(id)));
  if (!note) return 'recovering';
  return isSameStore ? note : { ...note, recovering: true };
}

function homeSetsOf(interval: Interval): readonly HomeSet[] {
  return interval.state === 'joint'
    ? [homeSet(interval.homes), homeSet(interval.nextHomes)]
    : [homeSet(interval.homes)];
}

function decodeText(bytes: Uint8Array | undefined): string {
  return bytes ? new TextDecoder().decode(bytes) : '';
}
