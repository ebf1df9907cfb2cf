/** What becomes of a client whose node falls silent without closing anything, and that one which is merely slow is not left. */
import { describe, expect, test } from 'vitest';
import { Silence } from '../../src/client/silence.js';
import { World } from './world.js';

const urls = ['http://first.test', 'http://second.test'];

/** A client on the first node, which from now on takes in what is sent and says nothing. */
async function silenced(options: { readonly heartbeatMs?: number } = {}) {
  const world = new World();
  const client = world.connect({ url: urls, reconnectMinMs: 1, ...options });
  await world.pass(5_000);
  const [first] = world.wires;
  first!.session = undefined;
  return { world, client, first: first! };
}

describe('a node that says nothing more', () => {
  test('is left for the next three seconds after something was asked, and that is answered there', async () => {
    const { world, client, first } = await silenced();
    await world.pass(1_000);
    const published = client.publish('lobby', 'a');
    await world.pass(2_900);
    expect(first.state).toBe('open');
    await world.pass(300);
    expect(first.state).toBe('closed');
    await published;
    expect(world.wires.map(({ url }) => new URL(url).host)).toEqual(['first.test', 'second.test']);
  });

  test.each([
    ['a subscription', (client: ReturnType<World['connect']>) => client.subscribe('lobby')],
    ['a question', (client: ReturnType<World['connect']>) => void client.history('lobby').page()],
  ])('is left over %s too', async (_, ask) => {
    const { world, client, first } = await silenced();
    ask(client);
    await world.pass(3_200);
    expect(first.state).toBe('closed');
    expect(client.state).toBe('open');
  });

  test('is left by who asks nothing after the heartbeat, which may be set', async () => {
    const { world, first } = await silenced({ heartbeatMs: 3_000 });
    await world.pass(3_000 + 8_000);
    expect(first.state).toBe('closed');
  });

  test('is left by who asked a while ago, though it answered pings until then', async () => {
    const world = new World();
    const client = world.connect({ url: urls, reconnectMinMs: 1 });
    world.node.misbehaviour = { silent: true };
    await world.settle();
    const published = client.publish('lobby', 'a');
    await world.pass(10_000);
    expect(world.wires).toHaveLength(1);
    world.node.misbehaviour = {};
    world.wires[0]!.session = undefined;
    await world.pass(20_000);
    expect(world.wires).toHaveLength(2);
    await published;
  });
});

describe('a node that is slow', () => {
  test('is not left while it answers pings, and asked ever more seldom', async () => {
    const world = new World();
    const client = world.connect({ url: urls });
    world.node.misbehaviour = { silent: true };
    await world.settle();
    const published = client.publish('lobby', 'a', { timeoutMs: 60_000 }).catch((error: unknown) => error);
    await world.pass(60_000);
    expect(world.wires).toHaveLength(1);
    expect(world.node.requests.filter(({ type }) => type === 'ping').length).toBeLessThan(10);
    await published;
  });

  test('is not left while a long message comes in, of which nothing but bytes is seen', async () => {
    const { world, client, first } = await silenced();
    const published = client.publish('lobby', 'a');
    for (let i = 0; i < 20; i++) {
      first.bytesReceived += 10_000;
      await world.pass(1_000);
    }
    expect(first.state).toBe('open');
    await world.pass(5_000);
    expect(first.state).toBe('closed');
    await published;
  });
});

describe('patience', () => {
  const options = { askAfterMs: 1_000, silenceMs: 2_000, heartbeatMs: 25_000 };

  /** When a connection that is opened now, and on which something is unanswered, is given up. */
  function givenUpAt(silence: Silence, openedMs: number, tick = (atMs: number) => atMs): number {
    silence.opened(25_000, openedMs);
    silence.waits(true, openedMs);
    for (;;) {
      const atMs = tick(silence.nextDeadline());
      if (silence.tick(atMs) === 'lost') return atMs - openedMs;
    }
  }

  test('grows where connections are given up again and again, and is forgotten', () => {
    const silence = new Silence(options);
    const taken = [0, 100_000, 200_000, 300_000, 400_000, 500_000, 600_000].map((atMs) =>
      givenUpAt(silence, atMs),
    );
    expect(taken.slice(0, 4)).toEqual([3_000, 3_000, 6_000, 12_000]);
    expect(Math.max(...taken)).toBeLessThanOrEqual(25_000 + 8_000);
    expect(givenUpAt(silence, 2_000_000)).toBe(3_000);
  });

  test('is longer for what takes long to send', () => {
    const silence = new Silence(options);
    silence.opened(25_000, 0);
    silence.sent(1_048_576);
    silence.waits(true, 0);
    expect(silence.nextDeadline()).toBeGreaterThan(15_000);
    silence.heard(500, true);
    silence.waits(false, 500);
    silence.sent(200);
    silence.waits(true, 500);
    expect(silence.nextDeadline()).toBe(1_500);
  });

  test('a side that stood still itself asks once more before it gives up', () => {
    const silence = new Silence(options);
    silence.opened(25_000, 0);
    silence.waits(true, 0);
    expect(silence.tick(1_000)).toBe('ping');
    expect(silence.tick(60_000)).toBe('ping');
    expect(silence.nextDeadline()).toBe(62_000);
    expect(silence.tick(63_000)).toBe('lost');
    // Timers that are always late, as in pages in the background, do not keep a dead connection.
    expect(givenUpAt(new Silence(options), 0, (atMs) => atMs + 60_000)).toBeLessThan(200_000);
  });
});
