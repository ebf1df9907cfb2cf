/** What is waited for: outcomes of publishes, and what is committed of a channel. */
import { limits } from '../../base/limits.js';
import { planted } from '../../base/planted.js';
import type { AwaitedRange, Replica } from '../../replication/replica.js';
import { type ActiveChannel, isAllCommitted } from '../active-channel.js';
import type { Pending } from '../pending.js';
import type { Timers } from '../ports.js';

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

/** Those who repeated what is there already are told what became of it. */
export function awaitRepeats(
  replica: Replica,
  { ref, shared }: ActiveChannel,
  items: readonly Pending[],
  now: number,
): void {
  for (const item of items) {
    if (item.kind !== 'publish' || !item.duplicate || !item.dot) continue;
    if (planted('repeat-at-once')) item.origin.publishAccepted(item, { level: item.level, copies: 1 });
    else shared?.awaits(item);
    const level = item.level === 'owner' ? 'owner' : 'quorum';
    replica.awaitEntry(ref, item.dot, { level, degrade: item.degrade }, now);
  }
}

/** Resolves when all that is held is known to be committed, or after a moment. */
export function untilCommitted(channel: ActiveChannel, timers: Timers): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      cancel();
      channel.removeWaiter(wake);
      resolve();
    };
    // Waiters are woken once.
    const wake = (): void => (isAllCommitted(channel) ? stop() : channel.addWaiter(wake));
    const cancel = timers.after(limits.committedWaitMs, stop);
    channel.addWaiter(wake);
  });
}
