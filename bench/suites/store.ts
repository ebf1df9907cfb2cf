/** A large store: started after a crash, and with its index gone. Once with the entries of one channel in long runs, once
 *  with each entry a run of its own, which is the most work for a byte. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ScanJob, ScanResult } from '../floors/scan-floor.js';
import type { LoadJob, LoadReport } from '../load/jobs.js';
import { residentBytes } from '../processes/processor-time.js';
import { RinglogNode } from '../processes/ringlog-node.js';
import { Worker } from '../processes/worker.js';
import { notesColumn, valueColumn } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';
import { formatRate, mebibytes, seconds } from '../report/text.js';
import type { BenchContext, OpenSuite, Run, Suite } from './suite.js';

interface Store {
  readonly name: string;
  readonly path: string;
  /** More than there are publishes under way: then no two of a commit are of one channel. */
  readonly channels: number;
}

const inFlight = 512;
const fillEntries = 160_000;
const crashEntries = 16_000;

const scan = 'segments read and checked, nothing else';
const crash = 'start after a crash';
const rebuild = 'start without the index';

export const storeSuite: Suite = {
  name: 'store',
  title: 'A large store',
  columns: [
    valueColumn('seconds', 'seconds', seconds),
    valueColumn('CPU s', 'processor', seconds),
    valueColumn('MiB/s', 'bytesPerSecond', mebibytes),
    valueColumn('runs/s', 'runsPerSecond', formatRate),
    valueColumn('peak MiB', 'peak', mebibytes),
    valueColumn('entries checked', 'checked', formatRate),
    notesColumn,
  ],
  open: (context) => StoreSuite.open(context),
};

class StoreSuite implements OpenSuite {
  readonly runs: readonly Run[];
  readonly #context: BenchContext;
  readonly #load: Worker<LoadJob, LoadReport>;
  readonly #scan: Worker<ScanJob, ScanResult>;
  readonly #stores: readonly Store[];
  readonly #bytes: number;
  readonly #scanned = new Map<Store, ScanResult>();

  static async open(context: BenchContext): Promise<StoreSuite> {
    const suite = new StoreSuite(context);
    for (const store of suite.#stores) await suite.#make(store);
    return suite;
  }

  private constructor(context: BenchContext) {
    const { affinity, directory, quick } = context;
    this.#context = context;
    this.#bytes = quick ? 134_217_728 : 1_073_741_824;
    this.#load = Worker.start('load/load-process', { processor: affinity.load });
    this.#scan = Worker.start('floors/scan-floor', { processor: affinity.server });
    this.#stores = [
      { name: 'long runs of one channel', path: join(directory, 'store-long'), channels: 1 },
      { name: 'runs of one entry', path: join(directory, 'store-single'), channels: 2 * inFlight },
    ];
    this.runs = this.#stores.flatMap((store) => [
      { cell: this.#cellOf(store), target: crash, sample: () => this.#afterCrash(store) },
      { cell: this.#cellOf(store), target: scan, sample: () => this.#scanAlone(store) },
      { cell: this.#cellOf(store), target: rebuild, sample: () => this.#withoutIndex(store) },
    ]);
  }

  #cellOf({ name }: Store): string {
    return `${Math.round(this.#bytes / 1_048_576)} MiB, ${name}`;
  }

  async #make(store: Store): Promise<void> {
    const node = await this.#start(store);
    while (segmentBytes(store) < this.#bytes) {
      const part = Math.round((100 * segmentBytes(store)) / this.#bytes);
      this.#context.progress(`store: publishing, ${store.name}: ${part} %`);
      await this.#fill(store, node, fillEntries);
    }
    await node.kill();
  }

  async #fill({ channels }: Store, { url }: RinglogNode, entries: number): Promise<void> {
    const { payloadBytes } = this.#context;
    const sizes = { channels, entries, perFrame: 16, inFlight, payloadBytes };
    await this.#load.do({ type: 'fill', url, name: 'store', ...sizes }, 1_800_000);
  }

  #start({ path }: Store, onPoll?: (pid: number) => void): Promise<RinglogNode> {
    return RinglogNode.start({ dataPath: path, processor: this.#context.affinity.server }, onPoll);
  }

  /** The node ends right after it acknowledged, with whatever its index had not taken in yet. */
  async #afterCrash(store: Store): Promise<Sample> {
    const before = await this.#start(store);
    await this.#fill(store, before, crashEntries);
    await before.kill();
    return (await this.#measuredStart(store)).sample;
  }

  async #scanAlone(store: Store): Promise<Sample> {
    const result = await this.#scan.do({ dataPath: store.path });
    this.#scanned.set(store, result);
    return {
      values: {
        seconds: result.seconds,
        processor: result.processorSeconds,
        bytesPerSecond: result.bytes / result.seconds,
        runsPerSecond: result.runs / result.seconds,
        checked: result.entries,
        damages: result.damages,
      },
    };
  }

  async #withoutIndex(store: Store): Promise<Sample> {
    rmSync(join(store.path, 'store', 'index'), { recursive: true });
    const { sample, checked } = await this.#measuredStart(store);
    const { runs, entries, bytes } = this.#scanned.get(store)!;
    const took = sample.values!['seconds']!;
    return {
      ...sample,
      values: {
        ...sample.values,
        bytesPerSecond: bytes / took,
        runsPerSecond: runs / took,
        missing: entries - checked,
      },
    };
  }

  async #measuredStart(store: Store): Promise<{ sample: Sample; checked: number }> {
    let peak = 0;
    const node = await this.#start(store, (pid) => (peak = Math.max(peak, residentBytes(pid) ?? 0)));
    await node.kill();
    const checked = Number(
      /, ([\d,]+) entr(?:y|ies) checked/.exec(node.output)?.[1]?.replaceAll(',', '') ?? 0,
    );
    const { seconds: took, processorSeconds: processor, foreignShare } = node.boot;
    const sample: Sample = {
      ...(foreignShare !== undefined && { foreignShare }),
      values: {
        seconds: took,
        checked,
        ...(processor !== undefined && { processor }),
        ...(peak > 0 && { peak }),
      },
    };
    return { sample, checked };
  }

  goals(rows: Rows): Goal[] {
    return this.#stores.flatMap((store) => {
      const cell = this.#cellOf(store);
      const { channels } = store;
      const of = (target: string, key: string) => rows.median(cell, target, ({ values }) => values?.[key]);
      const goal = (name: string, value: number | undefined, rest: Pick<Goal, 'bound' | 'sense' | 'unit'>) =>
        value === undefined ? [] : [{ name: `store, ${cell}: ${name}`, value, ...rest }];
      const perGibibyte = 1_073_741_824 / this.#bytes;
      const atMost2 = { bound: 2, sense: 'at most', unit: 's a GiB' } as const;
      const scanSeconds = of(scan, 'seconds');
      const peak = of(rebuild, 'peak');
      return [
        ...goal('start after a crash', of(crash, 'seconds'), { bound: 2, sense: 'at most', unit: 's' }),
        ...goal('whole scan', scanSeconds && scanSeconds * perGibibyte, atMost2),
        // Long runs are few: there it is the bytes that take the time.
        ...goal('index rebuilt', channels === 1 ? undefined : of(rebuild, 'runsPerSecond'), {
          bound: 200_000,
          sense: 'at least',
          unit: 'runs/s',
        }),
        ...goal('index rebuilt: memory', peak && peak / 1_048_576, {
          bound: 256,
          sense: 'at most',
          unit: 'MiB',
        }),
      ];
    });
  }

  problems(rows: Rows): string[] {
    return this.#stores.flatMap((store) => {
      const cell = this.#cellOf(store);
      const damaged = rows.samples(cell, scan).filter(({ values }) => values!['damages'] !== 0);
      const lacking = rows.samples(cell, rebuild).filter(({ values }) => values!['missing'] !== 0);
      return [
        ...damaged.map(({ values }) => `${cell}: ${values!['damages']} damaged stretches after a crash`),
        ...lacking.map(({ values }) => `${cell}: the rebuilt index lacks ${values!['missing']} entries`),
      ];
    });
  }

  async close(): Promise<void> {
    await this.#load.stop();
    await this.#scan.stop();
  }
}

/** Filled so far: files are made ahead, so this is up to one segment more than is written. */
function segmentBytes({ path }: Store): number {
  const directory = join(path, 'store', 'segments');
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}
