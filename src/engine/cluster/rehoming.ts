/** Channels in use whose log a change of the ring brought to this node, or took away: their readers go on from where they
 *  are, in the log that is kept here by then or in that of a home that is followed. */
import type { ChannelRef, Dot } from '../../base/ids.js';
import type { ChannelLog } from '../../log/channel-log.js';
import type { ActiveChannel } from '../active-channel.js';
import type { ChannelTable } from '../channel-table.js';
import type { Delivery } from '../delivery.js';
import { RemoteUnavailableError, type RemoteLogs } from './following.js';
import type { LogStore, Timers } from '../ports.js';
import { replaceLog } from './replacing.js';
import type { Replicated } from './replicated.js';
import type { RoutedLogs } from './routed-logs.js';

export interface RehomingParts {
  readonly channels: ChannelTable;
  readonly store: LogStore;
  readonly remote: RemoteLogs;
  readonly logs: RoutedLogs;
  readonly replicated: Replicated;
  readonly delivery: Delivery;
  readonly timers: Timers;
  readonly isHome: (ref: ChannelRef) => boolean;
  readonly flush: () => void;
  readonly failed: (error: unknown) => void;
}

/** What is delivered comes with the next entries; until then a try costs little. */
const retryMs = 200;

export class Rehoming {
  readonly #parts: RehomingParts;
  readonly #moving = new Set<ActiveChannel>();
  #isStopped = false;

  constructor(parts: RehomingParts) {
    this.#parts = parts;
  }

  /** Another version of the ring is in use. */
  ringChanged(): void {
    for (const channel of this.#parts.channels) {
      if (channel.isLoaded) this.consider(channel);
      else void this.#onceLoaded(channel);
    }
  }

  /** It is being brought in from where it was before. */
  async #onceLoaded(channel: ActiveChannel): Promise<void> {
    const isLoaded = await this.#parts.channels.ready(channel).then(
      () => true,
      () => false,
    );
    if (isLoaded) this.consider(channel);
  }

  consider(channel: ActiveChannel): void {
    if (this.#moving.has(channel) || this.#isStopped || !this.#isMisplaced(channel)) return;
    this.#moving.add(channel);
    void this.#move(channel);
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #move(channel: ActiveChannel): Promise<void> {
    try {
      if (this.#parts.isHome(channel.ref)) await this.#bringHere(channel);
      else await this.#leaveTo(channel);
    } catch (error) {
      if (!(error instanceof RemoteUnavailableError) && !this.#isStopped) this.#parts.failed(error);
    }
    this.#moving.delete(channel);
    if (this.#isMisplaced(channel)) this.#parts.timers.after(retryMs, () => this.consider(channel));
  }

  /** From a home that was followed to the store. */
  async #bringHere(channel: ActiveChannel): Promise<void> {
    const { ref } = channel;
    const { replicated, logs, remote, delivery } = this.#parts;
    const log = await replicated.openApart(ref);
    const missing = deliveredOf(channel).filter(({ writer, seq }) => log.have(writer) < seq);
    const fetched = missing.length > 0 ? await replicated.fetchHeld(ref, missing) : { type: 'held' as const };
    // What readers have may be on its way.
    if (fetched.type === 'unknown' || !this.#isMisplaced(channel) || !this.#parts.isHome(ref)) return;
    const lost = fetched.type === 'lost' ? fetched.dots : [];
    const stillMissing = deliveredOf(channel).filter(({ writer, seq }) => log.have(writer) < seq);
    if (stillMissing.some((dot) => !isNamed(dot, lost))) return;
    const old = channel.log;
    logs.moved(ref, 'store');
    replicated.takeOver(channel, log);
    this.#replace(channel, old, log, lost);
    remote.leave(ref);
    delivery.provisional(channel);
    this.#parts.flush();
  }

  /** From the store to a home that is followed. */
  async #leaveTo(channel: ActiveChannel): Promise<void> {
    const { ref } = channel;
    const { replicated, remote, logs, store, channels } = this.#parts;
    if (channels.dropUnused(channel)) return;
    const log = await remote.open(ref);
    let isMoved = false;
    try {
      const fetched = await remote.fetch(ref, deliveredOf(channel));
      if (fetched.type === 'unknown') return;
      // Others may count on what is held here until the change is over.
      await replicated.holdApart(ref);
      const lost = fetched.type === 'lost' ? fetched.dots : [];
      if (!this.#isMisplaced(channel) || this.#parts.isHome(ref)) return;
      const old = channel.log;
      isMoved = true;
      logs.moved(ref, 'remote');
      replicated.leave(channel);
      this.#replace(channel, old, log, lost);
      store.release(ref);
      this.#parts.flush();
    } finally {
      if (!isMoved) remote.release(ref);
    }
  }

  #replace(channel: ActiveChannel, old: ChannelLog, log: ChannelLog, lost: readonly Dot[]): void {
    channel.forgetKeys();
    replaceLog(channel, old, log, lost, this.#parts.delivery);
    channel.wakeWaiters();
  }

  /** In memory, and its log is not where it should be. */
  #isMisplaced(channel: ActiveChannel): boolean {
    const { channels, logs, isHome } = this.#parts;
    if (this.#isStopped || !channels.has(channel) || !channel.isLoaded) return false;
    return (logs.placeOf(channel.ref) === 'store') !== isHome(channel.ref);
  }
}

/** The newest entries that readers may have. */
function deliveredOf({ log, tip }: ActiveChannel): readonly Dot[] {
  const heads = log.headsAt(log.endPosition);
  return tip && log.positionOf(tip) === undefined ? [...heads, tip] : heads;
}

function isNamed({ writer, seq }: Dot, dots: readonly Dot[]): boolean {
  return dots.some((dot) => dot.writer === writer && dot.seq >= seq);
}
