/** How much of a node its background work may take: a share of its time, and bytes a second of its disk. Pure. */

export interface Pace {
  /** Of the loop, 0 to 1. */
  readonly share: number;
  readonly bytesPerSecond: number;
}

/** Milliseconds to rest after a piece of work that took `elapsedMs` and read `bytes`. */
export function restAfter({ share, bytesPerSecond }: Pace, elapsedMs: number, bytes: number): number {
  const forTime = elapsedMs * (1 / share - 1);
  const forDisk = (bytes / bytesPerSecond) * 1_000 - elapsedMs;
  return Math.max(0, forTime, forDisk);
}
