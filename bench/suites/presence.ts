/** Many in one channel who follow who is there: until all of them have been told of one more, and until that one has its first
 *  page. */
import { join } from 'node:path';
import type { LoadJob, LoadReport } from '../load/jobs.js';
import { RinglogNode } from '../processes/ringlog-node.js';
import { Worker } from '../processes/worker.js';
import { latencyColumns, notesColumn, valueColumn } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import { milliseconds, plain, seconds } from '../report/text.js';
import type { BenchContext, OpenSuite, Run, Suite } from './suite.js';
import { sampleOf } from './timed.js';

const joins = 5;
const target = 'one more joins';

export const presenceSuite: Suite = {
  name: 'presence',
  title: 'Presence: one more is seen by all',
  columns: [
    ...latencyColumns,
    valueColumn('first page ms', 'pageMs', milliseconds),
    valueColumn('CPU ms, there and back', 'processorMs', milliseconds),
    valueColumn('ramp s', 'rampSeconds', seconds),
    valueColumn('told in it', 'rampTold', plain),
    notesColumn,
  ],
  open: async (context) => new PresenceSuite(context),
};

class PresenceSuite implements OpenSuite {
  readonly runs: readonly Run[];
  readonly #context: BenchContext;
  readonly #members: number;
  readonly #cell: string;
  #samples = 0;

  constructor(context: BenchContext) {
    this.#context = context;
    this.#members = context.full ? 10_000 : 1_000;
    this.#cell = `${this.#members} members of one channel`;
    this.runs = [{ cell: this.#cell, target, sample: () => this.#sample() }];
  }

  async #sample(): Promise<Sample> {
    const { affinity, directory } = this.#context;
    const dataPath = join(directory, `presence-${++this.#samples}`);
    const node = await RinglogNode.start({ dataPath, processor: affinity.server });
    const load = Worker.start<LoadJob, LoadReport>('load/load-process', { processor: affinity.load });
    try {
      const settings = '/v1/admin/hubs/default/settings';
      await node.ask(`${settings}/rules/seen`, { presence: true });
      await node.ask(`${settings}/hub/rules`, 'seen');
      const sizes = { channel: 'bench:presence', members: this.#members, joins };
      const report = await load.do({ type: 'presence', url: node.url, serverPid: node.pid, ...sizes });
      const { foreignShare, latencies } = sampleOf(report);
      const { serverSeconds } = report;
      return {
        ...(latencies && { latencies }),
        ...(foreignShare !== undefined && { foreignShare }),
        values: {
          ...report.values,
          ...(serverSeconds !== undefined && { processorMs: (1_000 * serverSeconds) / joins }),
        },
      };
    } finally {
      await load.stop();
      await node.kill();
    }
  }

  goals(rows: Rows): Goal[] {
    const seen = rows.p50Ms(this.#cell, target);
    const page = rows.median(this.#cell, target, ({ values }) => values?.['pageMs']);
    if (seen === undefined || page === undefined) return [];
    const name = `presence, ${this.#cell}`;
    return [
      { name: `${name}: one more is seen by all`, value: seen, bound: 1_000, sense: 'at most', unit: 'ms' },
      { name: `${name}: its first page`, value: page / seen, bound: 0.5, sense: 'at most', unit: '×' },
    ];
  }

  problems(): string[] {
    return [];
  }

  async close(): Promise<void> {}
}
