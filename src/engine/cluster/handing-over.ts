/** Before a node leaves, those that will act in its place take its claims, while it still answers and passes on. */
import { limits } from '../../base/limits.js';
import type { Acting } from '../../cluster/acting.js';
import type { RingTable } from '../../cluster/ring-table.js';
import type { Replica } from '../../replication/replica.js';
import type { EnginePorts } from '../ports.js';

/** Resolves once nothing is owned here that a settled home would own, or after a while. `acting` is retired. */
export async function handedOver(
  { clock, timers }: EnginePorts,
  acting: Acting,
  table: RingTable,
  replica: Replica | undefined,
): Promise<void> {
  const end = clock.monotonicMs() + limits.handOverMs;
  const owes = () =>
    [...table.indexes()].some((index) => {
      const { id } = table.interval(index);
      return replica?.claimOf(id) !== undefined && acting.heirOf(id) !== undefined;
    });
  while (owes() && clock.monotonicMs() < end)
    await new Promise<void>((resolve) => timers.after(limits.handOverLookMs, resolve));
}
