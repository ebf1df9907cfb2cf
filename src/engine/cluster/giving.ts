/** Reads, lists and looks up what is held here for other homes. What they catch up by waits for its turn, so that it takes no more than
 *  a share of this node's loop while publishes need it. */
import { type ChannelRef, type WriterId, channelKey } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { Timestamp } from '../../log/entry.js';
import { unixMsOf } from '../../log/timestamp.js';
import type { Effect } from '../../replication/effects.js';
import type { Pace } from '../../replication/pace.js';
import { Pacer } from '../../replication/pacer.js';
import type { Replica } from '../../replication/replica.js';
import type { EnginePorts, LogStore } from '../ports.js';
import { channelPages } from './all-channels.js';

type ReadEffect = Extract<Effect, { type: 'read' }>;
type ListEffect = Extract<Effect, { type: 'list' }>;
type ArrivedEffect = Extract<Effect, { type: 'arrived' }>;

export interface GivingPorts extends Pick<EnginePorts, 'clock' | 'timers' | 'workedMs'> {
  /** What other homes catch up by may take of this node. */
  readonly catchUpPace: Pace;
}

export interface GivingHooks {
  heldInterval(ref: ChannelRef): string | undefined;
  open(refs: readonly ChannelRef[]): Promise<void>;
  /** An entry could not be read. */
  examine(ref: ChannelRef, writer: WriterId, seq: number): Promise<void>;
  /** The replica was told something. */
  told(): void;
  failed(error: unknown): void;
}

/** An entry that was stamped so long ago at most comes from its owner, and not of catching up. */
const newMs = 1_000;

interface Piece {
  /** Never rejects. */
  do(): Promise<void>;
  /** Another one is done instead. */
  replaced(): void;
}

export class Giving {
  readonly #replica: Replica;
  readonly #store: LogStore;
  readonly #ports: GivingPorts;
  readonly #hooks: GivingHooks;
  /** Left out where everything may be taken, or nobody knows what is. */
  readonly #pacer: Pacer<Piece> | undefined;
  #lists: ListEffect[] = [];
  #isListing = false;
  #lastKey = 0;
  #lookAt = Infinity;
  #cancelLook: (() => void) | undefined;
  #isStopped = false;

  constructor(replica: Replica, store: LogStore, ports: GivingPorts, hooks: GivingHooks) {
    this.#replica = replica;
    this.#store = store;
    this.#ports = ports;
    this.#hooks = hooks;
    this.#pacer = ports.workedMs && ports.catchUpPace.share < 1 ? new Pacer(ports.catchUpPace) : undefined;
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelLook?.();
  }

  /** A publish is to be stamped here. */
  needed(): void {
    this.#pacer?.needed(this.#now());
  }

  /** An entry of another home is stored here: a new one is of a publish that this home is needed for. */
  took(timestamp: Timestamp, physicalMs: number): void {
    if (physicalMs - unixMsOf(timestamp) < newMs) this.needed();
  }

  read(effect: ReadEffect): void {
    const { id, ref, catchUp } = effect;
    if (catchUp === undefined) return void this.#read(effect);
    // Of each home, way and channel one waits at most.
    this.#add(`${catchUp}/${channelKey(ref)}`, {
      do: () => this.#read(effect),
      replaced: () => this.#replica.loaded(id, undefined, false, this.#now()),
    });
  }

  list(effect: ListEffect): void {
    this.#lists.push(effect);
    if (!this.#isListing) void this.#list();
  }

  /** At once: who is not answered soon begins anew. */
  arrived(effect: ArrivedEffect): void {
    this.#pacer?.begin(this.#now(), this.#worked());
    void this.#run({ do: () => this.#arrived(effect) });
  }

  async #read({ id, ref, ranges, bytesMax }: ReadEffect): Promise<void> {
    try {
      const { slices, missing } = await this.#store.read(ref, ranges, bytesMax);
      if (this.#isStopped) return;
      const read = slices.map(({ writer, round, firstSeq, count, records }) => {
        return { writer, round, firstSeq, count, records };
      });
      // What was trimmed meanwhile is not missed.
      const log = this.#store.peek(ref);
      const goneThrough = (writer: WriterId): number => log?.writer(writer)?.goneThrough ?? 0;
      const damaged = missing.filter(({ writer, toSeq }) => toSeq > goneThrough(writer));
      this.#replica.loaded(id, read, damaged.length > 0, this.#now());
      for (const { writer, fromSeq } of damaged)
        await this.#hooks.examine(ref, writer, Math.max(fromSeq, goneThrough(writer) + 1));
      this.#hooks.told();
    } catch (error) {
      this.#hooks.failed(error);
    }
  }

  async #arrived({ id, after, limit }: ArrivedEffect): Promise<void> {
    try {
      const { runs, through } = await this.#store.arrivedSince(after, limit);
      if (this.#isStopped) return;
      this.#replica.arrived(id, runs, through);
      this.#hooks.told();
    } catch (error) {
      this.#hooks.failed(error);
    }
  }

  // Lists.

  /** One walk over all channels answers all that is asked by then. */
  async #list(): Promise<void> {
    this.#isListing = true;
    try {
      while (this.#lists.length > 0 && !this.#isStopped) {
        const lists = this.#lists;
        this.#lists = [];
        const found = await this.#channelsOf(new Set(lists.map(({ interval }) => interval)));
        for (const { id, interval } of lists) {
          const refs = found.get(interval) ?? [];
          await this.#open(refs);
          if (this.#isStopped) return;
          this.#replica.listed(id, refs);
          // Whoever asked is not left waiting until all of them are listed.
          this.#hooks.told();
        }
      }
    } catch (error) {
      this.#hooks.failed(error);
    } finally {
      this.#isListing = false;
    }
  }

  async #channelsOf(intervals: ReadonlySet<string>): Promise<Map<string, ChannelRef[]>> {
    const found = new Map<string, ChannelRef[]>();
    const pages = channelPages(this.#store);
    for (;;) {
      const { done, value } = await this.#inTurn(() => pages.next());
      if (done) return found;
      for (const ref of value) {
        const interval = this.#hooks.heldInterval(ref);
        if (interval === undefined || !intervals.has(interval)) continue;
        const refs = found.get(interval);
        if (refs) refs.push(ref);
        else found.set(interval, [ref]);
      }
    }
  }

  async #open(refs: readonly ChannelRef[]): Promise<void> {
    const step = this.#pacer ? limits.parallelOpensMax : refs.length;
    for (let i = 0; i < refs.length; i += step)
      await this.#inTurn(() => this.#hooks.open(refs.slice(i, i + step)));
    // Those that left memory while others were opened.
    if (refs.length > step) await this.#hooks.open(refs);
  }

  // Turns.

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#pacer) return work();
    return new Promise((resolve, reject) => {
      // A list waits in one place only, so nothing replaces its pieces.
      this.#add(`${++this.#lastKey}`, { do: () => work().then(resolve, reject), replaced: reject });
    });
  }

  #add(key: string, piece: Piece): void {
    if (!this.#pacer) return void piece.do();
    this.#pacer.add(key, piece, this.#now())?.replaced();
    this.#look();
  }

  /** Begins what may begin. */
  #look(): void {
    const pacer = this.#pacer;
    if (!pacer || this.#isStopped) return;
    const next = (): Piece | undefined => pacer.next(this.#now(), this.#worked());
    for (let piece = next(); piece; piece = next()) void this.#run(piece);
    this.#lookAgain(pacer.deadline);
  }

  /** It has begun for the pacer. */
  async #run(piece: Pick<Piece, 'do'>): Promise<void> {
    await piece.do();
    // What follows from it is worked off in this turn, and belongs to it.
    if (this.#pacer) this.#ports.timers.soon(() => this.#ended());
  }

  #ended(): void {
    this.#pacer?.ended(this.#now(), this.#worked());
    this.#look();
  }

  #lookAgain(at: number): void {
    if (at >= this.#lookAt) return;
    this.#cancelLook?.();
    this.#lookAt = at;
    this.#cancelLook = this.#ports.timers.after(Math.max(0, at - this.#now()), () => {
      this.#lookAt = Infinity;
      this.#look();
    });
  }

  #now(): number {
    return this.#ports.clock.monotonicMs();
  }

  #worked(): number {
    return this.#ports.workedMs?.() ?? 0;
  }
}
