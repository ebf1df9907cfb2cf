/** What a node does beside its clients' work, a bounded step at a time: heartbeats, retention, idle channels, and the
 *  store's own upkeep. */
import { type ChannelRef, type HubName, isSystemChannel } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type RuleSet, hasRetention } from '../channels/rules.js';
import type { ActiveChannel } from './active-channel.js';
import type { Core } from './core.js';
import type { Hubs } from './hubs/hubs.js';
import { isPersonKey, sessionsRef } from '../hubs/system-channels.js';
import type { EnginePorts } from './ports.js';
import { Retention } from './retention.js';
import { type Scan, scanOf } from './scan.js';

export interface MaintenanceHooks {
  /** Once every interval, first of all. */
  tick(): void;
  /** Beside retention. */
  remove(): Promise<void>;
  /** Comes by the key of a person that this node owns. */
  keyPassed(ref: ChannelRef, scan: () => Promise<Scan>): Promise<void>;
  failed(error: unknown): void;
}

export class Maintenance {
  #cancel: (() => void) | undefined;
  #stopped = false;
  readonly #retention: Retention;
  #sweep: { hubs: HubName[]; after: string | undefined } = { hubs: [], after: undefined };

  constructor(
    readonly core: Core,
    readonly ports: EnginePorts,
    readonly hubs: Hubs,
    readonly intervalMs: number,
    readonly hooks: MaintenanceHooks,
  ) {
    this.#retention = new Retention(core);
  }

  start(): void {
    this.#cancel = this.ports.timers.after(this.intervalMs, () => void this.#run());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  async #run(): Promise<void> {
    try {
      this.hooks.tick();
      await this.#retain();
      if (!this.#stopped) await this.hooks.remove();
      this.core.channels.dropIdle();
      this.core.channels.forgetKeys();
      if (!this.#stopped) await this.core.store.maintain(this.core.physicalMs());
      if (!this.#stopped) await this.core.side?.mend(Math.min(1, this.intervalMs / limits.scrubPassMs));
    } catch (error) {
      if (!this.#stopped) this.hooks.failed(error);
    }
    if (!this.#stopped) this.start();
  }

  /** Looks at the next page of channels, or the few of some hubs; all are seen in turn, those out of memory too. */
  async #retain(): Promise<void> {
    const { store } = this.core;
    if (this.#sweep.hubs.length === 0) this.#sweep = { hubs: [...(await store.hubs())], after: undefined };
    let channels = 0;
    for (let hubs = 0; hubs < limits.retentionHubsMax && channels < limits.retentionPageMax; hubs++) {
      const hub = this.#sweep.hubs[0];
      if (hub === undefined || this.#stopped) return;
      channels += await this.#retainIn(hub);
    }
  }

  /** Resolves with how many channels were listed. */
  async #retainIn(hub: HubName): Promise<number> {
    const { store, ordering } = this.core;
    const isAll = this.hubs.isKept ? await this.#retains(hub) : this.hubs.mayRetain;
    if (!isAll && !this.hubs.isKept && !this.#hasSessions(hub)) {
      this.#sweep.hubs.shift();
      return 0;
    }
    // Channels of the system come first, and some have retention of their own.
    const { after } = this.#sweep;
    const page = await store.channels(hub, {
      limit: limits.retentionPageMax,
      ...(after === undefined ? {} : { after }),
    });
    for (const size of page) {
      if (!isAll && !isSystemChannel(size.ref.channel)) break;
      const rules = this.hubs.rulesOf(size.ref);
      // Others apply the owner's trims, and never decide themselves.
      const [isKey, isDue] = [isPersonKey(size.ref.channel), rules && mayBeDue(rules, size)];
      if ((!isKey && !isDue) || ordering.acting(size.ref).at !== 'here') continue;
      if (isKey) void this.#keyPassed(size.ref);
      if (isDue) await this.retainChannel(this.core.channels.use(size.ref));
      if (this.#stopped) return page.length;
    }
    this.#sweep.after = page.at(-1)?.ref.channel;
    const isDone = page.length < limits.retentionPageMax;
    if (isDone || (!isAll && page.some(({ ref }) => !isSystemChannel(ref.channel)))) {
      this.#sweep.hubs.shift();
      this.#sweep.after = undefined;
    }
    return page.length;
  }

  /** Nothing waits for it: it may take until the people of the hub are known. */
  async #keyPassed(ref: ChannelRef): Promise<void> {
    try {
      await this.hooks.keyPassed(ref, async () => {
        const channel = this.core.channels.use(ref);
        await this.core.channels.ready(channel);
        return scanOf(this.core, channel);
      });
    } catch (error) {
      if (!this.#stopped) this.hooks.failed(error);
    }
  }

  /** What goes for it must be known: what retention removes does not come back. */
  async #retains(hub: HubName): Promise<boolean> {
    const view = await this.hubs.looked(hub);
    return view !== undefined && hasRetention(view.rules);
  }

  /** Kept sessions go by retention, and were written lately. */
  #hasSessions(hub: HubName): boolean {
    return this.core.channels.find(hub, sessionsRef(hub).channel) !== undefined;
  }

  /** Appends a trim where the channel's rule asks for one. */
  async retainChannel(channel: ActiveChannel): Promise<void> {
    const { channels, committer } = this.core;
    await channels.ready(channel);
    const position = await this.#retention.position(channel);
    if (position <= channel.log.firstPosition) return;
    await new Promise<void>((settled) => {
      const item = { kind: 'trim', position, settled: () => settled() } as const;
      committer.admit(item);
      committer.submit(channel, item);
    });
  }
}

function mayBeDue(
  { retention }: RuleSet,
  size: { readonly entries: number; readonly bytes: number },
): boolean {
  const { maxAgeMs, maxCount, maxBytes } = retention;
  return (
    maxAgeMs !== undefined ||
    (maxCount !== undefined && size.entries > maxCount) ||
    (maxBytes !== undefined && size.bytes > maxBytes)
  );
}
