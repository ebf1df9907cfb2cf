/** Start after a clean stop, and memory, with many channels on disk beside none. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { LoadJob, LoadReport } from '../load/jobs.js';
import { residentBytes } from '../processes/processor-time.js';
import { RinglogNode } from '../processes/ringlog-node.js';
import { Worker } from '../processes/worker.js';
import { notesColumn, valueColumn } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import { mebibytes, seconds } from '../report/text.js';
import type { BenchContext, OpenSuite, Run, Suite } from './suite.js';

const entriesPerChannel = 10;
const settleMs = 1_000;
const empty = 'an empty node';
const filling = 'memory right after they were published';

export const startSuite: Suite = {
  name: 'start',
  title: 'Start after a clean stop',
  columns: [
    valueColumn('ready s', 'ready', seconds),
    valueColumn('CPU s', 'processor', seconds),
    valueColumn('memory MiB', 'memory', mebibytes),
    notesColumn,
  ],
  open: (context) => StartSuite.open(context),
};

class StartSuite implements OpenSuite {
  readonly runs: readonly Run[];
  readonly #context: BenchContext;
  readonly #cell: string;
  readonly #full: string;

  static async open(context: BenchContext): Promise<StartSuite> {
    const channels = context.quick ? 10_000 : 100_000;
    const { affinity, payloadBytes } = context;
    context.progress(`start: publishing to ${channels} channels`);
    const node = await RinglogNode.start({ dataPath: fullPath(context), processor: affinity.server });
    const load = Worker.start<LoadJob, LoadReport>('load/load-process', { processor: affinity.load });
    const entries = channels * entriesPerChannel;
    const sizes = { channels, entries, perFrame: 16, inFlight: 512, payloadBytes };
    await load.do({ type: 'fill', url: node.url, name: 'start', ...sizes }, 1_800_000);
    await load.stop();
    await pause(settleMs);
    const filled = residentBytes(node.pid);
    await node.stop();
    // The first start makes a new node, which later ones do not.
    const first = await RinglogNode.start({ dataPath: emptyPath(context), processor: affinity.server });
    await first.stop();
    return new StartSuite(context, channels, filled);
  }

  private constructor(context: BenchContext, channels: number, filled: number | undefined) {
    this.#context = context;
    this.#full = `${channels} channels of ${entriesPerChannel} entries`;
    this.#cell = `beside ${this.#full}`;
    this.runs = [
      { cell: this.#cell, target: empty, sample: () => this.#sample(emptyPath(context)) },
      { cell: this.#cell, target: this.#full, sample: () => this.#sample(fullPath(context)) },
      {
        cell: this.#cell,
        target: filling,
        sample: async () => ({ ...(filled !== undefined && { values: { memory: filled } }) }),
      },
    ];
  }

  async #sample(dataPath: string): Promise<Sample> {
    const node = await RinglogNode.start({ dataPath, processor: this.#context.affinity.server });
    await pause(settleMs);
    const memory = residentBytes(node.pid);
    await node.stop();
    const { seconds: ready, processorSeconds: processor, foreignShare } = node.boot;
    return {
      ...(foreignShare !== undefined && { foreignShare }),
      values: {
        ready,
        ...(processor !== undefined && { processor }),
        ...(memory !== undefined && { memory }),
      },
    };
  }

  goals(rows: Rows): Goal[] {
    const of = (target: string, key: string) =>
      rows.median(this.#cell, target, ({ values }) => values?.[key]);
    const goals: Goal[] = [];
    const ready = of(this.#full, 'ready');
    if (ready !== undefined)
      goals.push({ name: `start, ${this.#full}`, value: ready, bound: 2, sense: 'at most', unit: 's' });
    const [memory, without] = [of(this.#full, 'memory'), of(empty, 'memory')];
    if (memory !== undefined && without !== undefined) {
      const name = `start, ${this.#full}: memory above empty`;
      goals.push({ name, value: (memory - without) / 1e6, bound: 100, sense: 'at most', unit: 'MB' });
    }
    return goals;
  }

  problems(): string[] {
    return [];
  }

  async close(): Promise<void> {}
}

const fullPath = ({ directory }: BenchContext) => join(directory, 'start');
const emptyPath = ({ directory }: BenchContext) => join(directory, 'start-empty');
