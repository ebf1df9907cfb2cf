/** How long things take at most, in milliseconds, and why. */
export const timing = {
  /** A claim that is not granted by then is given up; until then publishes wait for it. */
  claimMs: 150,
  /** After a change of the ring publishes wait so long for the owner to be found anew. */
  reclaimMs: 1_000,
  /** Pause before the next try, drawn at random so that two claimants do not meet again. */
  backOffMinMs: 50,
  backOffMaxMs: 150,
  /** Entries that a peer has not acked by then are offered to it again. */
  hedgeMs: 250,
  /** A publish has an outcome by then. */
  publishMs: 2_000,
  /** What a reader has and is lacking here is looked for this long. */
  fetchMs: 2_000,
  /** A node that stood still for so long may have been replaced: before it stamps under a claim it asks whether it stands. */
  stallMs: 500,
  /** Foreign entries taken in are merged by then. */
  mergeMs: 50,
  /** What nobody could give is asked for again within this. */
  mendMaxMs: 30_000,
  /** A recovering home asks again. */
  recoverMs: 500,
} as const;
