/** Publishes as the replica waits for them. */
import type { AwaitedRange } from '../replication/replica.js';
import type { Pending } from './pending.js';

/** Which seqs somebody waits for: repeats have theirs already. */
export function awaitedOf(items: readonly Pending[]): AwaitedRange[] {
  const ranges: { firstSeq: number; lastSeq: number; level: 'owner' | 'quorum'; degrade: boolean }[] = [];
  for (const item of items) {
    if (item.kind !== 'publish' || item.duplicate || !item.dot) continue;
    const { degrade } = item;
    const { seq } = item.dot;
    const level = item.level === 'owner' ? 'owner' : 'quorum';
    const last = ranges.at(-1);
    const goesOn = last && last.lastSeq + 1 === seq && last.level === level && last.degrade === degrade;
    if (goesOn) last.lastSeq = seq;
    else ranges.push({ firstSeq: seq, lastSeq: seq, level, degrade });
  }
  return ranges;
}
