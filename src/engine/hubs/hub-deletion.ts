/** Takes away what a deleted hub holds, in the background: every channel is deleted by the node that orders it. How far that
 *  is stands in `$hubs`, so it goes on after whatever happens; the name is free once every member of the ring has said that
 *  it holds nothing of the hub any more, and has let delete what it has left of channels that it is no home of. */
import type { ChannelRef, HubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { Result } from '../../base/result.js';
import type { Core } from '../core.js';
import { heldChannels } from '../held-channels.js';
import type { Hubs } from './hubs.js';

export interface HubDeletionHooks {
  /** Resolves with whatever became of it. */
  deleteChannel(ref: ChannelRef): Promise<Result<unknown, unknown>>;
}

export class HubDeletion {
  readonly #core: Core;
  readonly #hubs: Hubs;
  readonly #nodeId: string;
  readonly #hooks: HubDeletionHooks;
  /** Deletions under way, by channel. */
  readonly #open = new Set<string>();
  readonly #after = new Map<HubName, string | undefined>();
  /** Hubs of which what is left here is being deleted at its homes, or was, as they are in a version of the ring. */
  readonly #left = new Map<HubName, { readonly version: number; isGone: boolean }>();

  constructor(core: Core, hubs: Hubs, nodeId: string, hooks: HubDeletionHooks) {
    this.#core = core;
    this.#hubs = hubs;
    this.#nodeId = nodeId;
    this.#hooks = hooks;
  }

  /** One page of channels of each hub that is being deleted. */
  async step(): Promise<void> {
    const { deleting } = this.#hubs;
    for (const known of [this.#after, this.#left])
      for (const hub of known.keys()) if (!deleting.has(hub)) known.delete(hub);
    const node = this.#nodeId;
    for (const [hub, cleared] of deleting) {
      const isEmpty = await this.#sweep(hub);
      const { version, members } = this.#ring();
      if (!isEmpty || !this.#isLeftGone(hub, version)) continue;
      // Others wait for this node's word only where it is a member. What was said of another ring says nothing of this one:
      // who left it may have brought something home.
      if (members.includes(node) && cleared.get(node) !== version)
        void this.#hubs.note('cleared', hub, '', { node, version });
      else if (members.every((member) => cleared.get(member) === version))
        void this.#hubs.note('deleted', hub, '');
    }
  }

  /** Whether this node is home of nothing that the hub holds. */
  async #sweep(hub: HubName): Promise<boolean> {
    const { ordering } = this.#core;
    const after = this.#after.get(hub);
    const limit = limits.retentionPageMax;
    const page = await heldChannels(this.#core, hub, { after, limit });
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

  /** What this node alone has of channels that it is no home of may come to their homes later: it is void there once they
   *  are deleted, whether they had anything or not. */
  #isLeftGone(hub: HubName, version: number): boolean {
    const known = this.#left.get(hub);
    if (known?.version === version) return known.isGone;
    const left = { version, isGone: false };
    this.#left.set(hub, left);
    const again = (): void => {
      if (this.#left.get(hub) === left) this.#left.delete(hub);
    };
    void this.#deleteLeft(hub).then((isGone) => {
      left.isGone = isGone;
      if (!isGone) again();
      // Of a store that fails others tell.
    }, again);
    return false;
  }

  async #deleteLeft(hub: HubName): Promise<boolean> {
    const limit = limits.channelsDeletedAtOnce;
    for (let after: string | undefined; ;) {
      const page = await this.#core.store.channels(hub, after === undefined ? { limit } : { after, limit });
      const deleted = await Promise.all(page.map(({ ref }) => this.#hooks.deleteChannel(ref)));
      if (!deleted.every(({ ok }) => ok)) return false;
      if (page.length < limit) return true;
      after = page.at(-1)!.ref.channel;
    }
  }

  #ring(): { readonly version: number; readonly members: readonly string[] } {
    const { cluster } = this.#core;
    if (!cluster) return { version: 0, members: [this.#nodeId] };
    const { version, members } = cluster.rings.status();
    return { version, members: members.map(({ node }) => node) };
  }
}
