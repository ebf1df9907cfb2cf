/** When a change of the ring may take its next step: who reported what under which version, and how long the others are
 *  waited for. Voters take turns, so that two rarely propose at the same time. */
import type { NodeId } from '../base/ids.js';
import { type ChangeProgress, changeProgress } from './ring-change.js';
import { ringDigest } from './ring-codec.js';
import type { RingReport } from './ring-messages.js';
import type { RingTable } from './ring-table.js';
import { type RingDigest, votersOf } from './ring.js';

export interface NodeProgress {
  readonly version: number;
  /** Of the ring it goes by: another cluster's may have the same version. */
  readonly digest: RingDigest;
  readonly intervals: number;
  readonly left: number;
}

/** Enough are ready, and a home that can be reached is not: it is waited for, so that all copies are there at the end. */
const waitReachableMs = 60_000;
/** The same for one that cannot be reached: it may be back soon. */
const waitUnreachableMs = 5_000;
/** A voter leaves the step to those before it for so long. */
const turnMs = 200;

export class RingSteps {
  readonly #self: NodeId;
  readonly #reports = new Map<NodeId, NodeProgress>();
  #table: RingTable;
  #digest: RingDigest;
  #since: number;
  #progress: ChangeProgress | undefined;
  #readySince: number | undefined;

  constructor(self: NodeId, table: RingTable, now: number) {
    this.#self = self;
    this.#table = table;
    this.#digest = ringDigest(table.ring);
    this.#since = now;
  }

  use(table: RingTable, now: number): void {
    this.#table = table;
    this.#digest = ringDigest(table.ring);
    this.#since = now;
    this.#progress = undefined;
    this.#readySince = undefined;
    for (const { node } of table.ring.members) this.#keep(node);
  }

  /** Reports of an earlier version say nothing any more. */
  #keep(node: NodeId): void {
    const report = this.#reports.get(node);
    if (report && report.version < this.#table.ring.version) this.#reports.delete(node);
  }

  reported(node: NodeId, { version, digest, intervals, left }: Pick<RingReport, keyof NodeProgress>): void {
    if (version < this.#table.ring.version) return;
    const wasReady = this.progressOf(node)?.left === 0;
    this.#reports.set(node, { version, digest, intervals, left });
    // A node reports each interval it has gathered; only all of them are a step for the change.
    if (wasReady !== (left === 0)) this.#progress = undefined;
  }

  progressOf(node: NodeId): NodeProgress | undefined {
    const report = this.#reports.get(node);
    return report?.digest === this.#digest ? report : undefined;
  }

  ready(): ReadonlySet<NodeId> {
    const nodes = [...this.#reports.keys()];
    return new Set(nodes.filter((node) => this.progressOf(node)?.left === 0));
  }

  /** How far the change under way is; nothing is kept where there is none. */
  progress(): ChangeProgress | undefined {
    if (!this.#table.ring.change) return undefined;
    return (this.#progress ??= changeProgress(this.#table, this.ready()));
  }

  /** When this node should propose the next step; Infinity: not as things are. */
  stepAt(reachable: ReadonlySet<NodeId>, now: number): number {
    const turn = this.turn(reachable);
    const progress = turn === undefined ? undefined : this.progress();
    if (turn === undefined || !progress || progress.short > 0) return Infinity;
    const missing = progress.waitingFor;
    if (missing.length === 0) this.#readySince ??= now;
    const waitMs = missing.some((node) => reachable.has(node)) ? waitReachableMs : waitUnreachableMs;
    const from = missing.length === 0 ? this.#readySince! : this.#since + waitMs;
    return from + turn * turnMs;
  }

  /** How many voters that can be reached come before this one; `undefined` for a node that is none. */
  turn(reachable: ReadonlySet<NodeId>): number | undefined {
    const voters = votersOf(this.#table.ring);
    if (!voters.includes(this.#self)) return undefined;
    return voters.filter((node) => node < this.#self && reachable.has(node)).length;
  }
}
