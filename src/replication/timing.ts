/** How long things take at most, in milliseconds, and why. */
export const timing = {
  /** Homes that have not answered a claim by then are asked again, and it is given up after the other, or at once where too few
   *  are connected; publishes wait for it meanwhile. */
  claimMs: 150,
  claimMaxMs: 600,
  /** Homes that do not say what they hold are asked again after `claimMs`, then after twice that, and so on, up to this. */
  openMaxMs: 4_000,
  /** Where enough homes are connected, publishes wait so long for the claim of whoever has come to act, or whose claim a change
   *  of the ring has ended, before they are stamped without one. */
  claimWaitMs: 1_000,
  /** Pause before the next try, drawn at random so that two claimants do not meet again. */
  backOffMinMs: 50,
  backOffMaxMs: 150,
  /** Entries that a peer has not acked by then are offered to it again. */
  hedgeMs: 250,
  /** The same for a page of what a home lacks, which others may be before. */
  pageMs: 2_000,
  /** What a peer has of a channel is asked again after `hedgeMs`, then after twice that, and so on, up to this. */
  askMaxMs: 4_000,
  /** A publish has an outcome by then. */
  publishMs: 2_000,
  /** What a reader has and is lacking here is looked for this long. */
  fetchMs: 2_000,
  /** A node that stood still for so long may have been replaced: before it stamps under a claim it asks whether it stands. */
  stallMs: 500,
  /** Foreign entries taken in are merged by then. */
  mergeMs: 50,
  /** What is held and not committed is offered after that, then after twice that, and so on. */
  offerMinMs: 1_000,
  offerMaxMs: 16_000,
  /** What nobody could give is asked for again within this. */
  mendMaxMs: 30_000,
  /** Where not all homes have answered, it is asked again within this. */
  mendUnansweredMs: 2_000,
  /** A recovering home asks again after this, then after twice that, and so on, up to the other. */
  recoverMs: 500,
  recoverMaxMs: 4_000,
  /** A home that has everything asks its peers again what arrived there: what this much time brought is named once more after
   *  a link was lost. */
  arrivalsMs: 10_000,
  /** A question what arrived that was not answered by then is asked again. */
  arrivalsAnswerMs: 1_000,
  /** What peers said of their stores is written down so often. */
  statementsMs: 60_000,
  /** Two starts of one node of which each was heard within this time may both live. */
  startsMs: 60_000,
  /** A node is reminded of what it said so often at most. */
  remindMs: 500,
  /** The same for entries that were named. */
  pullMs: 1_000,
  /** What somebody else seems to be sending is waited for so long. */
  pullWaitMs: 2_000,
  /** How often it is looked for more that may be asked for. */
  pullPollMs: 100,
} as const;
