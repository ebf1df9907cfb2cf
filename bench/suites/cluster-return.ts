/** A node that was away while two others went on, until it has what it missed: beside what its disk takes of as many records. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { processorSeconds } from '../processes/processor-time.js';
import { RinglogCluster } from '../processes/ringlog-cluster.js';
import { Worker } from '../processes/worker.js';
import { notesColumn, rateColumns, valueColumn } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import { plain, seconds } from '../report/text.js';
import { DiskFloor } from './disk.js';
import type { BenchContext, OpenSuite, Run, Suite } from './suite.js';
import type { Load } from './timed.js';

const channels = 100;
const inFlight = 512;
const perFrame = 16;
const floor = 'append and sync alone, 512 a write';
const back = 'one that comes back';
const awayMs = 3_000;
const pollMs = 100;
const limitMs = 600_000;
const fillLimitMs = 1_800_000;

export const clusterReturnSuite: Suite = {
  name: 'cluster-return',
  title: 'A node that was away',
  columns: [
    ...rateColumns('entries'),
    valueColumn('seconds', 'seconds', seconds),
    valueColumn('lacking', 'lacking', plain),
    notesColumn,
  ],
  open: (context) => ClusterReturnSuite.open(context),
};

class ClusterReturnSuite implements OpenSuite {
  readonly runs: readonly Run[];
  readonly #context: BenchContext;
  readonly #cluster: RinglogCluster;
  readonly #load: Load;
  readonly #disk: DiskFloor;
  readonly #entries: number;
  #rounds = 0;

  static async open(context: BenchContext): Promise<ClusterReturnSuite> {
    const { affinity, directory } = context;
    const cluster = await RinglogCluster.start({ directory: join(directory, 'three'), affinity });
    return new ClusterReturnSuite(context, cluster);
  }

  private constructor(context: BenchContext, cluster: RinglogCluster) {
    const { affinity, directory, quick } = context;
    this.#context = context;
    this.#cluster = cluster;
    this.#entries = quick ? 20_000 : 500_000;
    this.#load = Worker.start('load/load-process', { processor: affinity.load });
    this.#disk = DiskFloor.start(directory, affinity.load);
    this.runs = [
      {
        cell: this.#cell,
        target: floor,
        sample: () => this.#disk.sample({ kind: 'append', inFlight }, context),
      },
      { cell: this.#cell, target: back, sample: () => this.#sample() },
    ];
  }

  get #cell(): string {
    return `${this.#entries} entries of ${channels} channels missed`;
  }

  async #sample(): Promise<Sample> {
    const { payloadBytes } = this.#context;
    const cluster = this.#cluster;
    const name = `return-${++this.#rounds}`;
    await cluster.nodes.at(-1)!.kill();
    // What it ordered is ordered by others by then.
    await pause(awayMs);
    const sizes = { channels, entries: this.#entries, perFrame, inFlight, payloadBytes };
    await this.#load.do({ type: 'fill', url: cluster.first.url, name, ...sizes }, fillLimitMs);
    const node = await cluster.startAgain();
    const begun = performance.now();
    const processorBefore = processorSeconds(node.pid);
    const lacking = await this.#caughtUp(name);
    const took = (performance.now() - begun) / 1_000;
    const processorAfter = processorSeconds(node.pid);
    const processor =
      processorBefore === undefined || processorAfter === undefined
        ? undefined
        : processorAfter - processorBefore;
    return {
      rate: (this.#entries - lacking) / took,
      ...(processor !== undefined && {
        serverShare: processor / took,
        perProcessorSecond: (this.#entries - lacking) / processor,
      }),
      values: { seconds: took, lacking },
    };
  }

  /** Resolves with how many entries it lacks, once that is none or it takes too long. */
  async #caughtUp(name: string): Promise<number> {
    const end = performance.now() + limitMs;
    for (;;) {
      const held = await this.#cluster.heldBy(this.#cluster.nodes.at(-1)!, `bench:${name}-`);
      if (held >= this.#entries || performance.now() > end) return Math.max(0, this.#entries - held);
      await pause(pollMs);
    }
  }

  goals(rows: Rows): Goal[] {
    const [ours, its] = [back, floor].map((target) => rows.rate(this.#cell, target));
    if (ours === undefined || its === undefined) return [];
    const [cost, floorCost] = [back, floor].map((target) => rows.perProcessorSecond(this.#cell, target));
    const perProcessorSecond = cost && floorCost ? cost / floorCost : undefined;
    return [
      {
        name: 'a node that comes back: beside append and sync',
        value: ours / its,
        bound: 0.3,
        sense: 'at least',
        unit: '×',
        ...(perProcessorSecond !== undefined && { perProcessorSecond }),
      },
    ];
  }

  problems(rows: Rows): string[] {
    return rows
      .samples(this.#cell, back)
      .flatMap(({ values }) =>
        values?.['lacking'] ? [`${values['lacking']} entries were still lacking after ${limitMs} ms`] : [],
      );
  }

  async close(): Promise<void> {
    await Promise.all([this.#load.stop(), this.#disk.stop(), this.#cluster.stop()]);
  }
}
