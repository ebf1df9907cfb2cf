/** What a version of the ring asks of the replica: the homes of its intervals as it counts them, and what becomes of each
 *  interval that is held here when one version follows another. */
import type { NodeId } from '../../base/ids.js';
import { claimLives, holdersOf, intervalsOf, intervalsUnder } from '../../cluster/intervals.js';
import type { Interval, RingTable } from '../../cluster/ring-table.js';
import { type Changing, type HomeSet, homeSet } from '../../replication/quorum.js';
import type { PlannedInterval, RingPlan } from '../../replication/replica.js';

/** Those that decide. */
export function homeSetsOf(interval: Interval): readonly HomeSet[] {
  return interval.state === 'joint'
    ? [homeSet(interval.homes), homeSet(interval.nextHomes)]
    : [homeSet(interval.homes)];
}

export function changingOf(interval: Interval): Changing | undefined {
  if (interval.state === 'settled') return undefined;
  const { state, homes, nextHomes } = interval;
  const incoming = state === 'filling' ? nextHomes.filter((node) => !homes.includes(node)) : [];
  return { phase: state, incoming, before: homeSet(homes) };
}

/** Whether the node is to hold it and did not before the change. */
export function isIncoming(interval: Interval, node: NodeId): boolean {
  return interval.state !== 'settled' && !interval.homes.includes(node);
}

export function isToHold(interval: Interval, node: NodeId): boolean {
  return interval.state !== 'settled' && interval.nextHomes.includes(node);
}

/** `before`: the version in use, unless it is another cluster's. */
export function ringPlan(before: RingTable | undefined, after: RingTable, self: NodeId): RingPlan {
  const intervals = intervalsOf(after, self).map((interval): PlannedInterval => {
    const under = before ? intervalsUnder(interval, before).map((index) => before.interval(index)) : [];
    const held = under.filter((each) => holdersOf(each).includes(self));
    const hadAll = held.length === under.length && under.length > 0;
    return {
      id: interval.id,
      sets: homeSetsOf(interval),
      changing: changingOf(interval),
      from: held.map(({ id }) => id),
      claimLives: hadAll && claimLives(under, interval),
      gathers: gathersFor(interval, self, hadAll),
    };
  });
  return {
    version: after.ring.version,
    intervals,
    intervalOf: (ref) => {
      const interval = after.intervalOfChannel(ref);
      return holdersOf(interval).includes(self) ? interval.id : undefined;
    },
  };
}

/** A home that comes in gathers in both phases: what was told before the joint one may lack what was committed meanwhile. So
 *  does one that stays, once both sets decide. One that missed the change gathers what it was not there for. */
function gathersFor(interval: Interval, self: NodeId, hadAll: boolean): PlannedInterval['gathers'] {
  if (isIncoming(interval, self) || !hadAll) return 'incoming';
  return interval.state === 'joint' && isToHold(interval, self) ? 'checking' : undefined;
}
