/** Who is in a channel, among nodes: the same everywhere, and no ghosts, whichever node falls. */
import { describe, expect, test } from 'vitest';
import type { RuleConfig } from '../../../src/channels/rules.js';
import { type Json, TestSession, anonymous } from '../harness.js';
import { ClusterWorld, type ClusterWorldOptions, type TestNode } from './cluster-world.js';

const rules: RuleConfig = { sets: { seen: { presence: true } }, hubs: { default: { rules: 'seen' } } };
const channel = 'room';

const start = (options: Partial<ClusterWorldOptions> = {}) =>
  ClusterWorld.start({ nodes: 4, rules, ...options });
const connect = (node: TestNode): TestSession => new TestSession(node as never, { principal: anonymous });
const idOf = (session: TestSession): string => session.messages[0].sessionInfo.sessionId;

/** As each node that is up says it. */
async function seen(world: ClusterWorld, nodes: readonly TestNode[] = world.nodes): Promise<string[]> {
  const texts: string[] = [];
  for (const { engine, handlers } of nodes) {
    if (!handlers) continue;
    const page = await world.run(engine.presence(anonymous, 'default', channel, {}));
    texts.push(page.ok ? page.value.members.map(({ session }) => session).join() : page.error.code);
  }
  return texts;
}

const expected = (sessions: readonly TestSession[]): string => sessions.map(idOf).sort().join();

/** What a session that follows has been told, from its first answer on. */
function told(session: TestSession): string {
  const members = new Map<string, Json>();
  for (const { presence, join, leave } of session.messages) {
    for (const each of presence?.members ?? join?.members ?? []) members.set(each.session, each);
    for (const each of leave?.sessions ?? []) members.delete(each);
  }
  return [...members.keys()].sort().join();
}

describe('who is in a channel', () => {
  test('is the same at every node, home or not, and told in order', async () => {
    const world = await start({ nodes: 5 });
    const edge = await world.addEdge();
    await world.pass(3_000);
    const watchers = world.nodes.map(connect);
    for (const watcher of watchers)
      expect((await watcher.ask({ presence: { channel, follow: true } })).presence.members).toEqual([]);
    const sessions = [...world.nodes, edge].map(connect);
    for (const session of sessions) await session.subscribe(channel, { presence: 'here' });
    await world.pass(100);
    expect(new Set(await seen(world))).toEqual(new Set([expected(sessions)]));
    for (const watcher of watchers) expect(told(watcher)).toBe(expected(sessions));
    await sessions[0]!.ask({ presenceUpdate: { channel, metadata: { away: true } } });
    for (const session of sessions.splice(3)) session.handle.disconnected();
    await world.pass(100);
    expect(new Set(await seen(world))).toEqual(new Set([expected(sessions)]));
    for (const watcher of watchers) {
      expect(told(watcher)).toBe(expected(sessions));
      const last = watcher.messages.findLast(({ join }) => join)!.join;
      expect(last.members[0]).toMatchObject({ session: idOf(sessions[0]!), metadata: { away: true } });
    }
  });

  test('has nobody of a node that was killed, and everybody of it once it is back under the same name', async () => {
    const world = await start();
    const sessions = world.nodes.map(connect);
    for (const session of sessions) await session.subscribe(channel);
    const watchers = world.nodes.map(connect);
    for (const watcher of watchers) await watcher.ask({ presence: { channel, follow: true } });
    for (const [i, node] of world.nodes.entries()) {
      node.kill();
      await world.pass(6_000);
      const left = sessions.filter((_, at) => at !== i);
      expect(new Set(await seen(world))).toEqual(new Set([expected(left)]));
      for (const watcher of watchers.filter((_, at) => at !== i)) expect(told(watcher)).toBe(expected(left));
      await world.run(node.start(false));
      await world.pass(3_000);
      sessions[i] = connect(node);
      watchers[i] = connect(node);
      await sessions[i]!.subscribe(channel);
      await watchers[i]!.ask({ presence: { channel, follow: true } });
      await world.pass(200);
      expect(new Set(await seen(world))).toEqual(new Set([expected(sessions)]));
    }
    for (const watcher of watchers) expect(told(watcher)).toBe(expected(sessions));
  });

  test('is whole again after a node was cut off, and nobody is seen leaving who lost a link for a moment', async () => {
    const world = await start();
    const sessions = world.nodes.map(connect);
    for (const session of sessions) await session.subscribe(channel);
    const watchers = world.nodes.map(connect);
    for (const watcher of watchers) await watcher.ask({ presence: { channel, follow: true } });
    const [first] = world.nodes;
    world.isolate(first!);
    await world.pass(100);
    world.mend();
    await world.pass(3_000);
    expect(new Set(await seen(world))).toEqual(new Set([expected(sessions)]));
    for (const watcher of watchers) {
      expect(told(watcher)).toBe(expected(sessions));
      expect(watcher.messages.some(({ leave }) => leave)).toBe(false);
    }
    world.isolate(first!);
    await world.pass(8_000);
    const others = sessions.slice(1);
    expect(new Set(await seen(world, world.nodes.slice(1)))).toEqual(new Set([expected(others)]));
    sessions.push(connect(first!));
    await sessions.at(-1)!.subscribe(channel);
    sessions.shift()!.handle.disconnected();
    world.mend();
    await world.pass(5_000);
    expect(new Set(await seen(world))).toEqual(new Set([expected(sessions)]));
    for (const watcher of watchers) expect(told(watcher)).toBe(expected(sessions));
  });

  test('has nobody of a node that stopped in order, with clients on it to the end', async () => {
    const world = await start();
    const sessions = world.nodes.flatMap((node) => [connect(node), connect(node)]);
    for (const session of sessions) await session.subscribe(channel);
    const watchers = world.nodes.map(connect);
    for (const watcher of watchers) await watcher.ask({ presence: { channel, follow: true } });
    await world.run(world.nodes[0]!.engine.stop());
    world.nodes[0]!.kill();
    await world.pass(6_000);
    const left = sessions.slice(2);
    expect(new Set(await seen(world))).toEqual(new Set([expected(left)]));
    for (const watcher of watchers.slice(1)) expect(told(watcher)).toBe(expected(left));
  });

  test('goes along where the ring changes', async () => {
    const world = await start({ nodes: 3, replicas: 2 });
    const channels = Array.from({ length: 12 }, (_, i) => `room-${i}`);
    const sessions = world.nodes.map(connect);
    for (const session of sessions)
      for (const each of channels) await session.subscribe(each, { presence: each });
    const watcher = connect(world.nodes[0]!);
    for (const each of channels) await watcher.ask({ presence: { channel: each, follow: true } });
    const more = await world.addNode();
    await world.pass(3_000);
    expect(await world.run(more.engine.cluster!.join(world.nodes[0]!.address))).toMatchObject({ ok: true });
    await world.pass(15_000);
    expect(world.nodes.map(({ engine }) => engine.cluster!.ring().members.length)).toEqual([4, 4, 4, 4]);
    sessions[1]!.handle.disconnected();
    await world.pass(500);
    for (const each of channels) {
      for (const { engine } of world.nodes) {
        const page = await world.run(engine.presence(anonymous, 'default', each, {}));
        expect(page.ok && page.value.members.map(({ session }) => session)).toEqual(
          [sessions[0]!, sessions[2]!].map(idOf).sort(),
        );
      }
    }
    const left = watcher.messages.flatMap(({ leave }) => leave?.sessions ?? []);
    expect(new Set(left)).toEqual(new Set([idOf(sessions[1]!)]));
  });
});
