/** Accounts among nodes: one owner for a name, whoever took the registration, and one answer everywhere. */
import { expect, test } from 'vitest';
import type { Principal } from '../../../src/engine/api.js';
import { TestSecrets } from '../../people/secrets.js';
import { type Json, TestSession, anonymous } from '../harness.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';

async function start(): Promise<ClusterWorld> {
  const { secrets } = new TestSecrets();
  const world = await ClusterWorld.start({ nodes: 5, replicas: 3, keepsSettings: true, secrets });
  const value = { type: 'directory', registration: true };
  const put = { type: 'put', section: 'providers', name: 'people', value } as const;
  expect(await world.run(world.nodes[0]!.engine.changeSettings('default', put, 'root'))).toMatchObject({
    ok: true,
  });
  await world.pass(1_000);
  for (const node of world.nodes) await world.run(node.engine.enter('default', undefined));
  return world;
}

async function ask(
  world: ClusterWorld,
  node: TestNode,
  action: string,
  request: object,
  principal: Principal = anonymous,
): Promise<Json> {
  const answer = await world.run(node.engine.people(principal, 'default', action, request, '10.0.0.9'));
  return answer.ok ? answer.value : answer.error.code;
}

const ada = (number: number) => ({ name: 'ada', password: `the password of ${number}` });

test('of five registrations of one name at five nodes at once one wins, and its password alone counts', async () => {
  const world = await start();
  const answers = await world.run(
    Promise.all(
      world.nodes.map(({ engine, number }) =>
        engine.people(anonymous, 'default', 'register', ada(number), '10.0.0.9'),
      ),
    ),
  );
  const codes = answers.map((answer) => (answer.ok ? 'ok' : answer.error.code));
  expect(codes.toSorted()).toEqual(['NAME_TAKEN', 'NAME_TAKEN', 'NAME_TAKEN', 'NAME_TAKEN', 'ok']);
  const winner = world.nodes[codes.indexOf('ok')]!;
  await world.pass(1_000);
  for (const node of world.nodes) {
    expect(await ask(world, node, 'login', ada(winner.number))).toMatchObject({ user: 'ada' });
    const loser = world.nodes.find(({ number }) => number !== winner.number)!;
    expect(await ask(world, node, 'login', ada(loser.number))).toBe('UNAUTHENTICATED');
  }
});

test('a node cut off registers nobody; what the others took counts when it is back', async () => {
  const world = await start();
  const [alone, other] = [world.nodes[4]!, world.nodes[0]!];
  world.isolate(alone);
  await world.pass(3_000);
  expect(['UNAVAILABLE', 'INDETERMINATE']).toContain(await ask(world, alone, 'register', ada(5)));
  expect(await ask(world, other, 'register', ada(1))).toEqual({ name: 'ada' });
  world.mend();
  await world.pass(15_000);
  expect(await ask(world, alone, 'register', ada(5))).toBe('NAME_TAKEN');
  expect(await ask(world, alone, 'login', ada(1))).toMatchObject({ user: 'ada' });
});

test('an account outlives the owners of its key: what they write to go on is not taken for the key, nor kept instead of it', async () => {
  const world = await start();
  await ask(world, world.nodes[0]!, 'register', ada(1));
  for (let round = 1; round <= 3; round++) {
    for (const node of world.nodes) node.kill();
    for (const node of world.nodes) await world.run(node.start(false));
    // Retention looks at it meanwhile.
    await world.pass(8_000);
    for (const node of world.nodes) {
      await world.run(node.engine.enter('default', undefined));
      expect(await logIn(world, node)).toMatchObject({ user: 'ada' });
    }
  }
});

/** Asks again where the node first has to hear what is committed, as a client does. */
async function logIn(world: ClusterWorld, node: TestNode): Promise<Json> {
  for (let tries = 0; tries < 10; tries++) {
    const answer = await ask(world, node, 'login', ada(1));
    if (answer !== 'UNAVAILABLE') return answer;
    await world.pass(500);
  }
  return 'UNAVAILABLE';
}

test('a token of one node is good at all, and at none within a second after the password was changed', async () => {
  const world = await start();
  await ask(world, world.nodes[0]!, 'register', ada(1));
  const { token } = await ask(world, world.nodes[1]!, 'login', ada(1));
  const sessions: TestSession[] = [];
  let self: Principal | undefined;
  for (const node of world.nodes) {
    const entered = await world.run(node.engine.enter('default', token));
    if (!entered.ok) throw new Error(entered.error.code);
    self = entered.value;
    sessions.push(new TestSession(node as never, { principal: self }));
  }
  const change = { password: 'another password', currentPassword: ada(1).password };
  expect(await ask(world, world.nodes[3]!, 'change', change, self)).toEqual({ name: 'ada' });
  await world.pass(2_500);
  expect(sessions.map(({ closed }) => closed?.code)).toEqual([4401, 4401, 4401, 4401, 4401]);
  for (const node of world.nodes)
    expect(await world.run(node.engine.enter('default', token))).toMatchObject({
      error: { code: 'UNAUTHENTICATED' },
    });
});

test('the key of a deleted account is trimmed at every home of it', async () => {
  const world = await start();
  await ask(world, world.nodes[0]!, 'register', ada(1));
  const { token } = await ask(world, world.nodes[1]!, 'login', ada(1));
  const entered = await world.run(world.nodes[1]!.engine.enter('default', token));
  if (!entered.ok) throw new Error(entered.error.code);
  expect(await ask(world, world.nodes[1]!, 'delete', {}, entered.value)).toEqual({ name: 'ada' });
  await world.pass(60_000);
  let homes = 0;
  for (const { engine } of world.nodes) {
    const channels = await world.run(engine.channels('default', { limit: 100 }));
    const found = channels.ok
      ? channels.value.find(({ ref }) => ref.channel.startsWith('$keys:'))
      : undefined;
    if (!found) continue;
    homes++;
    const page = await world.run(engine.queryLog('default', found.ref.channel, {}));
    const events = page.ok ? page.value.entries.flatMap(({ entry }) => entry.content?.event ?? []) : ['?'];
    expect(events).not.toContain('key');
  }
  expect(homes).toBe(3);
});

test('attack 26: a name that is not there is answered as late as a wrong password, and no better by a node that cannot read keys', async () => {
  const world = await start();
  await ask(world, world.nodes[0]!, 'register', ada(1));
  await world.pass(1_000);
  const asked = async (node: TestNode, name: string) => {
    const began = world.clock.monotonicMs();
    let [code, tookMs] = ['', 0];
    const wrong = { name, password: 'wrong password' };
    const answered = node.engine
      .people(anonymous, 'default', 'login', wrong, `10.0.0.${name}`)
      .then((answer) => {
        code = answer.ok ? 'ok' : answer.error.code;
        tookMs = world.clock.monotonicMs() - began;
      });
    await world.run(answered);
    return { code, tookMs };
  };
  const far = [];
  for (const node of world.nodes) {
    const held = await world.run(node.engine.channels('default', { limit: 100 }));
    if (!held.ok) throw new Error(held.error.code);
    if (!held.value.some(({ ref }) => ref.channel.startsWith('$keys:'))) far.push(node);
  }
  expect(far).toHaveLength(2);
  // Who asks at first finds nothing at hand: nodes that hold no keys ask another, there and back.
  for (const [i, name] of ['nobody', 'ada'].entries()) {
    const { code, tookMs } = await asked(far[i]!, name);
    expect([code, tookMs >= 1]).toEqual(['UNAUTHENTICATED', true]);
  }
  const alone = far[0]!;
  for (const node of world.nodes) if (node !== alone) node.kill();
  await world.pass(3_000);
  expect([(await asked(alone, 'nobody')).code, (await asked(alone, 'ada')).code]).toEqual([
    'UNAVAILABLE',
    'UNAVAILABLE',
  ]);
});
