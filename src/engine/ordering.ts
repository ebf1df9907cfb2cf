/** What decides how entries are stamped, and when they are acknowledged and delivered: a node alone does so by itself
 *  (alone.ts), one of a cluster with the other homes (replicated.ts). */
import type { ChannelRef, Dot, WriterId } from '../base/ids.js';
import type { LostRange } from '../log/entry.js';
import type { RunSummary } from '../log/run.js';
import type { ActiveChannel } from './active-channel.js';
import type { Acting } from './cluster/neighbours.js';
import type { Pending } from './pending.js';

/** How the next entry of a channel is stamped. */
export type Stamping =
  /** `degraded`: without a claim; `owner` is what an ack may say. */
  | {
      readonly as: 'owner' | 'degraded';
      readonly round: number;
      readonly parents: readonly Dot[] | undefined;
    }
  /** Not known yet: `Committer.resume` says when to ask again. */
  | { readonly as: 'wait' }
  /** Another node stamps here. */
  | { readonly as: 'elsewhere' };

/** What goes into a commit beside what is stamped here. */
export interface Companion {
  readonly token: number;
  /** In this order. */
  readonly runs: readonly ForeignRun[];
  /** Behind all others: entries that could not be read, to be stored again. */
  readonly repairs: readonly ForeignRun[];
  readonly notes: ReadonlyMap<string, Uint8Array>;
}

/** A run that another node stamped: `run.offset` is its place in `bytes`. */
export interface ForeignRun {
  readonly bytes: Uint8Array;
  readonly run: RunSummary;
  /** Entries it stands on which were given up. */
  readonly lost?: readonly LostRange[];
}

/** What was stamped in one channel for one commit. */
export interface Stamped {
  readonly channel: ActiveChannel;
  /** Those that were taken: entries of the run, and repeats of earlier ones. */
  readonly items: readonly Pending[];
  readonly run: RunSummary | undefined;
}

/** Fetching what a cursor names and this node lacks. */
export type Fetched =
  | { readonly type: 'held' }
  /** No home has these any more. */
  | { readonly type: 'lost'; readonly dots: readonly Dot[] }
  /** Not all homes could be asked. */
  | { readonly type: 'unknown' };

export interface Ordering {
  /** This incarnation as an appender. */
  readonly writer: WriterId;
  /** Something beside publishes waits for a commit. */
  readonly hasWork: boolean;

  /** Who stamps in a channel. */
  acting(ref: ChannelRef): Acting;
  /** Whether this node holds the channel's log. */
  isHome(ref: ChannelRef): boolean;
  /** The channel's log came into memory. */
  loaded(channel: ActiveChannel): void;
  /** Clients use it from now on; until then it was in memory for other nodes. */
  used(channel: ActiveChannel): void;
  /** Waits a moment for what is held and not known to be committed; nothing where all is. */
  known(channel: ActiveChannel): Promise<void> | undefined;
  /** Whether it may leave. */
  release(channel: ActiveChannel): boolean;

  cut(): Companion | undefined;
  stamping(channel: ActiveChannel): Stamping;
  /** Position up to which something of a channel may be removed now; 0 where that is not this node's to do. Forced: homes
   *  that are away are not waited for. */
  trimLimit(channel: ActiveChannel, isForced: boolean): number;
  /** `items` are not written here, and wait for nothing any more. */
  elsewhere(channel: ActiveChannel, items: readonly Pending[]): void;
  /** `channel` is to be tried again later. */
  waits(channel: ActiveChannel): void;
  /** The commit is built and goes to the disk now; `bytes` is valid until the next one is built. */
  built(stamped: readonly Stamped[], bytes: Uint8Array): void;
  /** It is durable and applied to the logs. */
  synced(stamped: readonly Stamped[], bytes: Uint8Array, companion: Companion | undefined): void;

  /** Brings what readers had elsewhere. */
  fetch(ref: ChannelRef, dots: readonly Dot[]): Promise<Fetched>;
  stop(): void;
}
