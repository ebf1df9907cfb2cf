/** Tokens of a hub among nodes: given by one, known by all, and not waited for where they cannot be had. */
import { expect, test } from 'vitest';
import { limits } from '../../../src/base/limits.js';
import { ok } from '../../../src/base/result.js';
import type { Authenticator } from '../../../src/engine/ports.js';
import { failure } from '../../../src/protocol/errors.js';
import { TestSecrets } from '../../people/secrets.js';
import { type Json, TestSession } from '../harness.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';

async function start(): Promise<ClusterWorld> {
  // Tokens are the time at which they were issued.
  const authenticator: Authenticator = {
    identify: (providers, { token }) => {
      const [provider] = providers.keys();
      const issuedAtMs = Number(token);
      const identity = { user: 'ada', permissions: { publish: ['room:#'] }, issuedAtMs };
      return Promise.resolve(
        provider === undefined || Number.isNaN(issuedAtMs)
          ? { ok: false, error: failure('UNAUTHENTICATED') }
          : ok({ provider, identity }),
      );
    },
  };
  const { secrets } = new TestSecrets();
  const world = await ClusterWorld.start({
    nodes: 5,
    replicas: 3,
    keepsSettings: true,
    authenticator,
    secrets,
  });
  await put(world, 'providers', 'main', { type: 'http', url: 'https://auth.example' });
  for (const node of world.nodes) await world.run(node.engine.enter('default', undefined));
  return world;
}

async function put(
  world: ClusterWorld,
  section: 'providers' | 'revoked',
  name: string,
  value: unknown,
): Promise<void> {
  const change = { type: 'put', section, name, value } as const;
  const changed = await world.run(world.nodes[0]!.engine.changeSettings('default', change, 'root'));
  expect(changed).toMatchObject({ ok: true });
  await world.pass(1_000);
}

/** Enters, and authenticates by the first frame. */
async function auth(world: ClusterWorld, node: TestNode): Promise<{ answer: Json; tookMs: number }> {
  const session = new TestSession(node as never, {});
  const before = world.clock.monotonicMs();
  session.sendText(JSON.stringify({ requestId: 5, auth: { token: String(world.clock.wallMs()) } }));
  const answerOf = () => session.messages.find(({ requestId }) => requestId === 5);
  for (let i = 0; i < 300 && !answerOf(); i++) await world.pass(10);
  return { answer: answerOf()?.auth, tookMs: world.clock.monotonicMs() - before };
}

async function who(world: ClusterWorld, node: TestNode, token: string): Promise<string> {
  const entered = await world.run(node.engine.enter('default', token));
  return entered.ok ? entered.value.actor : entered.error.code;
}

test('what five nodes give at about the same time is signed under one key, and known at every node until its user is revoked', async () => {
  const world = await start();
  const given: string[] = [];
  const all = world.nodes.map((node) => new TestSession(node as never, {}));
  for (const session of all) {
    session.sendText(JSON.stringify({ requestId: 5, auth: { token: String(world.clock.wallMs()) } }));
    // Before any of them knows what the one before has made, and not in one commit.
    await world.pass(1);
  }
  await world.pass(2_000);
  for (const { messages } of all) {
    const answer = messages.find(({ requestId }) => requestId === 5)?.auth;
    expect(answer).toMatchObject({ actor: 'ada', token: expect.any(String) as string });
    given.push(answer.token);
  }
  await world.pass(1_000);
  expect(new Set(given.map((token) => token.split('.')[1])).size).toBe(1);
  for (const token of given)
    for (const node of world.nodes) expect(await who(world, node, token)).toBe('ada');
  await put(world, 'revoked', 'ada', world.clock.wallMs());
  for (const token of given)
    for (const node of world.nodes) expect(await who(world, node, token)).toBe('UNAUTHENTICATED');
});

test('a node cut off before there was a key lets clients in all the same, without a token and hardly later', async () => {
  const world = await start();
  const alone = world.nodes[4]!;
  world.isolate(alone);
  await world.pass(3_000);
  const { answer, tookMs } = await auth(world, alone);
  expect(answer).toMatchObject({ authenticated: true, actor: 'ada' });
  expect(answer.token).toBeUndefined();
  expect(tookMs).toBeLessThan(limits.hubTokenWaitMs + 500);
  const { answer: there } = await auth(world, world.nodes[0]!);
  world.mend();
  await world.pass(15_000);
  expect(await who(world, alone, there.token)).toBe('ada');
  expect((await auth(world, alone)).answer.token).toBeDefined();
});
