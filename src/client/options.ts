/** What a client may be told, and what it does untold. */
import { toBase64Url } from '../base/bytes.js';
import type { Level } from '../protocol/messages.js';
import type { Platform, WebSocketConstructor } from './platform.js';

export interface ConnectOptions {
  /** `http(s)://` or `ws(s)://` of one node, or of several: the next is tried when one cannot be reached. Nodes of a cluster
   *  tell of the others, which are tried first when one is lost. */
  readonly url: string | readonly string[];
  readonly hub?: string;
  /** A function is asked before every connection, and again when its token was refused. */
  readonly token?: string | (() => string | undefined | Promise<string | undefined>);
  /** Whether the session is kept by the nodes, and comes back after a lost connection as the same: false by default. The key of an
   *  earlier one, as `kept` told it, brings that back at first. */
  readonly restore?: boolean | string;
  /** A name this publisher keeps over restarts; without one every client is a publisher of its own. */
  readonly publisherId?: string;
  /** Must grow at each start of a publisher with a name; the clock by default. */
  readonly publisherEpoch?: number;
  /** How long a publish is retried. The server knows idempotency keys for at least five times the default. */
  readonly publishTimeoutMs?: number;
  /** Publishes on their way at once. */
  readonly windowMessages?: number;
  readonly windowBytes?: number;
  /** Publishes waiting or on their way; more are refused with QUEUE_FULL. */
  readonly queueMessages?: number;
  readonly queueBytes?: number;
  /** Entries a subscription holds for a reader that iterates; above it the reading pauses and nothing is lost. */
  readonly bufferEntries?: number;
  readonly bufferBytes?: number;
  readonly connectTimeoutMs?: number;
  readonly reconnectMinMs?: number;
  readonly reconnectMaxMs?: number;
  /** A connection on which something is unanswered and nothing arrives is asked for a sign of life after this long, … */
  readonly askAfterMs?: number;
  /** … and given up when there is none for this long after: the client goes on at the next node. Doubled, up to 8 s, where connections
   *  are given up again and again. */
  readonly silenceMs?: number;
  /** The most silence before a ping on a connection on which nothing is unanswered; what the server says, 25 s by default, is never
   *  exceeded. A reader that must hear soon that its node is gone sets less; each ping costs the node a little. */
  readonly heartbeatMs?: number;
  /** Instead of the global `WebSocket`. */
  readonly webSocket?: WebSocketConstructor;
  /** Clock, timers, chance and sockets, for tests. */
  readonly platform?: Platform;
}

export const defaults = {
  hub: 'default',
  publishTimeoutMs: 120_000,
  windowMessages: 512,
  windowBytes: 4_194_304,
  queueMessages: 10_000,
  queueBytes: 16_777_216,
  bufferEntries: 1_000,
  bufferBytes: 8_388_608,
  connectTimeoutMs: 10_000,
  reconnectMinMs: 100,
  reconnectMaxMs: 30_000,
  askAfterMs: 1_000,
  silenceMs: 2_000,
  heartbeatMs: 25_000,
  historyTimeoutMs: 30_000,
  closeTimeoutMs: 5_000,
} as const;

export type Limits = Readonly<Record<Exclude<keyof typeof defaults, 'hub'>, number>>;

/** Every number, told or not. */
export function limitsOf(options: ConnectOptions): Limits {
  return { ...defaults, ...options };
}

/** Without a name a client is a publisher of its own, at its first start. */
export function publisherOf({ publisherId, publisherEpoch }: ConnectOptions, platform: Platform) {
  return publisherId === undefined
    ? { id: toBase64Url(platform.random.bytes(12)), epoch: 1 }
    : { id: publisherId, epoch: publisherEpoch ?? Math.floor(platform.unixMs()) };
}

export interface PublishOptions {
  readonly event?: string;
  /** By default the one that fits the data: text, `application/json` or `application/octet-stream`. */
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>> | ReadonlyMap<string, string>;
  /** `false`: a signal, to whoever listens now. */
  readonly store?: boolean;
  readonly retain?: boolean;
  readonly push?: boolean;
  readonly signature?: Uint8Array;
  /** `memory` makes it a signal. */
  readonly level?: Level;
  readonly degrade?: boolean;
  /** Makes this publish the same as another one with the same key; by default each has its own. */
  readonly idempotencyKey?: string;
  readonly timeoutMs?: number;
}

/** Of `ringlog/people`. */
export interface DirectoryOptions {
  /** How long an answer may take, interruptions included: 30 s by default. */
  readonly timeoutMs?: number;
}
