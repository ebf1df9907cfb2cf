/** What the parent asks of a load process, and what comes back. */
import type { LatencySummary } from '../../src/cli/bench/latencies.js';

/** Whom the load talks to. */
export type Peer =
  | { readonly kind: 'ringlog'; readonly url: string; readonly signals?: boolean }
  | { readonly kind: 'ws'; readonly url: string };

interface Timed {
  readonly peer: Peer;
  /** Its processor time is read where the part that counts begins and ends. */
  readonly serverPid: number;
  readonly payloadBytes: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface PublishJob extends Timed {
  readonly type: 'publish';
  readonly inFlight: number;
  readonly connections: number;
  readonly perFrame: number;
  /** One for all connections, or each has its own. */
  readonly channels: 'shared' | 'own';
}

export interface FanOutJob extends Timed {
  readonly type: 'fan-out';
  readonly listeners: number;
  readonly pace: { readonly inFlight: number } | { readonly messagesPerSecond: number };
}

export type LoadJob = PublishJob | FanOutJob;

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
}
