/** What the ordering of a node of a cluster is made of. */
import type { ChannelRef, WriterId } from '../../base/ids.js';
import type { ChannelLog } from '../../log/channel-log.js';
import type { HybridClock } from '../../log/hybrid-clock.js';
import type { Replica } from '../../replication/replica.js';
import type { Delivery } from '../delivery.js';
import type { LogStore, Observer } from '../ports.js';
import type { GivingPorts } from './giving.js';
import type { Surroundings } from './surroundings.js';

export interface ReplicatedOptions {
  readonly ports: GivingPorts & { readonly observer: Observer };
  readonly store: LogStore;
  readonly writer: WriterId;
  readonly clock: HybridClock;
  readonly physicalMs: () => number;
  /** How long a home that is away keeps what it lacks from being trimmed. */
  readonly trimGraceMs: number;
  readonly delivery: Delivery;
  readonly surroundings: Surroundings;
  makeReplica(logOf: (ref: ChannelRef) => ChannelLog): Replica;
  flush(): void;
  readonly failed: (error: unknown) => void;
}
