/** What the disk gives, in a process without network: appends with `fdatasync`, and LevelDB's synced batches. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { Latencies, type LatencySummary } from '../../src/cli/bench/latencies.js';
import { ownProcessorSeconds } from '../processes/processor-time.js';
import { serveJobs } from '../processes/worker.js';
import { AppendFile } from './append-file.js';

export interface DiskJob {
  /** `sync`: one page and one sync at a time that block the process, which is the most the disk gives. */
  readonly kind: 'append' | 'level' | 'sync';
  /** Records in one write. */
  readonly inFlight: number;
  readonly payloadBytes: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface DiskResult {
  readonly operations: number;
  readonly seconds: number;
  readonly processorSeconds: number;
  /** Of one write and sync. */
  readonly latencies: LatencySummary;
}

const directory = process.argv[2]!;

class DiskFloor {
  readonly #file = new AppendFile(join(directory, 'append'));
  #level: ClassicLevel<Uint8Array, Uint8Array> | undefined;
  #key = 0;

  async run(job: DiskJob): Promise<DiskResult> {
    const step = await this.#stepOf(job);
    const latencies = new Latencies();
    await repeat(job.warmUpMs, step, latencies);
    latencies.clear();
    const processorBefore = ownProcessorSeconds();
    const begun = performance.now();
    const steps = await repeat(job.measureMs, step, latencies);
    return {
      operations: steps * job.inFlight,
      seconds: (performance.now() - begun) / 1_000,
      processorSeconds: ownProcessorSeconds() - processorBefore,
      latencies: latencies.summary()!,
    };
  }

  async #stepOf({ kind, inFlight, payloadBytes }: DiskJob): Promise<() => Promise<void> | void> {
    const records = Array.from({ length: inFlight }, () => randomBytes(payloadBytes));
    if (kind === 'sync') return () => this.#file.appendSync(records);
    if (kind === 'append') {
      return () =>
        new Promise((resolve, reject) => {
          this.#file.append(records, (error) => (error ? reject(error) : resolve()));
        });
    }
    const level = await this.#opened();
    return () =>
      level.batch(
        records.map((value) => ({ type: 'put', key: this.#nextKey(), value })),
        { sync: true },
      );
  }

  async #opened(): Promise<ClassicLevel<Uint8Array, Uint8Array>> {
    const options = { keyEncoding: 'view', valueEncoding: 'view' } as const;
    this.#level ??= new ClassicLevel<Uint8Array, Uint8Array>(join(directory, 'level'), options);
    await this.#level.open();
    return this.#level;
  }

  #nextKey(): Uint8Array {
    const key = Buffer.allocUnsafe(8);
    key.writeBigUInt64BE(BigInt(++this.#key));
    return key;
  }
}

async function repeat(ms: number, step: () => Promise<void> | void, latencies: Latencies): Promise<number> {
  const end = performance.now() + ms;
  let steps = 0;
  for (let now = performance.now(); now < end; steps++) {
    const begun = now;
    await step();
    now = performance.now();
    latencies.add(now - begun);
  }
  return steps;
}

const floor = new DiskFloor();
serveJobs<DiskJob, DiskResult>((job) => floor.run(job));
