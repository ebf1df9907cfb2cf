/** Whether a run fits what is held, by whatever way it came: its writer's entries strictly in sequence, each only once
 *  everything it names is held. So a store is closed: whatever it holds, it can place. */
import type { Dot, WriterId } from '../base/ids.js';
import { planted } from '../base/planted.js';
import type { Timestamp } from './entry.js';
import type { RunSummary } from './run.js';

/** What acceptance needs to know of one writer. */
export interface HeldWriter {
  /** Everything through it is held, or below the floor. */
  readonly seq: number;
  readonly floor: number;
  /** Of entry `seq`; `undefined` where it was never seen whole. */
  readonly lastChecksum: number | undefined;
  readonly lastTimestamp: Timestamp;
}

export interface HeldWriters {
  get(writer: WriterId): HeldWriter | undefined;
}

/** Why a run is not taken, and what would be. */
export type Refusal =
  /** All of it is held already. */
  | { readonly type: 'duplicate' }
  /** All of it lies at or below the floor: to be dropped. */
  | { readonly type: 'trimmed' }
  /** Its first entries are held or below the floor: to be cut so that it begins at `expected`. */
  | { readonly type: 'overlap'; readonly expected: Dot }
  /** Entries of its writer are missing before it. */
  | { readonly type: 'gap'; readonly expected: Dot }
  | { readonly type: 'parents'; readonly missing: readonly Dot[] }
  /** Another entry is held under this dot: a cloned or rolled back writer. */
  | { readonly type: 'conflict'; readonly dot: Dot }
  /** Its timestamps do not rise above those held. */
  | { readonly type: 'timestamp'; readonly dot: Dot };

/** `undefined` when the run may be stored. */
export function refusalOf(held: HeldWriters, run: RunSummary): Refusal | undefined {
  const { writer, firstSeq } = run;
  const subLog = held.get(writer);
  const heldSeq = subLog?.seq ?? 0;
  if (firstSeq !== heldSeq + 1) return refusalOfPlace(run, subLog, heldSeq);
  const expectedPrevious = subLog ? subLog.lastChecksum : 0;
  if (expectedPrevious !== undefined && run.firstPrevious !== expectedPrevious) {
    return { type: 'conflict', dot: { writer, seq: heldSeq } };
  }
  if (subLog && run.firstTimestamp <= subLog.lastTimestamp) {
    return { type: 'timestamp', dot: { writer, seq: firstSeq } };
  }
  if (run.marked.length === 0 || planted('parents-unchecked')) return undefined;
  const missing = run.marked.flatMap(({ seq, parents = [] }) =>
    parents.filter((parent) =>
      // Entries of one run stand on those before them.
      parent.writer === writer ? parent.seq >= seq : parent.seq > (held.get(parent.writer)?.seq ?? 0),
    ),
  );
  return missing.length > 0 ? { type: 'parents', missing } : undefined;
}

function refusalOfPlace(run: RunSummary, subLog: HeldWriter | undefined, held: number): Refusal {
  const { writer } = run;
  const lastSeq = run.firstSeq + run.count - 1;
  if (run.firstSeq > held + 1) return { type: 'gap', expected: { writer, seq: held + 1 } };
  if (lastSeq > held) return { type: 'overlap', expected: { writer, seq: held + 1 } };
  if (subLog && lastSeq <= subLog.floor) return { type: 'trimmed' };
  const differs =
    lastSeq === held && subLog?.lastChecksum !== undefined && subLog.lastChecksum !== run.lastChecksum;
  return differs ? { type: 'conflict', dot: { writer, seq: lastSeq } } : { type: 'duplicate' };
}
