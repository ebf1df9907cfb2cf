/** Seeds in which the ring changes in size: from one node up, to fewer than there are copies, with all copies, and by every
 *  intent. All of it is drawn by a chance of its own, so that other seeds stay as they were. */
import { appendQuorum, replicaCount } from '../../src/cluster/ring.js';
import type { Random } from '../../src/base/random.js';
import { chanceFor, logBetween, pick, whole } from './chance.js';
import { type Fault, type FaultKind, drawFaults, losesDisk } from './faults.js';
import { type SwarmPlan, drawSteadyPlan, often } from './swarm.js';

/** What also happens to nodes that are no members at first. */
const strikes: readonly FaultKind[] = ['kill', 'power-loss', 'stop', 'pause', 'isolate', 'split'];

/** What one seed does. With `nodesMeant` there are as many nodes, and the ring stays as large. */
export function drawPlan(seed: number, nodesMeant?: number): SwarmPlan {
  const plan = drawSteadyPlan(seed, nodesMeant);
  const random = chanceFor(seed, 'ring of another size');
  const isMeant = random.next() < 0.2;
  if (!isMeant || nodesMeant !== undefined || plan.world.spares !== undefined) return plan;
  const nodes = pick(random, [undefined, undefined, undefined, 1, 1, 2]);
  return resized(random, nodes === undefined ? plan : drawSteadyPlan(seed, nodes));
}

function resized(random: Random, plan: SwarmPlan): SwarmPlan {
  const { world, lengthMs } = plan;
  const { seed, nodes, replicas = 3 } = world;
  const spares = whole(random, nodes < 3 ? 2 : 1, 3);
  const membersMin = Math.min(pick(random, [1, 1, 2, 3]), replicaCount(replicas, nodes));
  const expelAfterMs = pick(random, [undefined, undefined, 3_000, 15_000]);
  const rates = new Map<FaultKind, number>([['ring', perMinute(logBetween(random, 2, 12), lengthMs)]]);
  for (const kind of strikes) {
    const times = logBetween(random, 1, 4);
    if (random.next() < 0.3) rates.set(kind, perMinute(times, lengthMs));
  }
  const span = { nodes: nodes + spares, fromMs: 1_000, toMs: lengthMs };
  const more = drawFaults(random, { ...span, lostDisksMax: 0, rates });
  const kept = sparing(plan.faults, appendQuorum(membersMin) - 1);
  return {
    ...plan,
    world: {
      ...world,
      replicas,
      spares,
      membersMin,
      expelAfterMs,
      retention: world.retention ?? often(seed),
    },
    // Whoever does not number what it sends goes by one node at a time.
    plainPublishers: [],
    rates: new Map([...plan.rates, ...rates]),
    faults: [...kept, ...more].sort((a, b) => a.atMs - b.atMs),
  };
}

function perMinute(times: number, lengthMs: number): number {
  return (times * 60_000) / lengthMs;
}

/** Without the loss of more disks than the smallest quorum bears. */
function sparing(faults: readonly Fault[], lostDisksMax: number): readonly Fault[] {
  const isRotting = faults.some(({ kind }) => kind === 'rot');
  let lost = isRotting ? 1 : 0;
  return faults.flatMap((fault) => {
    if (fault.kind === 'rot') return lostDisksMax > 0 ? fault : [];
    const isLost = fault.kind === 'lost-disk' || (fault.kind === 'duel' && losesDisk(fault));
    if (!isLost || ++lost <= lostDisksMax) return fault;
    return fault.kind === 'duel' ? { ...fault, amount: 1 } : [];
  });
}
