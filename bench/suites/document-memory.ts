/** What a node takes for many documents that are followed, beside as many plain channels: the difference is what holds them
 *  folded, which has a bound. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { limits } from '../../src/base/limits.js';
import type { LoadJob, LoadReport, ManyJob } from '../load/jobs.js';
import { RinglogNode } from '../processes/ringlog-node.js';
import { Worker } from '../processes/worker.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import type { BenchContext, Run } from './suite.js';

/** Before the memory is read: the first ones pay for what all use. */
const firstChannels = 1_600;
/** At once: who prepares many more does not answer pings meanwhile. */
const pieceChannels = 10_000;
const settleMs = 2_000;
const jobLimitMs = 1_200_000;
const targets = { plain: 'plain channels', documents: 'documents' } as const;

export class DocumentMemory {
  readonly runs: readonly Run[];
  readonly #context: BenchContext;
  readonly #channels: number;
  readonly #cell: string;
  #nodes = 0;

  constructor(context: BenchContext) {
    this.#context = context;
    // Multiples of a frame's publishes.
    this.#channels = context.quick ? 4_992 : 100_000;
    this.#cell = `${this.#channels} followed, with one entry each`;
    this.runs = (['plain', 'documents'] as const).map((kind) => ({
      cell: this.#cell,
      target: targets[kind],
      sample: () => this.#sample(kind),
    }));
  }

  async #sample(kind: ManyJob['kind']): Promise<Sample> {
    const { affinity, directory, payloadBytes } = this.#context;
    const dataPath = join(directory, `memory-${++this.#nodes}`);
    const node = await RinglogNode.start({ dataPath, processor: affinity.server, attended: true });
    const load = Worker.start<LoadJob, LoadReport>('load/load-process', { processor: affinity.load });
    try {
      const job = { type: 'many', url: node.url, kind, payloadBytes } as const;
      await load.do({ ...job, channels: firstChannels }, jobLimitMs);
      await pause(settleMs);
      const before = await node.inside('memory');
      let seconds = 0;
      for (let made = 0; made < this.#channels; made += pieceChannels) {
        const channels = Math.min(pieceChannels, this.#channels - made);
        seconds += (await load.do({ ...job, channels }, jobLimitMs)).seconds;
      }
      await pause(settleMs);
      const growth = (await node.inside('memory')) - before;
      return { rate: this.#channels / seconds, values: { growth } };
    } finally {
      await load.stop();
      await node.kill();
    }
  }

  goals(rows: Rows): Goal[] {
    const of = (target: string) => rows.median(this.#cell, target, ({ values }) => values?.['growth']);
    const [ours, floor] = [of(targets.documents), of(targets.plain)];
    if (ours === undefined || floor === undefined) return [];
    const name = `documents, ${this.#cell}: growth above ${targets.plain}`;
    const value = (ours - floor) / 1_048_576;
    return [{ name, value, bound: limits.documentCacheBytes / 1_048_576, sense: 'at most', unit: 'MiB' }];
  }
}
