/** Tickets and challenges among nodes: given by one, good at any other. */
import { type KeyObject, generateKeyPairSync, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import { challengeText } from '../../../src/people/requests.js';
import { TestSecrets } from '../../people/secrets.js';
import { type Json, admin, anonymous } from '../harness.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';

async function start(): Promise<ClusterWorld> {
  const { secrets } = new TestSecrets();
  const world = await ClusterWorld.start({ nodes: 5, replicas: 3, keepsSettings: true, secrets });
  const value = { type: 'directory', registration: true };
  const put = { type: 'put', section: 'providers', name: 'people', value } as const;
  const changed = await world.run(world.nodes[0]!.engine.changeSettings('default', put, 'root'));
  expect(changed).toMatchObject({ ok: true });
  await world.pass(1_000);
  for (const node of world.nodes) await world.run(node.engine.enter('default', undefined));
  return world;
}

async function ask(world: ClusterWorld, node: TestNode, action: string, request: object): Promise<Json> {
  const answer = await world.run(node.engine.people(anonymous, 'default', action, request, '10.0.0.9'));
  return answer.ok ? answer.value : answer.error.code;
}

test('a ticket that one node gave lets in at every other, once at each', async () => {
  const world = await start();
  const given = await world.run(world.nodes[0]!.engine.ticket(admin, 'default', undefined));
  if (!given.ok) throw new Error(given.error.code);
  await world.pass(200);
  const outcome = async (node: TestNode) => {
    const found = await world.run(node.engine.redeem('default', given.value, undefined));
    return found.ok ? found.value.admin : found.error.code;
  };
  for (const node of world.nodes.slice(1)) {
    expect(await outcome(node)).toBe(true);
    expect(await outcome(node)).toBe('UNAUTHENTICATED');
  }
});

test('a challenge that one node gave is signed for another, where it is good once', async () => {
  const world = await start();
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const [first, second] = world.nodes as [TestNode, TestNode];
  await ask(world, first, 'register', { name: 'ada', publicKey: publicKey.export({ format: 'jwk' }).x! });
  const { challenge } = await ask(world, first, 'challenge', { name: 'ada' });
  await world.pass(1_000);
  const signed = (key: KeyObject) =>
    sign(null, challengeText('default', 'ada', challenge), key).toString('base64url');
  // Who knows it and lacks the key uses nothing up.
  const forged = signed(generateKeyPairSync('ed25519').privateKey);
  expect(await ask(world, second, 'login', { name: 'ada', challenge, signature: forged })).toBe(
    'UNAUTHENTICATED',
  );
  const proof = { name: 'ada', challenge, signature: signed(privateKey) };
  expect(await ask(world, second, 'login', proof)).toMatchObject({ user: 'ada' });
  expect(await ask(world, second, 'login', proof)).toBe('UNAUTHENTICATED');
});
