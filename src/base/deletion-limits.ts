/** Limits of what is removed. */
export const deletionLimits = {
  /** Trims of a channel that are stored and not committed, as a log remembers them: an owner writes the next one when the
   *  last took effect. */
  heldTrimsMax: 64,
  /** How long a home that is away keeps its owner from trimming what it has not got. */
  trimGraceMs: 86_400_000,
  /** How long the end of a generation is remembered at least: a home that was away for so long brings back what it wrote
   *  beside it. */
  deletionKeptMs: 30 * 86_400_000,
  /** Of a hub that is being deleted: so many wait for a quorum at once. */
  channelsDeletedAtOnce: 64,
  /** Redacted entries of one channel that retention has left: each is remembered as long. */
  redactionsMax: 16_384,
  /** Written over on the disk in one step of the store's maintenance. */
  redactedChannelsAtOnce: 64,
  redactedEntriesAtOnce: 256,
} as const;
