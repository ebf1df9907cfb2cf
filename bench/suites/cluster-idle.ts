/** Clients that do nothing, each subscribed to a channel, over three nodes: how many there are before a node is beyond its memory. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { residentBytes } from '../processes/processor-time.js';
import { RinglogCluster } from '../processes/ringlog-cluster.js';
import { Worker } from '../processes/worker.js';
import { notesColumn, valueColumn } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import { formatRate, mebibytes } from '../report/text.js';
import type { BenchContext, OpenSuite, Run, Suite } from './suite.js';
import type { Load } from './timed.js';

/** Of each node. */
const memoryMax = 512 * 1_048_576;
const target = 'three nodes';
/** At each node, before memory is looked at again. */
const step = 1_000;
const settleMs = 2_000;

export const clusterIdleSuite: Suite = {
  name: 'cluster-idle',
  title: 'Idle clients over three nodes',
  columns: [
    valueColumn('clients', 'clients', formatRate),
    valueColumn('largest MiB', 'largest', mebibytes),
    valueColumn('before MiB', 'before', mebibytes),
    valueColumn('connects/s', 'connects', formatRate),
    notesColumn,
  ],
  open: (context) => ClusterIdleSuite.open(context),
};

class ClusterIdleSuite implements OpenSuite {
  readonly runs: readonly Run[];
  readonly #cluster: RinglogCluster;
  /** One for each node: a process has only so many descriptors. */
  readonly #loads: readonly Load[];
  readonly #most: number;
  readonly #cell: string;

  static async open({ affinity, directory, quick }: BenchContext): Promise<ClusterIdleSuite> {
    const cluster = await RinglogCluster.start({ directory: join(directory, 'three'), affinity });
    const loads = cluster.nodes.map((): Load =>
      Worker.start('load/load-process', { processor: affinity.load }),
    );
    return new ClusterIdleSuite(cluster, loads, quick ? 3_000 : 48_000);
  }

  private constructor(cluster: RinglogCluster, loads: readonly Load[], most: number) {
    this.#cluster = cluster;
    this.#loads = loads;
    this.#most = most;
    this.#cell = `up to ${most} clients, one channel, nodes of 512 MiB`;
    this.runs = [{ cell: this.#cell, target, sample: () => this.#sample() }];
  }

  async #sample(): Promise<Sample | undefined> {
    const before = this.#largest();
    if (before === undefined) return undefined;
    let largest = before;
    let clients = 0;
    const begun = performance.now();
    let pausedMs = 0;
    while (clients < this.#most) {
      await this.#connect(step);
      await pause(settleMs);
      pausedMs += settleMs;
      const now = this.#largest()!;
      if (now > memoryMax) break;
      largest = now;
      clients += this.#loads.length * step;
    }
    const took = (performance.now() - begun - pausedMs) / 1_000;
    await this.#connect(0);
    return { values: { clients, largest, before, connects: clients / took } };
  }

  async #connect(connections: number): Promise<void> {
    await Promise.all(
      this.#loads.map((load, i) => {
        const peer = { kind: 'ringlog', url: this.#cluster.nodes[i]!.url } as const;
        return load.do({ type: 'idle', peer, connections, channels: 'shared' });
      }),
    );
  }

  /** What the node takes that takes most. */
  #largest(): number | undefined {
    const all = this.#cluster.nodes.map(({ pid }) => residentBytes(pid));
    return all.includes(undefined) ? undefined : Math.max(...(all as number[]));
  }

  goals(rows: Rows): Goal[] {
    const clients = rows.median(this.#cell, target, ({ values }) => values?.['clients']);
    if (clients === undefined || this.#most < 45_000) return [];
    const name = 'idle clients of three nodes of 512 MiB each';
    return [{ name, value: clients, bound: 45_000, sense: 'at least', unit: 'clients' }];
  }

  problems(): string[] {
    return [];
  }

  async close(): Promise<void> {
    await Promise.all([...this.#loads.map((load) => load.stop()), this.#cluster.stop()]);
  }
}
