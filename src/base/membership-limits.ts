/** Those limits that a node has which comes to others, or leaves them. */
export const membershipLimits = {
  /** An empty node that is to join others serves nobody until it has, or nobody was found for so long; where somebody was there
   *  and went away, for so long. */
  lookForOthersMs: 3_000,
  waitForOthersMs: 30_000,
  lookEveryMs: 50,
  /** Whoever was met has said by then which ring it is in, as a rule. */
  tellRingMs: 300,
  /** A node that leaves waits so long until others own what it did, and looks this often: a claim is two messages and a sync,
   *  of all its intervals at once. */
  handOverMs: 2_000,
  handOverLookMs: 10,
} as const;
