/** What the channels of each hub hold together: a number a hub, kept as they change, so that whoever asks reads no channel. */
import type { HubName } from '../base/ids.js';
import type { Slot } from './slots.js';

export class HubBytes {
  /** Hubs that hold nothing have none. */
  readonly #bytes: Map<HubName, number>;
  /** Of all of them. */
  total: number;

  /** `stored`: what the rows of the index come to. */
  constructor(stored: ReadonlyMap<HubName, number>) {
    this.#bytes = new Map(stored);
    this.total = [...stored.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  of(hub: HubName): number {
    return this.#bytes.get(hub) ?? 0;
  }

  /** To be called whenever the log of a slot has grown or shrunk. */
  count(slot: Slot): void {
    const { bytes } = slot.log;
    if (bytes === slot.countedBytes) return;
    const { hub } = slot.ref;
    const sum = this.of(hub) + bytes - slot.countedBytes;
    this.total += bytes - slot.countedBytes;
    slot.countedBytes = bytes;
    if (sum > 0) this.#bytes.set(hub, sum);
    else this.#bytes.delete(hub);
  }
}
