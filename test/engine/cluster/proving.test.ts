/** Proofs for administrators: all homes of the whole ring, from whichever node is asked, a part at a time. */
import { expect, test } from 'vitest';
import { limits } from '../../../src/base/limits.js';
import { channelPosition, intervalIdOf } from '../../../src/cluster/ring-position.js';
import { RingTable } from '../../../src/cluster/ring-table.js';
import type { ProofPage } from '../../../src/engine/cluster/proof.js';
import { arcsOf, commonArcs, joined } from '../../../src/engine/cluster/shared-arcs.js';
import { ringEnd, ringStart } from '../../../src/replication/reconcile-messages.js';
import { ref } from '../../storage/support.js';
import type { ClusterWorld, TestNode } from './cluster-world.js';
import { type Contents, filledWorld } from './filled-world.js';

const names = Array.from({ length: 60 }, (_, i) => `c:${i}`);
const all: Contents = Object.fromEntries(names.map((name) => [name, ['x', 'y']]));
const without = (...channels: readonly string[]): Contents =>
  Object.fromEntries(Object.entries(all).filter(([name]) => !channels.includes(name)));

async function prove(world: ClusterWorld, node: TestNode, repair = false): Promise<ProofPage[]> {
  const pages: ProofPage[] = [];
  for (let after: string | undefined; ;) {
    const request = { repair, ...(after !== undefined && { after }) };
    const page = await world.run(node.engine.cluster!.prove(request));
    if (!page.ok) throw new Error(page.error);
    pages.push(page.value);
    after = page.value.next;
    if (after === undefined) return pages;
  }
}

const sum = (pages: readonly ProofPage[], of: 'channels' | 'entries' | 'more' | 'repaired'): number =>
  pages.reduce((total, page) => total + page[of], 0);
const areEqual = (pages: readonly ProofPage[]): boolean => pages.every(({ isEqual }) => isEqual);
const homesOf = (pages: readonly ProofPage[]): Set<string> =>
  new Set(pages.flatMap(({ homes }) => homes.map(({ node }) => node)));
const differences = (pages: readonly ProofPage[]) => pages.flatMap((page) => page.differences);

function homesIn(world: ClusterWorld, channel: string): readonly TestNode[] {
  const { homes } = new RingTable(world.ring).intervalOf(channelPosition(ref(channel)));
  return homes.map((home) => world.nodes.find(({ id }) => id === home)!);
}

test('covers every channel of the ring once, from every node, also of channels that it does not hold', async () => {
  const world = await filledWorld([all, all, all, all, all]);
  await world.pass(2_000);
  for (const node of world.nodes) {
    const pages = await prove(world, node);
    expect([areEqual(pages), sum(pages, 'channels'), homesOf(pages).size]).toEqual([true, 60, 5]);
    expect(sum(pages, 'entries')).toBeGreaterThanOrEqual(120);
    expect(pages.at(-1)!.done).toBe(1);
    // Nothing takes long, so the parts grow.
    expect(pages.length).toBeLessThan(2 ** limits.verifyFirstPartBits);
  }
});

test.each([0, 1, 2])('names what differs, where, and in which interval, from node %i', async (asked) => {
  const world = await filledWorld([all, without('c:7', 'c:8'), all, { ...all, 'c:9': ['x', 'forged'] }], {
    isUnaware: true,
    replicas: 'all',
  });
  const [, b, , d] = world.nodes as [TestNode, TestNode, TestNode, TestNode];
  const table = new RingTable(world.ring);
  const pages = await prove(world, world.nodes[asked]!);
  expect(areEqual(pages)).toBe(false);
  const told = differences(pages);
  expect(new Set(told.map(({ ref: { channel }, kind }) => `${channel} ${kind}`))).toEqual(
    new Set(['c:7 missing', 'c:8 missing', 'c:9 records']),
  );
  for (const { ref: found, interval, kind, at, homes } of told) {
    expect(interval).toBe(table.intervalOf(channelPosition(found)).id);
    expect(homes).toContain(kind === 'missing' ? b.id : d.id);
    expect(at).toBe(kind === 'missing' ? b.id : undefined);
  }
  expect([...homesOf(pages)].sort()).toEqual(world.nodes.map(({ id }) => id).sort());
});

test('a home that cannot be reached is told, and nothing is equal without it', async () => {
  const world = await filledWorld([all, all, all, all]);
  const [a, b] = world.nodes as [TestNode, TestNode, TestNode, TestNode];
  b.kill();
  await world.pass(2_000);
  const pages = await prove(world, a);
  expect(areEqual(pages)).toBe(false);
  for (const { isEqual, homes } of pages) {
    expect(homes.map(({ state }) => state)).toEqual(
      homes.map(({ node }) => (node === b.id ? 'unreachable' : 'equal')),
    );
    expect(isEqual).toBe(!homes.some(({ node }) => node === b.id));
  }
});

test('repairs what a home lacks, wherever it was asked, and proves it', async () => {
  const lacking = names.slice(0, 20);
  const world = await filledWorld([all, without(...lacking), all, without('c:30', 'c:31'), all], {
    isUnaware: true,
  });
  const [a, b] = world.nodes as [TestNode, TestNode];
  const expected = lacking.filter((name) => homesIn(world, name).includes(b));
  const before = await prove(world, a);
  const missing = differences(before).filter(({ at }) => at === b.id);
  expect(new Set(missing.map(({ ref: { channel } }) => channel))).toEqual(new Set(expected));
  const mended = await prove(world, a, true);
  expect([areEqual(mended), sum(mended, 'repaired') >= expected.length]).toEqual([true, true]);
  const after = await prove(world, b);
  expect([areEqual(after), sum(after, 'channels')]).toEqual([true, 60]);
});

test('a node that is alone reads what it holds, and tells what it cannot read', async () => {
  const world = await filledWorld([Object.fromEntries(names.map((name) => [name, [`marked ${name}!`]]))]);
  const [a] = world.nodes as [TestNode];
  const pages = await prove(world, a);
  expect([areEqual(pages), sum(pages, 'channels')]).toEqual([true, 60]);
  for (const [path, inode] of a.disk.names.files()) {
    if (!path.includes('segments')) continue;
    inode.corrupt((bytes) => {
      const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf('marked c:9!');
      if (at >= 0) bytes[at]! ^= 1;
    });
  }
  const again = await prove(world, a);
  expect(differences(again)).toMatchObject([{ ref: { channel: 'c:9' }, kind: 'unreadable', homes: [a.id] }]);
  expect(areEqual(again)).toBe(false);
});

test('goes on where a page ended, and takes no other cursor', async () => {
  const world = await filledWorld([all, all, all]);
  const [a, b] = world.nodes as [TestNode, TestNode];
  for (const after of ['', 'x', '0000000000000000', '0000000000000000-99', 'g000000000000000-4']) {
    expect(await world.run(a.engine.cluster!.prove({ after }))).toEqual({ ok: false, error: 'bad-cursor' });
  }
  // Half of the ring, at another node.
  const half = await world.run(b.engine.cluster!.prove({ after: '8000000000000000-1' }));
  expect(half).toMatchObject({ ok: true, value: { isEqual: true, done: 1 } });
  const several = Array.from({ length: limits.verifyPagesMax + 1 }, () => a.engine.cluster!.prove({}));
  const answers = await world.run(Promise.all(several));
  expect(answers.map((answer) => (answer.ok ? 'ok' : answer.error))).toEqual(['ok', 'ok', 'busy']);
});

test('what takes too long comes again in smaller parts, and ends', async () => {
  const world = await filledWorld([all, all, all]);
  const [a, b, c] = world.nodes as [TestNode, TestNode, TestNode];
  // The others keep their links and are never ready: their disks take for ever.
  for (const node of [b, c]) node.disk.latencyMsMax = 1e9;
  const first = await world.run(a.engine.cluster!.prove({}));
  expect(first).toMatchObject({
    ok: true,
    value: { isEqual: true, channels: 0, homes: [], next: '0000000000000000-6' },
  });
  const at = intervalIdOf(channelPosition(ref('c:0')));
  const last = await world.run(a.engine.cluster!.prove({ after: `${at}-${limits.verifySmallestPartBits}` }));
  expect(last.ok && last.value.isEqual).toBe(false);
});

test('arcs of intervals cover the ring once, and those of two are what is in both', async () => {
  const { ring } = await filledWorld([{}, {}, {}, {}]);
  const table = new RingTable(ring);
  const arcs = [...table.indexes()].flatMap((index) => arcsOf(table.interval(index)));
  const whole = [{ from: ringStart, to: ringEnd }];
  expect(joined(arcs)).toEqual(whole);
  expect(joined(arcs.flatMap((arc) => commonArcs([arc], whole)))).toEqual(whole);
  const some = [
    { from: '1'.repeat(16), to: '3'.repeat(16) },
    { from: '5'.repeat(16), to: '7'.repeat(16) },
  ];
  const other = [{ from: '2'.repeat(16), to: '6'.repeat(16) }];
  expect(commonArcs(some, other)).toEqual([
    { from: '2'.repeat(16), to: '3'.repeat(16) },
    { from: '5'.repeat(16), to: '6'.repeat(16) },
  ]);
  expect(commonArcs(other, some)).toEqual(commonArcs(some, other));
});
