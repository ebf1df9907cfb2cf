/** A program of the bench in a process of its own that does jobs one after another; what it must export is a call of
 *  `serveJobs`. */
import { fileURLToPath } from 'node:url';
import { within } from '../../src/cli/bench/within.js';
import { Child } from './child.js';

interface Answer {
  readonly result?: unknown;
  readonly error?: string;
}

export class Worker<Job, Result> {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  /** `program` is a path below bench/, without `.js`. */
  static start<Job, Result>(
    program: string,
    options: { readonly processor: number | undefined; readonly args?: readonly string[] },
  ): Worker<Job, Result> {
    const file = fileURLToPath(new URL(`../${program}.js`, import.meta.url));
    const args = ['--enable-source-maps', file, ...(options.args ?? [])];
    const child = new Child({ name: program, command: process.execPath, args, processor: options.processor });
    return new Worker(child);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** One at a time. */
  async do(job: Job, limitMs = 300_000): Promise<Result> {
    const child = this.#child;
    const answered = new Promise<Answer>((resolve) => {
      child.process.once('message', (answer) => resolve(answer as Answer));
    });
    child.process.send({ job });
    const ended = child.ended.then(() => ({ error: `it ended:\n${child.output}` }));
    const answer: Answer = await within(Promise.race([answered, ended]), limitMs, `a job of ${child.name}`);
    if (answer.error !== undefined) throw new Error(`${child.name}: ${answer.error}`);
    return answer.result as Result;
  }

  stop(): Promise<void> {
    return this.#child.kill();
  }
}

/** The other side: does what is asked until the process that asks is gone. */
export function serveJobs<Job, Result>(work: (job: Job) => Promise<Result>): void {
  process.on('message', ({ job }: { job: Job }) => {
    void work(job).then(
      (result) => process.send!({ result } satisfies Answer),
      (error: unknown) => process.send!({ error: error instanceof Error ? error.stack! : String(error) }),
    );
  });
  process.on('disconnect', () => process.exit());
}
