/** Hubs with one channel each on one node: what they take while they are used, what once nobody does, and how long one takes to come
 *  back. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { limits } from '../../src/base/limits.js';
import { Latencies } from '../../src/cli/bench/latencies.js';
import { ManyHubs } from '../load/many-hubs.js';
import { residentBytes } from '../processes/processor-time.js';
import { RinglogNode } from '../processes/ringlog-node.js';
import { latencyColumns, notesColumn, valueColumn } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import { formatRate, kibibytes, mebibytes } from '../report/text.js';
import type { BenchContext, OpenSuite, Run, Suite } from './suite.js';

/** Hubs that are used again. */
const looked = 200;
const before = 'before there are any';
const used = 'once each was used';
const unused = 'once nobody has used them';
const back = 'one that nobody had used';
const again = 'the same again';

export const hubsSuite: Suite = {
  name: 'hubs',
  title: 'Hubs with one channel of one entry each',
  columns: [
    valueColumn('resident MiB', 'resident', mebibytes),
    valueColumn('alive MiB', 'heap', mebibytes),
    valueColumn('KiB a hub', 'perHub', kibibytes),
    valueColumn('made/s', 'made', formatRate),
    valueColumn('used/s', 'used', formatRate),
    valueColumn('asked again', 'again', (count) => count.toFixed(0)),
    ...latencyColumns,
    notesColumn,
  ],
  open: async (context) => new HubsSuite(context),
};

class HubsSuite implements OpenSuite {
  readonly runs: readonly Run[];
  readonly #context: BenchContext;
  readonly #count: number;
  readonly #cell: string;
  #node: RinglogNode | undefined;
  #hubs: ManyHubs | undefined;
  #heapBefore = 0;

  constructor(context: BenchContext) {
    this.#context = context;
    this.#count = context.full ? 100_000 : 2_000;
    this.#cell = `${this.#count} hubs`;
    const runs: readonly [string, () => Promise<Sample>][] = [
      [before, () => this.#before()],
      [used, () => this.#used()],
      [unused, () => this.#unused()],
      [back, () => this.#opened()],
      [again, () => this.#opened()],
    ];
    this.runs = runs.map(([target, sample]) => ({ cell: this.#cell, target, sample }));
  }

  /** Every round has a node of its own. */
  async #before(): Promise<Sample> {
    await this.close();
    const { affinity, directory } = this.#context;
    const dataPath = join(directory, `hubs-${Date.now()}`);
    this.#node = await RinglogNode.start({ dataPath, processor: affinity.server, attended: true });
    this.#hubs = new ManyHubs(this.#node.url, this.#node.token, this.#count);
    const sample = await this.#memory();
    this.#heapBefore = sample.values!['heap']!;
    return sample;
  }

  async #used(): Promise<Sample> {
    const made = await this.#hubs!.make();
    const usedPerSecond = await this.#hubs!.publish();
    const { values } = await this.#memory();
    return { values: { ...values, made, used: usedPerSecond, again: this.#hubs!.again } };
  }

  /** Settings leave memory with their hub, their channel a while later; both are looked for once a second or so. */
  async #unused(): Promise<Sample> {
    const waitMs = limits.hubIdleMs + limits.channelIdleMs + 15_000;
    this.#context.progress(`hubs: waiting ${waitMs / 1_000} s`);
    await pause(waitMs);
    return await this.#memory();
  }

  async #memory(): Promise<Sample> {
    const node = this.#node!;
    const heap = await node.inside('heap');
    const resident = residentBytes(node.pid);
    const above = heap - this.#heapBefore;
    return {
      values: {
        heap,
        ...(resident !== undefined && { resident }),
        ...(this.#heapBefore > 0 && { perHub: above / this.#count }),
      },
    };
  }

  async #opened(): Promise<Sample> {
    const latencies = new Latencies();
    for (let i = 0; i < looked; i++) {
      const hub = Math.floor((i * this.#count) / looked);
      const begun = performance.now();
      await this.#hubs!.read(hub);
      latencies.add(performance.now() - begun);
    }
    return { latencies: latencies.summary()! };
  }

  goals(rows: Rows): Goal[] {
    const idle = rows.median(this.#cell, unused, ({ values }) => values?.['perHub']);
    const first = rows.p50Ms(this.#cell, back);
    if (idle === undefined || first === undefined) return [];
    return [
      {
        name: `${this.#cell}: one that nobody uses`,
        value: idle / 1_024,
        bound: 1,
        sense: 'at most',
        unit: 'KiB',
      },
      { name: `${this.#cell}: until it is back`, value: first, bound: 50, sense: 'at most', unit: 'ms' },
    ];
  }

  problems(): string[] {
    return [];
  }

  async close(): Promise<void> {
    this.#hubs?.close();
    await this.#node?.kill();
    this.#node = undefined;
    this.#heapBefore = 0;
  }
}
