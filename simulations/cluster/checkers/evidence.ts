/** What a checker is given: the record of what was seen, and the raw stores at the end. */
import type { RawDisk } from '../raw-disks.js';
import type { ClusterRecord } from '../record.js';
import type { ChannelOrder } from './channel-order.js';
import type { StoreLog } from './store-log.js';

export interface Evidence {
  readonly record: ClusterRecord;
  /** Of every node, stopped. */
  readonly stores: readonly StoreLog[];
  /** What each store tells of its channels, by node and channel: in hex. */
  readonly digests: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** What was ever synced on which disk, the lost ones included. */
  readonly disks: readonly RawDisk[];
  /** The stores that must hold the channel. */
  readonly homesOf: (channel: string) => readonly StoreLog[];
  /** Of each channel, in the store of its first home. */
  readonly orders: ReadonlyMap<string, ChannelOrder>;
  /** Channels in which all publishes are at quorum and not to be degraded. */
  readonly strict: ReadonlySet<string>;
  /** The right wall clock at the begin of the run. */
  readonly wallStartMs: number;
  /** Bytes that may wait in one connection. */
  readonly bufferedMost: number;
}

/** One sentence for each thing that does not hold. */
export type Checker = (evidence: Evidence) => Generator<string, void, undefined>;
