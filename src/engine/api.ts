/** What shells may ask of a node. A shell parses its transport, calls this, and turns the answer back. */
import type { ChannelName, ChannelRef, HubName } from '../base/ids.js';
import type { Result } from '../base/result.js';
import type { Grants } from '../channels/grants.js';
import type { Change, SettingsDocument } from '../hubs/change.js';
import type { ChangeOutcome, ChangeRefusal, RingIntent } from '../cluster/ring-intent.js';
import type { Profile, Role } from '../cluster/member.js';
import type { ChannelSize } from './ports.js';
import type { ProofPage, ProofRefusal, ProofRequest, VerifiedState } from './cluster/proof.js';
import type { RingStatus } from './cluster/ring-status.js';
import type {
  DeliverySlice,
  DocumentGetMessage,
  DocumentState,
  Encoding,
  Gap,
  HistoryMessage,
  Level,
  NotificationPage,
  NotificationsMessage,
  Member,
  PublishMessage,
  RpcAnswer,
  RpcMessage,
} from '../protocol/messages.js';
import type { Failure } from '../protocol/errors.js';
import type { Entry, EntryKind, Timestamp } from '../log/entry.js';
import type { Keep } from '../log/retention.js';
import type { Difference, RingRange } from '../replication/reconcile-messages.js';
import type { Dot, NodeId } from '../base/ids.js';

export type { ProofPage, ProofRefusal } from './cluster/proof.js';

/** Who asks. */
export interface Principal {
  /** Empty for an anonymous client. */
  readonly actor: string;
  readonly authenticated: boolean;
  /** May do everything, system channels and the admin surface included. */
  readonly admin: boolean;
  /** The one hub it is known in; left out for administrators and anonymous clients. */
  readonly hub?: string;
  /** By whose word, as the hub's settings name it. */
  readonly provider?: string;
  readonly grants?: Grants;
  /** What the provider says of it, as JSON. */
  readonly metadata?: string;
  /** Unix milliseconds. */
  readonly expiresAtMs?: number;
  readonly issuedAtMs?: number;
  /** Of the hub's own directory: which account, as it was then. */
  readonly account?: string;
}

/** One already encoded protocol frame, shared by all who get it. */
export interface OutFrame {
  readonly bytes: Uint8Array;
  /** For frames of one channel: its name and the reader's cursor once the frame is delivered. */
  readonly channel?: string;
  readonly cursor?: Uint8Array;
  /** Many connections get it. */
  readonly isShared?: boolean;
  /** A transport's own form of a shared frame, made once. */
  prepared?: Uint8Array;
}

/** A session's way out. The engine calls `write` at most once a turn with all that is due. */
export interface SessionSink {
  write(frames: readonly OutFrame[]): void;
  /** Bytes written and not yet taken by the network. */
  readonly bufferedBytes: number;
  /** Ends the connection after what was written; idempotent. The engine does not use the sink afterwards. */
  close(code: number, reason: string): void;
}

export interface OpenSession {
  readonly hub: string;
  readonly encoding: Encoding;
  readonly principal: Principal;
  readonly sink: SessionSink;
  /** Where it was chosen before, so that whoever was asked about the client knows it: 24 hex digits. */
  readonly id?: string;
  /** For logs and limits: the peer's address. */
  readonly remote?: string;
}

/** One client connection as its transport drives it. */
export interface SessionHandle {
  readonly id: string;
  /** A frame from the client: bytes for protobuf, bytes of UTF-8 text for JSON. Never throws. */
  receive(frame: Uint8Array): void;
  /** The sink has drained: replay may go on. */
  drained(): void;
  /** The connection is gone. */
  disconnected(): void;
}

export interface PublishAccepted {
  readonly dot?: Dot;
  readonly timestamp: Timestamp;
  readonly level: Level;
  readonly copies: number;
  readonly duplicate: boolean;
  /** Of a patch: the document's version behind it. */
  readonly version?: number;
}

/** A call that is under way. */
export interface Call {
  /** Never rejects. */
  readonly answer: Promise<Result<RpcAnswer, Failure>>;
  /** Nobody waits for the answer any more: it is answered as one that is lost. Whether it takes effect is the service's matter. */
  cancel(): void;
}

/** JSON. */
export type PeopleAnswer = Readonly<Record<string, unknown>>;

/** Members of a channel in the order of their sessions. */
export interface PresencePage {
  readonly members: readonly Member[];
  /** All that are present. */
  readonly count: number;
  /** There are members behind these. */
  readonly more: boolean;
}

export interface HistoryPage {
  readonly channel: string;
  readonly deliveries: readonly DeliverySlice[];
  readonly gaps: readonly Gap[];
  readonly cursor: Uint8Array;
  readonly more: boolean;
}

/** A log query of an administrator. Filters are joined by "and". */
export interface LogQuery {
  /** Unix milliseconds inclusive, or a cursor: after it. */
  readonly since?: number | Uint8Array;
  /** Unix milliseconds exclusive, or a cursor: what it covers. */
  readonly until?: number | Uint8Array;
  readonly event?: string;
  readonly kind?: EntryKind;
  readonly actor?: string;
  readonly writer?: string;
  /** `oldest` first is the default. */
  readonly order?: 'oldest' | 'newest';
  /** Matching entries in one page. */
  readonly limit?: number;
}

export interface LogPage {
  readonly entries: readonly { readonly entry: Entry; readonly bytes: number }[];
  readonly gaps: readonly Gap[];
  /** Goes on from here; with `follow` as a live tail. */
  readonly cursor: Uint8Array;
  readonly more: boolean;
}

export interface DocumentChangesQuery {
  /** Behind what the cursor covers, or from this time on (Unix milliseconds). */
  readonly since?: number | Uint8Array;
  /** What the cursor covers, or what was stamped before this time. */
  readonly until?: number | Uint8Array;
  readonly limit?: number;
}

/** A patch as the order has it. */
export interface DocumentChange {
  readonly id: string;
  readonly timestamp: Timestamp;
  readonly actor?: string;
  /** The document's behind it. */
  readonly version: number;
  /** JSON. */
  readonly patch?: string;
  readonly ifVersion?: number;
  /** Why it is void. */
  readonly fault?: {
    readonly code: string;
    readonly message: string;
    readonly operation?: number | undefined;
  };
}

export interface DocumentChanges {
  readonly changes: readonly DocumentChange[];
  /** Goes on from here. */
  readonly cursor: Uint8Array;
  readonly more: boolean;
}

export interface ChannelDigest {
  readonly hub: HubName;
  readonly channel: ChannelName;
  readonly entries: number;
  /** 32 bytes as hex: sum modulo 2^256 of SHA-256 over dot and record, hashed with the count. */
  readonly digest: string;
  readonly floors: readonly Dot[];
  readonly heads: readonly Dot[];
}

export interface NodeStatus {
  readonly nodeId: string;
  readonly storeId: string;
  readonly writer: string;
  readonly version: string;
  readonly state: 'serving' | 'reopening' | 'stopping' | 'failed';
  readonly startedUnixMs: number;
  readonly sessions: number;
  readonly subscriptions: number;
  readonly channelsInMemory: number;
  readonly diskFull: boolean;
  readonly counters: Readonly<Record<string, number>>;
  /** Of a node among others. */
  readonly cluster?: ClusterStatus;
}

export interface ClusterStatus {
  /** A core node holds data and serves sessions; an edge node only serves sessions. */
  readonly role: Role;
  readonly ringVersion: number;
  readonly settled: boolean;
  /** It is empty, looks for others to join, and serves nobody before it has. */
  readonly looking: boolean;
  /** For what share of the time this node's process had work lately, in tenths: 0 to 1. */
  readonly load: number;
  readonly members: readonly {
    readonly node: NodeId;
    readonly state: string;
    readonly role: Role;
    /** Where other nodes find it. */
    readonly address: string;
    readonly linked: boolean;
    /** By gossip and by a link. */
    readonly reachable: boolean;
    readonly settled: boolean;
    /** As that node says it, in tenths: 0 to 1. */
    readonly load: number;
  }[];
  /** Of the ring's intervals, how many there are, and how many this node holds, should own as it sees it, owns, and recovers. */
  readonly intervals: {
    readonly all: number;
    readonly held: number;
    readonly wanted: number;
    readonly owned: number;
    readonly recovering: number;
  };
  /** Of each member of the ring, how much of it it holds and how much of it it is the first home of: 0 to 1. */
  readonly shares: readonly { readonly node: NodeId; readonly holds: number; readonly first: number }[];
  /** Of the intervals held here, how many each node owns as far as is known here, and how many nobody does. */
  readonly claims: {
    readonly owners: readonly { readonly node: NodeId; readonly intervals: number }[];
    readonly unowned: number;
  };
  /** Entries stamped here that wait until a majority has them. */
  readonly waiting: number;
  /** The other homes of what is held here. */
  readonly homes: readonly {
    readonly node: NodeId;
    /** Channels of which this node lacks what that one has; absent while that is not known. */
    readonly lacking?: number;
    /** How long ago all that both hold was compared in the background, and whether nothing differed. */
    readonly compared?: { readonly agoMs: number; readonly equal: boolean };
  }[];
}

export type Addresses = Partial<Pick<Profile, 'clientAddresses' | 'peerAddress'>>;

/** Operations on the ring. They resolve when the change is decided, with the version it begins with; `ring` tells how far it
 *  is. Refusals are stable codes: cluster/ring-intent.ts, cluster/ring-change.ts. */
export interface ClusterApi {
  ring(): RingStatus;
  change(intent: RingIntent): Promise<ChangeOutcome>;
  /** Peer addresses of nodes that may be there. */
  learn(addresses: readonly string[]): void;
  /** Where clients, or other nodes, find this one from now on: told to the others, and by them to their clients. */
  announce(addresses: Addresses): void;
  /** This node, alone until now and without entries, joins the ring of the node at that peer address. */
  join(address: string): Promise<Result<number, JoinRefusal>>;
  /** Reads everything this node holds from disk, has the other homes do the same, and compares: proof that they hold the same,
   *  or what differs. `undefined` while the node does not serve. */
  verify(options?: VerifyOptions): Promise<VerifyReport | undefined>;
  /** The same for a part of the whole ring, by the homes of each interval wherever they are: see `ProofPage.next`. */
  prove(request: ProofRequest): Promise<Result<ProofPage, ProofRefusal>>;
}

export interface VerifyOptions {
  /** Rising parts of the ring; default: all of it. */
  readonly arcs?: readonly RingRange[];
  /** What differs is brought together by the means homes have for that, and compared again. */
  readonly repair?: boolean;
  /** After so long it ends as it is. */
  readonly timeMs?: number;
  /** Called as this node reads: how much of what it holds together with that peer. */
  readonly progress?: (now: {
    readonly peer: NodeId;
    readonly channels: number;
    readonly entries: number;
  }) => void;
}

export interface VerifiedPeer {
  readonly peer: NodeId;
  readonly state: VerifiedState;
  /** What this node holds together with the peer. */
  readonly channels: number;
  readonly entries: number;
  /** As this node sees it: see `Difference`. */
  readonly differences: readonly { readonly ref: ChannelRef; readonly difference: Difference }[];
  /** Further ones that are not named. */
  readonly more: number;
  /** Channels that differed and do not any more. */
  readonly repaired: number;
}

export interface VerifyReport {
  /** Every home was reached, and all hold the same. */
  readonly isEqual: boolean;
  /** What this node holds of it. */
  readonly channels: number;
  readonly entries: number;
  /** Where there are no others, this node itself: what it cannot read. */
  readonly peers: readonly VerifiedPeer[];
}

/** not-alone: its ring has other members, which an operator must drain first. has-entries: what it stored was ordered by
 *  itself alone, and would be put before what the others committed. */
export type JoinRefusal = ChangeRefusal | 'not-alone' | 'has-entries';

export interface NodeApi {
  /** The principal of a token; `undefined` token means anonymous. */
  authenticate(token: string | undefined): Result<Principal, Failure>;
  /** The same for a client of a hub, once it is known what goes there: before anything else that a client asks. */
  enter(hub: string, token: string | undefined, sessionId?: string): Promise<Result<Principal, Failure>>;
  /** Counts a request that is neither a publish nor a call, which count by themselves: why it is one too many. */
  count(principal: Principal, hub: string): Failure | undefined;
  /** A ticket for whoever is known in the hub: good for one connection, at every node, from pages of that origin alone. */
  ticket(principal: Principal, hub: string, origin: string | undefined): Promise<Result<string, Failure>>;
  /** As `enter`, by a ticket; it is used up then. */
  redeem(hub: string, ticket: string, origin: string | undefined): Promise<Result<Principal, Failure>>;
  /** What people ask of a hub's directory and of its groups (`groups/…`). `remote`: the address it comes from. */
  people(
    principal: Principal,
    hub: string,
    action: string,
    request: unknown,
    remote: string,
  ): Promise<Result<PeopleAnswer, Failure>>;
  /** Calls a method of one of the hub's services. */
  call(principal: Principal, hub: string, message: RpcMessage): Call;
  openSession(request: OpenSession): Result<SessionHandle, Failure>;
  /** Results in the order of the messages. */
  publish(
    principal: Principal,
    hub: string,
    messages: readonly PublishMessage[],
  ): Promise<Result<PublishAccepted, Failure>[]>;
  history(principal: Principal, hub: string, request: HistoryMessage): Promise<Result<HistoryPage, Failure>>;
  document(
    principal: Principal,
    hub: string,
    request: DocumentGetMessage,
  ): Promise<Result<DocumentState, Failure>>;
  notifications(
    principal: Principal,
    hub: string,
    request: NotificationsMessage,
  ): Promise<Result<NotificationPage, Failure>>;
  documentChanges(
    principal: Principal,
    hub: string,
    channel: string,
    query: DocumentChangesQuery,
  ): Promise<Result<DocumentChanges, Failure>>;
  /** All of the channel is gone, at every home, once it resolves; what is written to it from then on is another
   *  generation. */
  deleteChannel(
    principal: Principal,
    hub: string,
    channel: string,
  ): Promise<Result<PublishAccepted, Failure>>;
  /** The content of the entry is gone, at every home, once it resolves, and from their disks soon after; the entry stays. */
  redact(
    principal: Principal,
    hub: string,
    channel: string,
    of: Dot,
  ): Promise<Result<PublishAccepted, Failure>>;
  /** Who is in a channel, for whoever may subscribe to it: those behind the session `after`. */
  presence(
    principal: Principal,
    hub: string,
    channel: string,
    query: { readonly after?: string; readonly limit?: number },
  ): Promise<Result<PresencePage, Failure>>;
  /** How many are. */
  occupancy(principal: Principal, hub: string, channel: string): Promise<Result<number, Failure>>;
  /** Admin only, as the rest below. */
  queryLog(hub: string, channel: string, query: LogQuery): Promise<Result<LogPage, Failure>>;
  /** All but what is to be kept is gone, at every home that hears of it, once it resolves; whether anybody had read it or
   *  not. Without an id where nothing had to go. */
  trimChannel(
    hub: string,
    channel: string,
    keep: Keep,
    actor: string,
  ): Promise<Result<PublishAccepted, Failure>>;
  /** Resolves when the channel has an entry beyond the cursor, or after `waitMs`. */
  waitForMore(hub: string, channel: string, cursor: Uint8Array, waitMs: number): Promise<void>;
  hubs(): Promise<readonly HubName[]>;
  /** True when it was made now, false when it was there. `actor`: who asked, for the log. */
  createHub(hub: string, actor: string): Promise<Result<boolean, Failure>>;
  /** Nobody can use the hub any more once it resolves, and whoever is in it is sent away; what it holds is deleted in the background, and
   *  the name is free when that is done. */
  deleteHub(hub: string, actor: string): Promise<Result<void, Failure>>;
  /** What was set at run time. */
  settings(hub: string): Promise<Result<SettingsDocument, Failure>>;
  /** Durable, and in force at this node, once it resolves; at all others within a second. */
  changeSettings(hub: string, change: Change, actor: string): Promise<Result<void, Failure>>;
  /** Those that the node is a home of. */
  channels(
    hub: string,
    options: { after?: string; limit: number },
  ): Promise<Result<readonly ChannelSize[], Failure>>;
  digest(hub: string, channel: string): Promise<Result<ChannelDigest, Failure>>;
  status(): NodeStatus;
  /** What nodes of a cluster are asked; `undefined` on a node that stays alone. */
  readonly cluster?: ClusterApi | undefined;
}
