/** The others, as the ordering of one of them sees them. */
import type { ChannelRef, Dot, NodeId } from '../../base/ids.js';
import type { RunSummary } from '../../log/run.js';
import type { Frame } from '../../replication/messages.js';
import type { Attached } from './attached.js';
import type { Cluster } from './cluster.js';
import type { Acting } from './neighbours.js';
import type { Fetched } from '../ordering.js';
import type { PendingPublish } from '../pending.js';

/** What a node of a cluster knows of the others. */
export interface Surroundings {
  /** The interval a channel lies in, where this node holds it, for its own readers or not yet. */
  heldInterval(ref: ChannelRef): string | undefined;
  /** Whether readers find the channel here. */
  isHome(ref: ChannelRef): boolean;
  /** Whether the log in memory is that of another home. */
  isMirrored(ref: ChannelRef): boolean;
  acting(ref: ChannelRef): Acting;
  sendFrame(to: NodeId, frame: Frame): void;
  /** Who acts may have changed. */
  rerouted(): void;
  /** Writes what was to be sent. */
  flush(): void;
  recovering(interval: string, isRecovering: boolean): void;
  /** All that was committed before the change under way is held here. */
  gathered(interval: string): void;
  ringBehind(version: number, peer: NodeId): void;
  /** Publishes that are not this node's to write. */
  giveBack(pending: PendingPublish, ref: ChannelRef): void;
  /** For those who follow the channel from elsewhere. `bytes` are the caller's. */
  synced(ref: ChannelRef, run: RunSummary, bytes: Uint8Array): void;
  committed(ref: ChannelRef, dot: Dot): void;
  tip(ref: ChannelRef, dot: Dot): void;
  isFollowed(ref: ChannelRef): boolean;
  /** Makes a channel followed elsewhere hold these. */
  fetch(ref: ChannelRef, dots: readonly Dot[]): Promise<Fetched>;
}

/** What is said of channels goes to the incarnation that is there by then. */
export function surroundingsOf(cluster: Cluster): Surroundings {
  const attached = (): Attached | undefined => cluster.attached;
  return {
    heldInterval: (ref) => cluster.heldInterval(ref),
    isHome: (ref) => cluster.isHome(ref),
    isMirrored: (ref) => attached()?.isMirrored(ref) === true,
    acting: (ref) => cluster.acting(ref),
    sendFrame: (to, frame) => cluster.sendFrame(to, frame),
    rerouted: () => attached()?.rerouted(),
    flush: () => cluster.flush(),
    recovering: (interval, isRecovering) => cluster.recovering(interval, isRecovering),
    gathered: (interval) => cluster.gathered(interval),
    ringBehind: (version, peer) => cluster.ringBehind(version, peer),
    giveBack: (pending, ref) => attached()?.giveBack(pending, ref),
    synced: (ref, run, bytes) => attached()?.synced(ref, run, bytes),
    committed: (ref, dot) => attached()?.committed(ref, dot),
    tip: (ref, dot) => attached()?.tip(ref, dot),
    isFollowed: (ref) => attached()?.isFollowed(ref) === true,
    fetch: async (ref, dots) => (await attached()?.fetch(ref, dots)) ?? { type: 'unknown' },
  };
}
