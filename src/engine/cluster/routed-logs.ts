/** The logs of channels for readers: from the store where this node is a home, else mirrored from one (following.ts). Where a
 *  channel was opened it stays until it is moved: the ring may have changed since. */
import { ChannelMap } from '../../base/channel-map.js';
import type { ChannelRef } from '../../base/ids.js';
import type { ChannelLog } from '../../log/channel-log.js';
import type { Timestamp, Vector } from '../../log/entry.js';
import type { RemoteLogs } from './following.js';
import type { LogStore, Logs, ReadRange, ReadResult } from '../ports.js';

type Place = 'store' | 'remote';

export class RoutedLogs implements Logs {
  readonly #store: LogStore;
  readonly #remote: RemoteLogs;
  readonly #mended: Pick<Logs, 'read'>;
  readonly #isHome: (ref: ChannelRef) => boolean;
  readonly #places = new ChannelMap<Place>();

  /** `mended` reads the store. */
  constructor(
    store: LogStore,
    mended: Pick<Logs, 'read'>,
    remote: RemoteLogs,
    isHome: (ref: ChannelRef) => boolean,
  ) {
    this.#store = store;
    this.#mended = mended;
    this.#remote = remote;
    this.#isHome = isHome;
  }

  placeOf(ref: ChannelRef): Place {
    return this.#places.get(ref) ?? (this.#isHome(ref) ? 'store' : 'remote');
  }

  /** It was opened there, and is to be released there. */
  moved(ref: ChannelRef, place: Place): void {
    this.#places.set(ref, place);
  }

  async open(ref: ChannelRef): Promise<ChannelLog> {
    const place = this.placeOf(ref);
    this.#places.set(ref, place);
    try {
      return await this.#at(place).open(ref);
    } catch (error) {
      this.#places.delete(ref);
      throw error;
    }
  }

  peek(ref: ChannelRef): ChannelLog | undefined {
    return this.#logsOf(ref).peek(ref);
  }

  release(ref: ChannelRef): void {
    const place = this.placeOf(ref);
    this.#places.delete(ref);
    this.#at(place).release(ref);
  }

  read(ref: ChannelRef, ranges: readonly ReadRange[], bytesMax: number): Promise<ReadResult> {
    const logs = this.placeOf(ref) === 'store' ? this.#mended : this.#remote;
    return logs.read(ref, ranges, bytesMax);
  }

  seqsSince(ref: ChannelRef, timestamp: Timestamp): Promise<Vector> {
    return this.#logsOf(ref).seqsSince(ref, timestamp);
  }

  #logsOf(ref: ChannelRef): Logs {
    return this.#at(this.placeOf(ref));
  }

  #at(place: Place): Logs {
    return place === 'store' ? this.#store : this.#remote;
  }
}
