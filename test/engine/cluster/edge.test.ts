/** Nodes that hold nothing: they serve sessions of whatever ring they find. */
import { expect, test } from 'vitest';
import { TestSession, anonymous } from '../harness.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';

const connect = (node: TestNode): TestSession => new TestSession(node as never, { principal: anonymous });

function alarms(world: ClusterWorld): string[] {
  return world.nodes.flatMap(({ observations }) =>
    observations.flatMap((each) => (each.type === 'alarm' ? [`${each.code}: ${each.message}`] : [])),
  );
}

test('what is published at an edge is on disks of cores before it is acknowledged, and is seen at every other', async () => {
  const world = await ClusterWorld.start({ nodes: 3 });
  const edges = [await world.addEdge(), await world.addEdge()] as const;
  await world.pass(3_000);
  const sessions = [...edges, ...world.nodes.slice(0, 3)].map(connect);
  for (const session of sessions) expect((await session.subscribe('news')).error).toBeUndefined();
  const [one, two, core] = sessions as [TestSession, TestSession, TestSession];
  for (const [session, text] of [
    [one, 'at one'],
    [two, 'at two'],
    [core, 'at a core'],
  ] as const) {
    const { ack } = await session.publish('news', text);
    expect([ack.level, ack.copies >= 2]).toEqual(['quorum', true]);
  }
  await world.pass(300);
  for (const session of sessions) expect(session.data('news')).toEqual(['at one', 'at two', 'at a core']);
  for (const edge of edges) {
    const { cluster, state } = edge.engine.status();
    expect([state, cluster!.role, cluster!.looking, cluster!.intervals.held]).toEqual([
      'serving',
      'edge',
      false,
      0,
    ]);
    expect(edge.engine.cluster!.ring().members.map(({ node }) => node)).not.toContain(edge.id);
  }
  // Cores know of them, and take none of them in.
  for (const node of world.nodes.slice(0, 3)) {
    const { members, ringVersion } = node.engine.status().cluster!;
    expect([members.filter(({ role }) => role === 'edge').length, ringVersion]).toEqual([2, 1]);
  }
  expect(alarms(world)).toEqual([]);
});

test('an edge alone serves nobody, and serves once there is a core, also one that is alone', async () => {
  const world = new ClusterWorld({ nodes: 1 });
  const edge = await world.addEdge();
  await world.pass(20_000);
  const early = edge.engine.openSession({
    hub: 'default',
    encoding: 'json',
    principal: anonymous,
    sink: { write: () => undefined, bufferedBytes: 0, close: () => undefined },
  });
  expect(early.ok).toBe(false);
  expect(edge.engine.status().cluster!.looking).toBe(true);
  const [core] = world.nodes as [TestNode];
  await world.run(core.start(true));
  await world.pass(3_000);
  const session = connect(edge);
  await session.subscribe('news');
  expect((await session.publish('news', 'x')).ack.level).toBe('quorum');
  await world.pass(200);
  expect(session.data('news')).toEqual(['x']);
});

test('the core that an edge follows is killed: its readers go on, once each and in order', async () => {
  const world = await ClusterWorld.start({ nodes: 3 });
  const edge = await world.addEdge();
  await world.pass(3_000);
  const session = connect(edge);
  await session.subscribe('news');
  const said: string[] = [];
  for (const victim of world.nodes.slice(0, 3)) {
    const { ack } = await session.publish('news', `before ${said.length}`);
    said.push(`before ${said.length}`);
    const owner = world.nodes.find((node) => ack.id.startsWith(node.engine.status().writer));
    const killed = said.length === 1 ? owner! : victim;
    killed.kill();
    await world.pass(2_000);
    await session.publish('news', `without ${said.length}`);
    said.push(`without ${said.length}`);
    await world.run(killed.start(false));
    await world.pass(5_000);
  }
  await world.pass(500);
  expect(session.data('news')).toEqual(said);
});

test.each([
  [false, 'UNAVAILABLE', []],
  [true, undefined, ['lost']],
])(
  'what an edge delivered before it was committed falls with its only home, which lost its disk: %s',
  async (losesDisk, closed, told) => {
    const rules = { sets: { set: { ack: 'owner' as const } }, hubs: { default: { rules: 'set' } } };
    const world = await ClusterWorld.start({ nodes: 3, rules });
    const edge = await world.addEdge();
    await world.pass(3_000);
    const reader = connect(edge);
    await reader.subscribe('news');
    const { ack } = await reader.publish('news', 'all');
    const [owner, ...others] = world.nodes
      .slice(0, 3)
      .toSorted(({ engine }) => (ack.id.startsWith(engine.status().writer) ? -1 : 1)) as [TestNode];
    await world.pass(500);
    for (const other of others) world.wires.cut(owner, other);
    const alone = await connect(owner).publish('news', 'alone');
    expect(alone.ack).toMatchObject({ level: 'owner', copies: 1 });
    await world.pass(100);
    expect(reader.data('news')).toEqual(['all', 'alone']);
    owner.kill();
    if (losesDisk) owner.loseDisk();
    world.mend();
    if (losesDisk) await world.run(owner.start(false));
    await world.pass(6_000);
    const late = connect(edge);
    await late.subscribe('news', { beginning: true });
    await world.pass(500);
    expect([late.data('news'), late.closed]).toEqual([['all'], undefined]);
    expect((await late.publish('news', 'later')).error).toBeUndefined();
    await world.pass(500);
    expect(late.data('news')).toEqual(['all', 'later']);
    // Who had it is told that nobody has it any more, or sent away until somebody can tell.
    expect([reader.closed?.reason, reader.gaps().map(({ reason }) => reason)]).toEqual([closed, told]);
    expect(alarms(world)).toEqual([]);
  },
);

test('an edge goes by every later version of the ring, and by another ring once its own is gone', async () => {
  const world = await ClusterWorld.start({ nodes: 2 });
  const [a] = world.nodes as [TestNode, TestNode];
  const edge = await world.addEdge();
  await world.pass(3_000);
  const added = await world.addNode();
  expect(await world.run(added.engine.cluster!.join(a.address))).toMatchObject({ ok: true });
  await world.pass(5_000);
  const versions = (): number[] => [a, edge].map(({ engine }) => engine.cluster!.ring().version);
  expect(new Set(versions()).size).toBe(1);
  expect(edge.engine.cluster!.ring().members).toHaveLength(3);
  // What only a core may be.
  expect(await world.run(edge.engine.cluster!.join(a.address))).toEqual({ ok: false, error: 'not-alone' });
  // An administrator may ask it all the same.
  const change = edge.engine.cluster!.change({ kind: 'drain', nodes: [added.id] });
  expect(await world.run(change)).toMatchObject({ ok: true });
  await world.pass(10_000);
  expect(edge.engine.cluster!.ring().members).toHaveLength(2);
  expect(edge.engine.cluster!.ring().version).toBe(a.engine.cluster!.ring().version);
});

test('an edge that restarts is as new, and one proves the equality of homes it is none of', async () => {
  const world = await ClusterWorld.start({ nodes: 3 });
  const edge = await world.addEdge();
  await world.pass(3_000);
  await connect(edge).publish('news', 'x');
  edge.kill();
  await world.run(edge.start(true));
  await world.pass(3_000);
  const session = connect(edge);
  await session.subscribe('news', { last: 1 });
  await world.pass(200);
  expect(session.data('news')).toEqual(['x']);
  const page = await world.run(edge.engine.cluster!.prove({ after: '0000000000000000-0' }));
  expect(page).toMatchObject({ ok: true, value: { isEqual: true, channels: 1, done: 1 } });
  expect(page.ok && page.value.homes).toHaveLength(3);
  expect(alarms(world)).toEqual([]);
});
