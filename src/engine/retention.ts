/** How far a channel is trimmed, by its rule or because an operator says so; to be asked at the node that owns it. */
import { receiptsOf } from '../channels/receipt-channels.js';
import { kindOf } from '../channels/kinds.js';
import { sizeOf } from '../documents/value.js';
import { isPersonKey } from '../hubs/system-channels.js';
import type { ChannelLog } from '../log/channel-log.js';
import { type Keep, forcedPosition, trimPosition } from '../log/retention.js';
import { timestampFromUnixMs } from '../log/timestamp.js';
import type { ActiveChannel } from './active-channel.js';
import { RemoteUnavailableError } from './cluster/followed-channel.js';
import type { Core } from './core.js';
import { FoldUnreadableError } from './folds/log-fold.js';
import { MessageCounts } from './message-counts.js';
import { isKeyDestroyed } from './people/person-keys.js';
import { scanOf } from './scan.js';

export type RetentionCore = Pick<
  Core,
  'store' | 'logs' | 'ordering' | 'documents' | 'committer' | 'physicalMs'
>;

export class Retention {
  readonly #core: RetentionCore;
  readonly #messages = new MessageCounts();
  /** Of documents: before which position no snapshot stands but the one that retention left first. */
  readonly #searched = new WeakMap<ChannelLog, number>();

  constructor(core: RetentionCore) {
    this.#core = core;
  }

  /** Position before which everything is to go by the rule of a loaded channel; its first one where nothing is. */
  async position(channel: ActiveChannel): Promise<number> {
    const { store, physicalMs, ordering } = this.#core;
    const limit = ordering.trimLimit(channel, false);
    if (limit <= channel.log.firstPosition) return channel.log.firstPosition;
    const { retention } = channel.rules;
    const { maxAgeMs, maxCount } = retention;
    const kept =
      maxAgeMs === undefined
        ? undefined
        : await store.seqsSince(channel.ref, timestampFromUnixMs(Math.floor(physicalMs() - maxAgeMs)));
    const keptFrom = maxCount === undefined ? undefined : await this.#keptFrom(channel, maxCount);
    const wanted = trimPosition(retention, channel.log, { oldestKept: kept, keptFrom });
    return (await this.#readable(channel, Math.min(wanted ?? 0, limit), limit)) ?? channel.log.firstPosition;
  }

  /** Nothing goes while something cannot be read that may be a message. */
  async #keptFrom(channel: ActiveChannel, maxCount: number): Promise<number> {
    try {
      return await this.#messages.keptFrom(scanOf(this.#core, channel), maxCount);
    } catch (error) {
      if (error instanceof RemoteUnavailableError) return 0;
      throw error;
    }
  }

  /** The same as an operator forces it, who waits for nobody: neither for a home that is away nor for a rule. Of a
   *  document it takes no more than retention may: what it is now stays. `undefined` where that cannot be said
   *  now: without a claim, while another trim is not in force, or before a snapshot is. */
  async forcedPosition(channel: ActiveChannel, keep: Keep): Promise<number | undefined> {
    const { store, ordering } = this.#core;
    const limit = ordering.trimLimit(channel, true);
    const { log } = channel;
    if (limit === 0 && log.endPosition > 0) return undefined;
    const kept = 'since' in keep ? await store.seqsSince(channel.ref, keep.since) : undefined;
    return this.#readable(channel, Math.min(forcedPosition(keep, log, kept) ?? 0, limit), limit);
  }

  /** Up to where it may be, of what is asked for. */
  async #readable(channel: ActiveChannel, position: number, limit: number): Promise<number | undefined> {
    const { firstPosition } = channel.log;
    if (position <= firstPosition) return firstPosition;
    const { channel: name } = channel.ref;
    if (kindOf(name) === 'document') return await this.#documentTrim(channel, position, limit);
    if (!isPersonKey(name)) return position;
    return (await isKeyDestroyed(scanOf(this.#core, channel))) ? position : firstPosition;
  }

  /** Of a document all goes before a snapshot, so that every version that is left can be read. A newer one is asked for
   *  where it would take a good deal with it; `undefined` while it is the only one. Of receipts nobody asks what they were:
   *  all goes that may. */
  async #documentTrim(channel: ActiveChannel, position: number, limit: number): Promise<number | undefined> {
    const { firstPosition } = channel.log;
    const { documents, committer } = this.#core;
    try {
      const { snapshotAt = firstPosition, fold, costSince } = await documents.current(channel);
      const last = receiptsOf(channel.ref.channel) === undefined ? position : limit;
      if (snapshotAt > last) return await this.#snapshotThrough(channel, last);
      if (snapshotAt < position && costSince >= sizeOf(fold.document)) {
        committer.snapshot(channel);
        return snapshotAt > firstPosition ? snapshotAt : undefined;
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
    const found = await this.#core.documents.snapshotWithin(channel, first, position);
    if (found === undefined) this.#searched.set(log, position + 1);
    return found ?? firstPosition;
  }
}
