/** Limits of what is kept of sessions so that they can be restored. */
export const restoreLimits = {
  /** A session can be restored for so long after its node last wrote what is kept of it, in log time; a node writes it anew after
   *  the shorter time, so that the difference is left after a lost connection at least. */
  sessionKeptMs: 3_600_000,
  sessionRenewMs: 1_200_000,
  /** Retention of the log of kept sessions. Twice as long as a session is kept: whoever reads what is left knows of every key
   *  that could still count whether it was used. */
  sessionLogMs: 7_200_000,
  /** Sessions kept in a hub, and of those the ones of nobody in particular and of one user: without a bound whoever connects
   *  again and again fills the memory of every node. */
  keptSessionsMax: 10_000,
  keptAnonymousMax: 5_000,
  keptPerUserMax: 100,
  /** Subscriptions kept of one session, and the bytes of their names with what they say of their client; and of all of a hub. */
  keptSubscriptionsMax: 256,
  keptBytesMax: 16_384,
  keptHubBytesMax: 33_554_432,
  /** Sessions that ended, remembered so that what their node wrote before does not bring them back. */
  endedSessionsMax: 50_000,
  /** What is kept of one session is written at most this often, but for the first change. */
  keptPauseMs: 200,
  /** After it could not be written. */
  keptRetryMs: 1_000,
  /** Whoever offers a key has an answer by then. */
  restoreWaitMs: 3_000,
  /** A key of which this node has not heard yet may be on its way. */
  restoreHeardMs: 1_000,
  /** What was surely not written of a restoration is tried again for so long: the log may be moving to its next owner. */
  restoreWrittenMs: 1_800,
  /** Restorations under way at once at a node. */
  restoresMax: 1_024,
  /** A connection whose session was restored elsewhere ends after this: by then it is seen there. */
  handOverMs: 1_000,
  restoreKeyBytesMax: 64,
} as const;
