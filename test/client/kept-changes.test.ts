/** What is kept until it has an outcome: changes of a document while there is no connection, and over a restart of the application. */
import { expect, test } from 'vitest';
import { SharedDocument } from '../../src/client/documents-entry.js';
import { RinglogError, ownError } from '../../src/client/error.js';
import type { PatchOperation } from '../../src/client/index.js';
import type { Found } from '../../src/client/publish-item.js';
import type { QueuedChanges } from '../../src/client/queued-changes.js';
import { list, setUp, turn } from './document-world.js';
import { connected, newFolder, start } from './real-nodes.js';
import { World, errorOf } from './world.js';

const minutesMs = 60_000;
const change = (value: unknown): PatchOperation[] => [{ op: 'add', path: '/-', value }];

/** A client whose kept patches are looked for by hand. */
async function keeping() {
  const world = new World();
  const client = world.connect();
  await world.settle();
  const looks: ((found: Found) => void)[] = [];
  const keep = { look: () => new Promise<Found>((resolve) => looks.push(resolve)) };
  const patch = (value: unknown) => client.patch('doc:list', change(value), {}, keep);
  const written = () =>
    world.node.texts('doc:list').map((text) => (JSON.parse(text) as [{ value: number }])[0].value);
  const comeBack = async () => {
    world.unreachable = false;
    await world.pass(minutesMs);
  };
  return { world, client, looks, patch, written, comeBack };
}

test('what is kept and was never sent waits for the connection however long it takes; a plain publish does not', async () => {
  const { world, client, looks, patch, written, comeBack } = await keeping();
  world.unreachable = true;
  world.cut();
  const all = [patch(1), patch(2)];
  const plain = errorOf(client.publish('lobby', 'hello'));
  await world.pass(600 * minutesMs);
  expect(await plain).toMatchObject({ code: 'TIMEOUT', outcome: 'rejected' });
  expect(client.pending).toBe(2);
  await comeBack();
  await Promise.all(all);
  expect([written(), looks.length]).toEqual([[1, 2], 0]);
});

test('one that may have been written is sent again while its key is known, and no longer unseen', async () => {
  const { world, looks, patch, written, comeBack } = await keeping();
  const first = patch(1);
  await world.turn();
  world.step(world.wire!, 'node');
  world.unreachable = true;
  world.cut();
  await world.pass(5 * minutesMs);
  await comeBack();
  expect([await first, looks.length]).toMatchObject([{ duplicate: true }, 0]);
  const second = patch(2);
  const third = patch(3);
  await world.turn();
  world.step(world.wire!, 'node');
  world.unreachable = true;
  world.cut();
  await world.pass(20 * minutesMs);
  // The node does not know the keys any more.
  world.node.channels.get('doc:list')!.keys.clear();
  const fourth = patch(4);
  await comeBack();
  expect([written(), looks.length]).toEqual([[1, 2, 3], 1]);
  const ack = { type: 'ack', timestamp: 1, level: 'owner', copies: 1, count: 1, duplicate: true } as const;
  looks[0]!(ack);
  await world.pass(0);
  expect([await second, written(), looks.length]).toMatchObject([{ duplicate: true }, [1, 2, 3], 2]);
  looks[1]!(ack);
  await world.pass(0);
  await Promise.all([third, fourth]);
  expect(written()).toEqual([1, 2, 3, 4]);
});

test('one that is found nowhere is sent ahead of those that were made behind it, and one of which nobody can say ends', async () => {
  const { world, looks, patch, written, comeBack } = await keeping();
  const first = patch(1);
  const second = errorOf(patch(2));
  // They go, and do not arrive.
  await world.turn();
  world.unreachable = true;
  world.cut();
  const third = patch(3);
  await world.pass(20 * minutesMs);
  await comeBack();
  expect([written(), looks.length]).toEqual([[], 1]);
  looks[0]!('unwritten');
  await world.pass(0);
  expect([(await first).duplicate, written(), looks.length]).toEqual([false, [1], 2]);
  looks[1]!(new RinglogError({ code: 'INDETERMINATE', outcome: 'indeterminate', message: 'Who knows.' }));
  await world.pass(0);
  expect(await second).toMatchObject({ code: 'INDETERMINATE' });
  await third;
  expect(written()).toEqual([1, 3]);
});

test('what is let go ends as any publish', async () => {
  const { world, client, patch } = await keeping();
  world.unreachable = true;
  world.cut();
  const kept = errorOf(patch(1));
  await world.pass(10 * minutesMs);
  client.letGo('doc:list');
  await world.pass(minutesMs);
  expect(client.pending).toBe(1);
  await world.pass(2 * minutesMs);
  expect(await kept).toMatchObject({ code: 'TIMEOUT', outcome: 'rejected' });
});

test('more than the queue holds is refused, shown no longer, and told', async () => {
  const { node, document } = await onNode({ queueMessages: 2 });
  await node.stop();
  const refused: unknown[] = [];
  document.on('refused', ({ code }) => refused.push(code));
  const all = [1, 2, 3].map((value) => document.change(change(value)));
  expect(await errorOf(all[2]!)).toMatchObject({ code: 'QUEUE_FULL', outcome: 'rejected' });
  expect([document.value, document.pending, refused]).toEqual([[1, 2], 2, ['QUEUE_FULL']]);
  for (const each of all) each.catch(() => undefined);
});

/** A list on a real node, held by one that has a name. */
async function onNode(options: object = {}) {
  const folder = newFolder();
  const node = await start(folder);
  const client = connected({ url: node.url, publisherId: 'ada', ...options });
  await client.patch('doc:list', [{ op: 'replace', path: '', value: [] }]);
  const document = await SharedDocument.open<number[]>(client, 'doc:list');
  return { folder, node, client, document };
}

test('what was changed without a connection is stored by the application, and made once by the next one', async () => {
  const { folder, node, client, document } = await onNode();
  await document.change(change(0));
  const listen = new URL(node.url).host;
  await node.stop();
  for (const value of [1, 2]) document.change(change(value)).catch(() => undefined);
  const stored = JSON.stringify(document.queued());
  await client.close({ timeoutMs: 0 });
  const again = await start(folder, listen);
  const open = async () => {
    const next = connected({ url: again.url, publisherId: 'ada' });
    return SharedDocument.open<number[]>(next, 'doc:list');
  };
  const second = await open();
  expect(second.value).toEqual([0]);
  expect(await second.restore(JSON.parse(stored) as QueuedChanges)).toBe(2);
  expect(second.value).toEqual([0, 1, 2]);
  while (second.pending > 0) await turn();
  // It was not stored that they are done: they are found.
  const third = await open();
  const refused: unknown[] = [];
  third.on('refused', (error) => refused.push(error));
  expect(await third.restore(JSON.parse(stored) as QueuedChanges)).toBe(0);
  expect([third.value, third.version, third.pending, refused]).toEqual([[0, 1, 2], 4, 0, []]);
});

const queued: QueuedChanges = {
  channel: 'doc:list',
  publisherId: 'ada',
  changes: [1, 2, 3].map((value) => ({ key: `kept ${value}`, operations: change(value), from: 'then' })),
};

async function restoring(changes: QueuedChanges = queued) {
  const world = setUp();
  world.fetches[0]!.resolve(list());
  const document = await world.opened;
  const refused: unknown[] = [];
  document.on('refused', ({ code, outcome }) => refused.push([code, outcome]));
  const restored = document.restore(changes);
  await turn();
  return { ...world, document, refused, restored };
}

test('a stored change that the log has, however long ago, is not made again', async () => {
  const { document, looks, sent, restored } = await restoring();
  expect(looks.map(({ asked }) => asked)).toEqual(['all then']);
  expect([document.value, document.queued()]).toEqual([[], queued]);
  looks[0]!.reject(ownError('TIMEOUT'));
  await turn();
  looks[1]!.resolve({ keys: ['kept 1', 'kept 3'] });
  expect(await restored).toBe(1);
  expect(document.value).toEqual([2]);
  expect(sent.map(({ key }) => key)).toEqual(['kept 2']);
  expect(document.queued().changes.map(({ key, operations }) => [key, operations])).toEqual([
    ['kept 2', change(2)],
  ]);
});

test.each([
  [
    'the log does not reach back',
    (look: Look) => look.resolve({ gaps: [{ reason: 'trimmed', ranges: [] }] }),
  ],
  [
    'it may not be read',
    (look: Look) => look.reject(new RinglogError({ code: 'DENIED', outcome: 'rejected', message: 'No.' })),
  ],
])(
  'where %s nobody can say what became of a stored change: that is told, and it is not made',
  async (_, answer) => {
    const { document, looks, sent, restored, refused } = await restoring();
    answer(looks[0]!);
    expect(await restored).toBe(0);
    expect([document.value, sent]).toEqual([[], []]);
    expect(refused).toEqual([1, 2, 3].map(() => ['INDETERMINATE', 'indeterminate']));
  },
);

type Look = Awaited<ReturnType<typeof restoring>>['looks'][number];

test('a stored change that does not apply any more is told, and those behind it are made', async () => {
  const gone = { key: 'kept 0', operations: [{ op: 'remove', path: '/9' }], from: 'then' } as const;
  const { document, looks, refused, restored } = await restoring({
    ...queued,
    changes: [gone, ...queued.changes],
  });
  looks[0]!.resolve({});
  expect(await restored).toBe(3);
  expect([document.value, refused]).toEqual([[1, 2, 3], [['PATCH_FAILED', 'rejected']]]);
});

test('what is of another publisher or document is not taken', async () => {
  const { document, looks } = await restoring({ ...queued, changes: [] });
  for (const other of [{ publisherId: 'bob' }, { channel: 'doc:other' }])
    await expect(document.restore({ ...queued, ...other })).rejects.toMatchObject({ code: 'INVALID' });
  expect(looks).toEqual([]);
});
