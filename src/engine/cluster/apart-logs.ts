/** Logs that are held here for the others before this node serves them: a change of the ring is about to make it a home, and
 *  what it has so far is not what readers should see. They read elsewhere until then. */
import { ChannelMap } from '../../base/channel-map.js';
import type { ChannelRef } from '../../base/ids.js';
import type { ChannelLog } from '../../log/channel-log.js';
import type { LogStore } from '../ports.js';

export class ApartLogs {
  readonly #store: LogStore;
  readonly #logs = new ChannelMap<ChannelLog>();
  readonly #opening = new ChannelMap<Promise<ChannelLog>>();

  constructor(store: LogStore) {
    this.#store = store;
  }

  get(ref: ChannelRef): ChannelLog | undefined {
    return this.#logs.get(ref);
  }

  refs(): ChannelRef[] {
    return Array.from(this.#logs.values(), ({ ref }) => ref);
  }

  open(ref: ChannelRef): Promise<ChannelLog> {
    const log = this.#logs.get(ref);
    if (log) return Promise.resolve(log);
    const known = this.#opening.get(ref);
    if (known) return known;
    const opening = this.#open(ref);
    this.#opening.set(ref, opening);
    return opening;
  }

  release(ref: ChannelRef): void {
    if (!this.#logs.has(ref)) return;
    this.#logs.delete(ref);
    this.#store.release(ref);
  }

  /** Whoever takes it over releases it. */
  handOver(ref: ChannelRef): void {
    this.#logs.delete(ref);
  }

  async #open(ref: ChannelRef): Promise<ChannelLog> {
    try {
      const log = await this.#store.open(ref);
      this.#logs.set(ref, log);
      return log;
    } finally {
      this.#opening.delete(ref);
    }
  }
}
