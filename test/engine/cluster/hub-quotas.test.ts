/** What a hub may begin and store, among nodes: whoever writes a channel goes by what it holds itself. */
import { expect, test } from 'vitest';
import { type Json, TestSession } from '../harness.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';

const kib = 'x'.repeat(1_024);
const most = 30_000;
/** What an entry adds to its content. */
const entryHead = 100;

async function start(name: string, value: number): Promise<ClusterWorld> {
  const world = await ClusterWorld.start({ nodes: 5, replicas: 3, keepsSettings: true });
  const what = { type: 'put', section: 'hub', name, value } as const;
  expect(await world.run(world.nodes[0]!.engine.changeSettings('default', what, 'root'))).toMatchObject({
    ok: true,
  });
  await world.pass(1_000);
  return world;
}

async function enter(world: ClusterWorld, node: TestNode, hub = 'default'): Promise<TestSession> {
  expect(await world.run(node.engine.enter(hub, undefined))).toMatchObject({ ok: true });
  return new TestSession(node as never, { hub });
}

const codeOf = ({ error }: Json): string => error?.code ?? 'ok';

/** The node that stamped what this acknowledges. */
function ownerOf(world: ClusterWorld, { ack }: Json): TestNode {
  return world.nodes.find((node) => ack.id.startsWith(node.engine.status().writer))!;
}

async function bytesAt(world: ClusterWorld, node: TestNode): Promise<number> {
  const channels = await world.run(node.engine.channels('default', { limit: 100 }));
  if (!channels.ok) throw new Error(channels.error.code);
  return channels.value.reduce((sum, { bytes }) => sum + bytes, 0);
}

test('what a hub stores is bounded at the owner, through every node, and freed by a trim asked of any', async () => {
  const world = await start('bytesMax', most);
  const sessions = [];
  for (const node of world.nodes) sessions.push(await enter(world, node));
  let taken = 0;
  while (taken < 100) {
    const answer = await sessions[taken % 5]!.publish('room', kib);
    if (codeOf(answer) !== 'ok') break;
    taken++;
  }
  expect(taken).toBeGreaterThan(20);
  for (const session of sessions)
    expect((await session.publish('room', kib)).error).toMatchObject({ code: 'QUOTA', channel: 'room' });
  for (const node of world.nodes) expect(await bytesAt(world, node)).toBeLessThanOrEqual(most + entryHead);
  const other = await enter(world, world.nodes[0]!, 'other');
  expect(codeOf(await other.publish('room', kib))).toBe('ok');
  // Nobody loses what is there; the next owner goes by what it holds itself.
  const reader = await sessions[4]!.ask({ history: { channel: 'room' } });
  expect(reader.history.entries).toHaveLength(taken);
  const trim = world.nodes[3]!.engine.trimChannel('default', 'room', { entries: 2 }, 'root');
  expect(await world.run(trim)).toMatchObject({ ok: true });
  await world.pass(1_000);
  for (const session of sessions) expect(codeOf(await session.publish('room', kib))).toBe('ok');
});

test('what a hub stores is bounded at the owner that takes over, and at those that have started again', async () => {
  const world = await start('bytesMax', most);
  const [first] = world.nodes as [TestNode];
  const session = await enter(world, first);
  const probe = await session.publish('room', kib);
  const owner = ownerOf(world, probe);
  let taken = 1;
  while (taken < 100 && codeOf(await session.publish('room', kib)) === 'ok') taken++;
  expect(taken).toBeLessThan(100);
  const refusedAt = async (node: TestNode): Promise<void> => {
    const again = await enter(world, node);
    expect((await again.publish('room', kib)).error).toMatchObject({ code: 'QUOTA' });
  };
  owner.kill();
  await world.pass(10_000);
  const alive = world.nodes.filter((node) => node !== owner);
  for (const node of alive) await refusedAt(node);
  await world.run(owner.start(false));
  for (const node of alive) {
    await world.run(node.engine.stop());
    await world.run(node.start(false));
  }
  await world.pass(2_000);
  // Until the owner has read the settings, a message may get through.
  const again = await enter(world, first);
  const codes = [];
  for (let i = 0; i < 10; i++) codes.push(codeOf(await again.publish('room', kib)));
  expect(codes.filter((code) => code === 'ok').length).toBeLessThan(3);
  for (const node of world.nodes) await refusedAt(node);
});

test('channels that a hub begins are counted by whoever owns them, through every node', async () => {
  const world = await start('channelsPerSecondMax', 2);
  const sessions = [];
  for (const node of world.nodes) sessions.push(await enter(world, node));
  const other = await enter(world, world.nodes[0]!, 'other');
  const publish = (i: number) => ({ requestId: 1_000 + i, publish: { channel: `room-${i}`, data: 'x' } });
  // All in one turn: those of one owner come together there, by whatever way.
  for (let i = 0; i < 100; i++) sessions[i % 5]!.sendText(JSON.stringify(publish(i)));
  await world.pass(500);
  const answers = sessions.flatMap(({ messages }) => messages.filter((m) => m.requestId >= 1_000));
  const began = answers.filter((m) => m.ack).map((m) => m.requestId as number);
  expect(answers).toHaveLength(100);
  expect(began.length).toBeGreaterThan(4);
  expect(began.length).toBeLessThanOrEqual(5 * 3);
  for (const { error } of answers.filter((m) => m.error))
    expect(error).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) as number });
  for (const id of began) expect(codeOf(await sessions[0]!.publish(`room-${id - 1_000}`, 'x'))).toBe('ok');
  for (let i = 0; i < 20; i++) expect(codeOf(await other.publish(`room-${i}`, 'x'))).toBe('ok');
});
