/** Limits of what is deleted. */
export const deletionLimits = {
  /** How long the end of a generation is remembered at least: a home that was away for so long brings back what it wrote
   *  beside it. */
  deletionKeptMs: 30 * 86_400_000,
  /** Of a hub that is being deleted: so many wait for a quorum at once. */
  channelsDeletedAtOnce: 64,
} as const;
