/** Which versions of the ring nodes went by, and when: what was acknowledged is held against the homes of then. */
import { channelPosition } from '../../src/cluster/ring-position.js';
import { type Interval, RingTable } from '../../src/cluster/ring-table.js';
import { type ClusterId, type Ring, appendQuorum, replicaCount } from '../../src/cluster/ring.js';
import type { RingStatus } from '../../src/engine/cluster/ring-status.js';
import { refOf } from './places.js';

/** One node by one version. It was looked at now and then: it may have begun at any time since the last look before. */
interface Span {
  readonly digest: string;
  readonly table: RingTable;
  readonly fromMs: number;
  toMs: number;
}

export class RingsSeen {
  readonly #virtualNodes: number;
  readonly #cluster: ClusterId;
  /** By node. */
  readonly #spans = new Map<string, Span[]>();
  /** When the processes of nodes that are down ended. */
  readonly #ended = new Map<string, number>();
  readonly #tables = new Map<string, RingTable>();
  readonly #names: ReadonlyMap<string, string>;

  /** `names` of nodes, by their ids. */
  constructor(cluster: ClusterId, virtualNodes: number, names: ReadonlyMap<string, string>) {
    this.#cluster = cluster;
    this.#virtualNodes = virtualNodes;
    this.#names = names;
  }

  /** Its process is gone: it goes by nothing until it is looked at again. */
  ended(node: string, nowMs: number): void {
    const last = this.#spans.get(node)?.at(-1);
    if (last) last.toMs = nowMs;
    this.#ended.set(node, nowMs);
  }

  /** Whether a look at this node now could tell anything new. */
  isDue(node: string, nowMs: number): boolean {
    return (this.#spans.get(node)?.at(-1)?.toMs ?? -Infinity) < nowMs;
  }

  /** What a node goes by now. A ring of its own, before it is one of the cluster, is none that anything is stored by. */
  saw(node: string, status: RingStatus, nowMs: number): void {
    if (status.cluster !== this.#cluster) return;
    const { digest } = status;
    const spans = this.#spans.get(node) ?? [];
    this.#spans.set(node, spans);
    const last = spans.at(-1);
    const endedMs = this.#ended.get(node);
    this.#ended.delete(node);
    if (last && endedMs === undefined) last.toMs = nowMs;
    if (last?.digest === digest && endedMs === undefined) return;
    const fromMs = endedMs ?? last?.toMs ?? 0;
    spans.push({ digest, table: this.#tableOf(status), fromMs, toMs: nowMs });
  }

  /** Whether these nodes were enough of a channel's homes, by a version that somebody went by in that time. */
  isQuorum(channel: string, nodes: Iterable<string>, fromMs: number, toMs: number): boolean {
    const names = new Set(nodes);
    return this.#intervals(channel, fromMs, toMs).some((interval) =>
      setsOf(interval).every(
        (homes) =>
          homes.filter((home) => names.has(this.#names.get(home) ?? '')).length >= appendQuorum(homes.length),
      ),
    );
  }

  /** The fewest disks that were enough by a version of that time. */
  leastQuorum(channel: string, fromMs: number, toMs: number): number {
    return Math.min(
      ...this.#intervals(channel, fromMs, toMs).map((interval) =>
        Math.max(...setsOf(interval).map(({ length }) => appendQuorum(length))),
      ),
    );
  }

  /** How many homes a channel had, by versions that were not about to change. */
  get homeCounts(): ReadonlySet<number> {
    const settled = [...this.#tables.values()].filter(({ ring }) => !ring.change);
    return new Set(settled.map(({ ring }) => replicaCount(ring.replicas, ring.members.length)));
  }

  /** Names of the homes, by each version of that time. */
  homesAt(channel: string, atMs: number): readonly (readonly string[])[] {
    return this.#intervals(channel, atMs, atMs).map(({ homes }) =>
      homes.flatMap((home) => this.#names.get(home) ?? []),
    );
  }

  #intervals(channel: string, fromMs: number, toMs: number): Interval[] {
    const tables = new Set<RingTable>();
    for (const [node, spans] of this.#spans)
      for (const [i, span] of spans.entries()) {
        // Not looked at since: it may go on.
        const isLast = i === spans.length - 1 && !this.#ended.has(node);
        if (span.fromMs <= toMs && (isLast || span.toMs >= fromMs)) tables.add(span.table);
      }
    const position = channelPosition(refOf(channel));
    return [...tables].map((table) => table.intervalOf(position));
  }

  #tableOf({ digest, version, replicas, members, change }: RingStatus): RingTable {
    const known = this.#tables.get(digest);
    if (known) return known;
    const ring: Ring = {
      cluster: this.#cluster,
      version,
      replicas,
      virtualNodes: this.#virtualNodes,
      members,
      ...(change && {
        change: {
          kind: change.kind,
          phase: change.phase,
          replicas: change.replicas,
          since: change.since,
        },
      }),
      lineage: [],
    };
    const table = new RingTable(ring);
    this.#tables.set(digest, table);
    return table;
  }
}

/** The sets of homes of which each must have enough. */
function setsOf(interval: Interval): readonly (readonly string[])[] {
  return interval.state === 'joint' ? [interval.homes, interval.nextHomes] : [interval.homes];
}
