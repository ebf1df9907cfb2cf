/** States that are rare and dangerous, counted in what was seen: a search that never had them says nothing of them. */
import type { Evidence } from './checkers/evidence.js';
import type { Nemesis } from './nemesis.js';
import { type SeenClaim, compareClaims } from './record.js';
import type { World } from './world.js';
import { placeOf } from './places.js';

export interface Steered {
  /** A claim was made while the owner before it was up and not paused. */
  readonly twoClaims: number;
  /** Then a third home's disk was lost, before the first owner could know. */
  readonly twoClaimsThenLoss: number;
  /** A node owns again what another owned meanwhile, and had entries that nobody else had. */
  readonly regainedWithTail: number;
  /** A channel had an even number of homes. */
  readonly evenHomes: boolean;
  /** Channels had another number of homes at some time. */
  readonly otherHomeCount: boolean;
  /** Faults that fell between the write of an entry and its W-th sync. */
  readonly faultsInCommits: number;
  /** Faults within a second before the first entry of a claim. */
  readonly faultsInClaims: number;
  /** A trim took effect, and the ring was another one at some time. */
  readonly trimsAndRings: boolean;
  /** So did one that was forced. */
  readonly forcedAndRings: boolean;
}

export const nothingSteered: Steered = {
  twoClaims: 0,
  twoClaimsThenLoss: 0,
  regainedWithTail: 0,
  evenHomes: false,
  otherHomeCount: false,
  faultsInCommits: 0,
  faultsInClaims: 0,
  trimsAndRings: false,
  forcedAndRings: false,
};

const claimMs = 1_000;

export function steeredIn(world: World, evidence: Evidence | undefined, nemesis: Nemesis): Steered {
  const { record } = world;
  const times = nemesis.strikes.map(({ atMs }) => atMs);
  const writing = nemesis.strikes.filter(({ inCommit }) => inCommit).map(({ atMs }) => atMs);
  const claims = [...record.claims.values()];
  const inClaims = times.filter((atMs) =>
    claims.some((some) => some.some(({ sinceMs }) => atMs <= sinceMs && sinceMs < atMs + claimMs)),
  );
  const raised = evidence && nemesis.fired.has('ring') ? evidence.raised : [];
  return {
    ...nemesis.steered,
    regainedWithTail: sum(record.claims, ([channel, some]) => regained(world, channel, some)),
    evenHomes: [...record.claims.keys()].some((channel) => world.homesOf(channel).length % 2 === 0),
    otherHomeCount: (world.rings?.homeCounts.size ?? 0) > 1,
    faultsInClaims: inClaims.length,
    trimsAndRings: raised.length > 0,
    forcedAndRings: raised.some(({ trim }) => trim.forced),
    faultsInCommits: new Set([...writing, ...(evidence ? faultsInCommits(evidence, times) : [])]).size,
  };
}

function sum<T>(all: Iterable<T>, each: (one: T) => number): number {
  let total = 0;
  for (const one of all) total += each(one);
  return total;
}

/** How often a node came back to own the channel, with entries of its claim before that were synced on its disk alone when
 *  the other stamped first. */
function regained({ disks, record }: World, channel: string, seen: readonly SeenClaim[]): number {
  const claims = [...seen].sort(compareClaims);
  const nodeOf = ({ writer }: SeenClaim): string | undefined => record.writers.get(writer)?.process.node;
  let count = 0;
  for (let i = 2; i < claims.length; i++) {
    const [first, between, again] = [claims[i - 2]!, claims[i - 1]!, claims[i]!];
    const node = nodeOf(first);
    if (node === undefined || node !== nodeOf(again) || node === nodeOf(between)) continue;
    const held = disks.map((disk) => disk.lastBefore(placeOf(channel), first.writer, between.sinceMs));
    const own = Math.max(0, ...held.filter((_, at) => disks[at]!.node === node));
    const others = Math.max(0, ...held.filter((_, at) => disks[at]!.node !== node));
    if (own > others) count++;
  }
  return count;
}

function faultsInCommits({ orders, disks, homesOf }: Evidence, times: readonly number[]): Set<number> {
  const hit = new Set<number>();
  for (const [channel, { entries }] of orders) {
    const needs = Math.floor(homesOf(channel).length / 2) + 1;
    for (const { writer, seq } of entries) {
      const synced = disks.flatMap((disk) => disk.syncedAt(placeOf(channel), writer, seq) ?? []);
      synced.sort((a, b) => a - b);
      const [first, enough] = [synced[0] ?? 0, synced[needs - 1] ?? 0];
      for (const atMs of times) if (first <= atMs && atMs <= enough) hit.add(atMs);
    }
  }
  return hit;
}
