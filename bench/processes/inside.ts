/** What only a process itself can tell of itself. */

/** `memory`: resident bytes after garbage was collected. `processor`: seconds of all its threads. */
export type Inside = 'memory' | 'processor';

export function tellOfInside(what: Inside): number {
  if (what === 'memory') {
    // Twice: what the first finds dead may have held more.
    globalThis.gc?.();
    globalThis.gc?.();
    return process.memoryUsage.rss();
  }
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
