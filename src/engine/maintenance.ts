/** What a node does beside its clients' work, a bounded step at a time: heartbeats, retention, idle channels, and the
 *  store's own upkeep. */
import { type HubName, isSystemChannel } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { kindOf } from '../channels/kinds.js';
import { receiptsOf } from '../channels/receipt-channels.js';
import { type RuleSet, hasRetention } from '../channels/rules.js';
import { sizeOf } from '../documents/value.js';
import { timestampFromUnixMs } from '../log/timestamp.js';
import type { ChannelLog } from '../log/channel-log.js';
import { trimPosition } from '../log/retention.js';
import type { ActiveChannel } from './active-channel.js';
import type { Core } from './core.js';
import type { Hubs } from './hubs/hubs.js';
import { isPersonKey, sessionsRef } from '../hubs/system-channels.js';
import { FoldUnreadableError } from './folds/log-fold.js';
import { pendingSnapshot } from './pending.js';
import { isKeyDestroyed } from './people/person-keys.js';
import type { EnginePorts } from './ports.js';
import { scanOf } from './scan.js';

export interface MaintenanceHooks {
  /** Once every interval, first of all. */
  tick(): void;
  /** Beside retention. */
  remove(): Promise<void>;
  failed(error: unknown): void;
}

export class Maintenance {
  #cancel: (() => void) | undefined;
  #stopped = false;
  /** Of documents: before which position no snapshot stands but the one that retention left first. */
  readonly #searched = new WeakMap<ChannelLog, number>();
  #sweep: { hubs: HubName[]; after: string | undefined } = { hubs: [], after: undefined };

  constructor(
    readonly core: Core,
    readonly ports: EnginePorts,
    readonly hubs: Hubs,
    readonly intervalMs: number,
    readonly hooks: MaintenanceHooks,
  ) {}

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

  /** Looks at the next page of channels; all are seen in turn, those out of memory too. */
  async #retain(): Promise<void> {
    const { store, ordering } = this.core;
    if (this.#sweep.hubs.length === 0) this.#sweep = { hubs: [...(await store.hubs())], after: undefined };
    const hub = this.#sweep.hubs[0];
    if (hub === undefined) return;
    const isAll = this.hubs.isKept ? await this.#retains(hub) : this.hubs.mayRetain;
    if (!isAll && !this.hubs.isKept && !this.#hasSessions(hub)) return void this.#sweep.hubs.shift();
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
      if (!rules || !mayBeDue(rules, size) || ordering.acting(size.ref).at !== 'here') continue;
      await this.retainChannel(this.core.channels.use(size.ref));
      if (this.#stopped) return;
    }
    this.#sweep.after = page.at(-1)?.ref.channel;
    const isDone = page.length < limits.retentionPageMax;
    if (isDone || (!isAll && page.some(({ ref }) => !isSystemChannel(ref.channel)))) {
      this.#sweep.hubs.shift();
      this.#sweep.after = undefined;
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
    const { channels, store, committer, physicalMs, ordering } = this.core;
    await channels.ready(channel);
    const limit = ordering.trimLimit(channel);
    if (limit <= channel.log.firstPosition) return;
    const { retention } = channel.rules;
    const { maxAgeMs } = retention;
    const kept =
      maxAgeMs === undefined
        ? undefined
        : await store.seqsSince(channel.ref, timestampFromUnixMs(Math.floor(physicalMs() - maxAgeMs)));
    const wanted = trimPosition(retention, channel.log, kept ? { oldestKept: kept } : {});
    const allowed = Math.min(wanted ?? 0, limit);
    const position = await this.#mayTrim(channel, allowed, limit);
    if (position <= channel.log.firstPosition) return;
    await new Promise<void>((settled) => {
      const item = { kind: 'trim', position, settled: () => settled() } as const;
      committer.admit(item);
      committer.submit(channel, item);
    });
  }

  /** Up to where it may be, of what retention asks for. */
  async #mayTrim(channel: ActiveChannel, position: number, limit: number): Promise<number> {
    const name = channel.ref.channel;
    if (kindOf(name) === 'document') return await this.#documentTrim(channel, position, limit);
    const { firstPosition } = channel.log;
    if (!isPersonKey(name) || position <= firstPosition) return position;
    return (await isKeyDestroyed(scanOf(this.core, channel))) ? position : firstPosition;
  }

  /** Of a document all goes before a snapshot, so that every version that is left can be read. A newer one is asked for
   *  where it would take a good deal with it. Of receipts nobody asks what they were: all goes that may. */
  async #documentTrim(channel: ActiveChannel, position: number, limit: number): Promise<number> {
    const { firstPosition } = channel.log;
    if (position <= firstPosition) return firstPosition;
    const { documents, committer } = this.core;
    try {
      const { snapshotAt = firstPosition, fold, bytesSince } = await documents.current(channel);
      const last = receiptsOf(channel.ref.channel) === undefined ? position : limit;
      if (snapshotAt > last) return await this.#snapshotThrough(channel, last);
      if (snapshotAt < position && bytesSince >= sizeOf(fold.document)) {
        committer.admit(pendingSnapshot);
        committer.submit(channel, pendingSnapshot);
      }
      return snapshotAt;
    } catch (error) {
      // Nothing goes before it can be read.
      if (error instanceof FoldUnreadableError) return firstPosition;
      throw error;
    }
  }

  /** Where the newest snapshot through `position` stands. No entry is read twice for that. */
  async #snapshotThrough(channel: ActiveChannel, position: number): Promise<number> {
    const { log } = channel;
    const { firstPosition } = log;
    const first = Math.max(firstPosition + 1, this.#searched.get(log) ?? 0);
    const found = await this.core.documents.snapshotWithin(channel, first, position);
    if (found === undefined) this.#searched.set(log, position + 1);
    return found ?? firstPosition;
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
