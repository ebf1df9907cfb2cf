/** Documents: changes beside plain publishes, opening one that was changed often, and what many of them take of memory. */
import { join } from 'node:path';
import type { LoadJob, LoadReport } from '../load/jobs.js';
import { RinglogNode } from '../processes/ringlog-node.js';
import { Worker } from '../processes/worker.js';
import { latencyColumns, notesColumn, rateColumns, valueColumn } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import { mebibytes, milliseconds } from '../report/text.js';
import { DocumentMemory } from './document-memory.js';
import { DocumentOpening } from './document-opening.js';
import type { BenchContext, OpenSuite, Run, Suite } from './suite.js';
import { type TimedServer, timed } from './timed.js';

const plain = 'plain publishes';
const patches = 'changes of one document of 60 KB';
const inFlight = 64;
const readers = 1_000;
const publishing = `${inFlight} in flight, 1 connection`;
const fanOut = `${readers} readers, ${inFlight} in flight`;

export const documentsSuite: Suite = {
  name: 'documents',
  title: 'Documents beside plain channels',
  columns: [
    ...rateColumns('operations'),
    ...latencyColumns,
    valueColumn('opened ms', 'opened', milliseconds),
    valueColumn('its CPU ms', 'openedProcessor', milliseconds),
    valueColumn('growth MiB', 'growth', mebibytes),
    notesColumn,
  ],
  open: (context) => DocumentsSuite.open(context),
};

class DocumentsSuite implements OpenSuite {
  readonly runs: readonly Run[];
  readonly #context: BenchContext;
  readonly #node: RinglogNode;
  readonly #load: Worker<LoadJob, LoadReport>;
  readonly #opening: DocumentOpening;
  readonly #memory: DocumentMemory;

  static async open(context: BenchContext): Promise<DocumentsSuite> {
    const { affinity, directory } = context;
    const processor = affinity.server;
    const node = await RinglogNode.start({ dataPath: join(directory, 'documents'), processor });
    return new DocumentsSuite(context, node);
  }

  private constructor(context: BenchContext, node: RinglogNode) {
    this.#context = context;
    this.#node = node;
    this.#load = Worker.start('load/load-process', { processor: context.affinity.load });
    this.#opening = new DocumentOpening(context);
    this.#memory = new DocumentMemory(context);
    this.runs = [...this.#loads(), ...this.#opening.runs, ...this.#memory.runs];
  }

  #loads(): Run[] {
    const { payloadBytes, warmUpMs, measureMs } = this.#context;
    const { url } = this.#node;
    const server: TimedServer = this.#node;
    const times = { payloadBytes, warmUpMs, measureMs };
    const peer = { kind: 'ringlog', url } as const;
    const one = { connections: 1, perFrame: 1, channels: 'shared' } as const;
    const toReaders = { type: 'fan-out', peer, listeners: readers, pace: { inFlight }, ...times } as const;
    const run = (cell: string, target: string, job: Parameters<typeof timed>[1]): Run => ({
      cell,
      target,
      sample: async () => (await timed(this.#load, job, server)).sample,
    });
    return [
      run(publishing, plain, { type: 'publish', peer, inFlight, ...one, ...times }),
      run(publishing, patches, { type: 'patch', url, inFlight, ...times }),
      run(fanOut, plain, toReaders),
      run(fanOut, patches, { ...toReaders, document: true }),
    ];
  }

  goals(rows: Rows): Goal[] {
    const beside = (cell: string, bound: number): Goal[] => {
      const of = (target: string) => ({
        rate: rows.rate(cell, target),
        perProcessorSecond: rows.perProcessorSecond(cell, target),
      });
      const [ours, floor] = [of(patches), of(plain)];
      if (ours.rate === undefined || floor.rate === undefined) return [];
      const name = `documents, ${cell}: beside ${plain}`;
      const goal = { name, value: ours.rate / floor.rate, bound, sense: 'at least', unit: '×' } as const;
      return ours.perProcessorSecond === undefined || floor.perProcessorSecond === undefined
        ? [goal]
        : [{ ...goal, perProcessorSecond: ours.perProcessorSecond / floor.perProcessorSecond }];
    };
    return [
      ...beside(publishing, 0.3),
      ...beside(fanOut, 0.5),
      ...this.#opening.goals(rows),
      ...this.#memory.goals(rows),
    ];
  }

  /** The loads themselves end with an error when a change is lost, doubled or out of its order. */
  problems(): string[] {
    return [];
  }

  async close(): Promise<void> {
    await this.#load.stop();
    await this.#node.stop();
  }
}
