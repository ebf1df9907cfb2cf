/** Who is in a channel, by the SDK, against a real node over real sockets. */
import { expect, test, vi } from 'vitest';
import type { Client } from '../../src/client/index.js';
import { type ChannelPresence, presenceOf } from '../../src/client/presence.js';
import { World } from './world.js';
import { connected as connectedWith, newFolder, start as startAny } from './real-nodes.js';

const settings = {
  rules: { seen: { presence: true }, counted: { occupancy: true } },
  hubs: { default: { namespaces: { room: 'seen', hall: 'counted' } } },
};
const start = (data = newFolder(), listen?: string) => startAny(data, listen, settings);
const connected = (url: string): Client => connectedWith({ url, reconnectMaxMs: 100 });

const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 10 });
const said = (room: ChannelPresence): unknown[] => [...room.members.values()].map(({ metadata }) => metadata);

test('a list follows who comes, changes what it says, and goes', async () => {
  const { url } = await start();
  const [one, two] = [connected(url), connected(url)];
  const room = presenceOf(one).follow('room:a');
  const events: string[] = [];
  for (const name of ['join', 'update', 'leave'] as const)
    room.on(name, ({ metadata }) => events.push(`${name} ${JSON.stringify(metadata)}`));
  await new Promise((resolve) => room.on('synced', resolve));
  const subscription = two.subscribe('room:a', { presence: { name: 'Ada' } });
  await until(() => expect(said(room)).toEqual([{ name: 'Ada' }]));
  expect([...room.members.keys()]).toEqual([two.session!.sessionId]);
  await presenceOf(two).update('room:a', 'busy');
  await until(() => expect(said(room)).toEqual(['busy']));
  expect(await presenceOf(one).count('room:a')).toBe(1);
  subscription.close();
  await until(() => expect(room.count).toBe(0));
  expect(events).toEqual(['join {"name":"Ada"}', 'update "busy"', 'leave "busy"']);
  room.close();
  two.subscribe('room:a');
  await until(() => expect(two.pending).toBe(0));
  expect(room.members.size).toBe(0);
});

test('pages and counts are to be had without following, also where only numbers are kept', async () => {
  const { url } = await start();
  const all = Array.from({ length: 5 }, () => connected(url));
  const counts: number[] = [];
  const stop = presenceOf(all[0]!).followCount('hall:b', (count) => counts.push(count));
  for (const client of all) for (const channel of ['room:b', 'hall:b']) client.subscribe(channel);
  const presence = presenceOf(all[0]!);
  await vi.waitFor(async () => expect(await presence.count('hall:b')).toBe(5));
  await until(() => expect(counts.at(-1)).toBe(5));
  expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  stop();
  const first = await presence.members('room:b', { limit: 3 });
  const rest = await presence.members('room:b', { limit: 3, after: first.members.at(-1)!.session });
  expect([first.count, first.more, rest.more]).toEqual([5, true, false]);
  const sessions = [...first.members, ...rest.members].map(({ session }) => session);
  expect(sessions).toEqual(all.map((client) => client.session!.sessionId).toSorted());
});

test('after an interruption the list is what it is by then, and a client is there with what it said last', async () => {
  const data = newFolder();
  const first = await start(data);
  const [one, two] = [connected(first.url), connected(first.url)];
  const room = presenceOf(one).follow('room:c');
  two.subscribe('room:c', { presence: 1 });
  await until(() => expect(said(room)).toEqual([1]));
  await presenceOf(two).update('room:c', 2);
  await until(() => expect(said(room)).toEqual([2]));
  const before = two.session!.sessionId;
  await first.stop();
  await start(data, new URL(first.url).host);
  await until(() => expect([...room.members.keys()]).not.toContain(before));
  await until(() => expect(said(room)).toEqual([2]));
  expect(room.count).toBe(1);
});

test('a list ends, with its reason, where nobody keeps it; the subscription beside it goes on', async () => {
  const { url } = await start();
  const client = connected(url);
  const subscription = client.subscribe('plain');
  const room = presenceOf(client).follow('plain');
  const error = await new Promise<{ code: string }>((resolve) => room.on('error', resolve));
  expect(error.code).toBe('NO_PRESENCE');
  await expect(presenceOf(client).count('plain')).rejects.toMatchObject({ code: 'NO_PRESENCE' });
  await expect(presenceOf(client).update('room:x', 1)).rejects.toMatchObject({ code: 'NOT_SUBSCRIBED' });
  await until(() => expect(subscription.state).toBe('live'));
});

test('what waited for the connection, or was refused for now, never takes the place of what is said since', async () => {
  const world = new World();
  await world.settle();
  const client = world.connect();
  const first = client.subscribe('room', { presence: 1 });
  const updated = presenceOf(client)
    .update('room', 2)
    .catch(() => undefined);
  first.close();
  client.subscribe('room', { presence: 3 });
  await world.settle();
  await updated;
  const says = world.node.requests.flatMap((message) => {
    if (message.type === 'subscribe') return message.channels.map(({ presence }) => presence);
    return message.type === 'presenceUpdate' ? [message.metadata] : [];
  });
  expect(says).toEqual(['3', '3']);
});
