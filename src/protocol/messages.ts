/** Client messages as values, the same for both encodings. Field meanings are in proto/client.proto. */
import type { Dot, WriterId } from '../base/ids.js';
import type { Content, Entry, Timestamp } from '../log/entry.js';
import type { Failure } from './errors.js';
import type { RpcAnswer, RpcMessage } from './rpc-messages.js';
import type {
  AuthResult,
  ChannelCursor,
  SessionInfo,
  SessionKept,
  SessionRestoreMessage,
} from './session-messages.js';

export type * from './rpc-messages.js';
export type * from './session-messages.js';

export type Encoding = 'protobuf' | 'json';
export type Level = 'memory' | 'owner' | 'quorum';
export type GapReason = 'trimmed' | 'forced' | 'deleted' | 'damaged' | 'lost';

/** Where a subscription starts. */
export type Start =
  | { readonly type: 'live' }
  | { readonly type: 'cursor'; readonly cursor: Uint8Array }
  | { readonly type: 'since'; readonly unixMs: number }
  | { readonly type: 'last'; readonly count: number }
  | { readonly type: 'beginning' };

/** A publish as the server takes it in: the content stays the client's bytes, checked once. */
export interface PublishMessage {
  readonly type: 'publish';
  readonly channel: string;
  /** The encoded `Content`; a view of the received frame, to be copied before the next turn. */
  readonly content: Uint8Array;
  /** What the extras of the content say, where they do. */
  readonly store?: boolean | undefined;
  readonly retain?: boolean | undefined;
  readonly push?: boolean | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly publisherSeq?: number | undefined;
  readonly ackedThrough?: number | undefined;
  readonly level?: Level | undefined;
  readonly degrade?: boolean | undefined;
  /** What it is beside a message: what the payload says then goes by the channel's kind. */
  readonly kind?: PublishedKind | undefined;
}

/** A change of a document, a notification, or what was read of notifications. */
export type PublishedKind = 'patch' | 'notification' | 'read';

/** Asks for notifications: those that are not read, or all. */
export interface NotificationsMessage {
  readonly type: 'notifications';
  readonly channel: string;
  /** Of an earlier page: goes on from there. */
  readonly cursor?: Uint8Array;
  /** Of when they were created: inclusive, exclusive. */
  readonly sinceUnixMs?: number;
  readonly untilUnixMs?: number;
  readonly limit?: number;
  /** Oldest first; else newest first. */
  readonly forward: boolean;
  readonly unread: boolean;
}

/** Asks for a document: as it is now, or as it was. */
export interface DocumentGetMessage {
  readonly type: 'documentGet';
  readonly channel: string;
  readonly cursor?: Uint8Array;
  readonly atUnixMs?: number;
}

export interface HistoryMessage {
  readonly type: 'history';
  readonly channel: string;
  readonly cursor?: Uint8Array;
  readonly sinceUnixMs?: number;
  readonly untilUnixMs?: number;
  readonly limit?: number;
  readonly backward: boolean;
  /** The page is of a log that has this entry: who wrote it reads it. */
  readonly including?: Dot;
}

/** Who is in a channel, in the order of sessions' ids. */
export interface PresenceMessage {
  readonly type: 'presence';
  readonly channel: string;
  /** Those behind this session. */
  readonly after?: string;
  readonly limit?: number;
  /** Whether joins and leaves are told from now on. */
  readonly follow?: boolean;
}

/** What this client says of itself in a channel it is subscribed to. */
export interface PresenceUpdateMessage {
  readonly type: 'presenceUpdate';
  readonly channel: string;
  /** JSON. */
  readonly metadata?: string;
}

/** How many are in a channel. */
export interface OccupancyMessage {
  readonly type: 'occupancy';
  readonly channel: string;
  /** Whether it is told from now on whenever it changes. */
  readonly follow?: boolean;
}

export type PresenceRequest = PresenceMessage | PresenceUpdateMessage | OccupancyMessage;

/** Asks the hub's directory. */
export interface UserMessage {
  readonly type: 'user';
  readonly action: string;
  /** A JSON value, not checked any further. */
  readonly request: unknown;
}

/** Asks something of a channel, and changes nothing. */
export type ChannelQuestion = HistoryMessage | DocumentGetMessage | NotificationsMessage;
/** What has one answer, that is not about subscriptions. */
export type Request = ChannelQuestion | PresenceRequest | UserMessage | RpcMessage;

export interface SubscribeChannel {
  readonly channel: string;
  readonly start: Start;
  /** What others see of this client there, as JSON. */
  readonly presence?: string;
}

export type ClientMessage =
  | {
      readonly type: 'auth';
      readonly token?: string;
      readonly publisher?: { readonly id: string; readonly epoch: number };
    }
  | { readonly type: 'ping' }
  | { readonly type: 'pong' }
  | { readonly type: 'close'; readonly code?: number; readonly reason?: string }
  | {
      readonly type: 'subscribe';
      readonly channels: readonly SubscribeChannel[];
    }
  | { readonly type: 'unsubscribe'; readonly channels: readonly string[] }
  | PublishMessage
  | Request
  | SessionRestoreMessage;

export interface ClientEnvelope {
  /** 0: no answer wanted. */
  readonly requestId: number;
  readonly message: ClientMessage;
}

/** What a server decoded: a message, or why this one of the frame is refused. */
export type ReceivedEnvelope = ClientEnvelope | { readonly requestId: number; readonly error: Failure };

/** Entries as stored bytes (server side): spliced into the frame as they are. */
export interface DeliverySlice {
  readonly channel: string;
  readonly writer: WriterId;
  readonly round: number;
  readonly late: boolean;
  /** Whole records, `0x12 length Entry` each. */
  readonly records: Uint8Array;
  /** Cursor of a reader that has everything up to here: written in the JSON form only. */
  readonly cursor?: Uint8Array;
}

export interface Ack {
  readonly type: 'ack';
  /** Absent for a signal. */
  readonly dot?: Dot | undefined;
  readonly timestamp: Timestamp;
  readonly level: Level;
  readonly copies: number;
  /** Request ids, seqs and timestamps of `count` acks rise by one from the first; the JSON form writes each. */
  readonly count: number;
  readonly duplicate: boolean;
  /** Of patches: the document's behind the first. */
  readonly version?: number | undefined;
}

export interface DocumentInfo {
  /** How many patches took effect, and how many did not where the order has them. */
  readonly version: number;
  readonly voids: number;
  /** SHA-256 of the canonical form, and its length in bytes. */
  readonly hash: Uint8Array;
  readonly size: number;
  /** By the rules of the channel its patches make parents that are missing. */
  readonly createParents?: boolean;
}

/** Beside a subscription. */
export interface ToldDocument extends DocumentInfo {
  /** Of a reader that has what it is made of; nodes of before do not say. */
  readonly cursor?: Uint8Array;
}

export interface DocumentState {
  readonly channel: string;
  readonly info: DocumentInfo;
  /** Canonical JSON. */
  readonly value: Uint8Array;
  /** Of a reader that has what it is made of. */
  readonly cursor: Uint8Array;
}

/** Of a notification channel. */
export interface NotificationInfo {
  /** Of those that count, how many are not read; and how many count: not expired, not trimmed, not too old. */
  readonly unread: number;
  readonly total: number;
  /** Of a reader that has what this is counted of. */
  readonly cursor: Uint8Array;
}

/** A notification in a page. */
export interface ListedNotification {
  readonly dot: Dot;
  readonly timestamp: Timestamp;
  readonly actor?: string;
  readonly state: NotificationState;
  /** JSON, as it was created. */
  readonly value: Uint8Array;
}

export type NotificationState = 'unread' | 'read' | 'expired';

export interface NotificationPage {
  readonly channel: string;
  readonly info: NotificationInfo;
  readonly notifications: readonly ListedNotification[];
  /** Goes on from here, in the same direction. */
  readonly cursor: Uint8Array;
  readonly more: boolean;
}

export interface Gap {
  readonly type: 'gap';
  readonly channel: string;
  readonly reason: GapReason;
  readonly ranges: readonly { readonly writer: WriterId; readonly fromSeq: number; readonly toSeq: number }[];
  /** Replaces the reader's cursor. */
  readonly cursor: Uint8Array;
}

export interface Signal {
  readonly timestamp: Timestamp;
  readonly actor?: string;
  /** Encoded `Content`. */
  readonly content: Uint8Array;
}

/** One connection in a channel. */
export interface Member {
  /** The session's id: 24 hex digits. */
  readonly session: string;
  /** Who it authenticated as. */
  readonly user?: string;
  /** What it says of itself there, as JSON. */
  readonly metadata?: string;
  /** Unix milliseconds, by the clock of its node. */
  readonly since: number;
}

/** Where else the cluster serves; replaces what was told before. */
export interface Nodes {
  readonly type: 'nodes';
  readonly urls: readonly string[];
  /** Whoever loses this node waits a random part of this before it goes to another. */
  readonly spreadMs: number;
}

export interface SubscribedChannel {
  readonly channel: string;
  readonly cursor?: Uint8Array;
  readonly error?: Failure;
  /** On a live start: the channel's retained message. It does not move the cursor. */
  readonly retained?: DeliverySlice;
  /** Of a document, wherever the subscription starts: as it is now, or at the start of a live one. */
  readonly document?: ToldDocument;
  /** Of a notification channel, wherever the subscription starts. */
  readonly notifications?: NotificationInfo;
}

export interface SessionRestored {
  readonly type: 'sessionRestored';
  readonly sessionId: string;
  /** The next one. */
  readonly key: Uint8Array;
  readonly results: readonly SubscribedChannel[];
}

/** What a server sends; encoded by protocol/server-encoder.ts. */
export type ServerMessage =
  | AuthResult
  | { readonly type: 'ping' }
  | { readonly type: 'pong' }
  | {
      readonly type: 'close';
      readonly code: number;
      readonly reason: string;
      readonly cursors: readonly ChannelCursor[];
    }
  | {
      readonly type: 'subscribe';
      readonly results: readonly SubscribedChannel[];
    }
  | {
      readonly type: 'unsubscribe';
      readonly results: readonly { readonly channel: string; readonly error?: Failure }[];
    }
  | Ack
  | {
      readonly type: 'history';
      readonly channel: string;
      readonly deliveries: readonly DeliverySlice[];
      readonly gaps: readonly Gap[];
      readonly cursor: Uint8Array;
      readonly more: boolean;
    }
  | SessionInfo
  | Nodes
  | {
      readonly type: 'user';
      /** A JSON object as text. */
      readonly answer: string;
    }
  | ({ readonly type: 'rpc' } & RpcAnswer)
  | SessionKept
  | SessionRestored
  | { readonly type: 'delivery'; readonly delivery: DeliverySlice }
  | { readonly type: 'signals'; readonly channel: string; readonly signals: readonly Signal[] }
  | Gap
  /** An answer; and, of itself, where the order has changed below what was delivered. */
  | ({ readonly type: 'document' } & DocumentState)
  | ({ readonly type: 'rebase' } & DocumentState)
  /** Of itself, to whoever is subscribed: what is unread has changed. */
  | ({ readonly type: 'notificationInfo'; readonly channel: string } & NotificationInfo)
  | ({ readonly type: 'notifications' } & NotificationPage)
  | {
      readonly type: 'presence';
      readonly channel: string;
      readonly members: readonly Member[];
      /** All that are present. */
      readonly count: number;
      readonly more: boolean;
    }
  /** Who is there now, or says something else of itself. `more`: changes that are not named, so the list is to be asked for anew. */
  | {
      readonly type: 'join';
      readonly channel: string;
      readonly members: readonly Member[];
      readonly count: number;
      readonly more: number;
    }
  | {
      readonly type: 'leave';
      readonly channel: string;
      readonly sessions: readonly string[];
      readonly count: number;
    }
  | { readonly type: 'occupancy'; readonly channel: string; readonly count: number }
  | { readonly type: 'error'; readonly error: Failure };

/** An entry as a client sees it, with the mark of its delivery. */
export interface DeliveredEntry {
  readonly channel: string;
  readonly entry: Entry;
  readonly late: boolean;
}

export interface DeliveredSignal {
  readonly channel: string;
  readonly timestamp: Timestamp;
  readonly actor?: string;
  readonly content: Content;
}

export interface SubscribedEvent extends Omit<SubscribedChannel, 'retained'> {
  readonly retained?: DeliveredEntry;
}

export interface SessionRestoredEvent extends Omit<SessionRestored, 'results'> {
  readonly results: readonly SubscribedEvent[];
}

/** What a client receives: the server's messages with the bytes decoded. */
export type ServerEvent =
  | Exclude<ServerMessage, { type: 'history' | 'delivery' | 'signals' | 'subscribe' | 'sessionRestored' }>
  | {
      readonly type: 'subscribe';
      readonly results: readonly SubscribedEvent[];
    }
  | SessionRestoredEvent
  | {
      readonly type: 'history';
      readonly channel: string;
      readonly entries: readonly DeliveredEntry[];
      readonly gaps: readonly Gap[];
      readonly cursor: Uint8Array;
      readonly more: boolean;
    }
  | {
      readonly type: 'delivery';
      readonly channel: string;
      readonly entries: readonly DeliveredEntry[];
      /** The reader's cursor after these entries; the JSON form only, protobuf readers advance their own. */
      readonly cursor?: Uint8Array;
    }
  | { readonly type: 'signals'; readonly channel: string; readonly signals: readonly DeliveredSignal[] };

export interface ServerEnvelope {
  readonly requestId: number;
  readonly event: ServerEvent;
}

/** A publish as a client writes it. */
export interface OutgoingPublish extends Omit<PublishMessage, 'content' | 'store' | 'retain' | 'push'> {
  readonly content: Content;
}

export type OutgoingMessage = Exclude<ClientMessage, PublishMessage> | OutgoingPublish;
