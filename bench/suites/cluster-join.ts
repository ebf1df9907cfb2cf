/** An empty node that joins three that hold many channels: what a publish takes before and meanwhile, and how long what moves. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { RinglogCluster } from '../processes/ringlog-cluster.js';
import type { RinglogNode } from '../processes/ringlog-node.js';
import { Worker } from '../processes/worker.js';
import { latencyColumns, notesColumn, rateColumns, valueColumn } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import { type Rows, median } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import { plain, seconds } from '../report/text.js';
import type { BenchContext, OpenSuite, Run, Suite } from './suite.js';
import { type Load, timed } from './timed.js';

const inFlight = 64;
const before = 'before';
const meanwhile = 'while a fourth joins';
const after = 'after';
/** Each look costs the nodes something. */
const pollMs = 100;
const limitMs = 900_000;
const fillLimitMs = 1_800_000;

export const clusterJoinSuite: Suite = {
  name: 'cluster-join',
  title: 'Durable publishes while an empty node joins three',
  columns: [
    ...rateColumns('acks'),
    ...latencyColumns,
    valueColumn('joined s', 'joined', seconds),
    valueColumn('claims s', 'claims', seconds),
    valueColumn('loads ended', 'ended', plain),
    notesColumn,
  ],
  open: (context) => ClusterJoinSuite.open(context),
};

class ClusterJoinSuite implements OpenSuite {
  readonly runs: readonly Run[];
  readonly #context: BenchContext;
  readonly #cluster: RinglogCluster;
  readonly #load: Load;
  readonly #cell: string;
  readonly #taken = new Set<string>();

  static async open(context: BenchContext): Promise<ClusterJoinSuite> {
    const { affinity, directory, payloadBytes } = context;
    const channels = context.quick ? 2_000 : 100_000;
    const cluster = await RinglogCluster.start({ directory: join(directory, 'three'), affinity });
    const load: Load = Worker.start('load/load-process', { processor: affinity.load });
    try {
      context.progress(`cluster-join: publishing to ${channels} channels`);
      const sizes = {
        channels,
        entries: channels,
        perFrame: 16,
        inFlight: 128,
        payloadBytes,
      };
      await load.do({ type: 'fill', url: cluster.first.url, name: 'join', ...sizes }, fillLimitMs);
      const suite = new ClusterJoinSuite(context, cluster, load, channels);
      await suite.#sample();
      return suite;
    } catch (error) {
      await Promise.all([load.stop(), cluster.stop()]);
      throw error;
    }
  }

  private constructor(context: BenchContext, cluster: RinglogCluster, load: Load, channels: number) {
    this.#context = context;
    this.#cluster = cluster;
    this.#load = load;
    this.#cell = `${inFlight} in flight, ${channels} channels of one entry`;
    this.runs = [
      { cell: this.#cell, target: before, sample: () => this.#once(before, () => this.#sample()) },
      { cell: this.#cell, target: meanwhile, sample: () => this.#once(meanwhile, () => this.#join()) },
      { cell: this.#cell, target: after, sample: () => this.#once(after, () => this.#sample()) },
    ];
  }

  /** It joins once. */
  async #once(target: string, sample: () => Promise<Sample>): Promise<Sample | undefined> {
    if (this.#taken.has(target)) return undefined;
    this.#taken.add(target);
    return sample();
  }

  async #sample(): Promise<Sample> {
    const { payloadBytes, warmUpMs, measureMs } = this.#context;
    const { first, nodes } = this.#cluster;
    const job = { type: 'publish', inFlight, connections: 1, perFrame: 1, channels: 'shared' } as const;
    const peer = { kind: 'ringlog', url: first.url } as const;
    return (await timed(this.#load, { ...job, peer, payloadBytes, warmUpMs, measureMs }, ...nodes)).sample;
  }

  async #join(): Promise<Sample> {
    const begun = performance.now();
    const node = await this.#cluster.add();
    const joining = this.#joined(node, begun);
    let isOver = false;
    void joining.finally(() => (isOver = true)).catch(() => undefined);
    const samples: Sample[] = [];
    let ended = 0;
    do {
      try {
        samples.push(await this.#sample());
      } catch (error) {
        // While claims move, publishes are refused or have no sure outcome: an application says them again, and this load ends.
        if (!/UNAVAILABLE|INDETERMINATE/.test(String(error))) throw error;
        ended++;
      }
    } while (!isOver);
    return { ...together(samples), values: { ...(await joining), ended } };
  }

  /** Seconds from its start until it is one of the ring and no change is under way, and from when it may own what falls to it
   *  until it does. */
  async #joined(node: RinglogNode, begun: number): Promise<{ joined: number; claims: number }> {
    const since = () => (performance.now() - begun) / 1_000;
    let active: number | undefined;
    let owning: number | undefined;
    while (performance.now() < begun + limitMs) {
      const { node: self, ring, seen } = await this.#cluster.view(node);
      const own = ring?.members.find((member) => member.node === self);
      const isActive = own?.state === 'active' && ring!.members.length === this.#cluster.nodes.length;
      if (isActive) active ??= since();
      const { wanted, owned } = seen?.intervals ?? { wanted: 0, owned: 0 };
      if (isActive && wanted > 0 && owned >= wanted) owning ??= since();
      if (owning !== undefined && (await this.#cluster.isTogether()))
        return { joined: since(), claims: owning - active! };
      await pause(pollMs);
    }
    throw new Error(`it did not join within ${limitMs} ms`);
  }

  goals(rows: Rows): Goal[] {
    const claims = rows.median(this.#cell, meanwhile, ({ values }) => values?.['claims']);
    const goals: Goal[] = [];
    if (claims !== undefined)
      goals.push({
        name: 'a fourth joins: claims move',
        value: claims,
        bound: 1,
        sense: 'at most',
        unit: 's',
      });
    const [then, now] = [before, meanwhile].map((target) => rows.p50Ms(this.#cell, target));
    if (then !== undefined && now !== undefined) {
      const name = 'a fourth joins: p50 of publishes beside before';
      goals.push({ name, value: now / then, bound: 3, sense: 'at most', unit: '×' });
    }
    return goals;
  }

  problems(): string[] {
    return [];
  }

  async close(): Promise<void> {
    await Promise.all([this.#load.stop(), this.#cluster.stop()]);
  }
}

/** The usual of what was usual, the worst of what was rare. */
function together(samples: readonly Sample[]): Sample {
  const of = (value: (sample: Sample) => number | undefined) =>
    median(samples.flatMap((sample) => value(sample) ?? []));
  const latencies = samples.flatMap((sample) => sample.latencies ?? []);
  const [rate, perProcessorSecond] = [of((each) => each.rate), of((each) => each.perProcessorSecond)];
  return {
    ...(rate !== undefined && { rate }),
    ...(perProcessorSecond !== undefined && { perProcessorSecond }),
    ...(latencies[0] && {
      latencies: {
        ...latencies[0],
        p50Ms: median(latencies.map(({ p50Ms }) => p50Ms))!,
        p99Ms: Math.max(...latencies.map(({ p99Ms }) => p99Ms)),
      },
    }),
  };
}
