/** What the parent asks of a load process, and what comes back. */
import type { LatencySummary } from '../../src/cli/bench/latencies.js';
import type { ReplayReader } from './replay.js';

/** Whom the load talks to. */
export type Peer =
  | { readonly kind: 'ringlog'; readonly url: string; readonly signals?: boolean }
  | { readonly kind: 'ws' | 'redis' | 'nats'; readonly url: string };

interface Timed {
  /** Their processor time is read where the part that counts begins and ends. */
  readonly serverPids: readonly number[];
  readonly payloadBytes: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface PublishJob extends Timed {
  readonly type: 'publish';
  readonly peer: Peer;
  readonly inFlight: number;
  readonly connections: number;
  readonly perFrame: number;
  /** One for all connections, or each has its own. */
  readonly channels: 'shared' | 'own';
  /** By name, in place of a new one. */
  readonly channel?: string;
}

export interface FanOutJob extends Timed {
  readonly type: 'fan-out';
  readonly peer: Peer;
  /** Changes of a document, in place of plain publishes. */
  readonly document?: boolean;
  readonly listeners: number;
  readonly pace: { readonly inFlight: number } | { readonly messagesPerSecond: number };
}

/** Publishes a known number of entries to channels `<name>-0` and up, in turn. */
export interface FillJob {
  readonly type: 'fill';
  readonly url: string;
  readonly name: string;
  readonly channels: number;
  readonly entries: number;
  readonly perFrame: number;
  readonly inFlight: number;
  readonly payloadBytes: number;
}

/** Changes a document of 60 KB. */
export interface PatchJob extends Timed {
  readonly type: 'patch';
  readonly url: string;
  readonly inFlight: number;
}

/** Changes a document that is there a known number of times. */
export interface FillDocumentJob {
  readonly type: 'fill-document';
  readonly url: string;
  readonly channel: string;
  readonly changes: number;
  readonly perFrame: number;
  readonly inFlight: number;
  readonly payloadBytes: number;
}

/** Listens to so many channels beside those it listens to, and publishes to each once. */
export interface ManyJob {
  readonly type: 'many';
  readonly url: string;
  readonly kind: 'plain' | 'documents';
  readonly channels: number;
  readonly payloadBytes: number;
}

/** Reads `<name>-0` from its beginning. */
export interface ReplayJob {
  readonly type: 'replay';
  readonly url: string;
  readonly serverPids: readonly number[];
  readonly name: string;
  readonly entries: number;
  readonly reader: ReplayReader;
}

/** Opens connections that do nothing, beside those that are open; nought closes all. */
export interface IdleJob {
  readonly type: 'idle';
  readonly peer: Peer;
  readonly connections: number;
  /** One for all, or each has its own. */
  readonly channels: 'shared' | 'own';
}

/** So many in one channel who follow who is there, and then so many more who come and go, one after another. */
export interface PresenceJob {
  readonly type: 'presence';
  readonly url: string;
  readonly serverPid: number;
  readonly channel: string;
  readonly members: number;
  readonly joins: number;
}

export type TimedJob = PublishJob | FanOutJob | PatchJob;
export type LoadJob = TimedJob | FillJob | FillDocumentJob | ManyJob | ReplayJob | IdleJob | PresenceJob;

export interface LoadReport {
  /** Acknowledged publishes, or deliveries. */
  readonly operations: number;
  readonly seconds: number;
  readonly operationsInAll: number;
  /** What was really under way, or the messages that were delivered. */
  readonly inFlight: number;
  readonly latencies?: LatencySummary;
  readonly loadSeconds: number;
  /** Where they can be read. */
  readonly serverSeconds?: number;
  readonly machineSeconds?: number;
  /** What else it found, by name. */
  readonly values?: Readonly<Record<string, number>>;
}
