/** What a simulated node or reader sees of its world. */
import type { ChannelRef, Dot, NodeId } from '../../src/base/ids.js';
import type { Trim, Vector } from '../../src/log/entry.js';
import type { Random } from '../../src/base/random.js';
import type { ChannelLog } from '../../src/log/channel-log.js';
import type { RunSummary } from '../../src/log/run.js';
import type { Allowance } from '../../src/replication/budgets.js';
import type { Effect } from '../../src/replication/effects.js';
import type { HomeSet } from '../../src/replication/quorum.js';
import type { Replica } from '../../src/replication/replica.js';
import type { Trace } from '../cluster/trace.js';
import type { Network } from './network.js';
import type { Oracle } from './oracle.js';

export const noStats = () => ({
  seeds: 0,
  entries: 0,
  claims: 0,
  commits: 0,
  acksQuorum: 0,
  acksOwner: 0,
  indeterminate: 0,
  refused: 0,
  degraded: 0,
  deliveries: 0,
  late: 0,
  crashes: 0,
  losses: 0,
  duels: 0,
  duelsSteered: 0,
  duelLosses: 0,
  lies: 0,
  nags: 0,
  askedTooOften: 0,
  alarms: 0,
  lostHeads: 0,
  rollbacks: 0,
  renewals: 0,
  caughtUp: 0,
  repeats: 0,
  fetches: 0,
  fetched: 0,
  fetchedLost: 0,
  trims: 0,
  raised: 0,
  adopted: 0,
  gaps: 0,
  healRounds: 0,
  learned: 0,
  scrubs: 0,
  scrubFindings: 0,
});
export type Stats = ReturnType<typeof noStats>;

/** A node as its world sees it. */
export interface NodeView {
  readonly id: NodeId;
  readonly index: number;
  readonly replica: Replica;
  touch(ref: ChannelRef): void;
  /** How often its disk was lost. */
  readonly losses: number;
  log(ref: ChannelRef): ChannelLog;
  /** The highest in force at any time since its disk is there. */
  floors(ref: ChannelRef): Vector;
}

export interface Surroundings {
  readonly now: number;
  readonly stats: Stats;
  /** Of its own, so that comparing changes nothing of what is drawn for all else. */
  readonly scrubChance: Random;
  /** Who lies, where somebody does: alarms have a reason. */
  readonly liar: NodeView | undefined;
  /** What one peer is given for its questions, beside what is by what is held. */
  readonly given: Allowance;
  /** Told of what goes wrong on purpose. */
  readonly alarmsMeant: Set<string>;
  /** Both ends of its links learn that they can reach each other. */
  connect(node: NodeView): void;
  readonly oracle: Oracle;
  readonly network: Network;
  readonly trace: Trace;
  readonly nodes: readonly NodeView[];
  readonly sets: readonly HomeSet[];
  readonly intervals: readonly string[];
  readonly refs: readonly ChannelRef[];
  integer(below: number): number;
  chance(probability: number): boolean;
  newId(digits: number): string;
  intervalOf(ref: ChannelRef): string;
  claimed(node: NodeView, interval: string): void;
  committed(node: NodeView, ref: ChannelRef, dot: Dot, from: number, to: number): void;
  stored(node: NodeView, bytes: Uint8Array, run: RunSummary): void;
  /** A home writes down that the floors of a channel are these. */
  raised(node: NodeView, ref: ChannelRef, trim: Trim): void;
  fetched(node: NodeView, effect: Extract<Effect, { type: 'fetched' }>): void;
  /** A home says that no home has it, for good. */
  lost(ref: ChannelRef, dot: Dot): void;
  told(node: NodeView, outcome: Extract<Effect, { type: 'outcome' }>): void;
}
