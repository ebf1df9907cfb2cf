/** Every bound of the system, named, with its reason. A rule or the configuration may lower or raise some of them. */
import { askingLimits } from './asking-limits.js';
import { deletionLimits } from './deletion-limits.js';
import { documentLimits } from './document-limits.js';
import { foldLimits } from './fold-limits.js';
import { membershipLimits } from './membership-limits.js';
import { notificationLimits } from './notification-limits.js';
import { peopleLimits } from './people-limits.js';
import { presenceLimits } from './presence-limits.js';
import { restoreLimits } from './restore-limits.js';
import { rpcLimits } from './rpc-limits.js';
import { wireLimits } from './wire-limits.js';

export const limits = {
  ...wireLimits,
  ...askingLimits,
  ...documentLimits,
  ...deletionLimits,
  ...foldLimits,
  ...membershipLimits,
  ...notificationLimits,
  ...peopleLimits,
  ...presenceLimits,
  ...restoreLimits,
  ...rpcLimits,
  subscriptionsPerSessionMax: 4_096,
  /** Channels in one SSE stream: its compound cursor must fit a header. */
  sseChannelsMax: 32,
  idempotencyKeyBytesMax: 128,
  publisherIdBytesMax: 128,
  tokenBytesMax: 8_192,
  /** JSON nesting of a frame, checked before it is parsed: deep nesting overflows the stack of later users. */
  jsonDepthMax: 64,
  /** How long a repeated idempotency key is known, in log time: at least five times as long as a client goes on retrying. */
  idempotencyWindowMs: 600_000,
  /** Idempotency keys of a channel kept in memory; older ones of the window are looked up in the index. */
  idempotencyKeysInMemoryMax: 65_536,
  /** Publishers of a channel whose last number is remembered; a forgotten one is asked for `ackedThrough`. */
  publishersInMemoryMax: 4_096,
  /** A session's queue towards its socket: closed as slow when above soft for `slowReaderMs`, or above hard. */
  outboxSoftBytes: 262_144,
  outboxHardBytes: 4_194_304,
  slowReaderMs: 10_000,
  /** Replay reads ahead of a socket no further than this. */
  replayChunkBytes: 262_144,
  replayEntriesMax: 4_096,
  /** A replay whose channel no home serves now is tried again after this. */
  replayRetryMs: 500,
  /** Publishes waiting for a commit, over all sessions of a node: beyond it they are refused as OVERLOADED. */
  pendingPublishesMax: 65_536,
  pendingPublishBytesMax: 67_108_864,
  /** One commit: what fits is taken, the rest waits for the next. */
  commitEntriesMax: 16_384,
  commitBytesMax: 4_194_304,
  historyEntriesDefault: 100,
  historyEntriesMax: 1_000,
  historyBytesMax: 1_048_576,
  /** Signals kept per channel for late joiners, and their bytes. */
  liveHistoryEntriesMax: 1_000,
  liveHistoryBytesMax: 1_048_576,
  /** Channels in memory at once: beyond it new ones wait until others fall idle. */
  channelsInMemoryMax: 250_000,
  /** Idempotency keys in memory over all channels; the tables of channels not used lately go first. */
  idempotencyKeysTotalMax: 1_000_000,
  /** History and subscribe requests of one session under way at once: each may read the disk. */
  requestsInFlightMax: 256,
  sessionsMax: 100_000,
  /** Client messages a second a session may send, with bursts of as many. */
  messagesPerSecondMax: 1_000_000,
  /** The most that a quota of a hub may say: beyond it one may leave it out. */
  quotaMax: 1_000_000_000,
  /** Pings and pongs of a client; the ones due are a few a minute. */
  heartbeatsPerSecondMax: 10,
  /** Refusals for flooding without one accepted message in between, before the connection is closed. */
  refusalsInARowMax: 1_000,
  /** Entries an administrator's query looks at for one page, so that a filter that matches nothing still returns. */
  queryScanEntriesMax: 20_000,
  /** Channels a Subscribe request opens at once. */
  parallelOpensMax: 64,
  /** A channel nobody used for this long leaves memory. */
  channelIdleMs: 60_000,
  /** Above so many in memory the unused ones leave sooner. Keeping one costs about a kilobyte; bringing it back for each
   *  of its entries costs more than the entry, and leaves garbage of the same kilobyte behind. */
  channelsAtEaseMax: 125_000,
  channelCrowdedIdleMs: 5_000,
  /** The same for one that keeps signals for late joiners: they leave with it. */
  liveHistoryIdleMs: 600_000,
  /** Members of a ring: with 256 virtual nodes each, tables of some megabytes. */
  ringMembersMax: 1_024,
  /** Channels of which the interval is kept at hand: looking one up takes as long as the rest of a publish in a full batch. */
  channelIntervalsKnownMax: 16_384,
  /** A stored or received ring, encoded: members, lineage and what later versions add. */
  ringBytesMax: 65_536,
  /** Earlier rings a ring names by digest: a node this many changes behind still proves that it descends from its own. */
  ringLineageMax: 16,
  /** After a start without a majority of the ring's members, claims wait for them this long (R36). */
  coldStartMs: 3_000,
  /** A node that comes back leaves its intervals to whoever owns them until it saw a majority for this long (R4b). */
  settleMs: 5_000,
  /** After that it looks so often whether it has what other homes have, for so long at most: what one lacks that nobody can give
   *  must not keep it from acting. */
  settleLookMs: 500,
  settleLackingMs: 30_000,
  /** Channels one step of retention looks at. */
  retentionPageMax: 100,
  /** Hubs of which it looks at the channels: each has its settings read for that, which stay in memory for `hubIdleMs`. */
  retentionHubsMax: 20,
  /** One message between nodes, as bytes; a longer one is refused before it is read. */
  peerFrameBytesMax: 16_777_216,
  /** Parts of such a message of one kind: bounds what a few bytes can make a node allocate. */
  peerFrameItemsMax: 65_536,
  /** A letter to a peer is closed once it has this many bytes; the next part goes into another. */
  peerLetterBytes: 1_048_576,
  /** Writers in a vector between nodes, as many as a log may ever have had in a month of restarts. */
  peerVectorWritersMax: 65_536,
  /** An interval's name. */
  intervalIdBytesMax: 128,
  /** Frames of one peer kept until the version of the ring they were said under is in use here. */
  earlyFramesMax: 256,
  /** Publishes on their way to other nodes, over all sessions: beyond it they are refused as OVERLOADED. */
  forwardedPublishesMax: 65_536,
  forwardedBytesMax: 67_108_864,
  /** Publishes, or their outcomes, in one part of a letter. */
  forwardedBatchMax: 4_096,
  /** A publish that no node took by then is refused as UNAVAILABLE: an owner is found anew well within that time. */
  forwardWaitMs: 2_000,
  /** One that was sent has an unknown outcome after this: longer than the node that acts takes to give it one. */
  forwardAnswerMs: 3_000,
  /** Pause before a node is tried again that did not take a publish; doubled up to the longest. */
  forwardPauseMs: 20,
  forwardPauseMsMax: 160,
  /** Channels of one peer remembered to be gone elsewhere until it sends there anew. */
  movedChannelsMax: 65_536,
  /** Sent to a node that follows, and not taken in by it yet: beyond it the follow ends, and is taken up anew later. */
  followerBytesMax: 16_777_216,
  /** Channels that one node follows here. */
  followsMax: 250_000,
  /** A node that was asked for a channel has answered by then, else another one is asked. */
  followAnswerMs: 1_000,
  /** The same where it must first hold what was delivered: other homes are asked for that. */
  followCoverMs: 2_500,
  /** A channel that nobody served by then cannot be opened for now. */
  followOpenMs: 3_000,
  /** Pause after all were asked in vain; doubled up to the longest. */
  followPauseMs: 20,
  followPauseMsMax: 500,
  /** A followed channel that nobody uses is let go after this. */
  followIdleMs: 1_000,
  /** After a start or a change of the ring a node looks for channels it holds and is no home of; again after the longer time
   *  where some could not be brought to their homes. */
  orphansLookMs: 2_000,
  orphansRetryMs: 30_000,
  /** Questions to one node under way at once; further ones wait here. The answering node takes some more. */
  peerQuestionsMax: 32,
  peerQuestionsTakenMax: 64,
  peerQuestionMs: 5_000,
  /** How far above its own promise a home believes a claim: a claim every 15 s takes two years to get so far, and a lie takes
   *  two thousand million claims to leave no number above it. */
  claimRoundJumpMax: 4_194_304,
  /** Parts of one answer to a home that recovers. */
  recoveryPartsMax: 65_536,
  /** Answers in a row with nothing of what the peer says it has, before somebody is told. */
  emptyAnswersMax: 16,
  /** Earlier stores of a peer whose frames are known to be void. */
  storesRememberedMax: 16,
  /** Frames of one peer that wait until the logs they speak of are open; of at most a letter's size each. */
  inboundFramesMax: 256,
  /** How often a node of a cluster notes that it runs: what is missing of it was a pause. */
  beatMs: 250,
  /** Records read at once for a peer that lacks them. */
  peerReadBytes: 1_048_576,
  /** Runs received that wait for a commit, as bytes: beyond it they are dropped, and sent again later. */
  intakeBytesMax: 67_108_864,
  /** Of a run with entries that the log itself goes by: so large it is taken in also where the disk is nearly full. */
  spentRunBytesMax: 65_536,
  /** A read at a home waits so long to learn what is committed of what it holds. */
  committedWaitMs: 200,
  /** Records of a channel kept until they are committed, for delivery without a read. */
  keptRecordBytesMax: 4_194_304,
  /** Runs looked at for one page of what arrived, in about so many commits: a millisecond or a few of reading. */
  arrivedRunsMax: 4_096,
  arrivedCommitsMax: 1_024,
  /** Heads named in one page: the asking home opens the channels of a page at once. */
  pageHeadsMax: 1_024,
  /** Channels that are being pulled after an absence, from all peers together; each answer is one read. */
  pullsMax: 16,
  /** Pages of channels that an owner has read for one other home, and that are not acked. */
  pushedPagesMax: 8,
  /** Answers in a row with nothing of what a page named, until it is left to others to have it. */
  emptyPullsMax: 3,
  /** Channels that a comparison found to differ and that are opened at once. */
  comparedAtOnce: 1_024,
  /** And so long for answers to what its clients published elsewhere. */
  lastAnswersMs: 500,
  /** Damaged runs remembered until they are repaired; further ones are found again. */
  damagedRunsMax: 10_000,
  /** Channels in which comparing found something damaged and that are looked at one after another; the rest is found again. */
  damagedChannelsMax: 1_024,
  /** Damaged runs that a node looks for elsewhere at once: some megabytes each. */
  repairsMax: 16,
  /** Ranges of a log that were given up which one message names; further ones once those are there. */
  givenUpToldMax: 256,
  /** A read waits so long for what cannot be read here to come from another home; then it is to be tried again. */
  mendWaitMs: 1_000,
  /** Damaged runs taken up at once beside those that were read for somebody. */
  mendsAtOnce: 4,
  /** Between two channels that are looked at since comparing found something damaged. */
  mendEveryMs: 50,
  /** All that is stored is read through within this, so that damage is found while other homes have what it hit. */
  scrubPassMs: 604_800_000,
  /** And not begun anew sooner than this after its end. */
  scrubRestMs: 10_000,
  /** How far a foreign clock may lead before it is ignored. */
  clockOffsetMsMax: 500,
  /** Nodes a node keeps track of, the dead included; when full the longest dead make room, else new ones wait. */
  membersMax: 4_096,
  /** A client or peer address as `host:port` or URL; five of them fit into half a gossip packet. */
  addressBytesMax: 128,
  clientAddressesMax: 4,
  /** Clients that move to other nodes in a millisecond, as a node that falls has told them to: an upgrade and a resume take
   *  about half a millisecond of the node they come to. */
  movesPerMs: 4,
  /** Between those bounds the time over which they move; it is told in powers of two, so that it is seldom told anew. */
  moveSpreadMsMin: 32,
  moveSpreadMsMax: 16_384,
  /** A node's load in thousandths. */
  memberLoadMax: 1_000,
  /** Addresses of which the time is remembered: the clocks of some tell as much as those of all. */
  peerClocksMax: 128,
  /** One gossip packet as it leaves, within what networks carry whole. */
  gossipPacketBytesMax: 1_400,
  /** A full exchange of members: all of them with the longest addresses, and their accusers. */
  membershipSyncBytesMax: 4_194_304,
  /** A node's own incarnation never gets there by itself: it would take 20 refutations a second for seven years. */
  incarnationMax: 4_294_967_295,
  /** How far above the known incarnation a third party's word may be; beyond it only the node itself is believed. */
  incarnationJumpMax: 1_024,
  /** Probes made for others at once; further ones are not answered, which the asker takes into account. */
  relayedProbesMax: 256,
  /** Addresses remembered to rejoin by. */
  knownAddressesMax: 64,
  /** What two nodes say first, as bytes. */
  helloBytesMax: 512,
  /** Written to a link and not taken by the network: beyond it the link breaks, and is made anew. As much as all publishes and
   *  runs that may wait for it, so only a peer that takes nothing gets there. */
  linkBytesMax: 134_217_728,
  /** Links of one node: as many as a ring has members, and some that come and go. */
  linksMax: 1_280,
  /** A link or a question that is not answered by then failed. */
  linkHelloMs: 5_000,
  askMs: 2_000,
  /** Questions to other nodes under way at once. */
  asksMax: 64,
  /** Pause before a link is tried again, drawn between half of it and all; doubled up to the longest. */
  redialMs: 50,
  redialMsMax: 2_000,
  /** Of two nodes the one with the smaller id dials; the other one does so too when nothing came by then. */
  dialAnywayMs: 1_000,
  /** A quiet connection between nodes is pinged this often, and is gone when no answer came by then. Longer than a busy machine
   *  makes a process wait: gossip finds the dead much sooner. */
  peerKeepaliveMs: 5_000,
  peerKeepaliveTimeoutMs: 10_000,
  /** Connections to the peer port, those that have not proved who they are (half of them from one address), and how long these have. */
  peerConnectionsMax: 2_048,
  peerConnectionsUnprovenMax: 128,
  peerProofMs: 3_000,
  /** Calls at once on one connection. Nodes of these versions make one; each may hold a whole frame while it arrives. */
  peerStreamsMax: 8,
  /** Pieces of HTTP/2 that a letter may come in before they are looked at, and how large they must then be on average: each
   *  costs about 120 bytes of memory however small it is. Nodes send 16 KiB at a time, less only where a window ends. */
  peerPiecesMax: 1_024,
  peerPieceBytesMin: 1_024,
  /** What may have been sent to a node that calls and not been read; never wide both ways (docs/decisions/0089). */
  peerWindowBytes: 4_194_304,
  /** Packets of a sender told apart from those heard already, behind the newest. */
  replayWindowPackets: 1_024,
  /** A node's pulse: UDP port above that of the node, where that is free; how often its loop notes that it ran, a fifth of what it
   *  is not blamed for; how long an answer may take, and how many are waited for. */
  pulsePortAbove: 1_000,
  pulseBeatMs: 50,
  pulseAnswerMs: 1_000,
  pulsesAskedMax: 1_024,
  /** The same notice about peers is told again after so long, and so many different ones are told apart. */
  peerNoticeMs: 30_000,
  peerNoticesMax: 256,
  /** An address by name is looked up again after so long. */
  addressLookupMs: 30_000,
  /** Record bytes that a digest reads between two pauses: a few milliseconds of hashing where entries are small. */
  digestStepBytes: 262_144,
  /** A digest whose records were read longer ago is read anew from disk: within a week rot is seen (R15). */
  digestAgeMs: 604_800_000,
  /** The same for one that found something missing: it may have been repaired. */
  digestDamagedAgeMs: 3_600_000,
  /** Reconciliation: a range of so few items is listed, one of more is split in so many parts. Twice 24 bytes an item against
   *  twice 16 and the bounds a part: measured in docs/reconciliation.md. */
  reconcileItemsMax: 32,
  reconcileBranching: 16,
  /** Ranges a comparison begins with, as far as there are items for them. */
  reconcileFirstRanges: 64,
  /** Ranges in one question, and the bytes of items they list; an answer has at most `reconcileBranching` for each. */
  reconcileRangesMax: 256,
  reconcileQuestionBytes: 65_536,
  /** The same where every channel of every range may be named in the answer: 2,048 names. */
  reconcileLearnedRangesMax: 64,
  /** Questions of one comparison under way at once. */
  reconcileWindow: 4,
  /** Steps from the first range to the last: sixteen to this power is more than there are channels. */
  reconcileStepsMax: 16,
  /** Ranges one comparison asks about: this many, and as many again for each item of one's own. An honest peer causes less
   *  than three a item. */
  reconcileRangesTotal: 8_192,
  reconcileRangesPerItem: 8,
  /** A question is asked again after this, and so often. */
  reconcileAnswerMs: 5_000,
  reconcileTriesMax: 3,
  /** A peer that still reads what it holds is asked again after this, and so often. */
  reconcileBusyMs: 1_000,
  reconcileBusyMax: 3_600,
  /** Differences that one answer names to prove something; the rest is counted. */
  reconcileNamedMax: 1_024,
  /** Comparing in the background: part of the node's time, and of its disk, that reading what is held may take. */
  scrubShare: 0.1,
  scrubBytesPerSecond: 16_777_216,
  /** Channels looked at between two rests. */
  scrubPageMax: 200,
  /** From the end of one comparison of two homes to the next. */
  scrubIntervalMs: 60_000,
  /** After a link stands or the ring changed: claims have settled (`settleMs`), and most of what was missed has come. */
  scrubSoonMs: 8_000,
  /** After one that did not come to its end. */
  scrubRetryMs: 15_000,
  /** What was read to answer one comparison does for others for so long. */
  scrubTableMs: 10_000,
  /** An answer waits so long for what is being read, then says that it is not ready; less than `reconcileAnswerMs`. */
  scrubPatienceMs: 2_000,
  /** Proofs that other nodes ask for at once, and how long what was read for one is kept between two questions. */
  scrubProofsMax: 8,
  scrubProofKeptMs: 60_000,
  /** Where there are as many, one gives way to another node's that was not asked about for so long. */
  scrubProofIdleMs: 5_000,
  /** Channels that wait to be compared entry by entry; the rest is found again. */
  scrubDifferingMax: 250_000,
  /** Rest between two batches of them. */
  scrubDifferingRestMs: 20,
  /** Channels whose content is in doubt until both ends have read it anew. */
  scrubDoubtedMax: 1_024,
  /** Differences that a proof names. */
  verifyDifferencesMax: 1_000,
  /** Channels that grow are compared again so often, with such a pause, before they are said to differ. */
  verifyTriesMax: 4,
  verifyPauseMs: 500,
  /** A home that was asked to mend gets so long before what still differs is told. */
  verifyRepairMs: 15_000,
  /** A part of the ring that takes longer to read comes again in parts of a quarter; one that takes less than the second is
   *  followed by a larger one. Well within what HTTP clients wait for an answer. */
  verifyPageMs: 20_000,
  verifyPageQuickMs: 2_000,
  /** Parts of the ring, as powers of two: the first one, and the smallest, which may take ten times as long. */
  verifyFirstPartBits: 4,
  verifySmallestPartBits: 24,
  /** Arcs in one question to another home for its proof; proofs under way that this node was asked for by others, and pages that
   *  administrators ask it for. */
  verifyArcsMax: 4_096,
  verifyAskedMax: 4,
  verifyPagesMax: 2,
  /** Beyond the time that a home was given: for its answer to come. */
  verifyAnswerMs: 30_000,
  /** A pattern of channels, and how many of them one client may be granted for each action. */
  channelPatternBytesMax: 255,
  channelPatternsMax: 1_000,
  /** Channels of which a client's right is remembered; beyond it all are looked at anew. */
  grantedChannelsKnownMax: 1_024,
  /** A setting's name: of a rule set, a namespace, a provider. */
  settingNameBytesMax: 128,
  /** Settings of a hub, by section: together one file that is exported, and one entry that imports it; metadata is larger than others. */
  settingsPerSectionMax: 10_000,
  channelMetadataMax: 1_000,
  /** A text among settings: an address, an issuer. */
  settingTextBytesMax: 1_024,
  providersPerHubMax: 16,
  keysPerProviderMax: 32,
  keyIdBytesMax: 128,
  /** A token says when it ends; one that is good for longer is refused, so that revocations need not be kept longer. */
  tokenLifeMsMax: 86_400_000,
  /** Where a node is cut off from who decides of a hub's settings, it hears of no revocation: after this no token that is older counts
   *  there. */
  cutOffTokenMs: 900_000,
  /** Clocks of whoever signs tokens and of nodes differ by no more than this. */
  tokenLeewayMs: 30_000,
  /** Who a user is and what else is known of it. */
  userIdBytesMax: 128,
  metadataBytesMax: 4_096,
  metadataDepthMax: 16,
  /** Key sets are fetched anew after this; for a key nobody knows no more often than that; and serve no longer when they
   *  cannot be fetched. */
  keySetFreshMs: 600_000,
  keySetRetryMs: 30_000,
  keySetStaleMs: 3_600_000,
  keySetsMax: 1_024,
  /** Calls to providers: to connect, in all, what an answer may have, and how many of one hub are under way at once. */
  outboundConnectMs: 3_000,
  outboundTotalMs: 5_000,
  outboundBytesMax: 65_536,
  outboundPerHubMax: 32,
  /** A connection that was quiet for so long is not used again: most services close theirs later than that, and what is sent over
   *  one that is being closed has no answer. */
  outboundIdleMs: 1_500,
  /** Failures in a row after which a service is left alone, and for how long. */
  outboundFailuresMax: 5,
  outboundRestMs: 5_000,
  /** Signatures that are checked at once, each on a thread of the pool that syncs the store, and that wait for it. */
  signaturesAtOnceMax: 2,
  signaturesWaitingMax: 1_024,
  /** Who a token stands for is known for so long, and of so many of each provider. */
  identityKnownMs: 10_000,
  identitiesKnownMax: 4_096,
  /** How long a client is known by the word of a service that does not say how long. */
  identityLifeMs: 900_000,
  /** Frames of a client whose authentication is under way wait for it. */
  heldFrameBytesMax: 65_536,
  /** Hubs beside those of the configuration. */
  hubsMax: 100_000,
  /** Hubs that clients may bring about by using them, a minute and node. */
  hubsMadePerMinuteMax: 60,
  /** A hub that nobody used for this long leaves memory. */
  hubIdleMs: 60_000,
  /** What is known of a hub comes within this, or whoever asked is told to come back. */
  hubReadyMs: 5_000,
  /** A store that failed is opened again so often; then its node ends. */
  storeReopensMax: 3,
  /** A folded channel whose reading ended is read on after this. */
  foldRetryMs: 500,
  /** Outcomes of changes that are remembered for whoever made them; an answer takes two turns. */
  foldOutcomesMax: 4_096,
  /** A change that is durable shows in what its node knows within this, or its outcome is not known. */
  foldWaitMs: 10_000,
  /** Entries looked at for one page of changes. */
  changesScanMax: 20_000,
} as const;
