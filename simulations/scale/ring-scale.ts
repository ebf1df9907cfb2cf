/** How evenly the ring shares, and what a change of it costs beside a plain loop over all channels. */
import { toHex } from '../../src/base/bytes.js';
import type { ChannelName, HubName, NodeId } from '../../src/base/ids.js';
import { seededRandom } from '../../src/base/random.js';
import {
  type SortedPositions,
  movesOf,
  placementChanges,
  sortPositions,
} from '../../src/cluster/placement.js';
import { joinNodes } from '../../src/cluster/ring-change.js';
import { channelPosition } from '../../src/cluster/ring-position.js';
import { RingTable } from '../../src/cluster/ring-table.js';
import { type ClusterId, type Ring, foundRing } from '../../src/cluster/ring.js';

const channelCount = 100_000;
const sizes = [3, 9, 100];

interface ScaleOptions {
  /** Timings of each kind, of which the median is told, and the fastest. */
  readonly repeats: number;
}

/** A line of balance and one of cost for each size of ring. */
export function ringScaleLines({ repeats }: ScaleOptions = { repeats: 300 }): string[] {
  const channels = sortPositions(
    Array.from({ length: channelCount }, (_, i) =>
      channelPosition({ hub: 'scale' as HubName, channel: `room:${i}` as ChannelName }),
    ),
  );
  return [...sizes.map(balanceLine), ...sizes.map((size) => costLine(size, channels, repeats))];
}

function balanceLine(size: number): string {
  const { points } = new RingTable(ringOf(size));
  const shares = Array.from({ length: size }, () => 0);
  for (let i = 0; i < points.owners.length; i++) {
    const before = i === 0 ? points.highs.at(-1)! - 2 ** 32 : points.highs[i - 1]!;
    shares[points.owners[i]!]! += (points.highs[i]! - before) / 2 ** 32;
  }
  const [most, least] = [Math.max(...shares) * size, Math.min(...shares) * size];
  return `ring of ${size}: share owned max/mean ${most.toFixed(3)}, min/mean ${least.toFixed(3)}`;
}

/** A node joins. The plain loop looks at each channel's position once. The table of the new ring is made once a version, for all
 *  that looks anything up in it, and its cost goes with the points on the ring: it is told beside what finding the moves takes. */
function costLine(size: number, channels: SortedPositions, repeats: number): string {
  const ring = ringOf(size);
  const joined = joinNodes(ring, [{ node: nodeIds(size + 1)[size]!, role: 'core' }]);
  if (!joined.ok) throw new Error(joined.error);
  const before = new RingTable(ring);
  const after = new RingTable(joined.value, before);
  let moved = 0;
  let changed = 0;
  const loop = timesOf(repeats, () => lookAtAll(channels));
  const change = timesOf(repeats, () => {
    const changes = placementChanges(before, after);
    changed = changes.length;
    moved = movesOf(changes, channels).reduce((sum, { from, to }) => sum + to - from, 0);
  });
  const table = timesOf(repeats, () => new RingTable(joined.value, before));
  const whole = (of: keyof Times): string => ((change[of] + table[of]) / loop[of]).toFixed(1);
  return (
    `ring of ${size}, one joins: ${changed} arcs, ${moved} of ${channelCount} channels move; ${change.medianMs.toFixed(2)} ms, ` +
    `${(change.medianMs / loop.medianMs).toFixed(1)} times a plain loop (${loop.medianMs.toFixed(2)} ms); new table ${table.medianMs.toFixed(2)} ms, ` +
    `with it ${whole('medianMs')} times; fastest ${change.leastMs.toFixed(2)}, ${loop.leastMs.toFixed(2)} and ${table.leastMs.toFixed(2)} ms, ` +
    `${whole('leastMs')} times`
  );
}

function lookAtAll({ highs, lows }: SortedPositions): number {
  let seen = 0;
  for (let i = 0; i < highs.length; i++) seen = (seen + (highs[i]! ^ lows[i]!)) | 0;
  return seen;
}

interface Times {
  readonly medianMs: number;
  /** Beside other work on the machine the median is of that too. */
  readonly leastMs: number;
}

function timesOf(repeats: number, body: () => unknown): Times {
  // The first rounds compile.
  for (let i = 0; i < repeats; i++) body();
  const times = Array.from({ length: repeats }, () => {
    const begun = performance.now();
    body();
    return performance.now() - begun;
  });
  times.sort((a, b) => a - b);
  return { medianMs: times[repeats >> 1]!, leastMs: times[0]! };
}

function ringOf(size: number): Ring {
  const ring = foundRing('00'.repeat(16) as ClusterId, nodeIds(1)[0]!, 3);
  const members = nodeIds(size).map((node) => ({ node, state: 'active' as const }));
  return { ...ring, members: members.sort((a, b) => (a.node < b.node ? -1 : 1)) };
}

/** The first are the same, however many. */
function nodeIds(count: number): NodeId[] {
  const random = seededRandom(7);
  return Array.from({ length: count }, () => toHex(random.bytes(16)) as NodeId);
}
