/** Limits of what channels come to: documents, inboxes, and snapshots of them. */
export const foldLimits = {
  /** A document in memory is taken on by what was committed since; further behind it is sought anew from a snapshot. */
  documentCatchUpEntries: 4_096,
  /** Earlier folds kept of each, for readers that begin where the order has just been. */
  documentRecentFolds: 64,
  /** Documents kept folded in memory, by what they weigh: their bytes so many times over, for what trees and values add. */
  documentCacheBytes: 134_217_728,
  documentWeight: 4,
  documentWeightMin: 1_024,
  /** A snapshot is written once so many bytes of records came since the last, and so many times the document's size:
   *  reading on from it costs milliseconds, and it adds at most a quarter to what readers get. */
  snapshotAfterBytes: 262_144,
  snapshotAfterSizes: 4,
  /** Inboxes kept in the same way: 64 bytes for each that counts. */
  inboxCacheBytes: 67_108_864,
} as const;
