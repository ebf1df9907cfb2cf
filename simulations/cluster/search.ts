/** Seeds of the whole cluster, and what they add up to. */
import { type RunOptions, type RunResult, runPlan } from './run-seed.js';
import { drawPlan } from './swarm.js';

export function runClusterSeed(seed: number, options: RunOptions = {}): Promise<RunResult> {
  return runPlan(drawPlan(seed), options);
}
