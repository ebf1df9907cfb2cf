/** Nodes whose disks hold something before they start, as homes that another owner once wrote to. */
import type { WriterId } from '../../../src/base/ids.js';
import { channelPosition } from '../../../src/cluster/ring-position.js';
import { RingTable } from '../../../src/cluster/ring-table.js';
import type { LogStore } from '../../../src/engine/ports.js';
import { checkpointNoteOf, encodeCheckpoint } from '../../../src/replication/catch-up-notes.js';
import { openLogStore } from '../../../src/storage/log-store.js';
import { TestWriter, ref } from '../../storage/support.js';
import { ClusterWorld, type ClusterWorldOptions, type TestNode } from './cluster-world.js';

const writer = '0192f0c1a2b3000000000001' as WriterId;

/** By channel. */
export type Contents = Readonly<Record<string, readonly string[]>>;

function openStore(world: ClusterWorld, node: TestNode): Promise<LogStore> {
  return openLogStore({
    directory: '/data',
    soleHome: false,
    plentyBytes: 1 << 40,
    files: node.disk.files(),
    openIndex: () => node.index.keyValue(),
    clock: world.clock,
    random: node.random,
    observer: { observe: () => undefined },
  });
}

async function fill(world: ClusterWorld, node: TestNode, contents: Contents) {
  const store = await openStore(world, node);
  const a = new TestWriter(store, writer);
  for (const [channel, texts] of Object.entries(contents)) {
    // The same at every node, whatever else is there.
    a.timestamp = 1_000_000;
    await a.publish(ref(channel), ...texts);
  }
  const { storeId, newestArrival } = store;
  await store.close();
  return { store: storeId, arrival: newestArrival, ringVersion: 1 };
}

export interface FilledOptions extends Omit<ClusterWorldOptions, 'nodes'> {
  /** Each takes itself to have all that arrived at the others: what differs is for comparisons to find. */
  readonly isUnaware?: boolean;
}

/** What of the contents lies where this node is a home: what does not would be brought to its homes. */
function homed({ ring }: ClusterWorld, { id }: TestNode, contents: Contents): Contents {
  const table = new RingTable(ring);
  const isHome = (channel: string): boolean =>
    table.intervalOf(channelPosition(ref(channel))).homes.includes(id);
  return Object.fromEntries(Object.entries(contents).filter(([channel]) => isHome(channel)));
}

/** One node for each of the contents, 3 s after their start. */
export async function filledWorld(
  contents: readonly Contents[],
  { isUnaware = false, ...options }: FilledOptions = {},
): Promise<ClusterWorld> {
  const world = new ClusterWorld({ ...options, nodes: contents.length });
  const checkpoints = new Map<TestNode, Uint8Array>();
  for (const [i, node] of world.nodes.entries())
    checkpoints.set(
      node,
      encodeCheckpoint(await world.run(fill(world, node, homed(world, node, contents[i]!)))),
    );
  const note = async (node: TestNode): Promise<void> => {
    const store = await openStore(world, node);
    const others = [...checkpoints].filter(([other]) => other !== node);
    const notes = new Map(others.map(([other, checkpoint]) => [checkpointNoteOf(other.id), checkpoint]));
    await store.commit({ bytes: new Uint8Array(0), runs: [], notes });
    await store.close();
  };
  if (isUnaware) for (const node of world.nodes) await world.run(note(node));
  await world.run(Promise.all(world.nodes.map((node) => node.start(true))));
  await world.pass(3_000);
  return world;
}
