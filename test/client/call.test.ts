/** Methods of services, as a client calls them. */
import { expect, test } from 'vitest';
import { failure } from '../../src/protocol/errors.js';
import { World, errorOf } from './world.js';

async function open() {
  const world = new World();
  const client = world.connect();
  await world.settle();
  return { world, client };
}

test('what goes out is what a publish would say, and what comes back what a message would', async () => {
  const { world, client } = await open();
  const bytes = Uint8Array.of(0, 255);
  for (const [data, contentType] of [
    ['text'],
    [{ a: [1, null] }],
    [bytes],
    ['"json"', 'application/json'],
    [undefined],
  ] as const) {
    const answer = client.call('echo', data, contentType === undefined ? {} : { contentType });
    await world.settle();
    // A text whose type is JSON is JSON.
    expect(await answer).toEqual(contentType === undefined ? (data ?? '') : '"json"');
  }
  await client.close();
});

test('a name is percent-encoded where it has to be', async () => {
  const { world, client } = await open();
  const answer = client.call('Zürich:find');
  await world.settle();
  await answer;
  expect(world.node.called).toEqual(['Z%C3%BCrich:find']);
  await client.close();
});

test('a refusal of the service says so, with its own code', async () => {
  const { world, client } = await open();
  world.node.misbehaviour = {
    refuseCall: failure('CALL_REFUSED', { reason: 'closed', message: 'It is closed.' }),
  };
  const refused = errorOf(client.call('orders:find'));
  await world.settle();
  expect(await refused).toMatchObject({
    code: 'CALL_REFUSED',
    reason: 'closed',
    message: 'It is closed.',
    outcome: 'rejected',
  });
  await client.close();
});

test('a call is sent once: whatever is answered, lost, or not answered, and what may be done is said to be', async () => {
  const { world, client } = await open();
  for (const code of ['UNAVAILABLE', 'OVERLOADED', 'RATE_LIMITED'] as const) {
    world.node.misbehaviour = { refuseCall: failure(code, { retryAfterMs: 100 }) };
    const refused = errorOf(client.call('a'));
    await world.pass(1_000);
    expect(await refused).toMatchObject({ code, outcome: 'rejected' });
  }
  world.node.misbehaviour = { silent: true };
  const late = errorOf(client.call('b', 1, { timeoutMs: 500 }));
  await world.pass(499);
  await world.pass(1);
  expect(await late).toMatchObject({ code: 'NO_ANSWER', outcome: 'indeterminate' });
  const lost = errorOf(client.call('c'));
  await world.settle();
  world.cut();
  expect(await lost).toMatchObject({ code: 'NO_ANSWER', outcome: 'indeterminate' });
  await world.pass(10_000);
  expect(client.state).toBe('open');
  expect(world.node.called).toEqual(['a', 'a', 'a', 'b', 'c']);
  await client.close();
});

test('what never went out did nothing', async () => {
  const { world, client } = await open();
  world.unreachable = true;
  world.cut();
  const waits = errorOf(client.call('a', 1, { timeoutMs: 500 }));
  await world.pass(600);
  expect(await waits).toMatchObject({ code: 'TIMEOUT', outcome: 'rejected' });
  world.unreachable = false;
  const goes = client.call('b', 'x');
  await world.pass(60_000);
  expect(await goes).toBe('x');
  expect(world.node.called).toEqual(['b']);
  expect(await errorOf(client.call('c', 'x'.repeat(1_048_577)))).toMatchObject({ code: 'TOO_LARGE' });
  expect(await errorOf(client.call('c', () => 1))).toMatchObject({ code: 'INVALID' });
  await client.close();
  expect(await errorOf(client.call('d'))).toMatchObject({ code: 'CLOSED', outcome: 'rejected' });
});

test('a client that is closed says of a call under way that it may be done', async () => {
  const { world, client } = await open();
  world.node.misbehaviour = { silent: true };
  const left = errorOf(client.call('a'));
  await world.settle();
  await client.close();
  expect(await left).toMatchObject({ code: 'NO_ANSWER', outcome: 'indeterminate' });
});
