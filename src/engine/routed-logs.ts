/** The logs of channels for readers: from the store where this node is a home, else mirrored from one (following.ts). */
import type { ChannelRef } from '../base/ids.js';
import type { ChannelLog } from '../log/channel-log.js';
import type { Timestamp, Vector } from '../log/entry.js';
import type { RemoteLogs } from './following.js';
import type { LogStore, Logs, ReadRange, ReadResult } from './ports.js';

export class RoutedLogs implements Logs {
  readonly #store: LogStore;
  readonly #remote: RemoteLogs;
  readonly #isHome: (ref: ChannelRef) => boolean;

  constructor(store: LogStore, remote: RemoteLogs, isHome: (ref: ChannelRef) => boolean) {
    this.#store = store;
    this.#remote = remote;
    this.#isHome = isHome;
  }

  open(ref: ChannelRef): Promise<ChannelLog> {
    return this.#isHome(ref) ? this.#store.open(ref) : this.#remote.open(ref);
  }

  peek(ref: ChannelRef): ChannelLog | undefined {
    return this.#remote.peek(ref) ?? this.#store.peek(ref);
  }

  release(ref: ChannelRef): void {
    if (this.#remote.peek(ref)) this.#remote.release(ref);
    else this.#store.release(ref);
  }

  read(ref: ChannelRef, ranges: readonly ReadRange[], bytesMax: number): Promise<ReadResult> {
    return this.#logsOf(ref).read(ref, ranges, bytesMax);
  }

  seqsSince(ref: ChannelRef, timestamp: Timestamp): Promise<Vector> {
    return this.#logsOf(ref).seqsSince(ref, timestamp);
  }

  #logsOf(ref: ChannelRef): Pick<Logs, 'read' | 'seqsSince'> {
    return this.#remote.peek(ref) ? this.#remote : this.#store;
  }
}
