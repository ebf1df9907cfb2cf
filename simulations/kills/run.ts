/** Kills a node again and again while publishers and readers go on, and judges what is left. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Random, seededRandom } from '../../src/base/random.js';
import { NodeProcess } from '../../test/support/node-process.js';
import { Ledger } from '../checkers/ledger.js';
import { ReaderCheck } from '../checkers/reader-check.js';
import { type Verdict, judge } from '../checkers/verdict.js';
import { Violations } from '../checkers/violations.js';
import { RawReader } from '../clients/raw-reader.js';
import { SdkReader } from '../clients/sdk-reader.js';
import { waitUntil } from '../clients/wait.js';
import { Load, channels } from './load.js';
import { type Moment, momentText, nextMoment } from './moments.js';

export interface KillsOptions {
  readonly kills: number;
  readonly seed: number;
  readonly linesPerLifeMax: number;
  readonly signal?: AbortSignal;
  readonly onKill?: (kill: number, moment: string, ledger: Ledger) => void;
}

export interface KillsResult {
  readonly ledger: Ledger;
  readonly verdict: Verdict;
  readonly raw: ReaderGroup;
  readonly sdk: ReaderGroup;
  /** What no client should have seen. */
  readonly problems: readonly string[];
  /** From the start of the process until it served; only of lives that got so far. */
  readonly startMs: readonly number[];
  readonly elapsedMs: number;
  /** Nothing of it is wrong. */
  readonly passed: boolean;
  /** Kept when it did not pass. */
  readonly dataPath: string;
}

export interface ReaderGroup {
  readonly readers: number;
  readonly delivered: number;
  readonly violations: Violations;
}

const hub = 'default';
const rawReaders = 3;
const lateReadersMax = 2;
const momentLimitMs = 10_000;
const settleLimitMs = 30_000;
const problemsMax = 20;
const segmentBytes = 16_777_216;

export async function runKills(options: KillsOptions): Promise<KillsResult> {
  // The smallest segments there are, so that longer runs go through several of them.
  const args = ['--log-level', 'warn', '--storage-segment-bytes', String(segmentBytes)];
  const node = await NodeProcess.start({ args });
  const run = new KillsRun(node, options);
  let result: KillsResult | undefined;
  try {
    result = await run.run();
    return result;
  } finally {
    run.close();
    // What shows a fault is kept for whoever looks into it.
    const keep = result?.passed === false || (result === undefined && options.signal?.aborted !== true);
    await (keep ? node.kill() : node.remove());
  }
}

class KillsRun {
  readonly #node: NodeProcess;
  readonly #options: KillsOptions;
  readonly #random: Random;
  readonly #ledger = new Ledger();
  readonly #rawViolations = new Violations();
  readonly #sdkViolations = new Violations();
  readonly #raw: RawReader[] = [];
  readonly #sdk: SdkReader[] = [];
  readonly #load: Load;
  readonly #problems: string[] = [];
  readonly #startMs: number[] = [];

  constructor(node: NodeProcess, options: KillsOptions) {
    this.#node = node;
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#load = new Load({
      url: node.url,
      hub,
      seed: options.seed,
      ledger: this.#ledger,
      linesPerLifeMax: options.linesPerLifeMax,
      onProblem: this.#onProblem,
    });
  }

  async run(): Promise<KillsResult> {
    const begun = performance.now();
    await this.#orProblem(this.#killAll());
    for (const { check, state } of this.#readers)
      if (!check.hasAllAcked) this.#onProblem(`${check.name} is behind: ${state}`);
    this.close();
    if (this.#node.isRunning) await this.#orProblem(this.#node.stop());
    return this.#result(performance.now() - begun);
  }

  get #readers(): (RawReader | SdkReader)[] {
    return [...this.#raw, ...this.#sdk];
  }

  close(): void {
    this.#load.close();
    for (const reader of this.#readers) reader.close();
  }

  async #killAll(): Promise<void> {
    await this.#subscribe();
    this.#load.start();
    for (let kill = 1; kill <= this.#options.kills; kill++) {
      await this.#killOnce(kill);
      const later = Math.ceil(this.#options.kills / (lateReadersMax + 1));
      if (kill % later === 0 && kill < this.#options.kills) this.#addRawReader(`late-${kill}`);
    }
    await this.#settle();
  }

  async #subscribe(): Promise<void> {
    for (let i = 1; i <= rawReaders; i++) this.#addRawReader(`raw-${i}`);
    this.#sdk.push(
      new SdkReader(
        { url: this.#node.url, hub, channels, start: 'beginning', onProblem: this.#onProblem },
        this.#checkOf('sdk-1', this.#sdkViolations),
      ),
    );
    let waiting = this.#raw.length + this.#sdk.length;
    for (const { subscribed } of this.#readers) void subscribed.then(() => waiting--);
    const what = 'readers are subscribed';
    await waitUntil(() => waiting === 0, { what, limitMs: settleLimitMs, signal: this.#options.signal });
  }

  async #killOnce(kill: number): Promise<void> {
    const moment = nextMoment(this.#random);
    this.#load.newLife();
    await this.#reach(moment);
    if (!this.#node.isRunning) throw new Error(`the node ended by itself:\n${this.#node.output}`);
    await this.#node.kill();
    this.#options.onKill?.(kill, momentText(moment), this.#ledger);
    this.#options.signal?.throwIfAborted();
    await this.#node.start({ wait: 'none' });
  }

  async #reach(moment: Moment): Promise<void> {
    const { signal } = this.#options;
    // Only how long something lasts is chosen here, never whether it is right.
    if (moment.type === 'starting') {
      await pause(moment.ms, undefined, { signal });
      return;
    }
    await this.#serving();
    if (moment.type === 'serving') {
      await pause(moment.ms, undefined, { signal });
      return;
    }
    const goal = this.#ledger.acked + moment.count;
    const reached = () => this.#ledger.acked >= goal || this.#load.waiting === 0;
    await waitUntil(reached, { what: momentText(moment), limitMs: momentLimitMs, signal });
  }

  async #serving(): Promise<void> {
    const begun = performance.now();
    await this.#node.ready();
    this.#startMs.push(performance.now() - begun);
  }

  /** Every line that can get an answer has one, and every reader has every acknowledged line. */
  async #settle(): Promise<void> {
    const { signal } = this.#options;
    this.#load.newLife();
    await this.#serving();
    this.#load.stop();
    const progress = () => this.#ledger.acked + this.#ledger.rejected;
    const limitMs = settleLimitMs;
    const answered = () => this.#load.waiting === 0;
    await this.#orProblem(waitUntil(answered, { what: 'publishes are answered', limitMs, progress, signal }));
    const complete = () => this.#readers.every(({ check }) => check.hasAllAcked);
    await this.#orProblem(
      waitUntil(complete, {
        what: 'readers have all',
        limitMs,
        progress: () => this.#readers.reduce((sum, { check }) => sum + check.delivered, 0),
        signal,
      }),
    );
  }

  #result(elapsedMs: number): KillsResult {
    const groups = [this.#raw, this.#sdk].map((readers) => readers.map(({ check }) => check));
    const verdict = judge({
      hub,
      ledger: this.#ledger,
      readers: groups.flat(),
      segmentsPath: this.#node.segmentsPath,
    });
    const groupOf = (checks: readonly ReaderCheck[], violations: Violations) => ({
      readers: checks.length,
      delivered: checks.reduce((sum, { delivered }) => sum + delivered, 0),
      violations,
    });
    const all = [verdict.store!.violations, this.#rawViolations, this.#sdkViolations];
    return {
      ledger: this.#ledger,
      verdict,
      problems: this.#problems,
      startMs: this.#startMs,
      elapsedMs,
      raw: groupOf(groups[0]!, this.#rawViolations),
      sdk: groupOf(groups[1]!, this.#sdkViolations),
      passed: this.#problems.length === 0 && all.every(({ total }) => total === 0),
      dataPath: this.#node.dataPath,
    };
  }

  #addRawReader(name: string): void {
    const seed = this.#options.seed + 100 + this.#raw.length;
    this.#raw.push(
      new RawReader(
        { url: this.#node.url, hub, channels, seed, start: 'beginning', onProblem: this.#onProblem },
        this.#checkOf(name, this.#rawViolations),
      ),
    );
  }

  #checkOf(name: string, violations: Violations): ReaderCheck {
    return new ReaderCheck({ name, fromStart: true, mayMeetOthers: false }, this.#ledger, violations);
  }

  readonly #onProblem = (problem: string): void => {
    if (this.#problems.length < problemsMax) this.#problems.push(problem);
  };

  /** What goes wrong on the way is told with the judgement: the store still says what became of the lines. */
  async #orProblem(step: Promise<unknown>): Promise<void> {
    try {
      await step;
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      this.#onProblem((error as Error).message);
    }
  }
}
