/** Attack 40: who was revoked while a node could not hear of it. */
import { expect, test } from 'vitest';
import { limits } from '../../../src/base/limits.js';
import { ok } from '../../../src/base/result.js';
import type { Authenticator } from '../../../src/engine/ports.js';
import { failure } from '../../../src/protocol/errors.js';
import { TestSession } from '../harness.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';

const hours = 3_600_000;
/** Tokens are the time at which they were issued; all are good for ten hours. */
const authenticator: Authenticator = {
  identify: (providers, { token }) => {
    const [provider] = providers.keys();
    const issuedAtMs = Number(token);
    const identity = { user: 'ada', issuedAtMs, expiresAtMs: issuedAtMs + 10 * hours };
    return Promise.resolve(
      provider === undefined ? { ok: false, error: failure('UNAUTHENTICATED') } : ok({ provider, identity }),
    );
  },
};

async function start(): Promise<{
  world: ClusterWorld;
  put: (node: TestNode, ...rest: Put) => Promise<void>;
}> {
  const world = await ClusterWorld.start({ nodes: 3, replicas: 3, keepsSettings: true, authenticator });
  const put = async (node: TestNode, ...[section, name, value]: Put): Promise<void> => {
    const changed = node.engine.changeSettings('default', { type: 'put', section, name, value }, 'root');
    expect(await world.run(changed)).toMatchObject({ ok: true });
    await world.pass(1_000);
  };
  await put(world.nodes[0]!, 'providers', 'main', { type: 'http', url: 'https://auth.example' });
  return { world, put };
}
type Put = ['providers' | 'revoked', string, unknown];

async function enter(world: ClusterWorld, node: TestNode, token: number): Promise<TestSession | string> {
  const entered = await world.run(node.engine.enter('default', String(token)));
  return entered.ok ? new TestSession(node as never, { principal: entered.value }) : entered.error.code;
}

/** Clients that are there say so now and then. */
async function pass(world: ClusterWorld, ms: number, ...sessions: (TestSession | string)[]): Promise<void> {
  for (let leftMs = ms; leftMs > 0; leftMs -= 20_000) {
    for (const session of sessions) if (session instanceof TestSession) session.sendText('{"ping":{}}');
    await world.pass(Math.min(leftMs, 20_000));
  }
}

const closeOf = (session: TestSession | string) => (session as TestSession).closed?.code;

test('a revoked user works on at a node that is cut off for a quarter of an hour, and comes back there with a newer token alone', async () => {
  const { world, put } = await start();
  const [other, , alone] = world.nodes as [TestNode, TestNode, TestNode];
  const issued = world.clock.wallMs();
  await world.pass(1_000);
  const [here, there] = [await enter(world, other, issued), await enter(world, alone, issued)];
  world.isolate(alone);
  await world.pass(3_000);
  await put(other, 'revoked', 'ada', world.clock.wallMs());
  expect([closeOf(here), closeOf(there)]).toEqual([4401, undefined]);
  await pass(world, limits.cutOffTokenMs - 10_000, there);
  expect(closeOf(there)).toBeUndefined();
  await world.pass(10_000);
  // It is to go elsewhere, where somebody knows.
  expect(closeOf(there)).toBe(4500);
  expect(await enter(world, alone, issued)).toBe('UNAVAILABLE');
  const newer = await enter(world, alone, world.clock.wallMs());
  expect(newer).toBeInstanceOf(TestSession);
  world.mend();
  await world.pass(10_000);
  expect(await enter(world, alone, issued)).toBe('UNAUTHENTICATED');
  expect(closeOf(newer)).toBeUndefined();
});

test('nobody has to go who is at a node that reaches enough of the others', async () => {
  const { world } = await start();
  const issued = world.clock.wallMs();
  const sessions = [];
  for (const node of world.nodes.slice(0, 2)) sessions.push(await enter(world, node, issued));
  world.nodes[2]!.kill();
  await pass(world, limits.cutOffTokenMs + 10_000, ...sessions);
  expect(sessions.map(closeOf)).toEqual([undefined, undefined]);
});
