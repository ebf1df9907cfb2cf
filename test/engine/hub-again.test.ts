/** A hub that is made under the name of a deleted one: nobody and nothing of the old one is in it, also where what is folded of it
 *  was in memory all the time. */
import { expect, test } from 'vitest';
import type { Principal } from '../../src/engine/api.js';
import { TestSecrets } from '../people/secrets.js';
import { type Json, World } from './harness.js';

const hub = 'acme';
const nobody: Principal = { actor: '', authenticated: false, admin: false };
const ada: Principal = { actor: 'ada', authenticated: true, admin: false };

async function ask(world: World, who: Principal, action: string, request: object): Promise<Json> {
  const answer = await world.run(world.engine.people(who, hub, action, request, ''));
  return answer.ok ? answer.value : answer.error.code;
}

async function make(world: World): Promise<void> {
  expect(await world.run(world.engine.createHub(hub, 'root'))).toEqual({ ok: true, value: true });
  const directory = { type: 'directory', registration: true };
  const change = { type: 'put', section: 'providers', name: 'people', value: directory } as const;
  expect(await world.run(world.engine.changeSettings(hub, change, 'root'))).toMatchObject({ ok: true });
  await world.settle();
}

test('has no groups, people or kept sessions of the one before', async () => {
  const world = await World.start({ hubs: { createOnUse: false }, secrets: new TestSecrets().secrets });
  await world.settle();
  await make(world);
  const account = { name: 'ada', password: 'a long password' };
  expect(await ask(world, nobody, 'register', account)).toEqual({ name: 'ada' });
  expect(await ask(world, ada, 'groups/create', { group: 'team' })).toEqual({ group: 'team' });
  const session = world.connect({ hub });
  const { sessionKept } = await session.ask({ sessionRestore: {} });
  expect(sessionKept.key).toBeDefined();
  expect(await world.run(world.engine.deleteHub(hub, 'root'))).toMatchObject({ ok: true });
  await world.pass(5_000);
  await make(world);
  const held = await world.run(world.engine.channels(hub, { limit: 10 }));
  // Sessions that the deletion ended wrote nothing into it.
  expect(held.ok && held.value.map(({ ref }) => ref.channel)).toEqual(['$settings']);
  expect(await ask(world, ada, 'groups/list', {})).toEqual({ groups: [] });
  expect(await ask(world, ada, 'groups/create', { group: 'team' })).toEqual({ group: 'team' });
  expect(await ask(world, nobody, 'login', account)).toBe('UNAUTHENTICATED');
  expect(await ask(world, nobody, 'register', account)).toEqual({ name: 'ada' });
  const again = world.connect({ hub });
  again.sendText(JSON.stringify({ requestId: 9, sessionRestore: { key: sessionKept.key } }));
  // It is waited for a moment: another node may have heard of it.
  await world.pass(3_000);
  const { error } = again.messages.find(({ requestId }) => requestId === 9);
  expect(error.code).toBe('NOT_RESTORED');
});
