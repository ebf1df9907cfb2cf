/** Messages that are redacted among nodes: without their content at all homes, whoever was away, and brought back by none. */
import { describe, expect, test } from 'vitest';
import { parseDot } from '../../../src/base/ids.js';
import { type Json, TestSession, admin, anonymous, openRules } from '../harness.js';
import { ClusterWorld, type TestNode } from './cluster-world.js';

const secret = 'the number of my account is 4711';

function connect(node: TestNode): TestSession {
  return new TestSession(node as never, { principal: anonymous });
}

async function publishAll(session: TestSession, ...texts: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const text of texts) {
    const { ack } = await session.publish('news', text);
    expect(ack).toMatchObject({ level: 'quorum' });
    ids.push(ack.id);
  }
  return ids;
}

async function redact(world: ClusterWorld, node: TestNode, id: string) {
  const of = parseDot(id);
  if (!of.ok) throw new Error(of.error);
  const done = await world.run(node.engine.redact(admin, 'default', 'news', of.value));
  return done.ok ? done.value : done.error.code;
}

const told = (entries: readonly Json[]): unknown[] =>
  entries.flatMap(({ kind, data, redacted, redacts }) =>
    kind === 'redact' ? [{ redacts }] : kind === 'publish' ? [redacted ? 'redacted' : data] : [],
  );

async function read(world: ClusterWorld, node: TestNode): Promise<unknown[]> {
  const session = connect(node);
  await session.subscribe('news', { beginning: true });
  await world.pass(300);
  expect(session.gaps()).toEqual([]);
  return told(session.entries('news'));
}

/** Nodes on whose disk the text is. */
function withSecret(world: ClusterWorld): number[] {
  return world.nodes.flatMap(({ disk, number }) =>
    [...disk.names.inodes()].some(({ data }) => Buffer.from(data).includes(secret)) ? [number] : [],
  );
}

function alarms(world: ClusterWorld): string[] {
  return world.nodes.flatMap(({ observations }) =>
    observations.flatMap((each) => (each.type === 'alarm' ? [`${each.code}: ${each.message}`] : [])),
  );
}

async function expectSame(world: ClusterWorld, entries: readonly unknown[]): Promise<void> {
  for (const node of world.nodes.filter(({ handlers }) => handlers !== undefined))
    expect(await read(world, node)).toEqual(entries);
  expect((await world.digests('news')).size).toBe(1);
  expect(withSecret(world)).toEqual([]);
  const report = await world.run(world.nodes[0]!.engine.cluster!.verify());
  expect(report?.peers.flatMap(({ differences }) => differences)).toEqual([]);
  expect(alarms(world)).toEqual([]);
}

type Three = [TestNode, TestNode, TestNode];

async function three(): Promise<{ world: ClusterWorld; nodes: Three; ids: string[] }> {
  const world = await ClusterWorld.start({ nodes: 3 });
  const nodes = world.nodes as Three;
  const ids = await publishAll(connect(nodes[0]), 'a', secret, 'c');
  await world.pass(500);
  return { world, nodes, ids };
}

describe('a redacted message', () => {
  test('is without its content at all nodes, whoever is asked, and listeners everywhere are told once', async () => {
    const world = await ClusterWorld.start({ nodes: 5 });
    const edge = await world.addEdge();
    await world.pass(3_000);
    const sessions = world.nodes.map(connect);
    for (const session of sessions) await session.subscribe('news');
    const [, id] = await publishAll(sessions[0]!, 'a', secret, 'c');
    expect(withSecret(world)).toHaveLength(3);
    const cursors = sessions.map((session) => session.cursor('news')!);
    for (const node of [world.nodes[1]!, edge, world.nodes[4]!])
      expect(await redact(world, node, id!)).toMatchObject({ level: 'quorum' });
    await world.pass(3_000);
    for (const [i, node] of world.nodes.entries()) {
      expect(told(sessions[i]!.entries('news'))).toEqual(['a', secret, 'c', { redacts: id }]);
      const resumed = connect(node);
      await resumed.subscribe('news', { cursor: cursors[i] });
      await world.pass(300);
      expect(told(resumed.entries('news'))).toEqual([{ redacts: id }]);
    }
    await expectSame(world, ['a', 'redacted', 'c', { redacts: id }]);
  });

  test('cannot be had where no majority is, and keeps its content then', async () => {
    const { world, nodes, ids } = await three();
    world.isolate(nodes[2]);
    await world.pass(4_000);
    expect(await redact(world, nodes[2], ids[1]!)).toBe('UNAVAILABLE');
    world.mend();
    await world.pass(6_000);
    for (const node of nodes) expect(await read(world, node)).toEqual(['a', secret, 'c']);
  });

  test.each(['with its disk', 'its index lost', 'its disk lost'])(
    'is so too at a home that was down meanwhile and comes back %s',
    async (how) => {
      const { world, nodes, ids } = await three();
      const [a, b, away] = nodes;
      away.kill();
      await world.pass(2_000);
      expect(await redact(world, b, ids[1]!)).toMatchObject({ level: 'quorum' });
      await publishAll(connect(a), 'd');
      await world.pass(2_000);
      if (how === 'its index lost') away.loseIndex();
      if (how === 'its disk lost') away.loseDisk();
      await world.run(away.start(false));
      await world.pass(8_000);
      a.kill();
      await world.pass(4_000);
      expect(await read(world, away)).toEqual(['a', 'redacted', 'c', { redacts: ids[1] }, 'd']);
      await publishAll(connect(away), 'e');
      await world.run(a.start(false));
      await world.pass(6_000);
      await expectSame(world, ['a', 'redacted', 'c', { redacts: ids[1] }, 'd', 'e']);
    },
  );

  test('is written over at a home that lost power before it did so, though nobody uses the channel there', async () => {
    const { world, nodes, ids } = await three();
    const [a, b, away] = nodes;
    expect(await redact(world, b, ids[1]!)).toMatchObject({ level: 'quorum' });
    await world.pass(50);
    away.kill();
    await world.pass(1_000);
    expect(withSecret(world)).toHaveLength(1);
    // The others hear no more of it either: what they had told is forgotten.
    for (const node of [a, b]) node.kill();
    for (const node of nodes) await world.run(node.start(false));
    await world.pass(15_000);
    expect(withSecret(world)).toEqual([]);
  });

  test('comes to a new home without its content', async () => {
    const { world, nodes, ids } = await three();
    await redact(world, nodes[0], ids[1]!);
    await world.pass(2_000);
    const fourth = await world.addNode();
    const joined = await world.run(fourth.engine.cluster!.join(nodes[0].address));
    expect(joined.ok).toBe(true);
    await world.pass(20_000);
    const left = await world.run(nodes[1].engine.cluster!.change({ kind: 'drain', nodes: [nodes[2].id] }));
    expect(left).toMatchObject({ ok: true });
    await world.pass(20_000);
    for (const node of [nodes[0], nodes[1], fourth])
      expect(await read(world, node)).toEqual(['a', 'redacted', 'c', { redacts: ids[1] }]);
    expect(withSecret(world)).toEqual([]);
  });

  test('stays so where its record rots, and is mended from other homes', async () => {
    const { world, nodes, ids } = await three();
    await redact(world, nodes[0], ids[1]!);
    await world.pass(3_000);
    // All of the run's bytes at one home that are not zero behind the first commit's header are turned over.
    const victim = nodes[1];
    for (const inode of victim.disk.names.inodes()) {
      const bytes = Buffer.from(inode.data);
      const at = bytes.indexOf('news');
      for (let from = at; from >= 0; from = bytes.indexOf('news', from + 1)) {
        const spoiled = inode.data.slice(from + 20, from + 24).map((byte) => byte ^ 255);
        inode.write(spoiled, from + 20);
        inode.sync();
      }
    }
    expect(await read(world, victim)).toEqual(['a', 'redacted', 'c', { redacts: ids[1] }]);
    await world.pass(10_000);
    expect(await read(world, victim)).toEqual(['a', 'redacted', 'c', { redacts: ids[1] }]);
    expect(withSecret(world)).toEqual([]);
  });

  test('is trimmed as any, and what is known of it goes with it', async () => {
    const sets = { short: { retention: { maxCount: 2 } } };
    const rules = { ...openRules, sets, hubs: { default: { rules: 'short' } } };
    const world = await ClusterWorld.start({ nodes: 3, rules });
    const nodes = world.nodes as Three;
    const [id] = await publishAll(connect(nodes[0]), secret);
    await redact(world, nodes[0], id!);
    await publishAll(connect(nodes[0]), 'b', 'c', 'd');
    await world.pass(10_000);
    expect(await redact(world, nodes[1], id!)).toBe('NOT_FOUND');
    for (const node of nodes) {
      const session = connect(node);
      const { history } = await session.ask({ history: { channel: 'news' } });
      expect(told(history.entries)).not.toContainEqual({ redacts: id });
    }
    expect(withSecret(world)).toEqual([]);
  });
});
