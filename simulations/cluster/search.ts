/** Seeds of the whole cluster: what each came to, in words, and what they add up to. */
import type { Fault } from './faults.js';
import { livenessCheckers } from './ending.js';
import type { Finding } from './record.js';
import { type RunResult, runPlan } from './run-seed.js';
import { faultText } from './schedule.js';
import { shrink } from './shrink.js';
import { type Steering, steeredPlan } from './steering.js';
import { drawPlan } from './resized.js';
import type { SwarmPlan } from './swarm.js';
import { Totals } from './totals.js';

export interface ClusterOptions {
  /** Names of checkers that are left out. */
  readonly checkersOff?: ReadonlySet<string>;
  /** The size of every cluster, instead of one drawn. */
  readonly nodes?: number;
  /** Looks for the smallest schedule that fails alike. */
  readonly shrinks?: boolean;
  /** Small worlds instead of all kinds. */
  readonly steering?: Steering;
  /** Instead of the faults that a seed draws. */
  readonly schedule?: readonly Fault[];
}

export interface ClusterOutcome {
  /** Must be the same in every run of the seed. */
  readonly hash: string;
  readonly kind: 'held' | 'safety' | 'liveness' | 'crash';
  /** What to tell of a failure. */
  readonly lines: readonly string[];
}

/** Runs of one shrinking. */
const shrinkRunsMax = 150;
const told = 8;

export class ClusterSearch {
  readonly totals = new Totals();
  readonly #options: ClusterOptions;

  constructor(options: ClusterOptions = {}) {
    this.#options = options;
  }

  async run(seed: number): Promise<ClusterOutcome> {
    const { schedule, steering, nodes } = this.#options;
    const drawn = steering ? steeredPlan(seed, steering) : drawPlan(seed, nodes);
    const plan = schedule ? { ...drawn, faults: schedule } : drawn;
    const result = await this.#try(plan);
    this.totals.add(result);
    const [first] = result.findings;
    if (!first) return { hash: result.hash, kind: 'held', lines: [] };
    const lines = [...storyOf(result), ...(this.#options.shrinks ? await this.#smallest(plan, first) : [])];
    return { hash: result.hash, kind: kindOf(first), lines };
  }

  #try(plan: SwarmPlan): Promise<RunResult> {
    const { checkersOff } = this.#options;
    return runPlan(plan, checkersOff ? { checkersOff } : {});
  }

  async #smallest(plan: SwarmPlan, finding: Finding): Promise<string[]> {
    const failsAlike = async (smaller: SwarmPlan): Promise<boolean> =>
      (await this.#try(smaller)).findings.some(({ checker }) => checker === finding.checker);
    const shrunk = await shrink(plan, failsAlike, shrinkRunsMax);
    const { faults } = shrunk.plan;
    const result = await this.#try(shrunk.plan);
    return [
      '',
      `${faults.length} of ${plan.faults.length} faults are enough (${shrunk.runs} runs):`,
      ...faults.map(faultText),
      '',
      ...storyOf(result),
    ];
  }
}

function storyOf({ story, findings }: RunResult): string[] {
  return [...story, ...findings.slice(0, told).map(({ checker, what }) => `${checker}: ${what}`)];
}

function kindOf({ checker }: Finding): 'safety' | 'liveness' | 'crash' {
  if (checker === 'crash') return 'crash';
  return livenessCheckers.some((name) => name === checker) ? 'liveness' : 'safety';
}
