/** Two rings that meet, on the wire or at a start: which one holds, what a request under another version gets, and what a
 *  node may do with the ring it finds on its disk. */
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import { ringDigest } from './ring-codec.js';
import { type Ring, type RingDigest, isMajorityOf } from './ring.js';

/** Two rings of one cluster of which neither descends from the other, at the version where both are known. Never comes from
 *  ring-agreement.ts: an operator forced a ring, or a node was restored from a copy. Nobody adopts, everybody alarms. */
export interface RingFork {
  readonly version: number;
  /** The two contents, the lower first: every node that sees the fork says the same of it. */
  readonly digests: readonly [RingDigest, RingDigest];
}

/** For people. */
export function forkText({ version, digests: [a, b] }: RingFork): string {
  return `Two rings of version ${version}, ${a} and ${b}: neither is adopted.`;
}

export type RingComparison =
  | { readonly kind: 'same' }
  /** The other is to be adopted. */
  | { readonly kind: 'newer' }
  /** The other is told ours. */
  | { readonly kind: 'older' }
  | { readonly kind: 'fork'; readonly fork: RingFork }
  /** Of another founder: see ring-yielding.ts. */
  | { readonly kind: 'foreign' };

/** What the other ring is to ours. A ring more than `limits.ringLineageMax` versions away is believed to be of our line. */
export function compareRings(ours: Ring, other: Ring): RingComparison {
  if (ours.cluster !== other.cluster) return { kind: 'foreign' };
  const version = Math.min(ours.version, other.version);
  const [a, b] = [digestAt(ours, version), digestAt(other, version)];
  if (a !== undefined && b !== undefined && a !== b) {
    return { kind: 'fork', fork: { version, digests: a < b ? [a, b] : [b, a] } };
  }
  if (ours.version === other.version) return { kind: 'same' };
  return { kind: other.version > ours.version ? 'newer' : 'older' };
}

/** What a request made under a ring version gets: current: an answer. stale: `STALE_RING` with our ring. ahead: an answer
 *  once the ring it was made under is fetched and adopted. */
export type VersionVerdict = 'current' | 'stale' | 'ahead';

export function verdictOn(carriedVersion: number, ours: Ring): VersionVerdict {
  if (carriedVersion === ours.version) return 'current';
  return carriedVersion < ours.version ? 'stale' : 'ahead';
}

/** What a node may do after a start with the ring from its disk (R36). waiting: no claims yet. claiming: a majority of the
 *  members is there. degraded: it tries to claim, and until it succeeds acknowledges at `owner` only. */
export type ColdStart = 'waiting' | 'claiming' | 'degraded';

/** `answered` are members that were reached since the start, this node among them; a newer ring is adopted first. */
export function coldStartOf(
  ring: Ring,
  answered: ReadonlySet<NodeId>,
  sinceStartMs: number,
  coldStartMs: number = limits.coldStartMs,
): ColdStart {
  if (isMajorityOf(ring, answered) || planted('start-unwaited')) return 'claiming';
  return sinceStartMs < coldStartMs ? 'waiting' : 'degraded';
}

/** Digest of the version in the ring's line; `undefined` where the lineage does not reach back so far. */
function digestAt(ring: Ring, version: number): RingDigest | undefined {
  const back = ring.version - version;
  return back === 0 ? ringDigest(ring) : ring.lineage[back - 1];
}
