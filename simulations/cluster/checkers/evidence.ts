/** What a checker is given: the record of what was seen, and the raw stores at the end. */
import type { RawDisk } from '../raw-disks.js';
import type { ClusterRecord } from '../record.js';
import type { RingsSeen } from '../rings-seen.js';
import type { ChannelOrder } from './channel-order.js';
import type { SeenFloors } from '../archive.js';
import type { StoreLog, StoredEntry } from './store-log.js';

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
  /** Of then, where they were not the same all the time. */
  readonly rings?: RingsSeen | undefined;
  /** They were not the same all the time. */
  readonly isRingChanging: boolean;
  /** Retention removed something in this run, or could have. */
  readonly isTrimming: boolean;
  /** Of each channel, in the store of its first home; what was trimmed has its place in it. */
  readonly orders: ReadonlyMap<string, ChannelOrder>;
  /** Every raising of floors that a store wrote down. */
  readonly raised: readonly SeenFloors[];
  /** Entries that came to a disk on which they were trimmed. */
  readonly again: readonly string[];
  /** What nodes wrote for themselves while all of them stopped, by channel and dot. */
  readonly lastOwn: ReadonlySet<string>;
  /** An entry that was ever synced anywhere. */
  readonly everAt: (channel: string, writer: string, seq: number) => StoredEntry | undefined;
  /** Channels in which all publishes are at quorum and not to be degraded. */
  readonly strict: ReadonlySet<string>;
  /** The right wall clock at the begin of the run. */
  readonly wallStartMs: number;
  /** Bytes that may wait in one connection. */
  readonly bufferedMost: number;
}

/** One sentence for each thing that does not hold. */
export type Checker = (evidence: Evidence) => Generator<string, void, undefined>;
