/** Durable publishes acknowledged by a majority of three nodes, beside one node alone: what the others cost. Processor time is
 *  that of all three together: where they share few processors it bounds the rate, and other programs change it less. */
import { join } from 'node:path';
import type { PublishJob } from '../load/jobs.js';
import { RinglogCluster } from '../processes/ringlog-cluster.js';
import { RinglogNode } from '../processes/ringlog-node.js';
import { Worker } from '../processes/worker.js';
import { latencyColumns, notesColumn, rateColumns } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import type { BenchContext, OpenSuite, Run, Suite } from './suite.js';
import { type Load, type Timed, timed } from './timed.js';

const inFlights = [1, 64, 512] as const;
const one = 'one node';
const atOwner = 'three, at the owner';
const atAnother = 'three, at another';
const targets = [one, atOwner, atAnother] as const;
type Target = (typeof targets)[number];
const warmMs = 15_000;

const cellOf = (inFlight: number): string => `${inFlight} in flight, 1 connection`;

export const clusterSuite: Suite = {
  name: 'cluster',
  title: 'Durable publishes, acknowledged by two of three nodes',
  columns: [...rateColumns('acks'), ...latencyColumns, notesColumn],
  open: (context) => ClusterSuite.open(context),
};

class ClusterSuite implements OpenSuite {
  readonly runs: readonly Run[];
  readonly #context: BenchContext;
  readonly #alone: RinglogNode;
  readonly #cluster: RinglogCluster;
  readonly #load: Load;

  static async open(context: BenchContext): Promise<ClusterSuite> {
    const { affinity, directory } = context;
    const alone = await RinglogNode.start({ dataPath: join(directory, 'alone'), processor: affinity.server });
    try {
      const cluster = await RinglogCluster.start({ directory: join(directory, 'three'), affinity });
      const suite = new ClusterSuite(context, alone, cluster);
      await suite.#warmUp();
      return suite;
    } catch (error) {
      await alone.stop();
      throw error;
    }
  }

  private constructor(context: BenchContext, alone: RinglogNode, cluster: RinglogCluster) {
    this.#context = context;
    this.#alone = alone;
    this.#cluster = cluster;
    this.#load = Worker.start('load/load-process', { processor: context.affinity.load });
    this.runs = inFlights.flatMap((inFlight) =>
      targets.map((target) => ({
        cell: cellOf(inFlight),
        target,
        sample: () => this.#sample(target, inFlight),
      })),
    );
  }

  /** One publish after the other, on either side for as long: what goes from node to node runs once for each, however many are in
   *  flight, and takes three times as long before it is compiled as after it. A node that serves has done so for more than seconds. */
  async #warmUp(): Promise<void> {
    const measureMs = this.#context.quick ? this.#context.measureMs : warmMs;
    this.#context.progress(`warming up: ${((targets.length * measureMs) / 1_000).toFixed(0)} s`);
    for (const target of targets) await this.#sample(target, 1, measureMs);
  }

  async #sample(
    target: Target,
    inFlight: number,
    measureMs: number = this.#context.measureMs,
  ): Promise<Sample> {
    const { payloadBytes, warmUpMs } = this.#context;
    const job = { type: 'publish', inFlight, connections: 1, perFrame: 1, channels: 'shared' } as const;
    const timing = { payloadBytes, warmUpMs, measureMs };
    if (target === one)
      return (await timed(this.#load, this.#jobTo(this.#alone, { ...job, ...timing }), this.#alone)).sample;
    const { first, nodes } = this.#cluster;
    const channel = await this.#cluster.channelOrderedBy(target === atOwner ? 'first' : 'another');
    const measured: Timed[] = [];
    const deaths = await this.#cluster.deathsWhile(async () => {
      measured.push(await timed(this.#load, this.#jobTo(first, { ...job, ...timing, channel }), ...nodes));
    });
    const { report, sample } = measured[0]!;
    const acks = report.operationsInAll;
    const stored = (await this.#cluster.storedOf(channel, acks + 1)) - 1;
    return { ...sample, values: { acks, stored, deaths } };
  }

  #jobTo(node: RinglogNode, job: Omit<PublishJob, 'peer' | 'serverPids'>): Omit<PublishJob, 'serverPids'> {
    return { ...job, peer: { kind: 'ringlog', url: node.url } };
  }

  goals(rows: Rows): Goal[] {
    const goals: Goal[] = [];
    const cell = cellOf(1);
    const [ours, alone] = [rows.p50Ms(cell, atOwner), rows.p50Ms(cell, one)];
    if (ours !== undefined && alone !== undefined) {
      const name = `quorum, 1 in flight: p50 beside ${one}`;
      goals.push({ name, value: ours / alone, bound: 3, sense: 'at most', unit: '×' });
    }
    for (const inFlight of inFlights.filter((each) => each > 1)) {
      const [three, single] = [atOwner, one].map((target) => rows.rate(cellOf(inFlight), target));
      if (three === undefined || single === undefined) continue;
      const name = `quorum, ${inFlight} in flight: beside ${one}`;
      const [ourCost, itsCost] = [atOwner, one].map((target) =>
        rows.perProcessorSecond(cellOf(inFlight), target),
      );
      const isKnown = ourCost !== undefined && itsCost !== undefined;
      goals.push({
        name,
        value: three / single,
        bound: 0.4,
        sense: 'at least',
        unit: '×',
        ...(isKnown && { perProcessorSecond: ourCost / itsCost }),
      });
    }
    return goals;
  }

  /** What two acknowledged the third gets too, and each store holds it; however busy they are, none is taken for dead. */
  problems(rows: Rows): string[] {
    return inFlights.flatMap((inFlight) =>
      [atOwner, atAnother].flatMap((target) =>
        rows.samples(cellOf(inFlight), target).flatMap(({ values }) => {
          const { acks = 0, stored = 0, deaths = 0 } = values ?? {};
          const name = `${cellOf(inFlight)}, ${target}`;
          return [
            ...(stored < acks ? [`${name}: ${acks} acks, but a node stored ${stored} entries`] : []),
            ...(deaths > 0 ? [`${name}: live nodes were taken for dead, ${deaths} times`] : []),
          ];
        }),
      ),
    );
  }

  async close(): Promise<void> {
    await Promise.all([this.#load.stop(), this.#alone.stop(), this.#cluster.stop()]);
  }
}
