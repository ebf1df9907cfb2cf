/** Runs the keeper of the ring: its messages go out with all others, its votes and rings become durable with the node's
 *  commits, and a ring that is durable is taken into use everywhere at once. */
import type { NodeId } from '../../base/ids.js';
import { encodeRing } from '../../cluster/ring-codec.js';
import type { ChangeOutcome, RingIntent } from '../../cluster/ring-intent.js';
import { type Left, RingKeeper } from '../../cluster/ring-keeper.js';
import type { KeeperOptions } from '../../cluster/ring-keeper-effects.js';
import type { RingMessage } from '../../cluster/ring-messages.js';
import { RingTable } from '../../cluster/ring-table.js';
import { encodeVote } from '../../cluster/ring-vote-codec.js';
import type { Ring } from '../../cluster/ring.js';
import type { Replica, RingPlan } from '../../replication/replica.js';
import { noteNames } from '../notes.js';
import type { EnginePorts } from '../ports.js';
import type { Writing } from './writings.js';
import { isToHold, ringPlan } from './ring-plan.js';
import { type RingStatus, ringStatus } from './ring-status.js';

/** What of the present incarnation holds the intervals. */
export interface IntervalHolder {
  write(writing: Writing): void;
  changeRing(plan: RingPlan): void;
  readonly replica: Pick<Replica, 'ringNotes' | 'gathers'>;
}

export interface RingsHooks {
  tell(peer: NodeId, message: RingMessage): void;
  /** Another ring names this node, which is alone in its own. */
  named(): void;
  /** The node goes by this version from now on. */
  use(table: RingTable, plan: RingPlan): void;
}

export class Rings {
  readonly #ports: EnginePorts;
  readonly #self: NodeId;
  readonly #hooks: RingsHooks;
  readonly #keeper: RingKeeper;
  readonly #answers = new Map<number, (outcome: ChangeOutcome) => void>();
  #holder: IntervalHolder | undefined;
  #table: RingTable;
  /** To be made durable. */
  #next: RingTable | undefined;
  #isWriting = false;
  /** Intervals that change and are to be held here, and those of them that are not whole. */
  #intervals = 0;
  #left = new Set<string>();
  #lastId = 0;
  #timerAt = Infinity;
  #cancelTimer: (() => void) | undefined;

  constructor(ports: EnginePorts, options: Omit<KeeperOptions, 'random' | 'now'>, hooks: RingsHooks) {
    this.#ports = ports;
    this.#self = options.self;
    this.#hooks = hooks;
    this.#table = options.table;
    const now = ports.clock.monotonicMs();
    this.#keeper = new RingKeeper({ ...options, random: ports.random, now });
  }

  get table(): RingTable {
    return this.#table;
  }

  attach(holder: IntervalHolder, table: RingTable): void {
    this.#holder = holder;
    this.#isWriting = false;
    this.#table = table;
    this.#count();
    this.#keeper.use(table, this.#progress(), this.#now());
    this.#keeper.resume();
    this.#done();
  }

  detach(): void {
    this.#holder = undefined;
  }

  stop(): void {
    this.#cancelTimer?.();
    this.#timerAt = -Infinity;
    for (const settle of this.#answers.values()) settle({ ok: false, error: 'undecided' });
    this.#answers.clear();
  }

  // What is asked.

  change(intent: RingIntent): Promise<ChangeOutcome> {
    return this.#ask((id) => this.#keeper.wish(intent, id, this.#now()));
  }

  /** The ring that this node is in, or without one the ring that names this one. */
  join(at?: NodeId): Promise<ChangeOutcome> {
    return this.#ask((id) => this.#keeper.join(id, this.#now(), at));
  }

  /** Others are asked who they are: until they have answered no ring is chosen. */
  meeting(isUnderWay: boolean): void {
    this.#keeper.meeting(isUnderWay, this.#now());
    this.#done();
  }

  /** This node holds entries: they stay in its ring. */
  hold(): void {
    this.#keeper.hold(this.#now());
    this.#done();
  }

  status(): RingStatus {
    return ringStatus(this.#table, this.#keeper.steps);
  }

  #ask(begin: (id: number) => void): Promise<ChangeOutcome> {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#answers.set(id, resolve);
      begin(id);
      this.#done();
    });
  }

  // What happens.

  linked(peer: NodeId): void {
    this.#keeper.linked(peer, this.#now());
    this.#done();
  }

  unlinked(peer: NodeId): void {
    this.#keeper.unlinked(peer, this.#now());
    this.#done();
  }

  received(peer: NodeId, message: RingMessage): void {
    this.#keeper.received(peer, message, this.#now());
    this.#done();
  }

  /** The peer has a later ring. */
  behind(peer: NodeId): void {
    this.#keeper.behind(peer);
    this.#done();
  }

  gathered(interval: string): void {
    if (!this.#left.delete(interval)) return;
    this.#keeper.progressed(this.#progress(), this.#now());
    this.#done();
  }

  #progress(): Left {
    return { intervals: this.#intervals, left: this.#left.size };
  }

  #count(): void {
    this.#intervals = 0;
    this.#left = new Set();
    if (!this.#table.ring.change) return;
    for (const index of this.#table.indexes()) {
      if (!this.#table.isChanging(index)) continue;
      const interval = this.#table.interval(index);
      if (!isToHold(interval, this.#self)) continue;
      this.#intervals++;
      if (this.#holder?.replica.gathers(interval.id)) this.#left.add(interval.id);
    }
  }

  // What the keeper wants done.

  #done(): void {
    for (let effects = this.#keeper.takeEffects(); effects.length > 0; effects = this.#keeper.takeEffects()) {
      for (const effect of effects) {
        switch (effect.type) {
          case 'send':
            this.#hooks.tell(effect.to, effect.message);
            break;
          case 'persist':
            this.#writeVote();
            break;
          case 'adopt':
            this.#adopt(effect.ring);
            break;
          case 'named':
            this.#hooks.named();
            break;
          case 'answer':
            this.#answers.get(effect.id)?.(effect.outcome);
            this.#answers.delete(effect.id);
            break;
          case 'alarm':
            this.#ports.observer.observe(effect);
        }
      }
    }
    this.#schedule();
  }

  #writeVote(): void {
    let number = 0;
    this.#holder?.write({
      notes: () => {
        const unpersisted = this.#keeper.unpersisted();
        if (!unpersisted) return new Map();
        ({ number } = unpersisted);
        return new Map([[noteNames.ringVote, encodeVote(unpersisted.vote)]]);
      },
      done: () => {
        this.#keeper.persisted(number, this.#now());
        this.#done();
      },
    });
  }

  #adopt(ring: Ring): void {
    this.#next = new RingTable(ring, this.#table);
    if (!this.#isWriting) this.#writeRing();
  }

  /** The ring and what its intervals start with are one commit: either both hold after a crash or neither. */
  #writeRing(): void {
    const holder = this.#holder;
    if (!holder) return;
    this.#isWriting = true;
    let written: { readonly table: RingTable; readonly plan: RingPlan } | undefined;
    holder.write({
      notes: () => {
        const table = this.#next!;
        const isSameLine = table.ring.cluster === this.#table.ring.cluster;
        const plan = ringPlan(isSameLine ? this.#table : undefined, table, this.#self);
        written = { table, plan };
        return new Map([[noteNames.ring, encodeRing(table.ring)], ...holder.replica.ringNotes(plan)]);
      },
      done: () => this.#use(holder, written!),
    });
  }

  #use(
    holder: IntervalHolder,
    { table, plan }: { readonly table: RingTable; readonly plan: RingPlan },
  ): void {
    this.#isWriting = false;
    this.#table = table;
    this.#hooks.use(table, plan);
    this.#count();
    this.#keeper.use(table, this.#progress(), this.#now());
    if (this.#next !== table && this.#holder === holder) this.#writeRing();
    this.#done();
  }

  #schedule(): void {
    const next = this.#keeper.nextDeadline();
    if (next >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = next;
    this.#cancelTimer = this.#ports.timers.after(Math.max(0, next - this.#now()), () => {
      this.#timerAt = Infinity;
      this.#keeper.tick(this.#now());
      this.#done();
    });
  }

  #now(): number {
    return this.#ports.clock.monotonicMs();
  }
}
