/** One replay from the first line to the judgement. */
import { Ledger } from '../../simulations/checkers/ledger.js';
import { ReaderCheck } from '../../simulations/checkers/reader-check.js';
import { type Verdict, judge } from '../../simulations/checkers/verdict.js';
import { Violations } from '../../simulations/checkers/violations.js';
import { RawReader } from '../../simulations/clients/raw-reader.js';
import { SdkReader } from '../../simulations/clients/sdk-reader.js';
import { waitUntil } from '../../simulations/clients/wait.js';
import type { NodeProcess } from '../../test/support/node-process.js';
import { InputError, type LineSource, type Overview } from './lines.js';
import type { Options } from './options.js';
import type { Progress } from './progress.js';
import { Replay } from './replay.js';

export interface RunOptions extends Options {
  readonly source: LineSource;
  readonly overview: Overview;
  /** Ours; without it `nodeUrl` is somebody else's. */
  readonly node: NodeProcess | undefined;
  readonly nodeUrl: string;
  readonly signal: AbortSignal;
}

export interface Party {
  readonly readers: number;
  /** Entries it got, before anything is removed by the one who counts. */
  readonly delivered: number;
  readonly resumes: number;
  readonly violations: Violations;
}

export interface Kill {
  readonly atAcked: number;
  /** Lines on their way at that moment. */
  readonly waiting: number;
  /** Until it served again. */
  readonly downMs: number;
}

export interface Result {
  readonly overview: Overview;
  readonly published: number;
  readonly acked: number;
  readonly sessions: number;
  /** Lines whose first answer was lost: sent again, recognised, and answered with their first place. */
  readonly repeats: number;
  readonly kill: Kill | undefined;
  readonly verdict: Verdict;
  readonly raw: Party;
  readonly sdk: Party;
  readonly problems: readonly string[];
  readonly publishMs: number;
  /** Until the last reader had the last line. */
  readonly readMs: number;
  readonly passed: boolean;
}

const hub = 'default';
const sdkReaders = 3;
const limitMs = 60_000;
const problemsMax = 20;

export class Run {
  readonly ledger = new Ledger();
  readonly #options: RunOptions;
  readonly #replay: Replay;
  readonly #rawViolations = new Violations();
  readonly #sdkViolations = new Violations();
  readonly #raw: RawReader[] = [];
  readonly #sdk: SdkReader[] = [];
  readonly #problems: string[] = [];
  #kill: Kill | undefined;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#replay = new Replay({
      source: options.source,
      url: options.nodeUrl,
      hub,
      ledger: this.ledger,
      speed: options.speed,
      // A name for this run: unlike what is chosen by the seed it must differ from run to run.
      run: Date.now().toString(36),
      signal: options.signal,
      onProblem: this.#onProblem,
    });
  }

  get day(): string {
    return this.#replay.day;
  }

  async run(progress: Progress): Promise<Result> {
    try {
      let [publishMs, readMs] = [0, 0];
      await this.#orProblem(async () => {
        await this.#subscribe();
        const begun = performance.now();
        const killed = this.#options.kill ? this.#killHalfway(progress) : Promise.resolve();
        await Promise.all([this.#replay.run(), killed]);
        publishMs = performance.now() - begun;
        await this.#readersFinish();
        readMs = performance.now() - begun;
      });
      this.close();
      return await this.#result(publishMs, readMs);
    } finally {
      this.close();
    }
  }

  close(): void {
    for (const reader of [...this.#raw, ...this.#sdk]) reader.close();
  }

  async #subscribe(): Promise<void> {
    const { nodeUrl: url, overview, subscribers, seed, node, signal } = this.#options;
    const { channels } = overview;
    const start = node ? 'beginning' : 'live';
    for (let i = 1; i <= subscribers; i++)
      this.#raw.push(
        new RawReader(
          { url, hub, channels, start, seed: seed + i, onProblem: this.#onProblem },
          this.#checkOf(`reader ${i}`, this.#rawViolations),
        ),
      );
    for (let i = 1; i <= sdkReaders; i++)
      this.#sdk.push(
        new SdkReader(
          { url, hub, channels, start, onProblem: this.#onProblem },
          this.#checkOf(`SDK reader ${i}`, this.#sdkViolations),
        ),
      );
    let waiting = this.#raw.length + this.#sdk.length;
    for (const { subscribed } of [...this.#raw, ...this.#sdk]) void subscribed.then(() => waiting--);
    await waitUntil(() => waiting === 0, { what: 'the readers are subscribed', limitMs, signal });
  }

  async #killHalfway(progress: Progress): Promise<void> {
    const { overview, signal } = this.#options;
    const node = this.#options.node!;
    // With nothing on its way a kill would prove little.
    const isHalfway = () => this.ledger.acked >= overview.lines / 2 && this.#replay.waiting > 0;
    await waitUntil(isHalfway, {
      what: 'half of the lines are acknowledged',
      limitMs,
      signal,
      progress: () => this.ledger.acked,
    });
    const [atAcked, waiting] = [this.ledger.acked, this.#replay.waiting];
    const begun = performance.now();
    await node.kill();
    progress.line(`The node is killed after ${atAcked.toLocaleString('en-US')} acknowledged lines.`);
    await node.start();
    const downMs = performance.now() - begun;
    progress.line(`It serves again after ${Math.round(downMs)} ms.`);
    this.#kill = { atAcked, waiting, downMs };
  }

  async #readersFinish(): Promise<void> {
    const readers = [...this.#raw, ...this.#sdk];
    const progress = () => readers.reduce((sum, { check }) => sum + check.delivered, 0);
    const complete = () => readers.every(({ check }) => check.hasAllAcked);
    const what = 'every reader has every line';
    await waitUntil(complete, { what, limitMs, progress, signal: this.#options.signal });
  }

  async #result(publishMs: number, readMs: number): Promise<Result> {
    const { node, overview } = this.#options;
    if (node?.isRunning === true) await this.#orProblem(() => node.stop());
    const verdict = judge({
      hub,
      ledger: this.ledger,
      segmentsPath: node?.segmentsPath,
      readers: [...this.#raw, ...this.#sdk].map(({ check }) => check),
    });
    const found = [verdict.store?.violations, this.#rawViolations, this.#sdkViolations];
    const { published, acked } = this.ledger;
    return {
      overview,
      published,
      acked,
      sessions: this.#replay.sessions,
      repeats: this.#replay.repeats,
      kill: this.#kill,
      verdict,
      raw: this.#party(this.#raw, this.#rawViolations),
      sdk: this.#party(this.#sdk, this.#sdkViolations),
      publishMs,
      readMs,
      problems: this.#problems,
      passed:
        acked === overview.lines &&
        this.#problems.length === 0 &&
        found.every((violations) => (violations?.total ?? 0) === 0),
    };
  }

  #party(readers: readonly (RawReader | SdkReader)[], violations: Violations): Party {
    const sum = (of: (reader: RawReader | SdkReader) => number) =>
      readers.reduce((all, each) => all + of(each), 0);
    return {
      readers: readers.length,
      delivered: sum(({ check }) => check.delivered),
      resumes: sum(({ resumes }) => resumes),
      violations,
    };
  }

  #checkOf(name: string, violations: Violations): ReaderCheck {
    const isOurs = this.#options.node !== undefined;
    return new ReaderCheck({ name, fromStart: isOurs, mayMeetOthers: !isOurs }, this.ledger, violations);
  }

  /** What goes wrong on the way is told with the judgement: the store still says what became of the lines. */
  async #orProblem(step: () => Promise<unknown>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#options.signal.throwIfAborted();
      // The input is the user's, and the run has not begun to mean anything.
      if (error instanceof InputError) throw error;
      this.#onProblem((error as Error).message);
    }
  }

  readonly #onProblem = (problem: string): void => {
    if (this.#problems.length < problemsMax) this.#problems.push(problem);
  };
}
