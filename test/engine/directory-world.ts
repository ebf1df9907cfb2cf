/** A hub that has a directory of people, and what somebody asks of it. */
import { expect } from 'vitest';
import type { Principal } from '../../src/engine/api.js';
import type { Change } from '../../src/hubs/change.js';
import { TestSecrets } from '../people/secrets.js';
import { type Json, World, anonymous } from './harness.js';

export const provider = (more: object = {}): Change => ({
  type: 'put',
  section: 'providers',
  name: 'people',
  value: {
    type: 'directory',
    registration: true,
    permissions: { publish: ['inbox:{user}'], rpc: ['of:{user}:*'] },
    ...more,
  },
});

export async function start(more: object = {}): Promise<{ world: World; secrets: TestSecrets }> {
  const secrets = new TestSecrets();
  const world = await World.start({ hubs: { createOnUse: false }, secrets: secrets.secrets });
  await set(world, provider(more));
  return { world, secrets };
}

export async function set(world: World, change: Change): Promise<void> {
  expect(await world.run(world.engine.changeSettings('default', change, 'root'))).toMatchObject({ ok: true });
  await world.settle();
}

/** The answer, or the code of the refusal. */
export async function ask(
  world: World,
  action: string,
  request: object,
  principal: Principal = anonymous,
  remote = '10.0.0.1',
): Promise<Json> {
  const answer = await world.run(world.engine.people(principal, 'default', action, request, remote));
  return answer.ok ? answer.value : answer.error.code;
}

export const ada = { name: 'ada', password: 'correct horse' };
export const register = (world: World, more: object = {}) => ask(world, 'register', { ...ada, ...more });

export async function who(world: World, logIn: object = ada): Promise<Principal> {
  const { token } = await ask(world, 'login', logIn);
  const entered = await world.run(world.engine.enter('default', token));
  if (!entered.ok) throw new Error(entered.error.code);
  return entered.value;
}
