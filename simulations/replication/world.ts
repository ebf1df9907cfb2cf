/** The nodes of one run, what they may do to each other, and what they claimed to whom. */
import { type ChannelRef, type Dot, dotText } from '../../src/base/ids.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { RecordWalk, recordChecksum, recordSeq } from '../../src/log/entry-wire.js';
import type { Trim } from '../../src/log/entry.js';
import type { RunSummary } from '../../src/log/run.js';
import type { Effect } from '../../src/replication/effects.js';
import { type HomeSet, homeSet } from '../../src/replication/quorum.js';
import { Trace } from '../cluster/trace.js';
import { limits } from '../../src/base/limits.js';
import type { Allowance } from '../../src/replication/budgets.js';
import { Network } from './network.js';
import { SimNode } from './node.js';
import { check } from './checkers.js';
import { Oracle, type OracleEntry } from './oracle.js';
import { SimReader } from './readers.js';
import type { NodeView, Stats, Surroundings } from './surroundings.js';

export interface Habits {
  readonly crashes: boolean;
  readonly losses: boolean;
  readonly cuts: boolean;
  readonly oneWay: boolean;
  readonly pauses: boolean;
  readonly clocks: boolean;
  readonly degraded: boolean;
  readonly duels: boolean;
  readonly exchanges: boolean;
  /** Older images of disks are put back. */
  readonly rollbacks: boolean;
  /** Nobody uses the channels any more when the faults end. */
  readonly cold: boolean;
  /** Homes compare what they hold. */
  readonly scrubs: boolean;
  /** One home says what is not so. */
  readonly lies: boolean;
  /** It asks the same again and again, too. */
  readonly nags: boolean;
  /** Owners trim. */
  readonly trims: boolean;
}

/** Of a story. */
export interface Size {
  readonly intervals: number;
  /** In each of them. */
  readonly channels: number;
  /** Beside what is by what is held. */
  readonly given: Allowance;
}

/** As little as a home that tells the truth comes out with: 16 lists of what an interval holds, and 4 a second. */
const smallAllowance: Allowance = {
  atOnce: () => 16 * limits.listingBytes,
  perSecond: 4 * limits.listingBytes,
};

type Outcome = Extract<Effect, { type: 'outcome' }>;

export class World implements Surroundings {
  readonly random: Random;
  /** Of what is rare, so that the rest goes as it would without. */
  readonly dice: Random;
  /** For what was added later: other seeds stay what they were. */
  readonly extra: Random;
  readonly scrubChance: Random;
  readonly oracle = new Oracle();
  readonly network: Network;
  readonly nodes: SimNode[] = [];
  readonly sets: readonly HomeSet[];
  readonly intervals: readonly string[];
  readonly refs: readonly ChannelRef[];
  readonly readers: readonly SimReader[];
  readonly habits: Habits;
  readonly ownerAcked: { readonly entry: OracleEntry; readonly node: NodeView; readonly losses: number }[] =
    [];
  readonly quorumAcked = new Set<OracleEntry>();
  readonly alarmsMeant = new Set<string>();
  readonly given: Allowance;
  now = 100_000;
  /** Of frames, effects and what is written to disks. */
  readonly trace = new Trace(() => this.now);
  /** Faults have stopped. */
  isHealing = false;
  readonly outcomes = new Map<string, Outcome['outcome']>();

  constructor(
    seed: number,
    readonly stats: Stats,
    homes?: number,
    /** Nothing happens but what is told: for stories. */
    readonly isCalm = false,
    size?: Size,
  ) {
    this.given = size?.given ?? smallAllowance;
    this.random = seededRandom(Math.imul(seed, 7919) + 17);
    this.dice = seededRandom(seed + 2_000_003);
    this.extra = seededRandom(Math.imul(seed, 104_729) + 5);
    this.scrubChance = seededRandom(Math.imul(seed, 1_299_709) + 7);
    const count = homes ?? this.pick([3, 3, 3, 3, 2, 2, 4, 5, 5, 1 + this.integer(9)]);
    this.network = new Network(this.random, {
      loss: this.pick([0, 0, 0.05, 0.2]),
      copies: this.pick([0, 0.1, 0.3]),
      inOrder: this.chance(0.5),
    });
    if (isCalm) this.network.habits = { loss: 0, copies: 0, inOrder: true };
    this.habits = {
      crashes: this.chance(0.7),
      losses: this.chance(0.6),
      cuts: this.chance(0.7),
      oneWay: this.chance(0.3),
      pauses: this.chance(0.5),
      clocks: this.chance(0.3),
      degraded: this.chance(0.7),
      duels: this.chance(0.5),
      exchanges: this.chance(0.6),
      rollbacks: !isCalm && count >= 3 && this.dice.next() < 0.3,
      cold: !isCalm && seededRandom(seed + 1_000_003).next() < 0.5,
      scrubs: this.scrubChance.next() < 0.4,
      lies: count >= 3 && seededRandom(seed).next() < 0.2,
      nags: count >= 3 && seededRandom(seed).next() < 0.2 && seededRandom(seed + 3_000_017).next() < 0.5,
      trims: this.extra.next() < 0.6,
    };
    const [intervals, channels] = isCalm
      ? [size?.intervals ?? 1, size?.channels ?? 1]
      : this.pick([
          [1, 1],
          [1, 1],
          [1, 2],
          [2, 1],
        ] as const);
    this.intervals = Array.from({ length: intervals }, (_, i) => `i${i}`);
    this.refs = Array.from(
      { length: intervals * channels },
      (_, i) => ({ hub: 'h', channel: `c${i}` }) as ChannelRef,
    );
    this.readers = this.refs.flatMap((ref) => [new SimReader(this, ref, 2), new SimReader(this, ref, 50)]);
    for (let i = 0; i < count; i++) this.nodes.push(new SimNode(this, i));
    this.sets = [homeSet(this.nodes.map(({ id }) => id))];
    for (const node of this.nodes) {
      node.skew = this.integer(200);
      node.boot(true);
      // The ring made the interval: that is written down before anybody uses it.
      node.beginCommit();
      node.finishCommit();
    }
    this.connectAll();
  }

  get liar(): NodeView | undefined {
    return this.habits.lies ? this.nodes[0] : undefined;
  }

  // Chance.

  integer(below: number): number {
    return Math.floor(this.random.next() * below);
  }

  chance(probability: number): boolean {
    return this.random.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(items.length)]!;
  }

  /** Hex digits; writers so made do not sort by their start. */
  newId(digits: number): string {
    return Array.from({ length: digits }, () => this.integer(16).toString(16)).join('');
  }

  intervalOf(ref: ChannelRef): string {
    return this.intervals[Number(ref.channel.slice(1)) % this.intervals.length]!;
  }

  // Links.

  connectAll(): void {
    for (const node of this.nodes) this.connect(node);
  }

  /** Both ends learn that they can reach each other. */
  connect(view: NodeView): void {
    const node = this.nodes[view.index]!;
    for (const other of this.nodes) {
      if (other === node || !other.isUp || !node.isUp) continue;
      if (this.network.isCut(node.index, other.index) || this.network.isCut(other.index, node.index))
        continue;
      node.replica.connected(other.id, this.now);
      other.replica.connected(node.id, this.now);
      node.drain();
      other.drain();
    }
  }

  disconnect(a: SimNode, b: SimNode): void {
    for (const [node, other] of [
      [a, b],
      [b, a],
    ] as const) {
      if (!node.isUp) continue;
      node.replica.disconnected(other.id, this.now);
      node.scrubbing.unlinked(other.id);
      node.drain();
    }
  }

  // What nodes say.

  claimed(node: NodeView, interval: string): void {
    for (const ref of this.refs) {
      if (this.intervalOf(ref) === interval && (this.isCalm || this.chance(0.7))) node.touch(ref);
    }
    const rivals = this.nodes.filter(
      (other) => other !== node && other.isUp && other.replica.claimOf(interval) !== undefined,
    );
    if (rivals.length === 0) return;
    this.stats.duels++;
    if (!this.habits.duels || this.isHealing || this.isCalm) return;
    for (const rival of rivals) this.network.cutBoth(node.index, rival.index);
  }

  committed(node: NodeView, ref: ChannelRef, dot: Dot, from: number, to: number): void {
    const channel = this.oracle.channel(ref);
    channel.committed(dot);
    const expected = channel.order(dot).slice(from, to).map(dotText);
    const spans = node.log(ref).spans(from, to);
    const got = spans.flatMap(({ writer, firstSeq, count }) =>
      Array.from({ length: count }, (_, i) => dotText({ writer, seq: firstSeq + i })),
    );
    check(
      'places',
      got.join() === expected.join(),
      () => `${node.index} orders ${got.join()}, not ${expected.join()}`,
    );
  }

  /** A run reached a disk: the very entries that were stamped. */
  stored(node: NodeView, bytes: Uint8Array, run: RunSummary): void {
    const channel = this.oracle.channel(run.ref);
    const start = run.offset + run.headerBytes;
    const walk = new RecordWalk(bytes, start, start + run.recordBytes);
    while (walk.next()) {
      const dot = { writer: run.writer, seq: recordSeq(bytes, walk.bodyStart) };
      const entry = channel.get(dot);
      check(
        'content',
        entry.checksum === recordChecksum(bytes, walk.bodyStart),
        () => `${dotText(dot)} has two contents`,
      );
      const floor = node.floors(run.ref).get(run.writer) ?? 0;
      check('trimmed', entry.seq > floor, () => `${dotText(dot)} is trimmed and comes again`);
      entry.homes.add(node.index);
    }
  }

  raised(node: NodeView, ref: ChannelRef, trim: Trim): void {
    this.stats.raised++;
    const log = node.log(ref);
    if ([...trim.floors].some(([writer, floor]) => log.have(writer) < floor)) this.stats.adopted++;
    this.oracle.channel(ref).raised(trim);
  }

  fetched(node: NodeView, effect: Extract<Effect, { type: 'fetched' }>): void {
    for (const reader of this.readers) reader.fetched(node.replica, effect);
  }

  /** What a promise stands on is never said to be lost. */
  lost(ref: ChannelRef, dot: Dot): void {
    const entry = this.oracle.channel(ref).get(dot);
    const isKept =
      this.quorumAcked.has(entry) ||
      this.ownerAcked.some((acked) => acked.entry === entry && acked.node.losses === acked.losses);
    check('lost', !isKept, () => `${dotText(entry)} was acked and is said to be lost`);
  }

  told(node: NodeView, { ref, writer, firstSeq, lastSeq, outcome }: Outcome): void {
    const channel = this.oracle.channel(ref);
    for (let seq = firstSeq; seq <= lastSeq; seq++) {
      const entry = channel.get({ writer, seq });
      this.outcomes.set(dotText(entry), outcome);
      if (outcome.type === 'indeterminate') {
        this.stats.indeterminate++;
        continue;
      }
      const { level, copies } = outcome;
      check(
        'copies',
        copies >= 1 && copies <= entry.homes.size,
        () => `${dotText(entry)}: ${copies} copies claimed, ${entry.homes.size} were made`,
      );
      if (level === 'quorum') {
        const needs = Math.floor(this.nodes.length / 2) + 1;
        check('copies', copies >= needs, () => `${dotText(entry)}: a quorum is ${needs}, not ${copies}`);
        this.quorumAcked.add(entry);
        this.stats.acksQuorum++;
      } else {
        check('copies', entry.homes.has(node.index), () => `${dotText(entry)} is acked before it is synced`);
        this.ownerAcked.push({ entry, node, losses: node.losses });
        this.stats.acksOwner++;
      }
    }
  }
}
