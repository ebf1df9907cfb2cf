/** A client whose user is in its own channel by itself. */
import { expect, test } from 'vitest';
import { World } from './world.js';

test('what comes in it is told, and nothing is missed over an interruption', async () => {
  const world = new World();
  world.node.misbehaviour = { ownChannel: 'u:ada' };
  const client = world.connect({ token: 'ada' });
  const texts: unknown[] = [];
  client.on('direct', ({ data }) => texts.push(data));
  await world.settle();
  world.node.write('u:ada', 'one');
  await world.settle();
  world.cut();
  world.node.write('u:ada', 'two');
  await world.pass(1_000);
  world.node.write('u:ada', 'three');
  await world.settle();
  expect(texts).toEqual(['one', 'two', 'three']);
  expect(client.direct?.channel).toBe('u:ada');
});

test('an application that subscribes by itself has it as it says', async () => {
  const world = new World();
  world.node.write('u:ada', 'before');
  world.node.misbehaviour = { ownChannel: 'u:ada' };
  const client = world.connect({ token: 'ada' });
  const [direct, texts]: [unknown[], unknown[]] = [[], []];
  client.on('direct', ({ data }) => direct.push(data));
  await world.settle();
  client.subscribe('u:ada', { start: 'beginning', onEntry: ({ data }) => texts.push(data) });
  await world.settle();
  world.node.write('u:ada', 'after');
  await world.settle();
  expect(texts).toEqual(['before', 'after']);
  expect(direct).toEqual([]);
  expect(client.direct).toBeUndefined();
});
