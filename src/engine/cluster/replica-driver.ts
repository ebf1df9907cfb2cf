/** Runs a replica: opens the logs a frame speaks of before it is taken in, takes effects once a turn, reads and lists, and
 *  wakes it when its time has come. */
import type { ChannelRef, Dot, NodeId, WriterId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { Vector } from '../../log/entry.js';
import type { Effect } from '../../replication/effects.js';
import { type Frame, type PeerMessage, channelsOf } from '../../replication/messages.js';
import type { Reconcile, Reconciled } from '../../replication/reconcile-messages.js';
import type { Learned } from '../../replication/catch-up.js';
import type { Replica } from '../../replication/replica.js';
import type { Fetched } from '../ordering.js';
import type { LogStore } from '../ports.js';
import { fetchedOf, intervalsIn, isPassing } from './frame-facts.js';
import { Giving, type GivingPorts } from './giving.js';

/** Logs of channels that are held here. */
export interface DriverLogs {
  isOpen(ref: ChannelRef): boolean;
  open(ref: ChannelRef): Promise<void>;
  /** The same for one that is looked at in passing: it leaves memory with `close`, unless somebody uses it by then. */
  pass(ref: ChannelRef): Promise<void>;
  close(refs: readonly ChannelRef[]): void;
}

export interface DriverHooks {
  heldInterval(ref: ChannelRef): string | undefined;
  readonly logs: DriverLogs;
  effect(effect: OuterEffect): void;
  /** Something that could not be read is stored again, or is in no home. */
  repairsChanged(ref: ChannelRef): void;
  /** All effects of a turn were handed out. */
  done(): void;
  /** Another node owns an interval, as far as is known. */
  ownerChanged(): void;
  /** A deadline has passed. */
  ticked(): void;
  failed(error: unknown): void;
}

/** What the driver leaves to others. */
export type OuterEffect = Exclude<
  Effect,
  {
    type:
      | 'read'
      | 'list'
      | 'arrived'
      | 'open'
      | 'close'
      | 'fetched'
      | 'reconcile'
      | 'compared'
      | 'adopted'
      | 'examine'
      | 'repairsChanged';
  }
>;

/** Whoever compares what is held here with other homes: scrub.ts. */
export interface ComparedHere {
  /** Learns what a peer has that may be lacking here; `undefined` when it came to nothing. */
  learn(peer: NodeId): Promise<Learned | undefined>;
  /** This home counts again in an interval. */
  recovered(): void;
  received(from: NodeId, message: Reconcile | Reconciled): void;
}

export class ReplicaDriver {
  comparedHere: ComparedHere | undefined;
  readonly giving: Giving;
  readonly #replica: Replica;
  readonly #store: LogStore;
  readonly #ports: GivingPorts;
  readonly #hooks: DriverHooks;
  /** Frames of a peer that wait until the logs of the first one are open. */
  readonly #inbound = new Map<NodeId, Frame[]>();
  readonly #fetches = new Map<number, (fetched: Fetched) => void>();
  readonly #adopting = new Map<number, (have: Vector | undefined) => void>();
  #isPumpPlanned = false;
  #isPumping = false;
  /** When this process was last seen to run. */
  #beatAt: number;
  #timerAt = Infinity;
  #cancelTimer: (() => void) | undefined;
  #stopped = false;

  constructor(replica: Replica, store: LogStore, ports: GivingPorts, hooks: DriverHooks) {
    this.#replica = replica;
    this.#store = store;
    this.#ports = ports;
    this.#hooks = hooks;
    this.giving = this.#makeGiving();
    this.#beatAt = this.#now();
    this.#beat();
  }

  #makeGiving(): Giving {
    const hooks = this.#hooks;
    return new Giving(this.#replica, this.#store, this.#ports, {
      heldInterval: (ref) => hooks.heldInterval(ref),
      open: (refs) => this.open(refs),
      examine: (ref, writer, seq) => this.examine(ref, writer, seq),
      told: () => this.pumpSoon(),
      failed: (error) => hooks.failed(error),
    });
  }

  /** After a pause of the process the replica hears of it before of anything else: its claims may have passed to others. */
  awake(): void {
    const now = this.#now();
    const pausedMs = now - this.#beatAt - limits.beatMs;
    this.#beatAt = now;
    if (pausedMs > 0) this.#replica.resumed(pausedMs, now);
  }

  #beat(): void {
    this.#ports.timers.after(limits.beatMs, () => {
      if (this.#stopped) return;
      this.awake();
      this.#beat();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
    this.giving.stop();
    for (const settle of this.#fetches.values()) settle({ type: 'unknown' });
    this.#fetches.clear();
    this.ringChanged();
  }

  /** What was asked under the last version may have gone with it. */
  ringChanged(): void {
    for (const settle of this.#adopting.values()) settle(undefined);
    this.#adopting.clear();
  }

  // Frames.

  receive(peer: NodeId, frame: Frame): void {
    this.awake();
    const waiting = this.#inbound.get(peer);
    if (waiting) {
      // Beyond the bound they are dropped, as if lost on the way: what was not answered is sent again.
      if (waiting.length < limits.inboundFramesMax) waiting.push(frame);
    } else if (this.#areOpen(frame)) this.#take(peer, frame);
    else void this.#takeInOrder(peer, frame);
  }

  /** The link is gone, and with it what came over it and was not taken in. */
  forget(peer: NodeId): void {
    const waiting = this.#inbound.get(peer);
    if (waiting) waiting.length = 0;
  }

  async #takeInOrder(peer: NodeId, first: Frame): Promise<void> {
    const waiting = [first];
    this.#inbound.set(peer, waiting);
    try {
      for (let frame = waiting[0]; frame && !this.#stopped; frame = waiting[0]) {
        await this.open(this.#refsOf(frame), frame.messages.some(isPassing));
        if (waiting.shift() === frame && !this.#stopped) this.#take(peer, frame);
      }
    } catch (error) {
      this.#hooks.failed(error);
    }
    this.#inbound.delete(peer);
  }

  #take(peer: NodeId, frame: Frame): void {
    const messages = frame.messages.filter((message) => this.#isPlaced(message));
    const intervals = [...new Set(messages.flatMap(intervalsIn))];
    const owners = intervals.map((id) => this.#replica.ownerOf(id));
    this.#replica.receive(peer, { ...frame, messages }, this.#now());
    if (intervals.some((id, i) => this.#replica.ownerOf(id) !== owners[i])) this.#hooks.ownerChanged();
    this.pumpSoon();
  }

  /** Whether what a message says of channels is said of the interval they lie in. */
  #isPlaced(message: PeerMessage): boolean {
    if (!('interval' in message)) return true;
    return channelsOf(message).every((ref) => this.#hooks.heldInterval(ref) === message.interval);
  }

  #refsOf({ messages }: Frame): ChannelRef[] {
    return messages.flatMap((message) => (this.#isPlaced(message) ? channelsOf(message) : []));
  }

  #areOpen(frame: Frame): boolean {
    return this.#refsOf(frame).every((ref) => this.#hooks.logs.isOpen(ref));
  }

  async open(refs: readonly ChannelRef[], isInPassing = false): Promise<void> {
    const open = (ref: ChannelRef) => (isInPassing ? this.#hooks.logs.pass(ref) : this.#hooks.logs.open(ref));
    for (let i = 0; i < refs.length; i += limits.parallelOpensMax) {
      await Promise.all(refs.slice(i, i + limits.parallelOpensMax).map(open));
    }
    // One that was opened first may have left again.
    const left = refs.filter((ref) => !this.#hooks.logs.isOpen(ref));
    if (left.length > 0) await this.open(left, isInPassing);
  }

  async fetch(ref: ChannelRef, dots: readonly Dot[]): Promise<Fetched> {
    if (this.#stopped) return { type: 'unknown' };
    const id = this.#replica.fetch(ref, dots, this.#now());
    return await new Promise((resolve) => {
      this.#fetches.set(id, resolve);
      this.pumpSoon();
    });
  }

  /** Opens channels and compares each with another home: what one has more the other gets. */
  async compare(refs: readonly ChannelRef[], peer: NodeId): Promise<void> {
    await this.open(refs);
    if (this.#stopped) return;
    for (const ref of refs) if (this.#hooks.logs.isOpen(ref)) this.#replica.compare(ref, peer, this.#now());
    this.pumpSoon();
  }

  /** Takes entries of a channel that is held here from a node that holds it no more; what is held once they are synced. */
  async adopt(ref: ChannelRef, from: NodeId, runs: readonly Uint8Array[]): Promise<Vector | undefined> {
    await this.open([ref]);
    const interval = this.#hooks.heldInterval(ref);
    if (this.#stopped || interval === undefined) return undefined;
    this.#replica.touch(interval, ref, this.#now());
    const id = this.#replica.adopt(ref, from, runs);
    return await new Promise((resolve) => {
      this.#adopting.set(id, resolve);
      this.pumpSoon();
    });
  }

  say(peer: NodeId, message: Reconcile | Reconciled): void {
    if (this.#stopped) return;
    this.#replica.say(peer, message);
    this.pumpSoon();
  }

  // Effects.

  pumpSoon(): void {
    if (this.#isPumpPlanned || this.#stopped) return;
    this.#isPumpPlanned = true;
    this.#ports.timers.soon(() => {
      this.#isPumpPlanned = false;
      try {
        this.pump();
      } catch (error) {
        this.#hooks.failed(error);
      }
    });
  }

  /** Hands out everything there is to do, and what follows from it at once. */
  pump(): void {
    if (this.#isPumping || this.#stopped) return;
    this.#isPumping = true;
    try {
      for (
        let effects = this.#replica.takeEffects();
        effects.length > 0;
        effects = this.#replica.takeEffects()
      )
        for (const effect of effects) this.#do(effect);
    } finally {
      this.#isPumping = false;
    }
    this.#hooks.done();
    this.#schedule();
  }

  #do(effect: Effect): void {
    switch (effect.type) {
      case 'read':
        return this.giving.read(effect);
      case 'list':
        return this.giving.list(effect);
      case 'arrived':
        return this.giving.arrived(effect);
      case 'open':
        void this.#opened(effect);
        return;
      case 'close':
        return this.#hooks.logs.close(effect.refs);
      case 'adopted':
        this.#adopting.get(effect.id)?.(effect.have);
        this.#adopting.delete(effect.id);
        return;
      case 'fetched': {
        const settle = this.#fetches.get(effect.id);
        this.#fetches.delete(effect.id);
        return settle?.(fetchedOf(effect));
      }
      case 'reconcile':
        void this.#learn(effect);
        return;
      case 'compared':
        return this.comparedHere?.received(effect.from, effect.message);
      case 'examine':
        void this.examine(effect.ref, effect.writer, effect.seq);
        return;
      case 'repairsChanged':
        return this.#hooks.repairsChanged(effect.ref);
      default:
        return this.#hooks.effect(effect);
    }
  }

  /** Has an entry that may be unreadable looked for at the other homes. */
  async examine(ref: ChannelRef, writer: WriterId, seq: number): Promise<void> {
    try {
      const damage = await this.#store.examine(ref, writer, seq);
      if (!damage || this.#stopped || this.#hooks.heldInterval(ref) === undefined) return;
      await this.open([ref]);
      const interval = this.#hooks.heldInterval(ref);
      if (this.#stopped || interval === undefined) return;
      this.#replica.damaged(interval, damage, this.#now());
      this.pumpSoon();
    } catch (error) {
      this.#hooks.failed(error);
    }
  }

  async #learn({ id, peer }: Extract<Effect, { type: 'reconcile' }>): Promise<void> {
    try {
      const learned = await this.comparedHere?.learn(peer);
      if (this.#stopped) return;
      this.#replica.reconciled(id, learned, this.#now());
      this.pumpSoon();
    } catch (error) {
      this.#hooks.failed(error);
    }
  }

  /** A change of the ring may have taken some of them away meanwhile. */
  async #opened({ id, refs }: Extract<Effect, { type: 'open' }>): Promise<void> {
    const isHeld = (ref: ChannelRef): boolean => this.#hooks.heldInterval(ref) !== undefined;
    try {
      const held = refs.filter(isHeld);
      await this.open(held, true);
      if (this.#stopped) return;
      this.#replica.opened(id, held.filter(isHeld), this.#now());
      this.pumpSoon();
    } catch (error) {
      this.#hooks.failed(error);
    }
  }

  // Time.

  #schedule(): void {
    const next = this.#replica.nextDeadline();
    if (next >= this.#timerAt || this.#stopped) return;
    this.#cancelTimer?.();
    this.#timerAt = next;
    this.#cancelTimer = this.#ports.timers.after(Math.max(0, next - this.#now()), () => {
      this.#timerAt = Infinity;
      try {
        this.awake();
        this.#replica.tick(this.#now());
        this.#hooks.ticked();
        this.pump();
      } catch (error) {
        this.#hooks.failed(error);
      }
    });
  }

  #now(): number {
    return this.#ports.clock.monotonicMs();
  }
}
