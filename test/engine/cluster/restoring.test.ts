/** Sessions that come back at other nodes: once, whichever node falls. */
import { describe, expect, test } from 'vitest';
import type { RuleConfig } from '../../../src/channels/rules.js';
import { type Json, TestSession, anonymous } from '../harness.js';
import { ClusterWorld, type ClusterWorldOptions, type TestNode } from './cluster-world.js';

const rules: RuleConfig = { sets: { seen: { presence: true } }, hubs: { default: { rules: 'seen' } } };
const start = (options: Partial<ClusterWorldOptions> = {}) =>
  ClusterWorld.start({ nodes: 4, rules, ...options });
const connect = (node: TestNode): TestSession => new TestSession(node as never, { principal: anonymous });
const idOf = (session: TestSession): string => session.messages[0].sessionInfo.sessionId;

async function kept(node: TestNode, channels: readonly string[]): Promise<[TestSession, string]> {
  const session = connect(node);
  for (const channel of channels) await session.subscribe(channel);
  const { sessionKept } = await session.ask({ sessionRestore: {} });
  return [session, sessionKept.key];
}

/** Offers a key; the answer is there once time has passed. */
function offer(session: TestSession, key: string, cursors: Json[] = []): () => Json {
  const requestId = 99;
  session.sendText(JSON.stringify({ requestId, sessionRestore: { key, cursors } }));
  return () => session.messages.find((each) => each.requestId === requestId);
}

describe('a session', () => {
  test('of a node that was killed comes back at another, and at an edge node', async () => {
    const world = await start();
    const edge = await world.addEdge();
    await world.pass(3_000);
    const [first, key] = await kept(world.nodes[0]!, ['lobby', 'hall']);
    const cursor = first.messages.findLast(({ subscribe }) => subscribe?.results[0].channel === 'hall')
      .subscribe.results[0].cursor;
    world.nodes[0]!.kill();
    await connect(world.nodes[1]!).publish('hall', 'while it was away');
    await world.pass(3_000);
    const second = connect(world.nodes[2]!);
    const answer = offer(second, key, [{ channel: 'hall', cursor }]);
    await world.pass(3_000);
    expect(answer().sessionRestored).toMatchObject({
      sessionId: idOf(first),
      results: [{ channel: 'lobby' }, { channel: 'hall' }],
    });
    expect(second.data('hall')).toEqual(['while it was away']);
    second.handle.disconnected();
    const again = offer(connect(edge), answer().sessionRestored.key);
    await world.pass(3_000);
    expect(again().sessionRestored?.sessionId).toBe(idOf(first));
  });

  test('comes back once of a key that is offered at all nodes at the same time', async () => {
    const world = await start();
    for (let round = 0; round < 5; round++) {
      const [first, key] = await kept(world.nodes[round % 4]!, ['lobby']);
      first.handle.disconnected();
      const sessions = world.nodes.map(connect);
      const answers = sessions.map((session) => offer(session, key));
      await world.pass(2_000);
      const codes = answers.map((answer): string =>
        answer().sessionRestored ? 'restored' : answer().error.code,
      );
      expect(codes.toSorted()).toEqual(['NOT_RESTORED', 'NOT_RESTORED', 'NOT_RESTORED', 'restored']);
      // The others go on as they were.
      for (const session of sessions)
        await session.ask({ subscribe: { channels: [{ channel: `own:${round}` }] } });
    }
  });

  test('is present once, and the connection that had it is told and is gone', async () => {
    const world = await start();
    const [first, key] = await kept(world.nodes[0]!, ['lobby']);
    const watcher = connect(world.nodes[3]!);
    await watcher.ask({ presence: { channel: 'lobby', follow: true } });
    const second = connect(world.nodes[1]!);
    const answer = offer(second, key);
    await world.pass(2_500);
    expect(answer().sessionRestored.sessionId).toBe(idOf(first));
    expect(first.closed).toEqual({ code: 4409, reason: 'RESTORED_ELSEWHERE' });
    // Nobody has seen it leave: it was there all the time.
    expect(watcher.messages.filter(({ leave }) => leave)).toEqual([]);
    for (const { engine } of world.nodes) {
      const page = await world.run(engine.presence(anonymous, 'default', 'lobby', {}));
      expect(page.ok && page.value.members.map(({ session }) => session)).toEqual([idOf(first)]);
    }
  });

  test('is not restored by a node that is cut off; its client goes on, and comes back once it can', async () => {
    const world = await start();
    const [first, key] = await kept(world.nodes[0]!, ['lobby']);
    const alone = world.nodes[3]!;
    world.isolate(alone);
    await world.pass(3_000);
    const second = connect(alone);
    const answer = offer(second, key);
    await world.pass(4_000);
    expect(answer().error.code).toMatch(/UNAVAILABLE|NOT_RESTORED/);
    world.mend();
    await world.pass(5_000);
    first.handle.disconnected();
    const again = offer(connect(world.nodes[1]!), key);
    await world.pass(2_000);
    // The key may have been used by the one that could not say so.
    const outcome = again().sessionRestored?.sessionId ?? again().error.code;
    expect([idOf(first), 'NOT_RESTORED']).toContain(outcome);
  });
});
