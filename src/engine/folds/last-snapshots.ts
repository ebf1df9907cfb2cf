/** What a node that stops has in memory goes into the log first: whoever opens it then, here or where it is ordered from now
 *  on, has next to nothing to fold. */
import { limits } from '../../base/limits.js';
import type { Core } from '../core.js';
import type { Timers } from '../ports.js';
import { isSnapshotDue } from './folds.js';

/** Resolves once they are written, or after a while: where publishes still come, others may never be through. */
export async function writeLastSnapshots(
  { documents, notifications, channels, ordering, committer }: Core,
  timers: Timers,
): Promise<void> {
  for (const folds of [documents, notifications]) {
    for (const channel of folds.open) {
      if (!channel.fold || !channels.has(channel) || ordering.acting(channel.ref).at !== 'here') continue;
      if (isSnapshotDue(channel.fold, limits.lastSnapshotShare)) committer.snapshot(channel);
    }
  }
  let cancel: (() => void) | undefined;
  const late = new Promise<void>((resolve) => (cancel = timers.after(limits.handOverMs, resolve)));
  await Promise.race([committer.drained(), late]);
  cancel?.();
}
