/** Limits of the directories of hubs and of what people ask of them. */

export const peopleLimits = {
  /** People of one hub: their names and sealed records are in the memory of nodes where the hub is used. */
  usersPerHubMax: 100_000,
  /** With those of deleted accounts, which stay taken: about 210 bytes each in memory. */
  namesPerHubMax: 500_000,
  usersPageMax: 1_000,
  /** Keys of people who are gone, destroyed at once where nobody did before. */
  keysDestroyedAtOnce: 16,
  /** The people of a hub that nobody uses are read for that, and no more often. */
  keysLookMs: 3_600_000,
  passwordBytesMax: 1_024,
  /** Password hashes made at once, each on a thread of its own with 32 MiB, and those that wait: a few seconds of work. */
  passwordsAtOnceMax: 2,
  passwordsWaitingMax: 64,
  /** Keys that sign a hub's own tokens: a new one a day, and those of before for tokens that are still good. */
  signingKeysKept: 4,
  signingKeyMs: 86_400_000,
  hubTokenMs: 900_000,
  /** Who authenticates waits so long for the first key of a hub, and goes without a token then. */
  hubTokenWaitMs: 1_000,
  /** A challenge, and a ticket, is good once, for so long. */
  challengeMs: 30_000,
  ticketMs: 30_000,
  /** It stands in an address, which shares what headers may take with all of them. */
  ticketCharsMax: 4_096,
  challengeCharsMax: 512,
  /** Wall clocks of nodes differ by no more than this, where one judges what another gave. */
  nodeClocksDifferMs: 5_000,
  /** Tickets, and challenges, that were used in the time in which they are good: about 100 bytes each. */
  usedOnceKnownMax: 50_000,
  /** Failed log-ins of one account from one address, and of one address, after which the next one waits, longer each time. */
  loginFailuresAccountMax: 5,
  loginFailuresAddressMax: 50,
  loginWaitMsMax: 60_000,
  loginAttemptsKnownMax: 10_000,
  /** Sessions of accounts that changed are looked at after this, and no more often. */
  accountsRecheckMs: 1_000,
  /** Groups of one hub, those that are gone too: their names stay taken. */
  groupsPerHubMax: 100_000,
  /** Made by one user, those that are gone too: so that one alone does not take all names. */
  groupsMadePerUserMax: 1_000,
  /** Groups that one user is in. */
  groupsPerUserMax: 1_000,
  /** Members of one group, and those that are invited. */
  groupMembersMax: 10_000,
  /** Over all groups of a hub: about 200 bytes each in the memory of nodes where the hub is used. */
  membershipsPerHubMax: 500_000,
  groupsPageMax: 1_000,
  channelsPageMax: 1_000,
  /** Lists of channels under way at once at a node, and those that others asked it for; and how long a member is waited for. */
  listPagesMax: 16,
  listAnswersMax: 64,
  listAnswerMs: 2_000,
  /** Who has lost a membership is cut this much later, and sessions are looked at no more often. */
  membershipsRecheckMs: 200,
  /** Public keys of people that a node has at hand. */
  publicKeysKnownMax: 10_000,
  /** How often a receipt is tried where others change the same document, and the first pause between. */
  receiptTriesMax: 8,
  receiptRetryMs: 30,
  /** Changes of receipts that stay in the log behind the document. */
  receiptEntriesKept: 256,
  /** Requests of people under way at once at a node: each may hash a password. */
  peopleRequestsMax: 256,
} as const;
