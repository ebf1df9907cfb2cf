/** Notification channels, on top of the client: `ringlog/notifications`, for browsers and Node.
 *
 *      const alerts = await NotificationChannel.open(client, 'notification:alerts');
 *      alerts.on('unread', ({ unread }) => badge(unread));
 *      for (const { id, title } of (await alerts.list({ unread: true })).notifications) show(id, title);
 *      await alerts.read(id);
 */
import { toBase64Url, utf8Text } from '../base/bytes.js';
import { channelNameFor, dotText } from '../base/ids.js';
import type { severities } from '../base/notification-limits.js';
import { unixMsOf } from '../log/timestamp.js';
import type { Level, ListedNotification, NotificationState } from '../protocol/messages.js';
import type { Client } from './client.js';
import { Emitter, type Listener } from './emitter.js';
import type { RinglogError } from './error.js';
import { cursorBytes, unixMs } from './history.js';
import type { Message } from './message.js';
import type { Published } from './published.js';
import type { GapNotice } from './reading.js';
import type { StartOption } from './start.js';
import type { Subscription, UnreadCount } from './subscription.js';

export type Severity = (typeof severities)[number];

/** What a service says. */
export interface NewNotification {
  readonly title: string;
  readonly body?: string;
  /** Any JSON. */
  readonly data?: unknown;
  readonly severity?: Severity;
  /** From then on it does not count; Unix milliseconds or a date. */
  readonly expiresAt?: Date | number;
}

export interface Notification extends Omit<NewNotification, 'expiresAt'> {
  readonly id: string;
  readonly time: Date;
  /** Who created it. */
  readonly actor?: string;
  readonly expiresAt?: Date;
}

export interface Listed extends Notification {
  readonly state: NotificationState;
}

export interface ListOptions {
  /** Only those that are not read. */
  readonly unread?: boolean;
  /** `newest` first by default. */
  readonly order?: 'newest' | 'oldest';
  /** When they were created: from then on, before then; Unix milliseconds or a date. */
  readonly since?: Date | number;
  readonly until?: Date | number;
  readonly limit?: number;
  /** Of an earlier page: goes on from there. */
  readonly cursor?: string;
  readonly timeoutMs?: number;
}

export interface NotificationPage extends UnreadCount {
  readonly notifications: readonly Listed[];
  readonly cursor: string;
  readonly more: boolean;
}

export interface SendOptions {
  readonly level?: Exclude<Level, 'memory'>;
  readonly degrade?: boolean;
  /** Makes this the same as another one with the same key; by default each has its own. */
  readonly idempotencyKey?: string;
  readonly timeoutMs?: number;
}

export interface NotificationEvents {
  /** At first, and whenever it changes. */
  readonly unread: UnreadCount;
  readonly notification: Notification;
  /** Somebody has read these, or all that were created up to a time. */
  readonly read: { readonly ids?: readonly string[]; readonly until?: Date; readonly actor?: string };
  /** Entries that will not come. */
  readonly gap: GapNotice;
  /** The end, for a reason. */
  readonly error: RinglogError;
}

export interface OpenOptions {
  readonly start?: StartOption;
  /** Who must not miss what comes with the answer that opens the channel listens from the start. */
  readonly on?: { readonly [K in keyof NotificationEvents]?: Listener<NotificationEvents[K]> };
}

/** For services and administrators. Rejects with RinglogError: DENIED for others. */
export function notify(
  client: Client,
  channel: string,
  { expiresAt, ...rest }: NewNotification,
  options: SendOptions = {},
): Promise<Published> {
  const notification = {
    ...rest,
    ...(expiresAt === undefined ? undefined : { expiresAt: unixMs(expiresAt) }),
  };
  return client.publish(channel, notification, options, 'notification');
}

/** A page of a channel's notifications, without subscribing to it. */
export async function listNotifications(
  client: Client,
  channel: string,
  options: ListOptions = {},
): Promise<NotificationPage> {
  const { unread = false, order, since, until, limit, cursor, timeoutMs } = options;
  const message = {
    type: 'notifications' as const,
    channel: channelNameFor(channel),
    unread,
    forward: order === 'oldest',
    ...(since === undefined ? undefined : { sinceUnixMs: unixMs(since) }),
    ...(until === undefined ? undefined : { untilUnixMs: unixMs(until) }),
    ...(limit === undefined ? undefined : { limit }),
    ...(cursor === undefined ? undefined : { cursor: cursorBytes(channel, cursor) }),
  };
  const page = await client.ask(message, timeoutMs);
  return {
    unread: page.info.unread,
    total: page.info.total,
    notifications: page.notifications.map(listedOf),
    cursor: toBase64Url(page.cursor),
    more: page.more,
  };
}

/** A channel's notifications, whose read state all share. */
export class NotificationChannel {
  readonly channel: string;
  readonly #client: Client;
  readonly #events: Emitter<NotificationEvents>;
  readonly #subscription: Subscription;
  #count: UnreadCount | undefined;

  private constructor(client: Client, channel: string, { start = 'live', on = {} }: OpenOptions) {
    this.channel = channel;
    this.#client = client;
    this.#events = new Emitter((error) => client.platform.report(error));
    const listen = <K extends keyof NotificationEvents>(name: K): void => {
      const listener = on[name];
      if (listener) this.#events.on(name, listener);
    };
    for (const name of Object.keys(on) as (keyof NotificationEvents)[]) listen(name);
    this.#subscription = client.subscribe(channel, { start });
    this.#subscription.on('unread', (count) => {
      this.#count = count;
      this.#events.emit('unread', count);
    });
    this.#subscription.on('entry', (message) => this.#received(message));
    this.#subscription.on('gap', (gap) => this.#events.emit('gap', gap));
    this.#subscription.on('error', (error) => this.#events.emit('error', error));
  }

  /** Follows the channel from now on, or from `start`; resolves once what is unread is known. */
  static open(client: Client, channel: string, options: OpenOptions = {}): Promise<NotificationChannel> {
    return new Promise((resolve, reject) => {
      const opened = new NotificationChannel(client, channel, options);
      const off = opened.on('unread', () => {
        off();
        resolve(opened);
      });
      opened.on('error', reject);
    });
  }

  /** How many are not read, as it was told last. */
  get unread(): number {
    return this.#count?.unread ?? 0;
  }

  /** How many count. */
  get total(): number {
    return this.#count?.total ?? 0;
  }

  /** To go on from here another time. */
  get cursor(): string | undefined {
    return this.#subscription.cursor;
  }

  /** Returns what ends it. */
  on<K extends keyof NotificationEvents>(name: K, listener: Listener<NotificationEvents[K]>): () => void {
    return this.#events.on(name, listener);
  }

  list(options: ListOptions = {}): Promise<NotificationPage> {
    return listNotifications(this.#client, this.channel, options);
  }

  /** Marks these as read, for all; retried until it is sure. Rejects with RinglogError: NOT_FOUND where one of them is no
   *  notification of this channel, and none is marked then. */
  read(ids: string | readonly string[], options: SendOptions = {}): Promise<Published> {
    const named = { ids: typeof ids === 'string' ? [ids] : ids };
    return this.#client.publish(this.channel, named, options, 'read');
  }

  /** Marks all that were created up to a time as read. */
  readUntil(time: Date | number, options: SendOptions = {}): Promise<Published> {
    return this.#client.publish(this.channel, { until: unixMs(time) }, options, 'read');
  }

  close(): void {
    this.#subscription.close();
  }

  #received({ kind, id, time, actor, bytes }: Message): void {
    const by = actor === undefined ? undefined : { actor };
    if (kind === 'notification') {
      this.#events.emit('notification', { id, time, ...by, ...saidIn(bytes) });
    } else if (kind === 'read') {
      const { ids, until } = valueOf(bytes) as { ids?: string[]; until?: number };
      if (ids) this.#events.emit('read', { ids, ...by });
      else if (until !== undefined) this.#events.emit('read', { until: new Date(until), ...by });
    }
  }
}

function listedOf({ dot, timestamp, actor, state, value }: ListedNotification): Listed {
  const by = actor === undefined ? undefined : { actor };
  return { id: dotText(dot), time: new Date(unixMsOf(timestamp)), ...by, state, ...saidIn(value) };
}

function saidIn(bytes: Uint8Array): Omit<Notification, 'id' | 'time' | 'actor'> {
  const { title, expiresAt, ...rest } = valueOf(bytes) as NewNotification;
  return {
    ...rest,
    title: String(title ?? ''),
    ...(expiresAt === undefined ? undefined : { expiresAt: new Date(expiresAt) }),
  };
}

/** What a node lets in is JSON; should it be none, it says nothing. */
function valueOf(bytes: Uint8Array): object {
  try {
    return JSON.parse(utf8Text(bytes)) as object;
  } catch {
    return {};
  }
}
