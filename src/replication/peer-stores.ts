/** Which store each peer has. What it said under another is void. */
import type { NodeId, StoreId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Context } from './context.js';

/** In the place of a store that is not listened to any more, until the node has another. */
const none = '' as StoreId;

export class PeerStores {
  readonly #context: Context;
  /** As each peer said, newest last. */
  readonly #stores = new Map<NodeId, StoreId[]>();

  constructor(context: Context) {
    this.#context = context;
  }

  of(peer: NodeId): StoreId | undefined {
    return this.#stores.get(peer)?.at(-1) || undefined;
  }

  /** Whether a frame is of the peer's present store. `renewed` for the first one of another than before. */
  take(from: NodeId, storeId: StoreId): 'present' | 'renewed' | 'void' {
    const known = this.#stores.get(from);
    if (!known) this.#stores.set(from, [storeId]);
    if (!known || known.at(-1) === storeId) return 'present';
    if (known.includes(storeId)) return 'void';
    this.#push(from, known, storeId);
    return 'renewed';
  }

  /** The peer has this one now, whatever came late from another: it was asked just now. */
  confirm(from: NodeId, storeId: StoreId): void {
    const known = this.#stores.get(from);
    const at = known?.indexOf(storeId) ?? -1;
    if (!known || at < 0) return;
    known.splice(at, 1);
    this.#push(from, known, storeId);
  }

  /** Nothing that the peer says under this store counts. */
  distrust(from: NodeId): void {
    const known = this.#stores.get(from);
    if (known) this.#push(from, known, none);
  }

  #push(from: NodeId, known: StoreId[], storeId: StoreId): void {
    known.push(storeId);
    if (known.length > limits.storesRememberedMax) known.shift();
    const { channels, intervals } = this.#context;
    for (const channel of channels.values()) {
      channel.links.get(from)?.forget();
      for (const { answers } of channel.fetches) answers.delete(from);
      for (const { answers } of channel.repairs) answers.delete(from);
    }
    for (const { gathering } of intervals.values()) gathering?.answers.delete(from);
  }
}
