/** Notification channels as an application has them: what is asked, told, and made of it. */
import { expect, test } from 'vitest';
import { toBase64Url } from '../../src/base/bytes.js';
import type { WriterId } from '../../src/base/ids.js';
import type { Client } from '../../src/client/client.js';
import { ownError } from '../../src/client/error.js';
import { NotificationChannel, listNotifications, notify } from '../../src/client/notifications.js';
import { timestampFromUnixMs } from '../../src/log/timestamp.js';

const channel = 'notification:alerts';
const utf8 = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** A client whose one subscription is told what to hear, and that notes what it is asked. */
function setUp(answer: object = {}) {
  const listeners = new Map<string, (event: never) => void>();
  const asked: unknown[] = [];
  const note = (...all: unknown[]): Promise<object> => {
    asked.push(all);
    return Promise.resolve(answer);
  };
  const subscription = {
    cursor: 'here',
    isClosed: false,
    on: (name: string, listener: (event: never) => void) => void listeners.set(name, listener),
    close: () => (subscription.isClosed = true),
  };
  const client = {
    subscribe: (name: string, options: object) => {
      asked.push([name, options]);
      return subscription;
    },
    publish: note,
    ask: note,
    report: (error: unknown) => {
      throw error instanceof Error ? error : new Error(String(error));
    },
  } as unknown as Client;
  const hear = (name: string, event: object): void => listeners.get(name)?.(event as never);
  const entry = (kind: string, value: unknown, more: object = {}): void =>
    hear('entry', { kind, id: 'w-1', time: new Date(5), actor: undefined, bytes: utf8(value), ...more });
  return { client, subscription, asked, hear, entry };
}

test('a channel is open once what is unread is known, and tells what happens in it', async () => {
  const { client, subscription, asked, hear, entry } = setUp();
  const events: unknown[] = [];
  const opened = NotificationChannel.open(client, channel, {
    start: { cursor: 'AAAA' },
    on: { notification: (each) => events.push(each) },
  });
  entry('notification', { title: 'Early' });
  hear('unread', { unread: 2, total: 3 });
  const alerts = await opened;
  expect([alerts.unread, alerts.total, alerts.cursor]).toEqual([2, 3, 'here']);
  alerts.on('unread', (count) => events.push(count));
  alerts.on('read', (reading) => events.push(reading));
  alerts.on('gap', (gap) => events.push(gap));
  entry(
    'notification',
    { title: 'Full', body: 'b', data: { a: 1 }, severity: 'error', expiresAt: 7 },
    { actor: 'ada' },
  );
  hear('unread', { unread: 3, total: 4 });
  entry('read', { ids: ['w-1'] }, { actor: 'bob' });
  entry('read', { until: 9 });
  // That time passed is of no interest, nor is what cannot be read.
  entry('read', { time: true });
  entry('merge', {});
  hear('gap', { channel, reason: 'trimmed', ranges: [] });
  const about = { id: 'w-1', time: new Date(5) };
  expect(events).toEqual([
    { ...about, title: 'Early' },
    {
      ...about,
      actor: 'ada',
      title: 'Full',
      body: 'b',
      data: { a: 1 },
      severity: 'error',
      expiresAt: new Date(7),
    },
    { unread: 3, total: 4 },
    { ids: ['w-1'], actor: 'bob' },
    { until: new Date(9) },
    { channel, reason: 'trimmed', ranges: [] },
  ]);
  expect(asked).toEqual([[channel, { start: { cursor: 'AAAA' } }]]);
  alerts.close();
  expect(subscription.isClosed).toBe(true);
});

test('a channel that may not be read does not open', async () => {
  const { client, hear } = setUp();
  const opened = NotificationChannel.open(client, channel);
  const denied = ownError('CLOSED');
  hear('error', denied);
  await expect(opened).rejects.toBe(denied);
});

test('what is created and marked goes as entries of their kinds', async () => {
  const { client, asked, hear } = setUp();
  await notify(client, channel, { title: 'One', expiresAt: new Date(8) }, { idempotencyKey: 'k' });
  await notify(client, channel, { title: 'Two', data: [1] });
  const opened = NotificationChannel.open(client, channel);
  hear('unread', { unread: 0, total: 0 });
  const alerts = await opened;
  await alerts.read('w-1');
  await alerts.read(['w-1', 'w-2'], { level: 'owner' });
  await alerts.readUntil(new Date(9));
  expect(asked).toEqual([
    [channel, { title: 'One', expiresAt: 8 }, { idempotencyKey: 'k' }, 'notification'],
    [channel, { title: 'Two', data: [1] }, {}, 'notification'],
    [channel, { start: 'live' }],
    [channel, { ids: ['w-1'] }, {}, 'read'],
    [channel, { ids: ['w-1', 'w-2'] }, { level: 'owner' }, 'read'],
    [channel, { until: 9 }, {}, 'read'],
  ]);
});

test('a page is asked for and read', async () => {
  const cursor = Uint8Array.of(1, 2, 3);
  const writer = 'a'.repeat(24) as WriterId;
  const timestamp = timestampFromUnixMs(Date.UTC(2026, 1, 3), 4);
  const listed = { dot: { writer, seq: 7 }, timestamp, actor: 'ada', state: 'read' };
  const { client, asked } = setUp({
    info: { unread: 1, total: 2, cursor },
    notifications: [
      { ...listed, value: utf8({ title: 'One', expiresAt: 5 }) },
      { ...listed, value: Uint8Array.of(1) },
    ],
    cursor,
    more: true,
  });
  const page = await listNotifications(client, channel);
  const about = { id: `${writer}-7`, time: new Date(Date.UTC(2026, 1, 3)), actor: 'ada', state: 'read' };
  expect(page).toEqual({
    unread: 1,
    total: 2,
    notifications: [
      { ...about, title: 'One', expiresAt: new Date(5) },
      { ...about, title: '' },
    ],
    cursor: toBase64Url(cursor),
    more: true,
  });
  await listNotifications(client, channel, {
    unread: true,
    order: 'oldest',
    since: 1,
    until: new Date(2),
    limit: 3,
    cursor: page.cursor,
    timeoutMs: 4,
  });
  expect(asked).toEqual([
    [{ type: 'notifications', channel, unread: false, forward: false }, undefined],
    [
      {
        type: 'notifications',
        channel,
        unread: true,
        forward: true,
        sinceUnixMs: 1,
        untilUnixMs: 2,
        limit: 3,
        cursor,
      },
      4,
    ],
  ]);
});
