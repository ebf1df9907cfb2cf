/** Nodes, channels and rings for the tests of the cluster. */
import fc from 'fast-check';
import { toHex } from '../../src/base/bytes.js';
import type { ChannelName, ChannelRef, HubName, NodeId } from '../../src/base/ids.js';
import { seededRandom } from '../../src/base/random.js';
import type { Result } from '../../src/base/result.js';
import { joinNodes } from '../../src/cluster/ring-change.js';
import {
  type ClusterId,
  type RingMemberState,
  type Replicas,
  type Ring,
  foundRing,
} from '../../src/cluster/ring.js';

export const cluster = 'c1'.repeat(16) as ClusterId;

/** The same ones for the same seed, by rising id. */
export function nodesOf(count: number, seed = 1): readonly NodeId[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => toHex(random.bytes(16)) as NodeId).sort();
}

export function channelOf(i: number): ChannelRef {
  return { hub: 'acme' as HubName, channel: `room:${i}` as ChannelName };
}

/** A ring without a change under way. */
export function ringOf(nodes: readonly NodeId[], replicas: Replicas = 3): Ring {
  const states = [...nodes].sort().map((node) => ({ node, state: 'active' as RingMemberState }));
  return { ...foundRing(cluster, nodes[0]!, replicas), members: states };
}

export function core(...nodes: readonly NodeId[]) {
  return nodes.map((node) => ({ node, role: 'core' as const }));
}

export function must<T, E>(result: Result<T, E>): T {
  if (!result.ok) throw new Error(String(result.error));
  return result.value;
}

export function joining(ring: Ring, ...nodes: readonly NodeId[]): Ring {
  return must(joinNodes(ring, core(...nodes)));
}

export const replicasAny: fc.Arbitrary<Replicas> = fc.constantFrom<Replicas[]>('all', 1, 2, 3, 4, 5, 9);
export const nodeLists: fc.Arbitrary<readonly NodeId[]> = fc
  .tuple(fc.integer({ min: 1, max: 7 }), fc.nat(1000))
  .map(([count, seed]) => nodesOf(count, seed));
