/** How fast a stored channel is read from its beginning, and what that costs the server in memory. */
import { join } from 'node:path';
import type { LoadJob, LoadReport } from '../load/jobs.js';
import type { ReplayReader } from '../load/replay.js';
import { residentBytes } from '../processes/processor-time.js';
import { RinglogNode } from '../processes/ringlog-node.js';
import { Worker } from '../processes/worker.js';
import { notesColumn, rateColumns, valueColumn } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import { mebibytes } from '../report/text.js';
import type { BenchContext, OpenSuite, Run, Suite } from './suite.js';
import { sampleOf } from './timed.js';

/** Commits of so many entries: what 64 publishes in flight make. */
const runEntries = 64;
const name = 'replay';
const pollMs = 10;

const readers: readonly { readonly reader: ReplayReader; readonly target: string }[] = [
  { reader: 'raw', target: 'raw protobuf reader' },
  { reader: 'sdk-listener', target: 'SDK, listener' },
  { reader: 'sdk-iterator', target: 'SDK, for await' },
];

export const replaySuite: Suite = {
  name: 'replay',
  title: 'Replay of one channel to one reader',
  columns: [...rateColumns('entries'), valueColumn('growth MiB', 'growth', mebibytes), notesColumn],
  open: (context) => ReplaySuite.open(context),
};

class ReplaySuite implements OpenSuite {
  readonly runs: readonly Run[];
  readonly #node: RinglogNode;
  readonly #load: Worker<LoadJob, LoadReport>;
  readonly #entries: number;
  readonly #cell: string;
  readonly #fillGrowth: number | undefined;

  static async open(context: BenchContext): Promise<ReplaySuite> {
    const { affinity, directory, payloadBytes, quick } = context;
    const node = await RinglogNode.start({ dataPath: join(directory, 'replay'), processor: affinity.server });
    const load = Worker.start<LoadJob, LoadReport>('load/load-process', { processor: affinity.load });
    const entries = quick ? 20_032 : 1_000_000;
    context.progress(`replay: publishing ${entries} entries`);
    const fill = { name, channels: 1, perFrame: 1, inFlight: runEntries, payloadBytes };
    const job = { type: 'fill', url: node.url, ...fill } as const;
    // What the process takes once it is warm does not count as growth.
    await load.do({ ...job, name: 'warm-up', entries: 20_000 }, 600_000);
    const before = residentBytes(node.pid);
    await load.do({ ...job, entries }, 1_800_000);
    const after = residentBytes(node.pid);
    const growth = before === undefined ? undefined : after! - before;
    const suite = new ReplaySuite({ node, load, entries, growth });
    // The first of each kind warms both sides up.
    for (const { reader } of readers) await suite.#sample(reader);
    return suite;
  }

  private constructor(parts: {
    readonly node: RinglogNode;
    readonly load: Worker<LoadJob, LoadReport>;
    readonly entries: number;
    readonly growth: number | undefined;
  }) {
    this.#node = parts.node;
    this.#load = parts.load;
    this.#entries = parts.entries;
    this.#fillGrowth = parts.growth;
    this.#cell = `${parts.entries} entries in runs of ${runEntries}`;
    this.runs = [
      { cell: this.#cell, target: 'memory while they were published', sample: async () => this.#filled() },
      ...readers.map(({ reader, target }) => ({
        cell: this.#cell,
        target,
        sample: () => this.#sample(reader),
      })),
    ];
  }

  #filled(): Sample {
    return { ...(this.#fillGrowth !== undefined && { values: { growth: this.#fillGrowth } }) };
  }

  async #sample(reader: ReplayReader): Promise<Sample> {
    const { url, pid } = this.#node;
    const before = residentBytes(pid) ?? 0;
    let most = before;
    const poll = setInterval(() => (most = Math.max(most, residentBytes(pid) ?? 0)), pollMs);
    try {
      const job = { type: 'replay', url, serverPids: [pid], name, entries: this.#entries, reader } as const;
      const report = await this.#load.do(job, 600_000);
      return { ...sampleOf(report), values: { growth: most - before, before } };
    } finally {
      clearInterval(poll);
    }
  }

  goals(rows: Rows): Goal[] {
    const { target } = readers[0]!;
    const goals: Goal[] = [];
    const rate = rows.rate(this.#cell, target);
    if (rate !== undefined) {
      const name = 'replay to a raw protobuf reader';
      goals.push({ name, value: rate, bound: 2_500_000, sense: 'at least', unit: 'entries/s' });
    }
    const growth = rows.median(this.#cell, target, ({ values }) => values?.['growth']);
    if (growth !== undefined) {
      const name = 'replay to a raw protobuf reader: growth';
      goals.push({ name, value: growth / 1_048_576, bound: 16, sense: 'at most', unit: 'MiB' });
    }
    return goals;
  }

  /** The readers themselves end with an error when an entry is missing, twice or out of order. */
  problems(): string[] {
    return [];
  }

  async close(): Promise<void> {
    await this.#load.stop();
    await this.#node.stop();
  }
}
