/** What nodes tell each other over a link, beside the frames of replication: publishes on their way to the owner, and
 *  channels followed on behalf of sessions elsewhere. The wire form: peer-wire.ts, proto/peer.proto (message Letter). */
import type { ChannelRef, Dot, HubName, NodeId } from '../../base/ids.js';
import type { Timestamp, Vector } from '../../log/entry.js';
import type { Keep } from '../../log/retention.js';
import type { SeqRange } from '../../log/channel-log.js';
import type { Failure } from '../../protocol/errors.js';
import type { Level, PublishedKind, Signal } from '../../protocol/messages.js';
import type { RingMessage } from '../../cluster/ring-messages.js';
import type { PresenceMessage } from '../../presence/messages.js';
import type { Frame } from '../../replication/messages.js';
import type { RingRange } from '../../replication/reconcile-messages.js';
import type { VerifiedPeer } from '../api.js';
import type { MissingRange, RecordSlice } from '../ports.js';

export interface ReplicationMessage {
  readonly type: 'replication';
  readonly frame: Frame;
}

/** A publish that was let in by the node its client talks to: rights and limits are checked there. */
export interface ForwardedPublish {
  /** Of the asking node; comes back with the answer. */
  readonly id: number;
  readonly ref: ChannelRef;
  readonly actor: string;
  /** Encoded `Content`. */
  readonly content: Uint8Array;
  readonly publisher:
    | { readonly id: string; readonly epoch: number; readonly seq: number; readonly ackedThrough: number }
    | undefined;
  readonly idempotencyKey: string | undefined;
  readonly retain: boolean;
  readonly push: boolean;
  readonly level: Level;
  readonly degrade: boolean;
  /** All of its channel that the asking node sent before has its answer. After one was not taken, those behind it are
   *  not taken either up to such a one: they keep their order. */
  readonly first: boolean;
  /** Where it is no message. */
  readonly kind?: PublishedKind;
  /** A patch that makes parents that are missing. */
  readonly createParents?: boolean;
  /** It ends the generation of its channel; there is no content. */
  readonly isDelete?: boolean;
  /** Of this entry the content is to be taken out; there is none else. */
  readonly redacts?: Dot;
  /** It is a forced trim; there is no content. */
  readonly keep?: Keep;
}

export interface PublishBatch {
  readonly type: 'publish';
  readonly publishes: readonly ForwardedPublish[];
}

export type ForwardedOutcome =
  | {
      readonly id: number;
      /** Absent for a signal. */
      readonly dot: Dot | undefined;
      readonly timestamp: Timestamp;
      readonly duplicate: boolean;
      readonly level: Level;
      readonly copies: number;
      /** Of a patch: the document's behind it. */
      readonly version?: number | undefined;
    }
  | { readonly id: number; readonly failure: Failure }
  /** Not taken: another node acts, that one if it is known. */
  | { readonly id: number; readonly moved: NodeId | undefined };

export interface Published {
  readonly type: 'published';
  readonly outcomes: readonly ForwardedOutcome[];
}

/** Serve me this channel from now on. */
export interface Follow {
  readonly type: 'follow';
  /** Of the asking node, never used again by this process. */
  readonly id: number;
  readonly ref: ChannelRef;
  /** `signals`: a home asks the owner, it has the log itself. */
  readonly what: 'log' | 'signals';
  /** The answer must hold these: they were delivered already. */
  readonly covers: readonly Dot[];
}

export interface Unfollow {
  readonly type: 'unfollow';
  readonly id: number;
}

/** The channel as it is now; what comes after it follows in `followed`. */
export interface Following {
  readonly type: 'following';
  readonly id: number;
  /** `ChannelLog.encode`; absent where only signals are followed. */
  readonly log?: Uint8Array;
  /** Of `covers`, what no home has any more. */
  readonly lost: readonly Dot[];
  /** Of `covers`, what may be at a home that cannot be reached. */
  readonly unknown: readonly Dot[];
  /** Signals kept for late joiners. */
  readonly signals: readonly Signal[];
}

/** Ask somebody else: this node does not serve the channel, or not any more. */
export interface FollowEnded {
  readonly type: 'followEnded';
  readonly id: number;
  readonly moved: NodeId | undefined;
}

export interface Followed {
  readonly type: 'followed';
  readonly id: number;
  /** In their stored form and in an order in which they can be taken. */
  readonly runs: readonly Uint8Array[];
  /** The newest committed entry. */
  readonly committed?: Dot;
  /** The newest entry to be delivered before it is committed. */
  readonly tip?: Dot;
  readonly signals: readonly Signal[];
}

/** How much was taken in of what was followed, so that a slow node is not sent more and more. */
export interface Took {
  readonly type: 'took';
  /** Runs and contents of signals of all `followed` since the link stands. */
  readonly bytes: number;
}

export interface Read {
  readonly type: 'read';
  readonly id: number;
  readonly ref: ChannelRef;
  readonly ranges: readonly SeqRange[];
  readonly bytesMax: number;
}

export interface ReadAnswer {
  readonly type: 'readAnswer';
  readonly id: number;
  readonly slices: readonly RecordSlice[];
  readonly missing: readonly MissingRange[];
}

/** `LogStore.seqsSince` of a channel held there. */
export interface Since {
  readonly type: 'since';
  readonly id: number;
  readonly ref: ChannelRef;
  readonly timestamp: Timestamp;
}

export interface SinceAnswer {
  readonly type: 'sinceAnswer';
  readonly id: number;
  readonly vector: Vector;
}

/** A reader has these from elsewhere: see that they are held, and sent to whoever follows the channel. */
export interface Cover {
  readonly type: 'cover';
  readonly id: number;
  readonly ref: ChannelRef;
  readonly dots: readonly Dot[];
}

export interface Covered {
  readonly type: 'covered';
  readonly id: number;
  /** Those that no home has any more. Others that were not sent may be at a home that cannot be reached. */
  readonly lost: readonly Dot[];
}

/** Entries of a channel whose home the sender is no more, or none at first: take them, and say what you hold. */
export interface Orphan {
  readonly type: 'orphan';
  readonly id: number;
  readonly ref: ChannelRef;
  /** In their stored form and in an order in which they can be taken. */
  readonly runs: readonly Uint8Array[];
}

/** What is held of the channel and synced, with what came with the question. */
export interface Adopted {
  readonly type: 'adopted';
  readonly id: number;
  /** Absent where the sender is no home either. */
  readonly have?: Vector;
}

/** A question cannot be answered here (now). */
export interface Declined {
  readonly type: 'declined';
  readonly id: number;
}

/** Prove that every home of these parts of the ring holds what you do. */
export interface VerifyAsked {
  readonly type: 'verify';
  readonly id: number;
  /** Under another one it is not done. */
  readonly ringVersion: number;
  /** Rising. */
  readonly arcs: readonly RingRange[];
  readonly repair: boolean;
  readonly timeMs: number;
}

export interface Verified {
  readonly type: 'verified';
  readonly id: number;
  readonly channels: number;
  readonly entries: number;
  /** None where it could not be done now. */
  readonly peers: readonly VerifiedPeer[];
}

/** Which channels of a hub are you a home of? */
export interface ListAsked {
  readonly type: 'listAsked';
  readonly id: number;
  /** Under another one it is not said. */
  readonly ringVersion: number;
  readonly hub: HubName;
  /** Behind this name. */
  readonly after: string;
  readonly limit: number;
}

export interface Listed {
  readonly type: 'listed';
  readonly id: number;
  readonly channels: readonly string[];
  readonly more: boolean;
  /** All that is there is among these, or comes behind them. */
  readonly isWhole: boolean;
}

/** About channels: publishes, and what is followed. */
export type ChannelMessage =
  | PublishBatch
  | Published
  | Follow
  | Unfollow
  | Following
  | FollowEnded
  | Followed
  | Took
  | Read
  | ReadAnswer
  | Since
  | SinceAnswer
  | Cover
  | Covered
  | Orphan
  | Adopted
  | Declined
  | VerifyAsked
  | Verified
  | ListAsked
  | Listed;

export type PeerMessage = ReplicationMessage | ChannelMessage | RingMessage | PresenceMessage;

const ringTypes: ReadonlySet<string> = new Set<RingMessage['type']>([
  'ring',
  'askRing',
  'ballot',
  'ballotAnswer',
  'ringReport',
  'askChange',
  'changeAnswer',
]);

export function isRingMessage(message: PeerMessage): message is RingMessage {
  return ringTypes.has(message.type);
}
