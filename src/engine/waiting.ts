/** Administrators and streams that wait for entries beyond what they have. */
import type { ChannelRef } from '../base/ids.js';
import type { Core } from './core.js';
import { positionCovered } from './history.js';
import type { Timers } from './ports.js';
import { cursorHeads } from './start-position.js';

/** Resolves when the channel has an entry beyond the cursor, or after `waitMs`. */
export async function entryBeyond(
  { channels }: Core,
  timers: Timers,
  ref: ChannelRef,
  cursor: Uint8Array,
  waitMs: number,
): Promise<void> {
  const heads = cursorHeads(ref, cursor);
  if (!heads.ok) return;
  const active = channels.use(ref);
  await channels.ready(active);
  if (positionCovered(active.log, heads.value) < active.log.endPosition) return;
  await new Promise<void>((resolve) => {
    const wake = () => {
      cancel();
      active.removeWaiter(wake);
      resolve();
    };
    const cancel = timers.after(waitMs, wake);
    active.addWaiter(wake);
  });
}
