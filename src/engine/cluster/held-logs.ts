/** The logs that the replica of a node works on: those its readers have too, and those it holds for the others only. */
import { assert } from '../../base/assert.js';
import type { ChannelRef } from '../../base/ids.js';
import type { ChannelLog } from '../../log/channel-log.js';
import type { ActiveChannel } from '../active-channel.js';
import { ApartLogs } from './apart-logs.js';
import type { ChannelTable } from '../channel-table.js';
import type { LogStore } from '../ports.js';
import { RemoteUnavailableError } from './followed-channel.js';
import { Passing } from './passing.js';

export interface HeldPlaces {
  heldInterval(ref: ChannelRef): string | undefined;
  isHome(ref: ChannelRef): boolean;
  isMirrored(ref: ChannelRef): boolean;
}

export class HeldLogs {
  readonly #apart: ApartLogs;
  readonly #passing = new Passing((ref) => this.channels().dropPassing(ref));

  constructor(
    store: LogStore,
    readonly places: HeldPlaces,
    readonly channels: () => ChannelTable,
    readonly failed: (error: unknown) => void,
  ) {
    this.#apart = new ApartLogs(store);
  }

  /** The channel where readers have the log that is held here. */
  find(ref: ChannelRef): ActiveChannel | undefined {
    const channel = this.channels().held(ref);
    return channel?.shared ? channel : undefined;
  }

  log(ref: ChannelRef): ChannelLog {
    const log = this.find(ref)?.log ?? this.#apart.get(ref);
    assert(log, 'the replica speaks of logs that are open');
    return log;
  }

  isOpen(ref: ChannelRef): boolean {
    return this.find(ref) !== undefined || this.#apart.get(ref) !== undefined;
  }

  async open(ref: ChannelRef): Promise<void> {
    const channels = this.channels();
    if (this.#isServed(ref)) await channels.ready(channels.hold(ref));
    if (!this.isOpen(ref)) await this.#apart.open(ref);
  }

  /** For a look only: whoever uses the channel by the time it is let go keeps it. */
  async pass(ref: ChannelRef): Promise<void> {
    const channels = this.channels();
    if (this.#isServed(ref)) await channels.ready(channels.pass(ref));
    if (!this.isOpen(ref)) await this.#apart.open(ref);
  }

  close(refs: readonly ChannelRef[]): void {
    this.#passing.close(refs);
  }

  /** Between two commits: what could not leave yet may leave now. */
  betweenCommits(): void {
    this.#passing.retry();
  }

  #isServed(ref: ChannelRef): boolean {
    return this.places.isHome(ref) && !this.places.isMirrored(ref);
  }

  openApart(ref: ChannelRef): Promise<ChannelLog> {
    return this.#apart.open(ref);
  }

  /** Readers have it from now on. */
  handOver(ref: ChannelRef): void {
    this.#apart.handOver(ref);
  }

  /** The ring has changed: what was held for the others only is of no use any more, or served here. */
  place(): void {
    for (const ref of this.#apart.refs()) void this.#place(ref);
  }

  async #place(ref: ChannelRef): Promise<void> {
    try {
      if (this.places.heldInterval(ref) === undefined) return this.#apart.release(ref);
      const channels = this.channels();
      // Readers who have it from elsewhere are moved first: rehoming.ts.
      if (!this.places.isHome(ref) || channels.find(ref.hub, ref.channel)?.isLoaded === true) return;
      await channels.ready(channels.use(ref));
      if (this.find(ref)) this.#apart.release(ref);
    } catch (error) {
      // It was being brought in from elsewhere when this node became a home: now it is read here.
      if (error instanceof RemoteUnavailableError) return await this.#place(ref);
      this.failed(error);
    }
  }
}
