/** What may go wrong, as a schedule: drawn whole before the run, so that a run can be repeated with a part of it. */
import type { Random } from '../../src/base/random.js';
import { between, interval, logBetween, pick, shuffled, whole } from './chance.js';

export const faultKinds = [
  'kill',
  'power-loss',
  'blackout',
  'stop',
  'pause',
  'clock-step',
  'clock-drift',
  'isolate',
  'one-way',
  'split',
  'clog',
  'storm',
  'cut',
  'slow-disk',
  'full-disk',
  'failed-sync',
  'failed-write',
  'lost-disk',
  'duel',
  'tail',
  'ambush',
  'ring',
  'rot',
  'delete',
  'redact',
  'force',
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Every field means what its kind makes of it; nodes are counted from 0. */
export interface Fault {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly node: number;
  readonly others: readonly number[];
  readonly forMs: number;
  /** Steps of the disk, milliseconds of a clock, a rate. */
  readonly amount: number;
}

export interface FaultPlan {
  readonly nodes: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** So many disks may be lost in all. */
  readonly lostDisksMax: number;
  /** Times a minute. */
  readonly rates: ReadonlyMap<FaultKind, number>;
}

const betweenNodes: ReadonlySet<FaultKind> = new Set(['isolate', 'one-way', 'split', 'duel', 'tail']);

/** At rates of their own, and with a chance of their own: what came later leaves the rest of a seed as it was. */
const drawnApart: ReadonlySet<FaultKind> = new Set(['ambush', 'ring', 'rot', 'delete', 'redact', 'force']);

/** A random part of all kinds, each at a rate of its own: what is left out lets the rest go further. */
export function drawRates(random: Random, nodes: number, lengthMs: number): Map<FaultKind, number> {
  const rates = new Map<FaultKind, number>();
  const share = pick(random, [0.1, 0.25, 0.5, 0.8]);
  for (const kind of faultKinds) {
    if (drawnApart.has(kind)) continue;
    const isMeant = random.next() < share;
    const times = logBetween(random, 1, 12);
    if (!isMeant || (nodes === 1 && betweenNodes.has(kind))) continue;
    rates.set(kind, (times * 60_000) / lengthMs);
  }
  return rates;
}

/** In nearly every run something goes wrong in the midst of a commit, whatever else does. */
export function drawAmbushRate(random: Random, lengthMs: number): Map<FaultKind, number> {
  if (random.next() < 0.02) return new Map();
  return new Map([['ambush', (logBetween(random, 5, 12) * 60_000) / lengthMs]]);
}

export function drawFaults(random: Random, plan: FaultPlan): Fault[] {
  const faults: Fault[] = [];
  // What rots counts as one of those that may be lost.
  let lostDisks = plan.rates.has('rot') ? 1 : 0;
  let rotten: number | undefined;
  for (const [kind, rate] of plan.rates) {
    let atMs = plan.fromMs;
    while ((atMs += interval(random, rate / 60)) < plan.toMs) {
      if (kind === 'lost-disk' && lostDisks++ >= plan.lostDisksMax) break;
      const fault = drawFault(random, kind, atMs, plan.nodes);
      const isSparing = kind === 'duel' && losesDisk(fault) && lostDisks++ >= plan.lostDisksMax;
      if (kind === 'rot') faults.push({ ...fault, node: (rotten ??= fault.node) });
      else faults.push(isSparing ? { ...fault, amount: 1 } : fault);
    }
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}

/** In some runs: one disk of which bytes change now and then, in the place of disks that are lost. */
export function drawRot(
  random: Random,
  plan: Omit<FaultPlan, 'rates'>,
  faults: readonly Fault[],
): readonly Fault[] {
  if (plan.lostDisksMax < 1 || random.next() < 0.85) return faults;
  const times = logBetween(random, 1, 12);
  const rates = new Map<FaultKind, number>([['rot', (times * 60_000) / (plan.toMs - plan.fromMs)]]);
  const others = faults
    .filter(({ kind }) => kind !== 'lost-disk')
    .map((fault) => (fault.kind === 'duel' && losesDisk(fault) ? { ...fault, amount: 1 } : fault));
  return [...others, ...drawFaults(random, { ...plan, rates })].sort((a, b) => a.atMs - b.atMs);
}

/** Of a duel: whether a third home's disk is lost in it. */
export function losesDisk({ amount }: Fault): boolean {
  return amount < 0.7;
}

/** Of a pause: its main thread alone stands still, and one beside that goes on. */
export function isOfMainThread({ amount }: Fault): boolean {
  return amount < 0.5;
}

function drawFault(random: Random, kind: FaultKind, atMs: number, nodes: number): Fault {
  const node = whole(random, 0, nodes - 1);
  const others = shuffled(
    random,
    Array.from({ length: nodes }, (_, i) => i),
  ).slice(0, whole(random, 1, Math.max(1, nodes - 1)));
  return { kind, atMs, node, others, forMs: lengthOf(random, kind), amount: amountOf(random, kind) };
}

function lengthOf(random: Random, kind: FaultKind): number {
  switch (kind) {
    case 'pause':
      return logBetween(random, 10, 60_000);
    case 'clog':
      return logBetween(random, 50, 5_000);
    case 'cut':
    case 'clock-step':
      return 0;
    case 'duel':
    case 'tail':
      return between(random, 5_000, 30_000);
    default:
      return logBetween(random, 50, 30_000);
  }
}

function amountOf(random: Random, kind: FaultKind): number {
  switch (kind) {
    case 'kill':
    case 'power-loss':
      // Half of them at once, the others inside one of the next steps of the disk.
      return Math.max(0, whole(random, -30, 30));
    case 'clock-step':
      return (random.next() < 0.5 ? -1 : 1) * logBetween(random, 1, 6 * 3_600_000);
    case 'clock-drift':
      return 1 + between(random, -0.05, 0.05);
    case 'slow-disk':
      return logBetween(random, 5, 2_000);
    case 'storm':
      return logBetween(random, 0.01, 0.3);
    case 'cut':
      return random.next();
    case 'failed-sync':
    case 'failed-write':
      return whole(random, 1, 20);
    default:
      return random.next();
  }
}
