/** Who must agree. One ring version is one set of homes; while a ring changes there are two, and everything needs enough
 *  homes of each. The numbers come from the ring, never from who is alive. */
import type { NodeId } from '../base/ids.js';
import { planted } from '../base/planted.js';

export interface HomeSet {
  readonly homes: readonly NodeId[];
  /** W = ⌊R′/2⌋ + 1, R′ the number of homes. */
  readonly appendNeeds: number;
  /** R′ − W + 1: any such set shares a home with any W. */
  readonly claimNeeds: number;
}

/** A change of the ring gives an interval other homes. */
export interface Changing {
  /** filling: the homes of before decide, in `sets`. joint: those of before and those of after. */
  readonly phase: 'filling' | 'joint';
  /** Get entries and count nowhere yet. */
  readonly incoming: readonly NodeId[];
  /** Homes of before: W of them together hold all that they committed alone. */
  readonly before: HomeSet;
}

/** The set of one ring version. */
export function homeSet(homes: readonly NodeId[]): HomeSet {
  const appendNeeds = Math.floor(homes.length / 2) + (planted('small-quorum') && homes.length > 1 ? 0 : 1);
  return { homes, appendNeeds, claimNeeds: homes.length - appendNeeds + 1 };
}

/** All homes of all sets, each once. */
export function homesOf(sets: readonly HomeSet[]): readonly NodeId[] {
  return [...new Set(sets.flatMap(({ homes }) => homes))];
}

export function meetsClaim(sets: readonly HomeSet[], has: (home: NodeId) => boolean): boolean {
  const fewer = planted('lonely-claim') ? 1 : 0;
  return sets.every(({ homes, claimNeeds }) => homes.filter(has).length >= claimNeeds - fewer);
}

export function meetsAppend(sets: readonly HomeSet[], has: (home: NodeId) => boolean): boolean {
  return sets.every(({ homes, appendNeeds }) => homes.filter(has).length >= appendNeeds);
}

/** The greatest seq that enough homes of every set acked; 0 when there is none. */
export function ackedLevel(sets: readonly HomeSet[], ackedBy: (home: NodeId) => number): number {
  let level = Infinity;
  const counted = planted('one-ring-appends') ? sets.slice(0, 1) : sets;
  for (const { homes, appendNeeds } of counted) {
    const acked = homes.map(ackedBy).sort((a, b) => b - a);
    level = Math.min(level, acked[appendNeeds - 1] ?? 0);
  }
  return level === Infinity ? 0 : level;
}

/** Homes that acked at least `seq`. */
export function copiesOf(sets: readonly HomeSet[], ackedBy: (home: NodeId) => number, seq: number): number {
  return homesOf(sets).filter((home) => ackedBy(home) >= seq).length;
}

/** What another home answered to one that recovers. */
export type Returned =
  /** Nothing yet, or not all of it is here. */
  | 'missing'
  /** Its promise and all it holds. */
  | 'whole'
  /** The same, of one that a change of the ring brings in: it acked and promised nothing that it does not say, and lacks what
   *  was committed before it came. */
  | 'incoming'
  /** It recovers too: nothing it said before holds any more. */
  | 'recovering';

/** Whether enough was given to a home that forgot nothing: W homes of before the change, itself among them where it is one
 *  and counts, so that no entry committed before is missed. Nobody counts what it has not acked, so silence harms nothing.
 *  After the change: what meets any W homes. */
export function meetsGathering(
  sets: readonly HomeSet[],
  changing: Changing | undefined,
  self: { readonly node: NodeId; readonly counts: boolean },
  returned: (home: NodeId) => Returned,
): boolean {
  const tellers = changing ? [changing.before] : sets;
  return tellers.every(({ homes, appendNeeds, claimNeeds }) => {
    const others = homes.filter((home) => home !== self.node);
    const own = self.counts && others.length < homes.length ? 1 : 0;
    const whole = others.filter((home) => returned(home) === 'whole').length;
    return whole + own >= Math.min(changing ? appendNeeds : claimNeeds, others.length + own);
  });
}

/** Whether a home whose store is not what it was may count again. None of the others is silent: a silent one might own the
 *  interval, or be about to, and go on counting what the lost store acked or granted, which nobody here knows of. And so
 *  many gave back that no more than W − 1 lost their stores: of any W that acked an entry one is among them. One that comes in
 *  has acked nothing it could have forgotten, so it counts as well: it may itself be waiting for this one. */
export function meetsRecovery(
  sets: readonly HomeSet[],
  self: NodeId,
  returned: (home: NodeId) => Returned,
): boolean {
  return sets.every(({ homes, appendNeeds, claimNeeds }) => {
    const others = homes.filter((home) => home !== self).map(returned);
    const whole = others.filter((each) => each === 'whole' || each === 'incoming').length;
    if (planted('recovery-by-quorum')) return whole >= Math.min(appendNeeds, others.length);
    return !others.includes('missing') && whole >= Math.min(claimNeeds, others.length);
  });
}
