/** What a node needs from outside. Everything asynchronous in the engine awaits one of these, so the same engine runs
 *  in production and in the simulator. */
import type { ChannelRef, HubName, NodeId, StoreId, WriterId } from '../base/ids.js';
import type { Random } from '../base/random.js';
import type { Result } from '../base/result.js';
import type { Provider } from '../hubs/provider.js';
import type { NamedService } from '../hubs/services.js';
import type { ChannelLog } from '../log/channel-log.js';
import type { LostRange, Timestamp, Vector } from '../log/entry.js';
import type { KeyRow, RunSummary } from '../log/run.js';
import type { Failure } from '../protocol/errors.js';
import type { RpcAnswer, RpcMessage } from '../protocol/messages.js';
import type { Tallies } from './people/tallies.js';

export type { Random } from '../base/random.js';

export interface Clock {
  /** Wall clock, Unix milliseconds; may step. */
  wallMs(): number;
  /** Never steps back; its zero means nothing. Fractions allowed. */
  monotonicMs(): number;
}

export interface Timers {
  /** Runs `callback` once after `delayMs`; returns what cancels it. Never keeps the process alive by itself. */
  after(delayMs: number, callback: () => void): () => void;
  /** Runs `callback` when all input of this turn has been taken in. */
  soon(callback: () => void): void;
}

/** SHA-256, injected so that pure code needs no library. */
export interface Hashing {
  sha256(bytes: Uint8Array): Uint8Array;
}

/** One durable unit: consecutive runs as bytes, and notes that replace earlier notes of the same name. */
export interface Commit {
  /** Runs one after another, as log/run.ts lays them out; the store copies or writes them before `commit` returns
   *  its promise, so the caller may reuse the buffer once that promise is settled. */
  readonly bytes: Uint8Array;
  readonly runs: readonly RunSummary[];
  /** For runs at these places of `runs`: entries that are missing and that they stand on, which the log counts as held from
   *  then on. */
  readonly lost?: ReadonlyMap<number, readonly LostRange[]>;
  /** Runs that follow them in `bytes`: entries that the log has and that could not be read, stored again as they were.
   *  Their logs need not accept them. */
  readonly repairs?: readonly RunSummary[];
  readonly notes?: ReadonlyMap<string, Uint8Array>;
}

export interface CommitReceipt {
  /** Rises by one with every commit of this store. */
  readonly number: number;
  /** Arrival number of the first entry; the others follow in order. */
  readonly firstArrival: number;
}

/** Whole, verified records of one run, as stored. */
export interface RecordSlice {
  readonly writer: WriterId;
  readonly round: number;
  readonly firstSeq: number;
  readonly count: number;
  /** Records one after another: goes into a delivery as it is. */
  readonly records: Uint8Array;
}

/** Entries that are in the log but cannot be read any more. */
export interface MissingRange {
  readonly writer: WriterId;
  readonly fromSeq: number;
  readonly toSeq: number;
  /** Where that is no damage: a home may have removed what others do not know yet to be removed. */
  readonly gone?: 'trimmed' | 'forced' | 'deleted';
}

/** Entries that lie together and of which some cannot be read. */
export interface DamagedRun {
  readonly ref: ChannelRef;
  readonly writer: WriterId;
  readonly firstSeq: number;
  readonly count: number;
}

/** All that is known of such entries: what is to take their place must fit it. */
export interface Damage extends DamagedRun {
  /** `undefined` where nothing is known of them but that they were there. */
  readonly known: { readonly round: number; readonly recordBytes: number | undefined } | undefined;
  /** What of them can be read, in order. */
  readonly whole: readonly RecordSlice[];
  /** Checksums of the entry before the first (0 where there is none) and of the last, where something says so. */
  readonly before: number | undefined;
  readonly last: number | undefined;
}

export interface ReadRange {
  readonly writer: WriterId;
  readonly firstSeq: number;
  readonly count: number;
}

export interface ReadResult {
  /** In the order asked for; ranges that could not be read are in `missing` instead, nothing is in neither as long as
   *  `bytesMax` was not reached. At least one whole record is returned however large it is. */
  readonly slices: readonly RecordSlice[];
  readonly missing: readonly MissingRange[];
}

/** A run as it came in. */
export interface Arrived {
  /** Of its first entry; the others follow in order. */
  readonly arrival: number;
  readonly ref: ChannelRef;
  readonly writer: WriterId;
  readonly firstSeq: number;
  readonly count: number;
}

export interface ArrivedRuns {
  readonly runs: readonly Arrived[];
  /** Everything through this arrival that can still be read is among the runs. */
  readonly through: number;
}

/** A page of channels by name, after `after`. */
export interface ChannelPage {
  readonly after?: string;
  readonly limit: number;
  /** Also those that hold nothing any more: their floors, and the end of their last generation, are to be told. */
  readonly withEmpty?: true;
}

export interface ChannelSize {
  readonly ref: ChannelRef;
  readonly entries: number;
  readonly bytes: number;
  readonly lastTimestamp: Timestamp;
}

/** What is held of a channel above its floors, from checked records on disk. */
export interface StoredDigest {
  /** 32 bytes, see log/digest.ts. Where something is missing it stands for the rest, and equals no other. */
  readonly digest: Uint8Array;
  /** Entries in it. */
  readonly entries: number;
  /** For each writer the seq through which it goes. */
  readonly through: Vector;
  /** For each writer that has one the seq above which it begins. */
  readonly floors: Vector;
  /** What cannot be read. What the log gave up is neither missing nor in the digest, whoever still has it. */
  readonly missing: readonly MissingRange[];
  /** Unix milliseconds, by this store's clock: all of it was read from disk then or later. */
  readonly readAt: number;
}

export interface DigestOptions {
  /** Unix milliseconds: what was read before is read again. Left out: what is older than `limits.digestAgeMs`. */
  readonly notBefore?: number;
  /** Called after every step of about `limits.digestStepBytes`, with the bytes it read; what it returns is waited for. */
  readonly pause?: ((bytes: number) => Promise<void> | undefined) | undefined;
}

/** What a channel holds, by its index. */
export interface ChannelContent {
  readonly ref: ChannelRef;
  readonly through: Vector;
  readonly floors: Vector;
  /** Where one of exactly this is known. */
  readonly digest?: StoredDigest;
}

/** Why a store stopped for good: it must be closed and opened anew. */
export class StoreFailedError extends Error {
  override readonly name = 'StoreFailedError';
  constructor(
    /** `full`: no space left; `io`: the disk failed a write, a sync or a read of its own metadata. */
    readonly reason: 'full' | 'io',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Something was asked of a store that was closed meanwhile: the node stops, or opens its store anew. Nothing is wrong. */
export class StoreClosedError extends Error {
  override readonly name = 'StoreClosedError';

  constructor() {
    super('The store was closed.');
  }
}

/** Truth and index of one node. It owns the `ChannelLog` of every channel in use: `commit` applies the runs to them
 *  after they are durable and before its promise resolves. Suite: test/contracts/log-store.ts. */
export interface LogStore {
  readonly storeId: StoreId;
  /** The newest value of each note. */
  readonly notes: ReadonlyMap<string, Uint8Array>;

  /** The log of a channel, empty if it never had an entry; the same object for all until released as often. */
  open(ref: ChannelRef): Promise<ChannelLog>;
  /** The log if it is in memory. */
  peek(ref: ChannelRef): ChannelLog | undefined;
  release(ref: ChannelRef): void;

  /** Makes a commit durable. All channels in it must be open, every run must be acceptable to its log; one commit at a
   *  time. Rejects with StoreFailedError: then the outcome is unknown, nothing more is accepted, and the store must be
   *  closed. */
  commit(commit: Commit): Promise<CommitReceipt>;
  /** `full` when new publishes must be refused; trims and notes still fit in the reserve. `spent` when what others send
   *  must be refused too, unless it makes room. */
  space(): 'ok' | 'full' | 'spent';
  /** Bytes in all channels of a hub, as `channels` counts them, by the newest commit: kept as they change, and read at once. */
  hubBytes(hub: HubName): number;
  /** The same of all hubs together. */
  readonly bytes: number;

  /** Reads stored ranges of one channel, at most about `bytesMax` bytes of records. */
  read(ref: ChannelRef, ranges: readonly ReadRange[], bytesMax: number): Promise<ReadResult>;
  /** For each writer with entries above the floor the first seq stamped at or after `timestamp`; writers without one
   *  are left out. */
  seqsSince(ref: ChannelRef, timestamp: Timestamp): Promise<Vector>;
  /** Looks idempotency keys up, those not flushed yet included; entries older than `since` or newer than `until` do not
   *  count. */
  findKeys(
    rows: readonly { ref: ChannelRef; scope: string; key: string }[],
    since: Timestamp,
    until?: Timestamp,
  ): Promise<(KeyRow | undefined)[]>;

  /** Number of the newest durable commit; 0 without one. Never lower than before under one `storeId`. */
  readonly newestCommit: number;
  /** Arrival number of the newest synced entry; 0 without one. Never lower than before under one `storeId`. */
  readonly newestArrival: number;
  /** What this store took in after arrival number `after` (0: everything), in order of arrival and as far as it is
   *  synced; about `limit` commits at once. Entries trimmed since may still be named. */
  arrivedSince(after: number, limit: number): Promise<ArrivedRuns>;

  hubs(): Promise<readonly HubName[]>;
  /** Channels of a hub with at least one entry. */
  channels(hub: HubName, page: ChannelPage): Promise<readonly ChannelSize[]>;

  /** Runs found damaged by reading, and not repaired yet: the oldest findings, at most so many. */
  damaged(limit: number): readonly DamagedRun[];
  /** What is known of the damaged run an entry is in, or of the lost entries around it; `undefined` where it can be read,
   *  or need not be. */
  examine(ref: ChannelRef, writer: WriterId, seq: number): Promise<Damage | undefined>;
  /** Reads on through everything stored, about this part (0 to 1) of it, so that damage is found before it is asked for.
   *  Begins anew behind the end: true then. The place reached outlasts a restart. */
  scrub(part: number): Promise<boolean>;

  /** Background duties that are due: compaction, index flush, forgetting keys. Returns when one bounded step is done.
   *  `unixMs`: physical time as entries are stamped with; a wall clock that was just set must not make keys old. */
  maintain(unixMs: number): Promise<void>;
  /** Channels in which something of that may wait for a commit that is not known here: at most so many, others the next time. */
  waiting(limit: number): readonly ChannelRef[];
  /** The store is not the one that others remember: from the next open on it has another `storeId`. Durable once the
   *  promise resolves. */
  rename(): Promise<void>;
  /** The digest of what the channel holds when it is asked, or a little more. Goes on from what was summed up before, and
   *  keeps what it found for the next time. `undefined` when its floors rise faster than it is read. */
  digest(ref: ChannelRef, options?: DigestOptions): Promise<StoredDigest | undefined>;
  /** As `channels`, with what they hold, and with those that hold nothing any more; reads no log and no record. */
  contents(hub: HubName, page: ChannelPage): Promise<readonly ChannelContent[]>;

  /** Flushes the index and marks a clean stop. */
  close(): Promise<void>;
}

/** The logs of channels, here or at another node, as readers need them. */
export type Logs = Pick<LogStore, 'open' | 'peek' | 'release' | 'read' | 'seqsSince'>;

/** What a node tells of itself; shells turn it into log lines, metrics and progress bars. */
export type Observation =
  | {
      readonly type: 'recovery-progress';
      readonly stage: 'scan' | 'index';
      readonly doneBytes: number;
      readonly totalBytes: number;
    }
  | {
      readonly type: 'recovered';
      readonly commits: number;
      readonly entries: number;
      readonly cutBytes: number;
      readonly rebuilt: boolean;
      readonly elapsedMs: number;
    }
  | { readonly type: 'damage'; readonly place: string; readonly what: string }
  | { readonly type: 'alarm'; readonly code: string; readonly message: string }
  | { readonly type: 'store-failed'; readonly reason: 'full' | 'io'; readonly message: string }
  | { readonly type: 'store-reopened' }
  | { readonly type: 'node-failed'; readonly message: string };

export interface Observer {
  observe(observation: Observation): void;
}

/** What comes from other nodes. Called one at a time, never from within a call to the port. */
export interface PeerHandlers {
  /** A link to that node stands, both ways; what was sent on an earlier one and not received is lost. */
  linked(peer: NodeId): void;
  /** It is gone. */
  unlinked(peer: NodeId): void;
  /** A message over the link: in the order it was sent. The bytes are the receiver's. */
  received(peer: NodeId, message: Uint8Array): void;
  /** A packet: may come twice, late, or never. */
  packet(address: string, packet: Uint8Array): void;
  /** A question outside of links; the answer, or `undefined` for what makes no sense. */
  asked(question: Uint8Array): Uint8Array | undefined;
  /** Of a node that was asked for its pulse: its loop ran so long ago. Late or never, as with packets. */
  pulse(node: NodeId, ageMs: number): void;
}

/** The way to other nodes: links that carry messages in order until they break, packets that may be lost, and questions
 *  to an address whose node is not known yet. Who is at the other end is the port's to prove. */
export interface Peers {
  start(handlers: PeerHandlers): void;
  /** Nodes to keep a link with, and where they are; links with others end. Broken ones are tried again. */
  keepLinks(peers: ReadonlyMap<NodeId, string>): void;
  /** Over the link; dropped where there is none. The port takes the bytes before it returns. */
  send(peer: NodeId, message: Uint8Array): void;
  sendPacket(address: string, packet: Uint8Array): void;
  /** Asks what answers beside a node's loop, also while the loop is busy, how long ago it ran. */
  askPulse(node: NodeId): void;
  /** Rejects where nobody answers within a second or so. */
  ask(address: string, question: Uint8Array): Promise<Uint8Array>;
  /** Ends all links; no handler is called any more. */
  stop(): void;
}

/** Who a token stands for, as a provider says it. */
export interface Identity {
  readonly user: string;
  /** As it came; to be checked. */
  readonly permissions?: unknown;
  /** JSON. */
  readonly metadata?: string;
  /** Unix milliseconds. */
  readonly expiresAtMs?: number;
  readonly issuedAtMs?: number;
  /** Of a hub's own directory: which account, as it was then. */
  readonly account?: string;
}

export interface Identified {
  /** The provider's name in the settings of the hub. */
  readonly provider: string;
  readonly identity: Identity;
}

export interface TokenCheck {
  readonly hub: string;
  readonly token: string;
  /** Of the session that the client will have. */
  readonly sessionId?: string;
}

/** Asks the providers of a hub. Bounded in time and number: it answers with a failure rather than late. */
export interface Authenticator {
  identify(providers: ReadonlyMap<string, Provider>, check: TokenCheck): Promise<Result<Identified, Failure>>;
}

/** A call as a service gets it. */
export interface ServiceRequest extends NamedService, Omit<RpcMessage, 'type'> {
  readonly hub: HubName;
  /** Of this call alone. */
  readonly id: string;
  readonly sessionId?: string;
  /** Left out for an anonymous client, and for an administrator. */
  readonly user?: string;
  readonly admin?: boolean;
  /** What the provider says of the user, as JSON. */
  readonly metadata?: string;
}

/** Calls the services of a hub, each call once. Bounded in time: it answers with a failure rather than late. */
export interface ServiceCalls {
  /** Takes what is to be sent before it returns. */
  call(request: ServiceRequest): {
    readonly answer: Promise<Result<RpcAnswer, Failure>>;
    /** It is answered soon then. */
    cancel(): void;
  };
}

/** Cryptography for the people of a hub. What costs a thread answers `undefined` when too many wait. */
export interface Secrets {
  /** With parameters and salt, as it is to be kept. */
  hashPassword(password: string): Promise<string> | undefined;
  /** The same time where there is nothing to compare with. */
  checkPassword(password: string, stored: string | undefined): Promise<boolean> | undefined;
  /** Made with less than what is taken today. */
  isOutdated(stored: string): boolean;
  /** Ed25519: false for keys for which anybody can make signatures. */
  isUsableKey(publicKey: Uint8Array): boolean;
  isSignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  mac(key: Uint8Array, bytes: Uint8Array): Uint8Array;
  isMac(key: Uint8Array, bytes: Uint8Array, mac: Uint8Array): boolean;
  /** Under a key of 32 bytes; opens for the same context only. */
  seal(key: Uint8Array, bytes: Uint8Array, context: Uint8Array): Uint8Array;
  open(key: Uint8Array, sealed: Uint8Array, context: Uint8Array): Uint8Array | undefined;
  /** Nobody can guess. */
  randomBytes(length: number): Uint8Array;
}

export interface EnginePorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly hashing: Hashing;
  readonly observer: Observer;
  /** Opens the node's store; called at start and again after the store failed. */
  openStore(): Promise<LogStore>;
  /** Left out where hubs have no providers. */
  readonly authenticator?: Authenticator;
  /** Left out where hubs have no services. */
  readonly services?: ServiceCalls;
  /** Left out where hubs have no directories. */
  readonly secrets?: Secrets;
  /** Left out where this process counts for itself. */
  readonly tallies?: Tallies;
  /** Left out by a node that stays alone. */
  readonly peers?: Peers;
  /** For what share of the time since it was asked last this process had work: 0 to 1. Left out where nobody can say. */
  busyShare?(): number;
  /** For how many milliseconds its loop has had work in all. Left out where nobody can say: then nothing is held back for it. */
  workedMs?(): number;
}
