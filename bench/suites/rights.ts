/** What it costs to look whether a client may publish, beside a publish: with a hundred patterns granted, in a hub that is closed to all
 *  others. Both by processor time, which other programs do not change much. */
import { join } from 'node:path';
import { Grants } from '../../src/channels/grants.js';
import { refusal } from '../../src/channels/permissions.js';
import { defaultRules } from '../../src/channels/rules.js';
import type { LoadJob, LoadReport } from '../load/jobs.js';
import { ownProcessorSeconds } from '../processes/processor-time.js';
import { RinglogNode } from '../processes/ringlog-node.js';
import { Worker } from '../processes/worker.js';
import { notesColumn, rateColumns } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import type { BenchContext, OpenSuite, Run, Suite } from './suite.js';
import { timed } from './timed.js';

const patterns = 100;
const inFlight = 512;
const check = 'permission check';
const publish = `a publish, ${inFlight} in flight`;
const few = '16 channels';
const cells = [
  { name: few, channels: 16 },
  { name: '10,000 channels in turn', channels: 10_000 },
] as const;

export const rightsSuite: Suite = {
  name: 'rights',
  title: `May it publish? ${patterns} patterns granted`,
  columns: [...rateColumns('checks'), notesColumn],
  open: (context) => RightsSuite.open(context),
};

class RightsSuite implements OpenSuite {
  readonly runs: readonly Run[];

  static async open(context: BenchContext): Promise<RightsSuite> {
    const { affinity, directory } = context;
    const dataPath = join(directory, 'rights');
    const node = await RinglogNode.start({ dataPath, processor: affinity.server });
    const load = Worker.start<LoadJob, LoadReport>('load/load-process', { processor: affinity.load });
    return new RightsSuite(context, node, load);
  }

  private constructor(
    { measureMs, warmUpMs, payloadBytes }: BenchContext,
    readonly node: RinglogNode,
    readonly load: Worker<LoadJob, LoadReport>,
  ) {
    const job = {
      type: 'publish' as const,
      peer: { kind: 'ringlog' as const, url: node.url },
      inFlight,
      connections: 1,
      perFrame: 1,
      channels: 'shared' as const,
      measureMs,
      warmUpMs,
      payloadBytes,
    };
    this.runs = [
      { cell: few, target: publish, sample: async () => (await timed(load, job, node)).sample },
      ...cells.map(({ name, channels }) => ({
        cell: name,
        target: check,
        sample: async () => checked(channels, measureMs),
      })),
    ];
  }

  goals(rows: Rows): Goal[] {
    const [one, other] = [rows.perProcessorSecond(few, publish), rows.perProcessorSecond(few, check)];
    if (one === undefined || other === undefined) return [];
    const name = `${check}, ${few}: of the processor time of a publish`;
    return [{ name, value: (100 * one) / other, bound: 5, sense: 'at most', unit: '%' }];
  }

  problems(): string[] {
    return [];
  }

  async close(): Promise<void> {
    await this.load.stop();
    await this.node.kill();
  }
}

function checked(channels: number, forMs: number): Sample {
  const publishes = Array.from({ length: patterns }, (_, i) =>
    i % 4 === 0 ? `room:${i}:*` : i % 4 === 1 ? `game:#:${i}` : i % 4 === 2 ? `a*b*${i}` : `hall:${i}`,
  );
  const grants = new Grants({ publish: publishes });
  const asker = { actor: 'ada', authenticated: true, admin: false, grants };
  const rules = { ...defaultRules, public: false, clientPublish: false };
  const names = Array.from({ length: channels }, (_, i) => `game:${i}:${4 * (i % 25) + 1}`);
  const processorBefore = ownProcessorSeconds();
  const begun = performance.now();
  let checks = 0;
  while (performance.now() - begun < forMs) {
    for (let i = 0; i < 10_000; i++) {
      const name = names[checks++ % channels]!;
      if (refusal(asker, 'publish', name, rules)) throw new Error(`${name} was refused`);
    }
  }
  return {
    rate: (1_000 * checks) / (performance.now() - begun),
    perProcessorSecond: checks / (ownProcessorSeconds() - processorBefore),
  };
}
