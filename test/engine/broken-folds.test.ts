/** A bug that the entries of one channel run into: whoever asked for something there is told, the operator too, and everybody
 *  else goes on. */
import { afterEach, expect, test, vi } from 'vitest';
import { type Json, type TestSession, World, admin } from './harness.js';

type Breakable = 'change' | 'publish' | 'patch' | 'snapshot' | 'reading';
let broken: Breakable | undefined;

function run(what: string): void {
  if (what === broken) throw new TypeError(`a bug of ${what}`);
}

vi.mock(import('../../src/documents/fold.js'), async (original) => {
  const real = await original();
  return {
    ...real,
    foldChange: (...args) => (run('change'), real.foldChange(...args)),
    foldEntry: (...args) => (run(args[1].kind), real.foldEntry(...args)),
  };
});
vi.mock(import('../../src/documents/snapshot.js'), async (original) => {
  const real = await original();
  return { ...real, snapshotOf: (fold) => (run('snapshot'), real.snapshotOf(fold)) };
});
vi.mock(import('../../src/notifications/fold.js'), async (original) => {
  const real = await original();
  return { ...real, foldInbox: (...args) => (run('reading'), real.foldInbox(...args)) };
});

afterEach(() => (broken = undefined));

const channel = 'doc:plan';
const put = (session: TestSession, value: unknown, to = channel): Promise<Json> =>
  session.publish(to, [{ op: 'add', path: '/a', value }], { kind: 'patch' });
const get = (session: TestSession): Promise<Json> => session.ask({ documentGet: { channel } });

const told = (world: World): string[] =>
  world.observations.flatMap((seen) => (seen.type === 'alarm' ? [`${seen.code} ${seen.message}`] : []));

/** That nobody else was concerned. */
async function isContained(world: World, sessions: readonly TestSession[], place = channel): Promise<void> {
  expect(told(world)[0]).toMatch(new RegExp(`^INTERNAL default/${place}: TypeError: a bug of`));
  expect(world.observations.some(({ type }) => type === 'store-reopened')).toBe(false);
  for (const session of sessions) expect(session.closed).toBeUndefined();
  const [session] = sessions as [TestSession];
  expect((await put(session, 1, 'doc:other')).ack).toMatchObject({ version: 1 });
}

test('a patch that cannot be judged is refused alone', async () => {
  const world = await World.start();
  const [ada, bob] = [world.connect(), world.connect()];
  await put(ada, 1);
  broken = 'change';
  const refused = (await put(bob, 2)).error;
  expect(refused).toMatchObject({ code: 'INTERNAL', outcome: 'rejected', channel });
  broken = undefined;
  await isContained(world, [ada, bob]);
  expect((await put(bob, 3)).ack).toMatchObject({ version: 2 });
  const { history } = await ada.ask({ history: { channel } });
  expect(history.entries).toHaveLength(2);
});

test('an entry that cannot be folded is written, and what goes by it waits for who can', async () => {
  const world = await World.start();
  const [ada, bob] = [world.connect(), world.connect()];
  await put(ada, 1);
  broken = 'publish';
  expect(await bob.publish(channel, 'hello')).toHaveProperty('ack');
  expect((await put(ada, 2)).error).toMatchObject({ code: 'INTERNAL', outcome: 'rejected', channel });
  expect((await get(bob)).error).toMatchObject({ code: 'INTERNAL', channel });
  broken = undefined;
  await isContained(world, [ada, bob]);
  expect((await put(ada, 3)).ack).toMatchObject({ version: 2 });
  expect((await get(bob)).document).toMatchObject({ version: 2, value: { a: 3 } });
});

test('a snapshot that cannot be made is left out, and not asked for with every entry', async () => {
  const world = await World.start();
  const ada = world.connect();
  broken = 'snapshot';
  for (let i = 0; i < 40; i++) expect(await put(ada, 'x'.repeat(8_000) + i)).toHaveProperty('ack');
  const { length } = told(world);
  expect(length).toBeGreaterThan(0);
  expect(length).toBeLessThan(20);
  broken = undefined;
  await isContained(world, [ada]);
  expect((await get(ada)).document.version).toBe(40);
});

test('an inbox that cannot be counted is told of once it can', async () => {
  const inbox = 'notification:alerts';
  const world = await World.start();
  const [service, bob] = [world.connect({ principal: admin }), world.connect()];
  await bob.subscribe(inbox);
  broken = 'reading';
  const create = (title: string) => service.publish(inbox, { title }, { kind: 'notification' });
  const first = await create('One');
  expect(first).toHaveProperty('ack');
  broken = undefined;
  await create('Two');
  await isContained(world, [service, bob], inbox);
  const infos = bob.messages.flatMap(({ notificationInfo }: Json) => notificationInfo ?? []);
  expect(infos.at(-1)).toMatchObject({ unread: 2 });
});
