/** What a store is given, and what it is made of. */
import type { StoreId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import type { Clock, Observer } from '../engine/ports.js';
import type { Timestamp } from '../log/entry.js';
import { timestampFromUnixMs } from '../log/timestamp.js';
import type { Applier } from './applier.js';
import type { Files, Lock } from './files.js';
import type { KeyValue } from './key-value.js';
import type { StoreMigration } from './migrate.js';
import type { SegmentWriter } from './segment-writer.js';
import type { SegmentSet } from './segments.js';
import type { SpaceWatch } from './space.js';
import type { StoreIndex } from './store-index.js';

export interface LogStoreOptions {
  /** The data directory, absolute: `store/` and `lock` in it are the store's. */
  readonly directory: string;
  readonly files: Files;
  /** Makes a handle, not open yet, on the index in `store/index`. */
  readonly openIndex: () => KeyValue;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly random: Random;
  /** This node is the only home of all its channels: an entry is committed as soon as it is synced. */
  readonly soleHome: boolean;
  /** Steps for stores of older formats: `migrations/store/`. */
  readonly migrations?: readonly StoreMigration[];
  /** A segment takes commits up to this size. */
  readonly segmentBytes?: number;
  /** Part of the volume in use from which on new publishes are refused. */
  readonly fullAtRatio?: number;
  /** However full the volume is: with this much left it is not short. */
  readonly plentyBytes?: number;
  /** Kept free for trims and notes. */
  readonly reserveBytes?: number;
  /** Channels kept in memory although nobody has them open. */
  readonly idleChannelsMax?: number;
}

/** What a store is made of. */
export interface StoreParts {
  readonly storeId: StoreId;
  readonly lineage: string;
  readonly options: Required<LogStoreOptions>;
  readonly lock: Lock;
  readonly segments: SegmentSet;
  readonly index: StoreIndex;
  readonly applier: Applier;
  readonly writer: SegmentWriter;
  readonly space: SpaceWatch;
  readonly notes: Map<string, Uint8Array>;
}

export function storeDirectory({ directory }: Pick<LogStoreOptions, 'directory'>): string {
  return `${directory}/store`;
}

/** Idempotency keys older than this are never asked for. */
export function keysSince(unixMs: number): Timestamp {
  return timestampFromUnixMs(Math.floor(unixMs - 2 * limits.idempotencyWindowMs));
}
