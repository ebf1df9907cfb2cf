import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { type Json, type TestSession, World } from './harness.js';

type Sender = readonly [actor: string, publisherId: string, key: string];

test('attack 20: a repeated key takes effect once and gets the first message id, and never with another body', async () => {
  const world = await World.start();
  const alice = world.connect();
  const first = await alice.publish('lobby', 'x', { idempotencyKey: 'k1' });
  const second = await alice.publish('lobby', 'x', { idempotencyKey: 'k1' });
  expect([second.ack.id, second.ack.duplicate]).toEqual([first.ack.id, true]);
  const conflict = await alice.publish('lobby', 'y', { idempotencyKey: 'k1' });
  expect(conflict.error).toMatchObject({ code: 'KEY_CONFLICT', outcome: 'rejected' });
  const elsewhere = await alice.publish('other', 'x', { idempotencyKey: 'k1' });
  expect(elsewhere.ack.duplicate).toBeFalsy();
  await alice.subscribe('lobby', { beginning: true });
  await world.settle();
  expect(alice.data('lobby')).toEqual(['x']);
});

test('two of one key in the same commit are one entry', async () => {
  const world = await World.start();
  const alice = world.connect();
  const publish = { channel: 'lobby', data: 'x', idempotencyKey: 'k' };
  alice.sendText(
    JSON.stringify([
      { requestId: 1, publish },
      { requestId: 2, publish },
    ]),
  );
  await world.settle();
  const acks = alice.messages.filter((m) => m.ack);
  expect(acks[0].ack.id).toBe(acks[1].ack.id);
  expect(acks.map((m) => m.ack.duplicate ?? false)).toEqual([false, true]);
});

test.each(['restart', 'crash'] as const)('keys are known after a %s', async (how) => {
  const world = await World.start();
  const first = await world.connect().publish('lobby', 'x', { idempotencyKey: 'k' });
  await world[how]();
  const again = await world.connect().publish('lobby', 'x', { idempotencyKey: 'k' });
  expect([again.ack.id, again.ack.duplicate]).toEqual([first.ack.id, true]);
});

test('a key is free again after its window', async () => {
  const world = await World.start();
  const alice = world.connect();
  const first = await alice.publish('lobby', 'x', { idempotencyKey: 'k' });
  for (let i = 0; i < 70; i++) {
    await world.pass(limits.idempotencyWindowMs / 60);
    await alice.ask({ ping: {} });
  }
  const later = await alice.publish('lobby', 'y', { idempotencyKey: 'k' });
  expect(later.error).toBeUndefined();
  expect(later.ack.id).not.toBe(first.ack.id);
  expect(later.ack.duplicate).toBeFalsy();
});

test('attack 20: a key of one publisher never meets a key of another', async () => {
  const world = await World.start();
  const [alice, bob] = [world.connect(), world.connect()];
  await alice.ask({ auth: { publisherId: 'alice', publisherEpoch: 1 } });
  await bob.ask({ auth: { publisherId: 'bob', publisherEpoch: 1 } });
  const first = await alice.publish('lobby', 'x', { idempotencyKey: 'k' });
  const second = await bob.publish('lobby', 'x', { idempotencyKey: 'k' });
  expect(second.ack.id).not.toBe(first.ack.id);
});

test.each<[string, Sender, Sender]>([
  ['two users', ['ada', 'p', 'k'], ['eve', 'p', 'k']],
  ['a user and nobody', ['ada', 'p', 'k'], ['', 'p', 'k']],
  ['a user whose name goes on as a publisher', ['ada', 'b/c', 'k'], ['ada/b', 'c', 'k']],
  ['nobody with a user’s name', ['ada', 'p', 'k'], ['', 'ada/p', 'k']],
  ['a publisher whose name goes on as a key', ['', 'a', 'b\0c'], ['', 'a\0b', 'c']],
  ['a publisher written as what it is escaped to', ['ada/b', 'c', 'k'], ['ada%2Fb', 'c', 'k']],
])('attack 20: %s have a scope each, in memory and in the index', async (_, one, two) => {
  const world = await World.start();
  const send = async ([actor, publisherId, idempotencyKey]: Sender): Promise<Json> => {
    const session = world.connect({ principal: { actor, authenticated: actor !== '', admin: false } });
    // A number of one has no meaning for another, either.
    const publisherEpoch = publisherId === one[1] && actor === one[0] ? 7 : 1;
    await session.ask({ auth: { publisherId, publisherEpoch } });
    return session.publish('lobby', 'x', { idempotencyKey, publisherSeq: 1 });
  };
  const first = await send(one);
  expect(first.ack.duplicate).toBeFalsy();
  await world.restart();
  const second = await send(two);
  expect(second.ack?.duplicate).toBeFalsy();
  expect(second.ack.id).not.toBe(first.ack.id);
  for (const [sender, { ack }] of [
    [one, first],
    [two, second],
  ] as const)
    expect((await send(sender)).ack).toMatchObject({ id: ack.id, duplicate: true });
});

test('a key of a publisher who numbers nothing is known after a restart', async () => {
  const world = await World.start();
  const named = async (): Promise<TestSession> => {
    const session = world.connect();
    await session.ask({ auth: { publisherId: 'alice', publisherEpoch: 1 } });
    return session;
  };
  const first = await (await named()).publish('lobby', 'x', { idempotencyKey: 'k' });
  await world.restart();
  const again = await named();
  const repeat = await again.publish('lobby', 'x', { idempotencyKey: 'k' });
  expect(repeat.ack).toMatchObject({ id: first.ack.id, duplicate: true });
  expect((await again.publish('lobby', 'y', { idempotencyKey: 'l' })).ack.duplicate).toBeFalsy();
});

test("a publisher's numbers are taken in order, and a hole is told", async () => {
  const world = await World.start();
  const alice = world.connect();
  await alice.ask({ auth: { publisherId: 'alice', publisherEpoch: 1 } });
  const publish = (publisherSeq: number, ackedThrough = 0) =>
    alice.publish('lobby', publisherSeq, { publisherSeq, ackedThrough });
  expect((await publish(1)).ack).toBeDefined();
  const hole = await publish(3);
  expect(hole.error).toMatchObject({ code: 'OUT_OF_ORDER', outcome: 'rejected' });
  expect(hole.error.message).toContain('number 2');
  expect((await publish(2)).ack).toBeDefined();
  expect((await publish(3)).ack).toBeDefined();
  expect((await publish(3)).error.code).toBe('OUT_OF_ORDER');
  await world.restart();
  const again = world.connect();
  await again.ask({ auth: { publisherId: 'alice', publisherEpoch: 1 } });
  expect((await again.publish('lobby', 5, { publisherSeq: 5, ackedThrough: 3 })).error.code).toBe(
    'OUT_OF_ORDER',
  );
  expect((await again.publish('lobby', 4, { publisherSeq: 4, ackedThrough: 3 })).ack).toBeDefined();
});

test('a number without a named publisher is refused', async () => {
  const world = await World.start();
  expect((await world.connect().publish('lobby', 1, { publisherSeq: 1 })).error.code).toBe('INVALID');
});
