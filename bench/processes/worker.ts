/** A program of the bench in a process of its own that does jobs one after another; what it must export is a call of
 *  `serveJobs`. */
import { fileURLToPath } from 'node:url';
import { Child } from './child.js';
import { type Inside, tellOfInside } from './inside.js';

export interface WorkerOptions {
  readonly processor: number | undefined;
  readonly args?: readonly string[];
}

const jobLimitMs = 300_000;

export class Worker<Job, Result> {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  /** `program` is a path below bench/, without `.js`. */
  static start<Job, Result>(program: string, options: WorkerOptions): Worker<Job, Result> {
    const file = fileURLToPath(new URL(`../${program}.js`, import.meta.url));
    const { processor, args = [] } = options;
    const all = ['--enable-source-maps', '--expose-gc', file, ...args];
    return new Worker(new Child({ name: program, command: process.execPath, args: all, processor }));
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** One at a time. */
  async do(job: Job, limitMs = jobLimitMs): Promise<Result> {
    return (await this.#child.ask({ job }, limitMs)) as Result;
  }

  async inside(what: Inside): Promise<number> {
    return (await this.#child.ask({ ask: what })) as number;
  }

  stop(): Promise<void> {
    return this.#child.kill();
  }
}

/** The other side: does what is asked until the process that asks is gone. */
export function serveJobs<Job, Result>(work: (job: Job) => Promise<Result>): void {
  process.on('message', ({ job, ask }: { job?: Job; ask?: Inside }) => {
    if (ask !== undefined) process.send!({ result: tellOfInside(ask) });
    if (job === undefined) return;
    void work(job).then(
      (result) => process.send!({ result }),
      (error: unknown) => process.send!({ error: error instanceof Error ? error.stack! : String(error) }),
    );
  });
  process.on('disconnect', () => process.exit());
}
