/** When a document is written down whole: whoever opens it has little to fold, and readers get little of that. */
import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import { type Json, World } from './harness.js';

const channel = 'doc:cells';
/** Of an entry beyond its payload, at most: what the rest of its record and of its content takes. */
const aroundPayload = 128;

async function entries(world: World): Promise<Json[]> {
  const session = world.connect();
  const all: Json[] = [];
  for (let cursor: string | undefined; ;) {
    const { history } = await session.ask({
      history: { channel, limit: 1_000, ...(cursor === undefined ? {} : { cursor }) },
    });
    all.push(...history.entries);
    if (!history.more) return all;
    ({ cursor } = history);
  }
}

const kindsOf = (all: readonly Json[]): string[] => all.map(({ kind }) => kind);

async function put(world: World, cell: number, value: string): Promise<void> {
  const patch = [{ op: 'add', path: `/${cell}`, value }];
  expect(await world.connect().publish(channel, patch, { kind: 'patch' })).toHaveProperty('ack');
}

/** Snapshots that came too soon, and entries before which one was due. `most`: what the document ever has. */
function misplaced(all: readonly Json[], most: number): number[] {
  const wrong: number[] = [];
  let cost = 0;
  for (const [at, { kind, data }] of all.entries()) {
    const bytes = JSON.stringify(data).length;
    const due = (size: number) => Math.max(limits.snapshotAfterCost, limits.snapshotAfterSizes * size);
    if (kind === 'snapshot') {
      if (cost <= due(bytes) * limits.lastSnapshotShare) wrong.push(at);
      cost = 0;
    } else {
      // The entry that makes one due is the last before it.
      if (cost >= due(most) + aroundPayload) wrong.push(at);
      cost += bytes + limits.foldedEntryCost + aroundPayload;
    }
  }
  return wrong;
}

const read = async (world: World): Promise<Json> =>
  (await world.connect().ask({ documentGet: { channel } })).document;

test('a node that stops writes down what would take long to fold, once, and nothing else', async () => {
  const world = await World.start();
  await put(world, 0, 'a little');
  await world.restart();
  expect(kindsOf(await entries(world))).toEqual(['patch']);
  const some = Math.ceil((limits.lastSnapshotShare * limits.snapshotAfterCost) / limits.foldedEntryCost);
  for (let i = 0; i < some; i++) await put(world, i % 4, `${i}`);
  const before = await read(world);
  expect(kindsOf(await entries(world))).not.toContain('snapshot');
  await world.restart();
  expect(kindsOf(await entries(world)).at(-1)).toBe('snapshot');
  expect(await read(world)).toMatchObject({ version: some + 1, hash: before.hash });
  await world.restart();
  expect(kindsOf(await entries(world)).filter((kind) => kind === 'snapshot')).toHaveLength(1);
});

test('what had left memory and came back is written down as it is by then', async () => {
  const world = await World.start();
  for (let i = 0; i < 100; i++) await put(world, 0, `${i}`);
  await world.pass(2 * limits.channelIdleMs);
  expect(world.engine.status().channelsInMemory).toBe(0);
  for (let i = 100; i < 105; i++) await put(world, 0, `${i}`);
  await world.restart();
  const kinds = kindsOf(await entries(world));
  expect(kinds.filter((kind) => kind === 'snapshot')).toHaveLength(1);
  expect(kinds.at(-1)).toBe('snapshot');
  expect(await read(world)).toMatchObject({ version: 105, value: { 0: '104' } });
  expect(world.observations.map(({ type }) => type)).not.toContain('store-reopened');
});

test.each([1, 2, 3, 4, 5, 6])(
  'seed %i: through stops and crashes a document is what was made of it, and never far from a snapshot',
  async (seed) => {
    const random = seededRandom(seed);
    const upTo = (n: number) => Math.floor(random.next() * n);
    const world = await World.start({ seed });
    const cells = new Map<string, string>();
    const longest = 40 + upTo(4_000);
    for (let life = 0; life < 4; life++) {
      for (let i = 60 + upTo(200); i > 0; i--) {
        const cell = upTo(12);
        const value = 'x'.repeat(upTo(longest));
        cells.set(String(cell), value);
        await put(world, cell, value);
      }
      if (upTo(2) === 0) await world.restart();
      else await world.crash();
      expect((await read(world)).value).toEqual(Object.fromEntries(cells));
    }
    const all = await entries(world);
    expect(kindsOf(all)).toContain('snapshot');
    expect(misplaced(all, 12 * longest)).toEqual([]);
  },
);
