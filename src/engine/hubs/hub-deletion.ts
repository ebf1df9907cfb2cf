/** Takes away what a deleted hub holds, in the background: every channel is deleted by the node that orders it. How far that
 *  is stands in `$hubs`, so it goes on after whatever happens; the name is free once every member of the ring has said that
 *  it holds nothing of the hub any more. */
import type { ChannelRef, HubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { Core } from '../core.js';
import type { LogStore } from '../ports.js';
import type { Hubs } from './hubs.js';

export interface HubDeletionHooks {
  /** Resolves with whatever became of it. */
  deleteChannel(ref: ChannelRef): Promise<unknown>;
}

export class HubDeletion {
  readonly #core: Core;
  readonly #hubs: Hubs;
  readonly #nodeId: string;
  readonly #hooks: HubDeletionHooks;
  /** Deletions under way, by channel. */
  readonly #open = new Set<string>();
  readonly #after = new Map<HubName, string | undefined>();

  constructor(core: Core, hubs: Hubs, nodeId: string, hooks: HubDeletionHooks) {
    this.#core = core;
    this.#hubs = hubs;
    this.#nodeId = nodeId;
    this.#hooks = hooks;
  }

  /** One page of channels of each hub that is being deleted. */
  async step(): Promise<void> {
    const { deleting } = this.#hubs;
    for (const hub of this.#after.keys()) if (!deleting.has(hub)) this.#after.delete(hub);
    for (const [hub, cleared] of deleting) {
      const isEmpty = await this.#sweep(hub);
      const members = this.#members();
      // Others wait for this node's word only where it is a member; it may have to be said again.
      if (isEmpty && members.includes(this.#nodeId) && !cleared.has(this.#nodeId))
        void this.#hubs.note('cleared', hub, '', this.#nodeId);
      else if (isEmpty && members.every((member) => cleared.has(member)))
        void this.#hubs.note('deleted', hub, '');
    }
  }

  /** Whether this node holds nothing of the hub. */
  async #sweep(hub: HubName): Promise<boolean> {
    const { store, ordering } = this.#core;
    const after = this.#after.get(hub);
    const limit = limits.retentionPageMax;
    const page = await store.channels(hub, after === undefined ? { limit } : { after, limit });
    this.#after.set(hub, page.length < limit ? undefined : page.at(-1)!.ref.channel);
    for (const { ref } of page) {
      const { channel } = ref;
      const name = `${hub}/${channel}`;
      if (this.#open.has(name) || this.#open.size >= limits.channelsDeletedAtOnce) continue;
      if (ordering.acting(ref).at !== 'here') continue;
      this.#open.add(name);
      void this.#hooks.deleteChannel(ref).finally(() => this.#open.delete(name));
    }
    return page.length === 0 && after === undefined;
  }

  #members(): readonly string[] {
    const { cluster } = this.#core;
    return cluster ? cluster.rings.status().members.map(({ node }) => node) : [this.#nodeId];
  }
}

/** Hubs of which a store holds something. */
export async function storedHubs(store: LogStore): Promise<HubName[]> {
  const held: HubName[] = [];
  for (const hub of await store.hubs()) {
    const [first] = await store.channels(hub, { limit: 1 });
    if (first) held.push(hub);
  }
  return held;
}
