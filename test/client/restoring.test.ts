/** A client whose session comes back. */
import { expect, test } from 'vitest';
import type { Client, SessionRestoredNotice } from '../../src/client/index.js';
import { World } from './world.js';

function told(client: Client): { restored: SessionRestoredNotice[]; errors: string[] } {
  const restored: SessionRestoredNotice[] = [];
  const errors: string[] = [];
  client.on('restored', (notice) => restored.push(notice));
  client.on('error', ({ code }) => errors.push(code));
  return { restored, errors };
}

const asked = (world: World, type: string) => world.node.requests.filter((each) => each.type === type).length;

test('a lost connection is the same session again, with its subscriptions, and nothing is missed', async () => {
  const world = new World();
  const client = world.connect({ restore: true });
  const { restored, errors } = told(client);
  const texts: unknown[] = [];
  client.subscribe('lobby', { start: 'beginning', onEntry: ({ data }) => texts.push(data) });
  await world.settle();
  world.node.write('lobby', 'one');
  await world.settle();
  const before = client.session?.sessionId;
  world.cut();
  world.node.write('lobby', 'two');
  await world.pass(1_000);
  world.node.write('lobby', 'three');
  await world.settle();
  expect(client.session?.sessionId).toBe(before);
  expect(texts).toEqual(['one', 'two', 'three']);
  expect(restored).toEqual([{ sessionId: before, subscriptions: [{ channel: 'lobby', isOwn: true }] }]);
  expect(asked(world, 'subscribe')).toBe(1);
  expect(errors).toEqual(['UNREACHABLE']);
});

test('what cannot be restored goes on as a new session, which is kept in turn', async () => {
  const world = new World();
  const client = world.connect({ restore: true });
  const { restored, errors } = told(client);
  const texts: unknown[] = [];
  client.subscribe('lobby', { onEntry: ({ data }) => texts.push(data) });
  await world.settle();
  const [before, key] = [client.session?.sessionId, client.restoreKey];
  world.node.kept.clear();
  world.cut();
  world.node.write('lobby', 'one');
  await world.pass(1_000);
  expect(restored).toEqual([]);
  expect(errors).toEqual(['UNREACHABLE', 'NOT_RESTORED']);
  expect(client.session?.sessionId).not.toBe(before);
  expect(texts).toEqual(['one']);
  expect(client.restoreKey).toBeDefined();
  expect(client.restoreKey).not.toBe(key);
});

test('another process goes on with the key, and is told what it has not named itself', async () => {
  const world = new World();
  const first = world.connect({ restore: true, reconnectMinMs: 1e9, reconnectMaxMs: 1e9 });
  first.subscribe('lobby');
  first.subscribe('hall');
  await world.settle();
  const { restoreKey } = first;
  world.cut();
  const second = world.connect({ restore: restoreKey! });
  const { restored } = told(second);
  const hall: unknown[] = [];
  second.subscribe('hall', { onEntry: ({ data }) => hall.push(data) });
  await world.pass(50);
  expect(restored).toEqual([
    {
      sessionId: first.session?.sessionId,
      subscriptions: [
        { channel: 'lobby', isOwn: false },
        { channel: 'hall', isOwn: false },
      ],
    },
  ]);
  world.node.write('hall', 'one');
  await world.settle();
  expect(hall).toEqual(['one']);
  expect([...world.node.sessions].some(({ subscribed }) => subscribed.has('lobby'))).toBe(false);
});

test('a connection that is lost before it is open loses nothing', async () => {
  const world = new World();
  const client = world.connect({ restore: true });
  const texts: unknown[] = [];
  client.subscribe('lobby', { onEntry: ({ data }) => texts.push(data) });
  await world.settle();
  world.cut();
  world.node.write('lobby', 'one');
  for (
    let i = 0;
    i < 400 && !world.node.requests.some((each) => each.type === 'sessionRestore' && each.key);
    i++
  )
    await world.pass(1);
  world.cut();
  world.node.write('lobby', 'two');
  await world.pass(3_000);
  expect(texts).toEqual(['one', 'two']);
});

test('without the option nothing is asked', async () => {
  const world = new World();
  const client = world.connect();
  client.subscribe('lobby');
  await world.settle();
  world.cut();
  await world.pass(1_000);
  expect(asked(world, 'sessionRestore')).toBe(0);
  expect(client.restoreKey).toBeUndefined();
});
