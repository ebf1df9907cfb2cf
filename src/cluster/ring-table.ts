/** A ring made ready for lookups: its intervals and their homes, computed once a ring version. An interval is the arc
 *  between two virtual nodes; its index is that of the point at its end, its id the position of that point. Arcs are not
 *  merged: neighbours rarely have the same homes in the same order, and so an id depends on one virtual node only.
 *
 *  While a change is under way the points of all who come, stay and go are in the table, so an interval has exactly one set
 *  of homes before and one after. */
import { assert } from '../base/assert.js';
import { ChannelMap } from '../base/channel-map.js';
import type { ChannelRef, NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type HomesTable, homesAt, homesChange, homesTable } from './homes.js';
import {
  type IntervalId,
  type RingPosition,
  channelPosition,
  intervalIdOf,
  positionOf,
  virtualNodesMax,
} from './ring-position.js';
import { type RingPoints, isEmptyArc, pointAt, pointsOf } from './ring-points.js';
import { type ChangePhase, type Ring, countsAfter, countsNow } from './ring.js';

/** An arc of the ring and who holds it. Homes are in order of preference. */
export type Interval = IntervalPlace &
  (
    | { readonly state: 'settled'; readonly homes: readonly NodeId[] }
    | {
        readonly state: ChangePhase;
        /** From before the change. */
        readonly homes: readonly NodeId[];
        /** After it. */
        readonly nextHomes: readonly NodeId[];
      }
  );

interface IntervalPlace {
  readonly id: IntervalId;
  readonly index: number;
  /** Positions above `after` through `end`, going round where `after` is above it. */
  readonly after: RingPosition;
  readonly end: RingPosition;
}

export class RingTable {
  readonly ring: Ring;
  readonly points: RingPoints;
  /** From before the change under way, or the only ones. */
  readonly homes: HomesTable;
  /** After the change under way; the same object without one. */
  readonly nextHomes: HomesTable;
  /** 1 for each interval to which the change under way gives other homes. */
  readonly #changing: Uint8Array | undefined;
  /** Those that were asked for; where they lie is the same for every ring of these points. */
  readonly #intervals: Interval[] = [];
  readonly #places: IntervalPlace[];
  /** Of channels asked about lately: each publish asks, and each letter. */
  #known = new ChannelMap<Interval>();

  /** Takes over what it can from the table of an earlier ring. */
  constructor(ring: Ring, previous?: RingTable) {
    this.ring = ring;
    const { members, replicas, change, virtualNodes = virtualNodesMax } = ring;
    const isOfOneKind = previous?.ring.virtualNodes === ring.virtualNodes;
    this.points = pointsOf(
      members.map(({ node }) => node),
      virtualNodes,
      isOfOneKind ? previous?.points : undefined,
    );
    this.#places = previous?.points === this.points ? previous.#places : [];
    const now = Uint8Array.from(members, ({ state }) => (countsNow(state) ? 1 : 0));
    this.homes = homesTable(this.points, now, replicas);
    const after = Uint8Array.from(members, ({ state }) => (countsAfter(state) ? 1 : 0));
    const next = change && homesChange(this.homes, after, change.replicas);
    this.nextHomes = next?.homes ?? this.homes;
    this.#changing = next?.differing;
  }

  /** Index of the interval a position lies in. */
  indexOf(position: RingPosition): number {
    return pointAt(this.points, position.high, position.low);
  }

  intervalOf(position: RingPosition): Interval {
    return this.interval(this.indexOf(position));
  }

  /** The interval a channel lies in. */
  intervalOfChannel(ref: ChannelRef): Interval {
    const known = this.#known.get(ref);
    if (known) return known;
    const interval = this.intervalOf(channelPosition(ref));
    if (this.#known.size >= limits.channelIntervalsKnownMax) this.#known = new ChannelMap();
    this.#known.set(ref, interval);
    return interval;
  }

  /** The interval with that id; `undefined` where no virtual node lies there in this ring. */
  intervalWithId(id: IntervalId): Interval | undefined {
    const end = positionOf(id);
    const index = this.indexOf(end);
    const { high, low } = this.#position(index);
    return high === end.high && low === end.low ? this.interval(index) : undefined;
  }

  interval(index: number): Interval {
    return (this.#intervals[index] ??= this.#made(index));
  }

  #made(index: number): Interval {
    const place = (this.#places[index] ??= this.#place(index));
    const homes = this.#names(homesAt(this.homes, index));
    if (!this.isChanging(index)) return { ...place, state: 'settled', homes };
    const nextHomes = this.#names(homesAt(this.nextHomes, index));
    return { ...place, state: this.#phase(), homes, nextHomes };
  }

  #place(index: number): IntervalPlace {
    const end = this.#position(index);
    return { id: intervalIdOf(end), index, after: this.#position(index - 1), end };
  }

  /** Indexes of all intervals, by rising end. */
  *indexes(): Generator<number, void, undefined> {
    for (let i = 0; i < this.points.owners.length; i++) if (!isEmptyArc(this.points, i)) yield i;
  }

  /** Whether the change under way gives the interval other homes. */
  isChanging(index: number): boolean {
    return this.#changing?.[index] === 1;
  }

  #position(index: number): RingPosition {
    const { highs, lows } = this.points;
    const at = index < 0 ? highs.length - 1 : index;
    assert(at < highs.length, 'an index of an interval is below their number');
    return { high: highs[at]!, low: lows[at]! };
  }

  #names(indexes: readonly number[]): readonly NodeId[] {
    return indexes.map((index) => this.points.nodes[index]!);
  }

  #phase(): ChangePhase {
    assert(this.ring.change, 'an interval changes only while the ring does');
    return this.ring.change.phase;
  }
}
