/** For searches: a cluster of random size, and nodes that are cut off, die and come back while something is done at others. */
import { type Random, seededRandom } from '../../../src/base/random.js';
import type { TestSession } from '../harness.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';

const steps = 120;

export interface Drawn {
  readonly random: Random;
  readonly ack: 'owner' | 'quorum';
  readonly world: ClusterWorld;
}

/** Few seeds; others by hand, in the named variable: `100..200`. */
export function seedsOf(variable: string): number[] {
  const [first, last] = (process.env[variable] ?? '1..4').split('..').map(Number) as [number, number];
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

export function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random.next() * items.length)]!;
}

export async function drawCluster(seed: number): Promise<Drawn> {
  const random = seededRandom(seed);
  const ack = pick(random, ['owner', 'quorum'] as const);
  const rules = { sets: { set: { ack } }, hubs: { default: { rules: 'set' } } };
  const world = await ClusterWorld.start({ nodes: pick(random, [3, 3, 3, 5]), rules, seed });
  return { random, ack, world };
}

export interface TurmoilOptions {
  /** That nobody may take for gone while their nodes live. */
  readonly sessions: readonly TestSession[];
  readonly act: (node: TestNode, step: number) => void;
  readonly afterStep?: () => void;
}

/** Resolves when all is mended, with the nodes that died meanwhile. */
export async function turmoil({ random, world }: Drawn, options: TurmoilOptions): Promise<Set<TestNode>> {
  const down = new Set<TestNode>();
  const died = new Set<TestNode>();
  for (let step = 0; step < steps; step++) {
    for (const session of options.sessions) if (!session.closed) session.sendText('{"pong":{}}');
    const node = pick(random, world.nodes);
    const chance = random.next();
    if (chance < 0.05) {
      world.isolate(node);
      // Mostly long enough for another to own what it owned.
      await world.pass(random.next() < 0.7 ? 3_000 : 100);
    } else if (chance < 0.07) world.mend();
    else if (chance < 0.08 && !down.has(node) && down.size === 0) {
      node.kill();
      down.add(node);
      died.add(node);
    } else if (chance < 0.11) {
      for (const each of down) await world.run(each.start(false));
      down.clear();
    } else if (!down.has(node)) options.act(node, step);
    await world.pass(random.next() < 0.05 ? 2_500 : 40);
    options.afterStep?.();
  }
  world.mend();
  for (const each of down) await world.run(each.start(false));
  await world.pass(15_000);
  return died;
}
