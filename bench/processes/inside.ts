/** What only a process itself can tell of itself. */

/** `memory`, `heap`: resident bytes, and those of values that are alive, after garbage was collected. `processor`: seconds of all
 *  its threads. */
export type Inside = 'memory' | 'heap' | 'processor';

export function tellOfInside(what: Inside): number {
  if (what === 'memory' || what === 'heap') {
    // Twice: what the first finds dead may have held more.
    globalThis.gc?.();
    globalThis.gc?.();
    if (what === 'memory') return process.memoryUsage.rss();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  }
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
