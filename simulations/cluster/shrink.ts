/** From a run that fails to the smallest one that fails alike: first whole kinds of faults are left out, then parts of
 *  what is left (Zeller's ddmin). Each try is a run of its own, from the schedule and not from the stream of chance. */
import type { Fault } from './faults.js';
import type { SwarmPlan } from './swarm.js';

export type Fails = (plan: SwarmPlan) => Promise<boolean>;

export interface Shrunk {
  readonly plan: SwarmPlan;
  readonly runs: number;
}

export async function shrink(plan: SwarmPlan, fails: Fails, runsMax: number): Promise<Shrunk> {
  let runs = 0;
  const holds = async (faults: readonly Fault[]): Promise<boolean> => {
    if (runs >= runsMax) return false;
    runs++;
    return fails({ ...plan, faults });
  };
  let faults = plan.faults;
  for (const kind of new Set(faults.map((fault) => fault.kind))) {
    const fewer = faults.filter((fault) => fault.kind !== kind);
    if (await holds(fewer)) faults = fewer;
  }
  faults = await ddmin(faults, holds);
  return { plan: { ...plan, faults }, runs };
}

async function ddmin(
  all: readonly Fault[],
  holds: (faults: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[]> {
  let faults = all;
  let parts = 2;
  while (faults.length > 0 && parts <= Math.max(2, faults.length)) {
    const smaller = await withoutOnePart(faults, parts, holds);
    if (smaller) {
      faults = smaller;
      parts = Math.max(2, parts - 1);
    } else if (parts >= faults.length) break;
    else parts = Math.min(faults.length, parts * 2);
  }
  return faults;
}

async function withoutOnePart(
  faults: readonly Fault[],
  parts: number,
  holds: (faults: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[] | undefined> {
  const size = Math.ceil(faults.length / parts);
  for (let from = 0; from < faults.length; from += size) {
    const rest = [...faults.slice(0, from), ...faults.slice(from + size)];
    if (await holds(rest)) return rest;
  }
  return undefined;
}
