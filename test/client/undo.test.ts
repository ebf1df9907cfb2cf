/** Own changes of a document that are taken back, while others change it too. */
import { expect, test } from 'vitest';
import type { PatchOperation } from '../../src/client/documents.js';
import { RinglogError } from '../../src/client/error.js';
import { listAt, noGap, setUp, turn, writer } from './document-world.js';

/** A list that one holds; `own` makes a change and has it delivered, `theirs` is one of somebody else. */
async function holding(...values: unknown[]) {
  const world = setUp();
  world.fetches[0]!.resolve(listAt(values.length, 0, ...values));
  const document = await world.opened;
  let seq = 0;
  const delivered = async () => {
    const sent = world.sent.at(-1)!;
    sent.acked({ writer, seq: ++seq });
    await turn();
    world.add(1_000 + seq, 'a', sent.key, { operations: sent.operations });
  };
  const own = async (...operations: PatchOperation[]) => {
    void document.change(operations);
    await delivered();
  };
  const undone = async () => {
    void document.undo();
    await delivered();
    return document.value as unknown;
  };
  let others = 0;
  const theirs = (...operations: PatchOperation[]) => world.add(++others, '0', undefined, { operations });
  return { ...world, document, own, theirs, delivered, undone };
}

const text = (at: number, remove: number, insert: string): PatchOperation => ({
  op: 'splice',
  path: '/0',
  at,
  remove,
  insert,
});

test('what others put into a list before an own item is no item that undo takes out', async () => {
  const { own, theirs, undone, sent } = await holding(1);
  await own({ op: 'add', path: '/0', value: 100 });
  theirs({ op: 'add', path: '/0', value: 200 });
  expect(await undone()).toEqual([200, 1]);
  expect(sent[1]!.operations).toEqual([
    { op: 'test', path: '/1', value: 100 },
    { op: 'remove', path: '/1' },
  ]);
});

test('a place in a text is shifted by what others wrote before it, and what they wrote behind it stays', async () => {
  const { own, theirs, undone } = await holding('one two');
  await own(text(4, 3, 'three'));
  theirs(text(0, 0, 'zero '));
  theirs(text(14, 0, ' four'));
  expect(await undone()).toEqual(['zero one two four']);
});

test('paths are shifted by what others put in, take out and move above them', async () => {
  const { own, theirs, undone } = await holding({ n: 1 }, 'a', 'b');
  await own({ op: 'replace', path: '/0/n', value: 2 });
  theirs({ op: 'add', path: '/0', value: 'c' }, { op: 'move', from: '/3', path: '/0' });
  theirs({ op: 'remove', path: '/3' });
  expect(await undone()).toEqual(['b', 'c', { n: 1 }]);
});

test('what an own change took out comes back where its neighbours are now', async () => {
  const { own, theirs, undone } = await holding(1, 2, 3);
  await own({ op: 'remove', path: '/1' });
  theirs({ op: 'add', path: '/0', value: 0 });
  theirs({ op: 'add', path: '/-', value: 4 });
  expect(await undone()).toEqual([0, 1, 2, 3, 4]);
});

test('a change of several operations, with moves and copies, is taken back as one', async () => {
  const { own, theirs, undone } = await holding({ a: 1 }, 2);
  await own(
    { op: 'copy', from: '/0', path: '/-' },
    { op: 'move', from: '/0/a', path: '/0/b' },
    { op: 'add', path: '/0/b', value: [3] },
    { op: 'test', path: '/1', value: 2 },
    { op: 'add', path: '/1', value: 'x' },
  );
  theirs({ op: 'add', path: '/2', value: 'theirs' });
  expect(await undone()).toEqual([{ a: 1 }, 'theirs', 2]);
});

test.each<[string, unknown[], PatchOperation, PatchOperation]>([
  ['in what it put in', [], { op: 'add', path: '/0', value: {} }, { op: 'add', path: '/0/n', value: 1 }],
  ['what it set', [1], { op: 'replace', path: '/0', value: 2 }, { op: 'replace', path: '/0', value: 3 }],
  ['what it put in, and it is gone', [], { op: 'add', path: '/0', value: 1 }, { op: 'remove', path: '/0' }],
  ['within what it wrote', ['ab'], text(1, 0, 'xyz'), text(2, 1, 'theirs')],
])(
  'where others changed %s, undo is refused, touches nothing, and can be said again',
  async (_, from, mine, over) => {
    const { own, theirs, document, sent } = await holding(...from);
    await own(mine);
    theirs(over);
    const before = document.json;
    for (let i = 0; i < 2; i++) {
      const refused = { code: 'PATCH_FAILED', reason: 'test-failed' };
      expect(() => document.undo()).toThrow(expect.objectContaining(refused) as Error);
    }
    expect([document.json, sent.length]).toEqual([before, 1]);
  },
);

test('one undo after the other goes a change further back, and none of them is undone', async () => {
  const { own, undone, document } = await holding();
  for (const value of [1, 2, 3]) await own({ op: 'add', path: '/-', value });
  expect([await undone(), await undone(), await undone()]).toEqual([[1, 2], [1], []]);
  expect(document.undo()).toBeUndefined();
});

test('changes of one place are undone one by one, and what others did between them stays where it belongs', async () => {
  const { own, theirs, undone } = await holding('ab');
  await own(text(1, 0, 'x'));
  theirs(text(3, 0, '!'));
  await own(text(1, 1, 'longer'));
  theirs(text(0, 0, '> '));
  await own({ op: 'replace', path: '/0', value: 'none' });
  expect([await undone(), await undone(), await undone()]).toEqual([['> alongerb!'], ['> axb!'], ['> ab!']]);
});

test('an undo that is refused leaves the change to be undone', async () => {
  const { own, theirs, document, sent, undone } = await holding(1);
  await own({ op: 'add', path: '/0', value: 100 });
  const refused = document.undo();
  // Somebody was first.
  theirs({ op: 'add', path: '/0', value: 200 });
  const error = new RinglogError({ code: 'PATCH_FAILED', outcome: 'rejected', message: 'No.' });
  sent[1]!.refused(error);
  await expect(refused).rejects.toBe(error);
  expect(document.value).toEqual([200, 100, 1]);
  expect(await undone()).toEqual([200, 1]);
});

test('an undo that is void where it is ordered leaves the change to be undone', async () => {
  const { own, theirs, document, delivered, undone } = await holding(1);
  await own({ op: 'add', path: '/0', value: 100 });
  void document.undo();
  theirs({ op: 'add', path: '/0', value: 200 });
  await delivered();
  expect(document.value).toEqual([200, 100, 1]);
  expect(await undone()).toEqual([200, 1]);
});

test('undo takes the newest own change, also one that is on its way, and then the one before it', async () => {
  const { own, theirs, document, sent, add } = await holding();
  await own({ op: 'add', path: '/-', value: 1 });
  void document.change([{ op: 'add', path: '/0', value: 2 }]);
  expect(document.value).toEqual([2, 1]);
  void document.undo();
  expect(document.value).toEqual([1]);
  void document.undo();
  expect(document.value).toEqual([]);
  expect(document.undo()).toBeUndefined();
  for (const [i, { key, operations }] of sent.slice(1).entries()) add(i + 2, 'a', key, { operations });
  theirs({ op: 'add', path: '/0', value: 3 });
  expect([document.value, document.pending, document.undo()]).toEqual([[3], 0, undefined]);
});

test('what an interruption leaves of a document is what an undo is moved by', async () => {
  const { own, document, hear, fetches } = await holding(1);
  await own({ op: 'add', path: '/0', value: 100 });
  hear('gap', noGap);
  fetches[1]!.resolve(listAt(4, 0, 5, 6, 100, 1));
  await turn();
  void document.undo();
  expect(document.value).toEqual([5, 6, 1]);
});

test('what is too long to be tested is held to the version, and waits for own changes on their way', async () => {
  const { own, document, sent } = await holding('a'.repeat(70_000));
  await own(text(0, 0, 'x'));
  void document.change([{ op: 'add', path: '/-', value: 1 }]);
  void document.undo();
  const reason = { code: 'PATCH_FAILED', reason: 'too-large' };
  expect(() => document.undo()).toThrow(expect.objectContaining(reason) as Error);
  expect(sent).toHaveLength(3);
  const again = await holding('a'.repeat(70_000));
  await again.own(text(0, 0, 'x'));
  expect(await again.undone()).toEqual(['a'.repeat(70_000)]);
  expect(again.sent[1]).toMatchObject({ ifVersion: 2, operations: [{ op: 'splice' }] });
});
