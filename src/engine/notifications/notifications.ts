/** The notification channels of a node: what is unread in each, told to whoever is subscribed whenever it changes. It is a
 *  fold of the committed order, made at each node for itself, so at one place of the order it is the same everywhere. */
import { utf8 } from '../../base/bytes.js';
import type { ChannelRef, WriterId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { planted } from '../../base/planted.js';
import { kindOf } from '../../channels/kinds.js';
import { encodeCursor } from '../../log/cursor.js';
import { encodeContent } from '../../log/entry-wire.js';
import type { Timestamp } from '../../log/entry.js';
import { timestampFromUnixMs } from '../../log/timestamp.js';
import { foldInbox } from '../../notifications/fold.js';
import { type Inbox, emptyInbox } from '../../notifications/inbox.js';
import { inboxBytes, readInboxSnapshot, snapshotOfInbox } from '../../notifications/snapshot.js';
import type { Encoding, NotificationInfo } from '../../protocol/messages.js';
import { encodeServerFrame } from '../../protocol/server-encoder.js';
import type { Session } from '../../sessions/session.js';
import type { Subscription } from '../../sessions/subscription.js';
import type { SessionFrame } from '../../sessions/subscriber.js';
import type { ActiveChannel } from '../active-channel.js';
import type { ChannelTable } from '../channel-table.js';
import type { Delivery } from '../delivery.js';
import type { Folding } from '../folds/folding.js';
import { Folds, type FoldsHooks } from '../folds/folds.js';
import { FoldBrokenError, FoldUnreadableError } from '../folds/log-fold.js';
import type { Folded } from '../folds/open-fold.js';
import type { PublishOrigin } from '../pending.js';
import { type Logs, StoreFailedError } from '../ports.js';

const inboxFolding: Folding<Inbox> = {
  empty: emptyInbox,
  step: (inbox, entry, past) => ({ fold: foldInbox(inbox, entry, past) }),
  snapshotOf: snapshotOfInbox,
  readSnapshot: readInboxSnapshot,
  bytesOf: inboxBytes,
  weightOf: (inbox) => limits.inboxWeight * inboxBytes(inbox),
  // Earlier ones are within that.
  madeOf: () => 0,
  startsAnywhere: true,
  cacheBytes: limits.inboxCacheBytes,
};

const timePassed = encodeContent({ contentType: 'application/json', payload: utf8('{"time":true}') });

/** Of `Publishing`: what the node itself writes. */
export interface NodeWriter {
  system(ref: ChannelRef, content: Uint8Array, actor: string, origin: PublishOrigin, kind: 'read'): void;
}

export class Notifications extends Folds<Inbox> {
  readonly #delivery: Delivery;
  readonly #telling = new Set<ActiveChannel>();
  /** Changed since it was looked at, or not to be read then. */
  readonly #untold = new Set<ActiveChannel>();
  /** Where an entry is on its way by which time passes. */
  readonly #passing = new Set<ActiveChannel>();
  /** When something expires next where somebody listens: the fold may have left memory. */
  readonly #expiring = new Map<ActiveChannel, Timestamp>();

  constructor(logs: Logs, writer: WriterId, delivery: Delivery, hooks: FoldsHooks) {
    super('notification', inboxFolding, logs, writer, hooks);
    this.#delivery = delivery;
  }

  /** The committed order is another one, or longer: whoever is subscribed is told what is unread, if that is something else. */
  changed(channel: ActiveChannel): void {
    if (kindOf(channel.ref.channel) !== 'notification' || !channel.hasListeners) return;
    this.#untold.add(channel);
    if (this.#telling.has(channel)) return;
    this.#telling.add(channel);
    void this.#tell(channel)
      .catch((error: unknown) => {
        // Told already; what comes next may help.
        if (error instanceof FoldBrokenError) return;
        // Looked at again with the next tick.
        this.#untold.add(channel);
        if (error instanceof StoreFailedError) this.hooks.failed(error);
        else if (!(error instanceof FoldUnreadableError)) this.broken(channel.ref, error);
      })
      .finally(() => this.#telling.delete(channel));
  }

  /** About once a second: what could not be told is, and where something has expired an entry is asked for that says so. */
  tick(node: NodeWriter, nowMs: number): void {
    for (const channel of this.#untold) {
      if (channel.hasListeners) this.changed(channel);
      else this.#untold.delete(channel);
    }
    const now = timestampFromUnixMs(Math.floor(nowMs));
    for (const channel of this.open) {
      const { fold } = channel;
      if (!fold || fold.log !== channel.log) continue;
      if ((fold.folded.fold as Inbox).expiresAt <= now) this.#pass(channel, node);
    }
    for (const [channel, expiresAt] of this.#expiring) {
      if (!channel.hasListeners) this.#expiring.delete(channel);
      else if (expiresAt <= now) this.#pass(channel, node);
    }
  }

  /** The node that orders the channel decides, by its own clock. */
  #pass(channel: ActiveChannel, node: NodeWriter): void {
    if (planted('expiry-unwritten') || this.#passing.has(channel)) return;
    this.#passing.add(channel);
    const done = (): void => void this.#passing.delete(channel);
    const origin = { publishAccepted: done, publishFailed: done };
    node.system(channel.ref, timePassed, '', origin, 'read');
  }

  /** What the committed order through now comes to, and the log that it is a place of; `undefined` at a node that has just
   *  started and knows nothing to be committed of what it holds. */
  async now(channel: ActiveChannel): Promise<Folded<Inbox> | undefined> {
    for (;;) {
      const { log } = channel;
      if (log.endPosition === 0 && !log.isEmpty) return undefined;
      const folded = await this.current(channel);
      if (channel.log !== log) continue;
      this.#noteExpiry(channel, folded.fold);
      return folded;
    }
  }

  #noteExpiry(channel: ActiveChannel, { expiresAt }: Inbox): void {
    if (expiresAt < Infinity && channel.hasListeners) this.#expiring.set(channel, expiresAt);
    else this.#expiring.delete(channel);
  }

  /** As it is told. */
  async info(channel: ActiveChannel): Promise<NotificationInfo | undefined> {
    const folded = await this.now(channel);
    return folded && infoOf(channel, folded);
  }

  async #tell(channel: ActiveChannel): Promise<void> {
    while (this.#untold.delete(channel)) {
      const info = await this.info(channel);
      if (info) this.noticed(channel, info);
    }
  }

  /** That is what is unread now: whoever was told something else is told. */
  noticed(channel: ActiveChannel, info: NotificationInfo): void {
    const { told } = channel;
    if (told && isSame(info, told)) return;
    channel.told = info;
    this.#hand(channel, info);
  }

  /** One frame for all. Who is behind is told once it has caught up: what is unread then. */
  #hand(channel: ActiveChannel, info: NotificationInfo): void {
    const frames = new Map<Encoding, SessionFrame>();
    for (const subscription of channel.fanOut) {
      const { session, state } = subscription;
      if (state.state === 'opening' || state.state === 'ended') continue;
      if (session.isBehind()) {
        subscription.isInfoDue = true;
        this.#delivery.readOn(session);
        continue;
      }
      let frame = frames.get(session.encoding);
      if (!frame) frames.set(session.encoding, (frame = infoFrame(channel, info, session.encoding)));
      session.push(frame);
      this.#delivery.flusher.touched(session);
    }
    this.#delivery.flusher.planFlush();
  }
}

/** To a reader that had been behind. */
export function tellInfo(channels: ChannelTable, subscription: Subscription<Session>): void {
  subscription.isInfoDue = false;
  const { session } = subscription;
  const channel = channels.find(session.hub, subscription.channel);
  if (channel?.told) session.push(infoFrame(channel, channel.told, session.encoding));
}

export function infoOf({ ref, log }: ActiveChannel, { fold, position }: Folded<Inbox>): NotificationInfo {
  return { unread: fold.unread, total: fold.total, cursor: encodeCursor(ref, log.headsAt(position)) };
}

export function isSame(a: NotificationInfo, b: NotificationInfo): boolean {
  return a.unread === b.unread && a.total === b.total;
}

export function infoFrame(channel: ActiveChannel, info: NotificationInfo, encoding: Encoding): SessionFrame {
  const message = { type: 'notificationInfo', channel: channel.ref.channel, ...info } as const;
  return { bytes: encodeServerFrame(encoding, [{ requestId: 0, message }]), isShared: true };
}
