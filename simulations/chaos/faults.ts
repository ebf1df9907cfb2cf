/** What goes wrong with real processes, each until it is over: then all nodes are there again, in one ring. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../../src/base/random.js';
import type { ClusterNode, ProcessCluster } from '../processes/cluster.js';
import type { SmallDisk } from './small-disk.js';

export interface FaultWorld {
  readonly cluster: ProcessCluster;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Of one node, where the system lets us have one. */
  readonly disk: SmallDisk | undefined;
  /** Resolves once publishes were acknowledged after it was called. */
  acks(): Promise<void>;
  tell(text: string): void;
}

type Fault = (world: FaultWorld) => Promise<void>;

export const faults = {
  kill,
  pause: stopForAWhile,
  isolate,
  'one way': oneWay,
  packets,
  connections,
  clock: wrongClock,
  'clock steps': clockSteps,
  'slow disk': slowDisk,
  restart: rollingRestart,
  wipe,
  'join and drain': joinAndDrain,
  'full disk': fullDisk,
} satisfies Readonly<Record<string, Fault>>;
export type FaultKind = keyof typeof faults;

const aheadMsMax = 20_000;

/** In which order they come, from a seed: each kind once before any comes again. */
export function* faultOrder(
  random: Random,
  kinds: readonly FaultKind[],
): Generator<FaultKind, never, undefined> {
  for (;;) {
    const left = [...kinds];
    while (left.length > 0) yield left.splice(Math.floor(random.next() * left.length), 1)[0]!;
  }
}

function anyOf({ cluster, random }: FaultWorld): ClusterNode {
  return cluster.nodes[Math.floor(random.next() * cluster.nodes.length)]!;
}

/** Only how long something lasts is chosen, never whether it is right. */
function forMs({ random, signal }: FaultWorld, least: number, most: number): Promise<void> {
  return pause(least + random.next() * (most - least), undefined, { signal });
}

async function kill(world: FaultWorld): Promise<void> {
  const node = anyOf(world);
  world.tell(`${node.name} is killed`);
  await node.kill();
  await world.acks();
  await forMs(world, 0, 2_000);
  await node.process.start();
}

/** It takes itself for alive when it goes on, and finds that others went on without it. */
async function stopForAWhile(world: FaultWorld): Promise<void> {
  const node = anyOf(world);
  world.tell(`${node.name} is paused`);
  node.pause();
  await forMs(world, 200, 5_000);
  node.resume();
}

async function isolate(world: FaultWorld): Promise<void> {
  const node = anyOf(world);
  world.tell(`${node.name} is cut off`);
  world.cluster.proxies.isolate(node.name);
  await forMs(world, 500, 6_000);
  world.cluster.proxies.mend();
}

async function oneWay(world: FaultWorld): Promise<void> {
  const { cluster } = world;
  const node = anyOf(world);
  const other = cluster.nodes.find((each) => each !== node)!;
  world.tell(`${node.name} is not heard by ${other.name}`);
  cluster.proxies.cut(node.name, other.name, true);
  await forMs(world, 500, 6_000);
  cluster.proxies.mend();
}

async function packets(world: FaultWorld): Promise<void> {
  const node = anyOf(world);
  world.tell(`${node.name} gets and sends no UDP`);
  world.cluster.proxies.cutPackets(node.name);
  await forMs(world, 500, 4_000);
  world.cluster.proxies.mend();
}

/** They stand and bring nothing, and whoever asks by packets is told that all is well. */
async function connections(world: FaultWorld): Promise<void> {
  const node = anyOf(world);
  world.tell(`connections of ${node.name} bring nothing`);
  world.cluster.proxies.cutConnections(node.name);
  await forMs(world, 500, 6_000);
  world.cluster.proxies.mend();
}

/** Far enough that others tell of it, in either direction. */
function someAheadMs({ random }: FaultWorld): number {
  return Math.round((random.next() - 0.5) * 2 * aheadMsMax);
}

async function wrongClock(world: FaultWorld): Promise<void> {
  const node = anyOf(world);
  const aheadMs = someAheadMs(world);
  world.tell(`${node.name} is killed, and started with a clock that is ${aheadMs} ms ahead`);
  await node.kill();
  node.setOddities({ aheadMs, syncMs: 0 });
  await node.process.start();
  await world.cluster.together();
  await world.acks();
  await forMs(world, 0, 3_000);
  await node.kill();
  node.setOddities({ aheadMs: 0, syncMs: 0 });
  await node.process.start();
}

async function clockSteps(world: FaultWorld): Promise<void> {
  const node = anyOf(world);
  const aheadMs = someAheadMs(world);
  world.tell(`the clock of ${node.name} is set by ${aheadMs} ms while it runs`);
  node.setOddities({ aheadMs, syncMs: 0 });
  await world.acks();
  await forMs(world, 500, 4_000);
  node.setOddities({ aheadMs: 0, syncMs: 0 });
}

async function slowDisk(world: FaultWorld): Promise<void> {
  const node = anyOf(world);
  const syncMs = Math.round(20 + world.random.next() * 480);
  world.tell(`a sync of ${node.name} takes ${syncMs} ms more`);
  node.setOddities({ aheadMs: 0, syncMs });
  await world.acks();
  await forMs(world, 500, 5_000);
  node.setOddities({ aheadMs: 0, syncMs: 0 });
}

async function rollingRestart(world: FaultWorld): Promise<void> {
  world.tell('all are stopped and started, one after the other');
  for (const node of world.cluster.nodes) {
    await node.stop();
    await node.process.start();
    await world.cluster.together();
  }
}

async function wipe(world: FaultWorld): Promise<void> {
  const { cluster } = world;
  // Who has been moved to a small disk stays there.
  const node = anyOf(world);
  const { nodeId } = await node.status();
  world.tell(`${node.name} is killed, its disk wiped, and it is removed from the ring`);
  await node.kill();
  node.wipe();
  await cluster.change({ kind: 'remove', node: nodeId });
  await world.acks();
  await node.process.start();
}

async function joinAndDrain(world: FaultWorld): Promise<void> {
  const { cluster } = world;
  const node = await cluster.add();
  world.tell(`${node.name}, which is new, joins`);
  await cluster.together();
  await world.acks();
  const { nodeId } = await node.status();
  world.tell(`${node.name} is drained`);
  await cluster.change({ kind: 'drain', node: nodeId });
  await cluster.becomes(async () => {
    const { ring } = await cluster.nodes[0]!.ring();
    return ring?.change === undefined && ring?.members.every((member) => member.node !== nodeId) === true;
  }, `${node.name} is no member any more`);
  await node.stop();
  await cluster.drop(node);
}

async function fullDisk(world: FaultWorld): Promise<void> {
  const { disk } = world;
  if (!disk) return;
  world.tell(`the disk of ${disk.node} is full`);
  disk.fill();
  await forMs(world, 500, 3_000);
  disk.empty();
  const node = world.cluster.nodes.find(({ name }) => name === disk.node);
  if (!node || node.process.isRunning) return;
  world.tell(`${disk.node} ended, and is started again`);
  await node.process.start();
}
