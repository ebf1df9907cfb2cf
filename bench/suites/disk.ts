/** The disk's own floor as suites ask for it. */
import type { DiskJob, DiskResult } from '../floors/disk-floor.js';
import { Worker } from '../processes/worker.js';
import type { Sample } from '../report/sample.js';
import type { BenchContext } from './suite.js';

export class DiskFloor {
  readonly #worker: Worker<DiskJob, DiskResult>;

  private constructor(worker: Worker<DiskJob, DiskResult>) {
    this.#worker = worker;
  }

  /** It runs where the server runs, and writes to the same disk. */
  static start(directory: string, processor: number | undefined): DiskFloor {
    return new DiskFloor(Worker.start('floors/disk-floor', { processor, args: [directory] }));
  }

  async sample(
    what: Pick<DiskJob, 'kind' | 'inFlight'>,
    { payloadBytes, warmUpMs, measureMs }: BenchContext,
  ): Promise<Sample> {
    const result = await this.#worker.do({ ...what, payloadBytes, warmUpMs, measureMs });
    const { operations, seconds, processorSeconds, latencies } = result;
    return {
      rate: operations / seconds,
      perProcessorSecond: operations / processorSeconds,
      serverShare: processorSeconds / seconds,
      latencies,
    };
  }

  stop(): Promise<void> {
    return this.#worker.stop();
  }
}
