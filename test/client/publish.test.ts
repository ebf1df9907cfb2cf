/** Publishing: order, retries, outcomes and bounds, against a node that does as it is told. */
import { describe, expect, test } from 'vitest';
import { connect } from '../../src/client/index.js';
import { failure } from '../../src/protocol/errors.js';
import type { PublishMessage } from '../../src/protocol/messages.js';
import { World, errorOf } from './world.js';

const publishesOf = (world: World): PublishMessage[] =>
  world.node.requests.flatMap((each) => (each.type === 'publish' ? [each] : []));

test('a publish resolves with where it is in the log', async () => {
  const world = new World();
  const client = world.connect();
  const published = client.publish('lobby', 'hello');
  await world.settle();
  expect(await published).toMatchObject({
    id: '000000000000000000000000-1',
    level: 'quorum',
    copies: 1,
    duplicate: false,
  });
  expect(world.node.texts('lobby')).toEqual(['hello']);
});

test('publishes of one turn go in one frame, in order', async () => {
  const world = new World();
  const client = world.connect();
  await world.settle();
  const all = Promise.all(Array.from({ length: 100 }, (_, i) => client.publish('lobby', `${i}`)));
  await world.turn();
  expect(world.wire?.toNode).toHaveLength(1);
  await world.settle();
  await all;
  expect(world.node.texts('lobby')).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
});

test('no more are on their way than the window holds', async () => {
  const world = new World();
  world.node.misbehaviour = { silent: true };
  const client = world.connect({ windowMessages: 8 });
  await world.settle();
  for (let i = 0; i < 20; i++) client.publish('lobby', `${i}`).catch(() => {});
  await world.settle();
  expect(publishesOf(world)).toHaveLength(8);
  expect(client.pending).toBe(20);
});

test('a full queue refuses at once, and nothing else is harmed', async () => {
  const world = new World();
  world.unreachable = true;
  const client = world.connect({ queueMessages: 2 });
  const first = client.publish('lobby', 'a');
  const second = client.publish('lobby', 'b');
  expect(await errorOf(client.publish('lobby', 'c'))).toMatchObject({
    code: 'QUEUE_FULL',
    outcome: 'rejected',
  });
  world.unreachable = false;
  await world.pass(60_000);
  await Promise.all([first, second]);
  expect(world.node.texts('lobby')).toEqual(['a', 'b']);
});

test('a queue of bytes is bounded too, but one large message always fits', async () => {
  const world = new World();
  world.unreachable = true;
  const client = world.connect({ queueBytes: 100 });
  client.publish('lobby', 'x'.repeat(1000)).catch(() => {});
  expect(await errorOf(client.publish('lobby', 'y'))).toMatchObject({ code: 'QUEUE_FULL' });
});

describe('when the connection breaks', () => {
  test.each(['before the node has it', 'before the ack arrives'])(
    '%s, it takes effect once',
    async (when) => {
      const world = new World();
      const client = world.connect();
      await world.settle();
      const all = Promise.all(['a', 'b', 'c'].map((text) => client.publish('lobby', text)));
      await world.turn();
      if (when === 'before the ack arrives') world.step(world.wire!, 'node');
      world.cut();
      await world.pass(60_000);
      expect((await all).map(({ duplicate }) => duplicate)).toEqual(
        Array.from({ length: 3 }, () => when === 'before the ack arrives'),
      );
      expect(world.node.texts('lobby')).toEqual(['a', 'b', 'c']);
    },
  );

  test('and the node starts anew, the same key and number go on', async () => {
    const world = new World();
    const client = world.connect();
    await world.settle();
    const first = client.publish('lobby', 'a');
    await world.turn();
    world.step(world.wire!, 'node');
    world.restart();
    await world.pass(60_000);
    await first;
    await Promise.all([client.publish('lobby', 'b'), world.pass(1_000)]);
    expect(world.node.texts('lobby')).toEqual(['a', 'b']);
    const sent = publishesOf(world);
    expect(sent[0]?.idempotencyKey).toBe(sent[1]?.idempotencyKey);
    expect(sent.map(({ publisherSeq }) => publisherSeq)).toEqual([1, 1, 2]);
  });

  test('what was never sent is rejected at the deadline, what was sent is indeterminate', async () => {
    const world = new World();
    const client = world.connect({ windowMessages: 1 });
    await world.settle();
    world.node.misbehaviour = { silent: true };
    const sent = errorOf(client.publish('lobby', 'a'));
    const unsent = errorOf(client.publish('lobby', 'b'));
    await world.settle();
    world.unreachable = true;
    world.cut();
    await world.pass(119_000);
    expect(client.pending).toBe(2);
    await world.pass(2_000);
    expect(await sent).toMatchObject({ code: 'TIMEOUT', outcome: 'indeterminate' });
    expect(await unsent).toMatchObject({ code: 'TIMEOUT', outcome: 'rejected' });
  });

  test('a signal is not sent twice', async () => {
    const world = new World();
    const client = world.connect();
    await world.settle();
    const signal = errorOf(client.publish('lobby', 'typing', { level: 'memory' }));
    await world.turn();
    world.cut();
    await world.pass(10_000);
    expect(await signal).toMatchObject({ outcome: 'indeterminate' });
    expect(publishesOf(world)).toHaveLength(0);
  });
});

describe('when the node refuses', () => {
  test('for good, that publish alone fails and the following go on in order', async () => {
    const world = new World();
    const client = world.connect();
    world.node.misbehaviour = {
      publish: (message) =>
        new TextDecoder().decode(message.content).includes('bad')
          ? { failure: failure('DENIED'), written: false }
          : undefined,
    };
    const results = ['a', 'bad', 'b', 'c'].map((text) => client.publish('lobby', text));
    const bad = errorOf(results[1]!);
    await world.pass(1_000);
    await Promise.all([results[0], results[2], results[3]]);
    expect(await bad).toMatchObject({ code: 'DENIED', outcome: 'rejected' });
    expect(world.node.texts('lobby')).toEqual(['a', 'b', 'c']);
  });

  test('for now, everything waits and keeps its order', async () => {
    const world = new World();
    const client = world.connect();
    let refusals = 3;
    world.node.misbehaviour = {
      publish: () =>
        refusals-- > 0
          ? { failure: failure('OVERLOADED', { retryAfterMs: 200 }), written: false }
          : undefined,
    };
    const all = Promise.all(['a', 'b', 'c', 'd', 'e'].map((text) => client.publish('lobby', text)));
    const other = client.publish('other', 'x');
    await world.pass(60_000);
    await Promise.all([all, other]);
    expect(world.node.texts('lobby')).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('without knowing the outcome, the retry settles it', async () => {
    const world = new World();
    const client = world.connect();
    let failures = 1;
    world.node.misbehaviour = {
      publish: () => (failures-- > 0 ? { failure: failure('INDETERMINATE'), written: true } : undefined),
    };
    const published = client.publish('lobby', 'a');
    await world.pass(60_000);
    expect(await published).toMatchObject({ duplicate: true });
    expect(world.node.texts('lobby')).toEqual(['a']);
  });

  test('a refusal after an attempt without an answer leaves the outcome open', async () => {
    const world = new World();
    const client = world.connect();
    await world.settle();
    const published = errorOf(client.publish('lobby', 'a'));
    await world.turn();
    world.cut();
    world.node.misbehaviour = { publish: () => ({ failure: failure('DENIED'), written: false }) };
    await world.pass(10_000);
    expect(await published).toMatchObject({ code: 'DENIED', outcome: 'indeterminate' });
  });

  test('a number that somebody else used fails instead of being sent for ever', async () => {
    const world = new World();
    const client = world.connect({ publisherId: 'me', publisherEpoch: 7 });
    const twin = world.connect({ publisherId: 'me', publisherEpoch: 7 });
    const first = client.publish('lobby', 'a');
    await world.settle();
    await first;
    const second = errorOf(twin.publish('lobby', 'b'));
    await world.pass(60_000);
    expect(await second).toMatchObject({ code: 'OUT_OF_ORDER', outcome: 'rejected' });
  });
});

test('a given up publish does not stop its channel', async () => {
  const world = new World();
  const client = world.connect();
  await world.settle();
  world.node.misbehaviour = { silent: true };
  const lost = errorOf(client.publish('lobby', 'a', { timeoutMs: 1_000 }));
  await world.pass(2_000);
  expect(await lost).toMatchObject({ code: 'TIMEOUT', outcome: 'indeterminate' });
  world.node.misbehaviour = {};
  const next = client.publish('lobby', 'b');
  await world.pass(1_000);
  await next;
  expect(world.node.texts('lobby')).toEqual(['b']);
  expect(publishesOf(world).at(-1)).toMatchObject({ publisherSeq: 2, ackedThrough: 1 });
});

test('closing waits for what is under way, and tells the rest the truth', async () => {
  const world = new World();
  const client = world.connect();
  await world.settle();
  const done = client.publish('lobby', 'a');
  const closed = client.close();
  expect(await errorOf(client.publish('lobby', 'b'))).toMatchObject({ code: 'CLOSED' });
  await world.settle();
  await Promise.all([done, closed]);
  expect(client.state).toBe('closed');
  expect(world.timers).toBe(0);

  const stuck = world.connect({ windowMessages: 1 });
  await world.settle();
  world.node.misbehaviour = { silent: true };
  const sent = errorOf(stuck.publish('lobby', 'c'));
  const unsent = errorOf(stuck.publish('lobby', 'd'));
  const ending = stuck.close({ timeoutMs: 500 });
  await world.pass(1_000);
  await ending;
  expect(await sent).toMatchObject({ code: 'CLOSED', outcome: 'indeterminate' });
  expect(await unsent).toMatchObject({ code: 'CLOSED', outcome: 'rejected' });
});

test('what can never work is refused before it is sent', async () => {
  const world = new World();
  const client = world.connect();
  expect(await errorOf(client.publish('no::segment', 'a'))).toMatchObject({ code: 'BAD_NAME' });
  expect(await errorOf(client.publish('lobby', 'x'.repeat(2_000_000)))).toMatchObject({ code: 'TOO_LARGE' });
  expect(await errorOf(client.publish('lobby', 1n))).toMatchObject({ code: 'INVALID' });
  expect(() => connect('not an address')).toThrow('address');
  expect(() => connect({ url: 'http://a', hub: 'No' })).toThrow('hub name');
});
