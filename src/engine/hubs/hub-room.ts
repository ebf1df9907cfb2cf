/** What hubs may still store at this node, while a commit is stamped: what is in the store, and what this commit adds. */
import { type ChannelRef, type HubName, isSystemChannel } from '../../base/ids.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { LogStore } from '../ports.js';

export class HubRoom {
  readonly #added = new Map<HubName, number>();

  constructor(
    readonly store: Pick<LogStore, 'hubBytes'>,
    /** Infinity for a hub that may hold what it likes. */
    readonly bytesMaxOf: (hub: HubName) => number,
  ) {}

  /** A new commit: the store counts what was in the one before. */
  begin(): void {
    this.#added.clear();
  }

  /** Bytes left for what clients write to the channel. What the system keeps of a hub always has room: without it nobody could
   *  change the quota, or delete anything. */
  left({ hub, channel }: ChannelRef): number {
    if (isSystemChannel(channel)) return Infinity;
    const most = this.bytesMaxOf(hub);
    return most === Infinity ? most : most - this.store.hubBytes(hub) - (this.#added.get(hub) ?? 0);
  }

  added({ hub }: ChannelRef, bytes: number): void {
    this.#added.set(hub, (this.#added.get(hub) ?? 0) + bytes);
  }

  /** Why no more is taken. */
  full({ hub, channel }: ChannelRef): Failure {
    const message = `The channels of this hub hold ${this.store.hubBytes(hub)} of ${this.bytesMaxOf(hub)} bytes at the node that writes here. Trim or delete channels, shorten their retention, or raise the hub's "bytesMax"; reading goes on.`;
    return failure('QUOTA', { channel, message });
  }
}
