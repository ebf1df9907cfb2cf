/** What may happen to a subscription while its channel is opened, which may take a while: where a disk is slow, or homes are not
 *  reached. */
import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import type { Change } from '../../src/hubs/change.js';
import type { LogStore } from '../../src/engine/ports.js';
import { type Json, type TestSession, World } from './harness.js';

const closed: readonly Change[] = [
  { type: 'put', section: 'rules', name: 'closed', value: { public: false } },
  { type: 'put', section: 'channels', name: 'vault', value: 'closed' },
];

/** Opens no log of that channel before it is told to. */
class SlowWorld extends World {
  slow = '';
  #open: () => void = () => undefined;

  override async openStore(): Promise<LogStore> {
    const store = await super.openStore();
    const open = store.open.bind(store);
    store.open = async (ref) => {
      if (ref.channel === this.slow) await new Promise<void>((resolve) => (this.#open = resolve));
      return open(ref);
    };
    return store;
  }

  async opens(): Promise<void> {
    this.#open();
    await this.settle();
  }
}

async function setUp(): Promise<{ world: SlowWorld; bob: TestSession }> {
  const world = new SlowWorld({ hubs: { createOnUse: false } });
  await world.boot();
  const alice = await enter(world);
  await alice.publish('vault', 'a secret');
  await world.restart();
  world.slow = 'vault';
  return { world, bob: await enter(world) };
}

async function enter(world: World): Promise<TestSession> {
  expect(await world.run(world.engine.enter('default', undefined))).toMatchObject({ ok: true });
  return world.connect();
}

async function change(world: World, ...changes: readonly Change[]): Promise<void> {
  for (const each of changes)
    expect(await world.run(world.engine.changeSettings('default', each, 'root'))).toMatchObject({ ok: true });
}

function ask(session: TestSession, ...channels: readonly string[]): void {
  const wanted = channels.map((channel) => ({ channel }));
  session.sendText(JSON.stringify({ requestId: 99, subscribe: { channels: wanted } }));
}

function resultsOf({ messages }: TestSession): Json[] {
  return messages.flatMap((message) => (message.requestId === 99 ? message.subscribe.results : []));
}

test('who loses the right while the channel is opened is refused by the answer, and told nothing of the channel', async () => {
  const { world, bob } = await setUp();
  ask(bob, 'lobby', 'vault');
  await world.settle();
  await change(world, ...closed);
  await world.settle();
  expect(resultsOf(bob)).toEqual([]);
  await world.opens();
  expect(resultsOf(bob)).toMatchObject([{ channel: 'lobby', cursor: expect.any(String) }, {}]);
  expect(resultsOf(bob)[1]).toEqual({
    channel: 'vault',
    error: expect.objectContaining({ code: 'DENIED', channel: 'vault' }),
  });
  // And once: it was never subscribed to, so nothing is ended.
  expect(bob.messages.filter((message) => message.error)).toEqual([]);
  await change(world, { type: 'remove', section: 'channels', name: 'vault' });
  await world.settle();
  expect((await bob.publish('vault', 'to nobody')).ack).toBeDefined();
  expect(bob.entries('vault')).toEqual([]);
  expect((await bob.subscribe('vault')).error).toBeUndefined();
});

test('who unsubscribes while the channel is opened is not answered as if it were subscribed', async () => {
  const { world, bob } = await setUp();
  ask(bob, 'vault');
  await world.settle();
  expect(
    (await bob.ask({ unsubscribe: { channels: ['vault'] } })).unsubscribe.results[0].error,
  ).toBeUndefined();
  await world.opens();
  expect(resultsOf(bob)).toMatchObject([{ channel: 'vault', error: { code: 'NOT_SUBSCRIBED' } }]);
});

test('what ended before its turn came to be opened is not opened, and keeps no channel in memory', async () => {
  const { world, bob } = await setUp();
  const before = world.engine.status().channelsInMemory;
  const others = Array.from({ length: limits.parallelOpensMax - 1 }, (_, i) => `other:${i}`);
  ask(bob, 'vault', ...others, 'last');
  await world.settle();
  await bob.ask({ unsubscribe: { channels: ['last'] } });
  await world.opens();
  expect(resultsOf(bob).at(-1)).toMatchObject({ channel: 'last', error: { code: 'NOT_SUBSCRIBED' } });
  await bob.ask({ unsubscribe: { channels: ['vault', ...others] } });
  await world.pass(2 * limits.channelIdleMs);
  expect(world.engine.status().channelsInMemory).toBe(before);
});
