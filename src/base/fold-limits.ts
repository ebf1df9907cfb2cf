/** Limits of what channels come to: documents, inboxes, and snapshots of them. */
export const foldLimits = {
  /** A document in memory is taken on by what was committed since; further behind it is sought anew from a snapshot. */
  documentCatchUpEntries: 4_096,
  /** Earlier folds kept of each, for readers that begin where the order has just been. */
  documentRecentFolds: 64,
  /** Beside the newest they take no more than that itself, and so much. */
  recentFoldsBytes: 65_536,
  /** Documents kept folded in memory, by what they take there (`memoryOf`), and what any fold takes beside that. */
  documentCacheBytes: 134_217_728,
  foldWeightMin: 1_024,
  /** What folding an entry takes beside its bytes, in bytes of a snapshot that take as long to read. */
  foldedEntryCost: 128,
  /** A snapshot is written once folding on from the last takes as long as reading so many bytes of one, and so many times
   *  as long as reading this one: opening takes a few times what it must, and snapshots are less than half of what else
   *  readers get, a quarter where changes are long. */
  snapshotAfterCost: 32_768,
  snapshotAfterSizes: 4,
  /** Of that, where what comes to a document is about to leave this node's memory for good: with the node, it is written
   *  down sooner. */
  lastSnapshotShare: 1 / 4,
  /** Inboxes kept in the same way: 64 bytes for each that counts, so many times over. */
  inboxCacheBytes: 67_108_864,
  inboxWeight: 4,
  /** With more heads than these a folded channel is read anew instead of from its cursor. */
  foldHeadsMax: 64,
} as const;
