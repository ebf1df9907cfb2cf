/** How long a document takes to open that was changed very often, beside one that has its last state alone: after a start of
 *  the node, which knows nothing of either. */
import { join } from 'node:path';
import { connect } from 'ringlog/client';
import { DocumentOfNode } from '../load/bench-document.js';
import type { LoadJob, LoadReport } from '../load/jobs.js';
import { RinglogNode } from '../processes/ringlog-node.js';
import { Worker } from '../processes/worker.js';
import type { Goal } from '../report/goal.js';
import { type Rows, median } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import type { BenchContext, Run } from './suite.js';

const changed = 'doc:changed';
const stated = 'doc:stated';
/** Opened before, so that neither pays for what a process does at its first document. */
const first = 'doc:first';
const few = 'its last state alone';
/** A multiple of the circle that changes are prepared as. */
const pieceChanges = 102_400;
const fillLimitMs = 1_800_000;

export class DocumentOpening {
  readonly runs: readonly Run[];
  readonly #context: BenchContext;
  readonly #changes: number;
  readonly #starts: number;
  readonly #cell = 'opened after a start';
  readonly #many: string;
  #expected: Promise<string> | undefined;

  constructor(context: BenchContext) {
    this.#context = context;
    this.#changes = context.quick ? 20_000 : 1_000_000;
    this.#starts = context.quick ? 1 : 3;
    this.#many = `${this.#changes} changes`;
    this.runs = [
      { cell: this.#cell, target: few, sample: () => this.#sample(stated) },
      { cell: this.#cell, target: this.#many, sample: () => this.#sample(changed) },
    ];
  }

  async #sample(channel: string): Promise<Sample> {
    this.#expected ??= this.#fill();
    const expected = await this.#expected;
    const times: number[] = [];
    for (let i = 0; i < this.#starts; i++) times.push(await this.#open(channel, expected));
    return { values: { opened: median(times)! } };
  }

  /** Milliseconds. */
  async #open(channel: string, expected: string): Promise<number> {
    const node = await this.#start();
    const client = connect({ url: node.url });
    try {
      await client.document(first);
      const begun = performance.now();
      const { text } = await client.document(channel);
      const ms = performance.now() - begun;
      if (text !== expected) throw new Error(`${channel} is another document after a start`);
      return ms;
    } finally {
      await client.close({ timeoutMs: 0 });
      await node.stop();
    }
  }

  #start(): Promise<RinglogNode> {
    const { directory, affinity } = this.#context;
    return RinglogNode.start({ dataPath: join(directory, 'opening'), processor: affinity.server });
  }

  /** Resolves with what both documents are. */
  async #fill(): Promise<string> {
    const { affinity, payloadBytes } = this.#context;
    const node = await this.#start();
    const load = Worker.start<LoadJob, LoadReport>('load/load-process', { processor: affinity.load });
    try {
      const { url } = node;
      const document = new DocumentOfNode(url, changed);
      await document.begin(payloadBytes);
      let piece = 0;
      for (let done = 0; done < this.#changes; done += piece) {
        this.#context.progress(`documents: ${done} of ${this.#changes} changes`);
        piece = Math.min(pieceChanges, this.#changes - done);
        const job = { type: 'fill-document', url, channel: changed, changes: piece, payloadBytes } as const;
        await load.do({ ...job, perFrame: 16, inFlight: 512 }, fillLimitMs);
      }
      await document.verify(this.#changes, piece);
      const { json } = await document.read();
      for (const channel of [stated, first]) await new DocumentOfNode(url, channel).set(json);
      return json;
    } finally {
      await load.stop();
      await node.stop();
    }
  }

  goals(rows: Rows): Goal[] {
    const of = (target: string) => rows.median(this.#cell, target, ({ values }) => values?.['opened']);
    const [ours, floor] = [of(this.#many), of(few)];
    if (ours === undefined || floor === undefined) return [];
    const name = `documents, opened after ${this.#many}: beside ${few}`;
    return [{ name, value: ours / floor, bound: 5, sense: 'at most', unit: '×' }];
  }
}
