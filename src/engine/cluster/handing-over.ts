/** Before a node leaves, others take over what it owns: publishes are taken all the time. */
import { limits } from '../../base/limits.js';
import type { Clock, Timers } from '../ports.js';

/** Resolves when nothing is owed to another home any more, or after a while: a home that does not claim is waited for in
 *  vain. */
export async function handOver(
  { clock, timers }: { readonly clock: Clock; readonly timers: Timers },
  owesClaims: () => boolean,
): Promise<void> {
  const end = clock.monotonicMs() + limits.handOverMs;
  while (owesClaims() && clock.monotonicMs() < end)
    await new Promise<void>((resolve) => timers.after(limits.handOverLookMs, resolve));
}
