/** One seed: a machine whose store is crashed again and again at steps drawn by chance, and checked after each. */
import type { LogStore } from '../../src/engine/ports.js';
import { StoreFailedError } from '../../src/engine/ports.js';
import { StoreRefusedError } from '../../src/storage/identity.js';
import { type Excused, checkRaw, checkRefuses, checkServed, snapshot } from './checks.js';
import { Damage } from './damage.js';
import { Model, mustHold } from './model.js';
import { type Habits, Workload } from './workload.js';
import { finish } from './redactions.js';
import { StoreWorld } from './world.js';

export interface SeedResult {
  readonly traceHash: string;
  readonly starts: number;
  readonly acked: number;
}

interface Plan {
  readonly habits: Habits;
  readonly segmentBytes: number;
  readonly starts: number;
  readonly stepsMax: number;
  readonly crashes: number;
  readonly deathAtNames: number;
  readonly powerLosses: number;
  readonly diskFaults: number;
  readonly indexFaults: number;
  readonly damage: number;
}

/** Throws Violation when a promise is broken, StalledError when nothing goes on. */
export async function runStoreSeed(seed: number, onWorld?: (world: StoreWorld) => void): Promise<SeedResult> {
  const probe = new StoreWorld(seed, 65_536);
  const plan = makePlan(probe);
  const world = new StoreWorld(seed, plan.segmentBytes);
  world.soleHome = plan.habits.repairs === 0;
  onWorld?.(world);
  const model = new Model();
  const damage = new Damage();
  try {
    await manyStarts(world, model, plan, damage);
    await lastStarts(world, model, damage);
  } catch (error) {
    // With store.json and a segment's header both damaged nothing can be verified: refusing is right.
    if (!(error instanceof StoreRefusedError && damage.done)) throw error;
  }
  return { traceHash: world.trace.hash, starts: plan.starts + 3, acked: model.acked };
}

async function manyStarts(world: StoreWorld, model: Model, plan: Plan, damage: Damage): Promise<void> {
  for (let start = 0; start < plan.starts; start++) {
    const outcome = await oneStart(world, model, plan, damage);
    if (!damage.done) checkRaw(world, model);
    faultBetweenStarts(world, plan);
    if (world.random.next() < plan.damage) damage.strike(world, model, outcome === 'closed');
  }
}

function makePlan({ random, extra }: StoreWorld): Plan {
  // Nothing is stored again where nobody else has it; and of many homes none trims yet.
  const isShared = random.next() < 0.4;
  const often = (most: number): number => (random.next() < 0.3 ? 0 : random.next() * most);
  const pick = <T>(...values: readonly T[]): T => values[Math.floor(random.next() * values.length)]!;
  return {
    habits: {
      channels: pick(1, 2, 5, 12),
      hubs: pick(1, 3),
      trims: isShared ? 0 : often(pick(0.1, 0.5)),
      floors: pick(0, 0, 0.1, 0.3),
      redactions: extra.next() < 0.5 ? 0.05 + 0.4 * extra.next() : 0,
      notes: often(0.3),
      keys: often(0.3),
      maintenance: often(0.4),
      reads: often(0.15),
      repairs: isShared ? pick(0.05, 0.3) : 0,
      clockSteps: pick(0, 0.05),
      payloadBytesMax: pick(30, 400, 3_000),
      runsMax: pick(1, 3, 8),
    },
    segmentBytes: pick(16_384, 16_384, 32_768, 131_072),
    starts: 3 + Math.floor(random.next() * 6),
    stepsMax: pick(15, 40, 40, 150),
    crashes: pick(0.5, 1),
    deathAtNames: pick(0, 0.03, 0.1),
    powerLosses: pick(0, 0.5, 1),
    diskFaults: often(0.8),
    indexFaults: often(0.5),
    damage: random.next() < 0.3 ? random.next() : 0,
  };
}

/** One process, from opening the store to its end, planned or not. */
async function oneStart(world: StoreWorld, model: Model, plan: Plan, damage: Damage): Promise<Outcome> {
  const { random, disk, clock } = world;
  const steps = 5 + Math.floor(random.next() * plan.stepsMax);
  const lifetime =
    random.next() < plan.crashes ? 1 + Math.floor(random.next() * steps * 4) : Number.POSITIVE_INFINITY;
  const died = new Promise<'died'>((resolve) => disk.dieAfter(lifetime, () => resolve('died')));
  disk.deathAtNames = lifetime < Number.POSITIVE_INFINITY ? plan.deathAtNames : 0;
  if (random.next() < plan.diskFaults) {
    if (random.next() < 0.5) disk.faults.failSync = 5 + Math.floor(random.next() * 60);
    else disk.faults.failWrite = 5 + Math.floor(random.next() * 60);
  }
  const life = live(world, model, plan.habits, steps, damage);
  life.catch(() => undefined);
  const outcome = await clock.until(Promise.race([life, died]));
  delete disk.faults.failSync;
  delete disk.faults.failWrite;
  disk.deathAtNames = 0;
  world.trace.add(outcome);
  if (outcome === 'died' && random.next() < plan.powerLosses) world.powerLoss();
  else if (outcome !== 'failed' || random.next() < 0.5) world.kill();
  else if (random.next() < plan.powerLosses) world.powerLoss();
  return outcome;
}

type Outcome = 'closed' | 'failed' | 'died';

function excusedBy(damage: Damage): Excused {
  return damage.done ? damage.excused : undefined;
}

async function live(
  world: StoreWorld,
  model: Model,
  habits: Habits,
  steps: number,
  damage: Damage,
): Promise<'closed' | 'failed'> {
  let store: LogStore | undefined;
  try {
    store = await world.open();
    await checkServed(store, model, world.clock, excusedBy(damage));
    await new Workload(store, world, model, habits, damage).run(steps);
    await store.close();
    return 'closed';
  } catch (error) {
    if (!(error instanceof StoreFailedError)) throw error;
    if (store) await checkRefuses(store);
    await store?.close();
    return 'failed';
  }
}

function faultBetweenStarts(world: StoreWorld, plan: Plan): void {
  const { random, index } = world;
  if (random.next() >= plan.indexFaults) return;
  const dice = random.next();
  if (dice < 0.4) index.drop();
  else if (dice < 0.6) index.flipValue();
  else if (dice < 0.8) index.loseBatch();
  else index.faults.failOpen = true;
}

/** Nothing goes wrong any more: two starts in a row answer alike, and so does one without the index. */
async function lastStarts(world: StoreWorld, model: Model, damage: Damage): Promise<void> {
  delete world.index.faults.failOpen;
  world.disk.dieAfter(Number.POSITIVE_INFINITY, () => {});
  const { clock } = world;
  if (model.redactions.size > 0 && !damage.done) {
    await clock.until(
      untilUsable(world, async (store) => {
        await checkServed(store, model, clock);
        await finish(store, world, model);
      }),
    );
    checkRaw(world, model);
  }
  const answers: string[] = [];
  for (const without of ['nothing', 'nothing', 'index'] as const) {
    if (without === 'index') world.index.drop();
    const answer = untilUsable(world, async (store) => {
      await checkServed(store, model, clock, excusedBy(damage));
      return await snapshot(store, model);
    });
    answers.push(await clock.until(answer));
    world.kill();
    if (!damage.done) checkRaw(world, model);
  }
  // What damage has cost one index still knows by name, and a rebuilt one does not.
  if (damage.done || [...model.redactions].some(({ isSpared }) => isSpared)) return;
  const [first, second, rebuilt] = answers as [string, string, string];
  mustHold(first === second, () => `two starts in a row differ: ${firstDifference(first, second)}`);
  mustHold(
    first === rebuilt,
    () => `without the index it answers differently: ${firstDifference(first, rebuilt)}`,
  );
}

/** An index that proves wrong in use is given up by one start and rebuilt by the next. */
async function untilUsable<T>(
  world: StoreWorld,
  use: (store: LogStore) => Promise<T>,
  tries = 2,
): Promise<T> {
  const store = await world.open();
  try {
    return await use(store);
  } catch (error) {
    if (!(error instanceof StoreFailedError) || tries === 0) throw error;
  } finally {
    await store.close();
  }
  return await untilUsable(world, use, tries - 1);
}

function firstDifference(a: string, b: string): string {
  const [left, right] = [a.split('\n'), b.split('\n')];
  const i = left.findIndex((line, n) => line !== right[n]);
  return `${left[i]}\nand ${right[i]}`;
}
