/** How long a document takes to open that was changed very often, beside one that has its last state alone: of a node that
 *  has just started and knows nothing of either, after it was stopped and after it was killed. */
import { cpSync } from 'node:fs';
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
/** Changed often too: folding many changes is work that a process does faster the tenth time than the first. */
const others = Array.from({ length: 8 }, (_, i) => `doc:other-${i}`);
const otherChanges = 2_048;

interface Opened {
  readonly ms: number;
  /** Of all threads of the node, those that compile among them. */
  readonly processorMs: number;
}

/** How the node ended before, and what is opened first since it was started. */
interface Case {
  readonly cell: string;
  readonly end: 'stopped' | 'crashed';
  readonly before: readonly string[];
}

const cases: readonly Case[] = [
  { cell: 'opened after a stop', end: 'stopped', before: [first] },
  { cell: 'opened after a crash', end: 'crashed', before: [first] },
  { cell: `opened after a crash and ${others.length} others`, end: 'crashed', before: [first, ...others] },
];
/** A multiple of the circle that changes are prepared as. */
const pieceChanges = 102_400;
const fillLimitMs = 1_800_000;

export class DocumentOpening {
  readonly runs: readonly Run[];
  readonly #context: BenchContext;
  readonly #changes: number;
  readonly #starts: number;
  readonly #many: string;
  #expected: Promise<string> | undefined;

  constructor(context: BenchContext) {
    this.#context = context;
    this.#changes = context.quick ? 5_120 : 1_000_000;
    this.#starts = context.quick ? 1 : 5;
    this.#many = `${this.#changes} changes`;
    this.runs = cases.flatMap((each) => [
      { cell: each.cell, target: few, sample: () => this.#sample(stated, each) },
      { cell: each.cell, target: this.#many, sample: () => this.#sample(changed, each) },
    ]);
  }

  async #sample(channel: string, each: Case): Promise<Sample> {
    this.#expected ??= this.#fill();
    const expected = await this.#expected;
    const all: Opened[] = [];
    for (let i = 0; i < this.#starts; i++) all.push(await this.#open(channel, each, expected));
    const of = (value: (each: Opened) => number) => median(all.map(value))!;
    return { values: { opened: of(({ ms }) => ms), openedProcessor: of(({ processorMs }) => processorMs) } };
  }

  async #open(channel: string, { end, before }: Case, expected: string): Promise<Opened> {
    const node = await this.#start(end);
    const client = connect({ url: node.url });
    try {
      for (const other of before) await client.document(other);
      const begunProcessor = await node.inside('processor');
      const begun = performance.now();
      const { text } = await client.document(channel);
      const ms = performance.now() - begun;
      const processorMs = ((await node.inside('processor')) - begunProcessor) * 1_000;
      if (text !== expected) throw new Error(`${channel} is another document after a start`);
      return { ms, processorMs };
    } finally {
      await client.close({ timeoutMs: 0 });
      // A stop writes down what is known by then.
      await node.kill();
    }
  }

  #start(end: Case['end']): Promise<RinglogNode> {
    const processor = this.#context.affinity.server;
    return RinglogNode.start({ dataPath: this.#path(end), processor, attended: true });
  }

  #path(end: Case['end']): string {
    return join(this.#context.directory, end);
  }

  /** Resolves with what both documents are. */
  async #fill(): Promise<string> {
    const { affinity, payloadBytes } = this.#context;
    const node = await this.#start('crashed');
    const load = Worker.start<LoadJob, LoadReport>('load/load-process', { processor: affinity.load });
    try {
      const { url } = node;
      const fillOne = async (channel: string, changes: number) => {
        const job = { type: 'fill-document', url, channel, changes, payloadBytes } as const;
        await load.do({ ...job, perFrame: 16, inFlight: 512 }, fillLimitMs);
      };
      for (const other of others) {
        await new DocumentOfNode(url, other).begin(payloadBytes);
        await fillOne(other, otherChanges);
      }
      const document = new DocumentOfNode(url, changed);
      await document.begin(payloadBytes);
      let piece = 0;
      for (let done = 0; done < this.#changes; done += piece) {
        this.#context.progress(`documents: ${done} of ${this.#changes} changes`);
        piece = Math.min(pieceChanges, this.#changes - done);
        await fillOne(changed, piece);
      }
      await document.verify(this.#changes, piece);
      const { json } = await document.read();
      for (const channel of [stated, first]) await new DocumentOfNode(url, channel).set(json);
      await node.kill();
      await this.#stopAfterCrash();
      return json;
    } finally {
      await load.stop();
      await node.kill();
    }
  }

  /** Of the same store: what was read there is what a stop finds. */
  async #stopAfterCrash(): Promise<void> {
    cpSync(this.#path('crashed'), this.#path('stopped'), { recursive: true });
    const node = await this.#start('stopped');
    try {
      for (const channel of [first, stated, changed]) await new DocumentOfNode(node.url, channel).read();
    } finally {
      await node.stop();
    }
  }

  goals(rows: Rows): Goal[] {
    return cases.flatMap(({ cell }) => {
      const of = (target: string) => rows.median(cell, target, ({ values }) => values?.['opened']);
      const [ours, floor] = [of(this.#many), of(few)];
      if (ours === undefined || floor === undefined) return [];
      const name = `documents, ${cell}, ${this.#many}: beside ${few}`;
      return [{ name, value: ours / floor, bound: 5, sense: 'at most', unit: '×' } as const];
    });
  }
}
