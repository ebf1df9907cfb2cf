/** What one holder of a document is shown of it: places in it, types, its past, and what comes while nobody can tell it whole. */
import { expect, test } from 'vitest';
import { RinglogError, ownError } from '../../src/client/error.js';
import type { SharedDocumentOptions } from '../../src/client/shared-document-options.js';
import { list, listAt, listBy, message, noGap, setUp, turn, writer } from './document-world.js';

async function opened(options: SharedDocumentOptions<number[]> = {}, ...values: number[]) {
  const world = setUp(options);
  world.fetches[0]!.resolve(list(...values));
  const document = await world.opened;
  const refused: unknown[] = [];
  document.on('refused', ({ code, reason, id }) => refused.push([code, reason, id]));
  return { ...world, document, refused };
}

test('who watches a place is told when the value there is another one, and of nothing else', async () => {
  const { document, add, hear, fetches, sent } = await opened({}, 1, 2);
  const [first, third, whole]: [unknown[], unknown[], unknown[]] = [[], [], []];
  const end = document.watch('/0', (change) => first.push(change));
  document.watch('/2', ({ value, isOwn }) => third.push([value, isOwn]));
  document.watch('', ({ value }) => whole.push(value));
  add(3);
  add(4, '0', undefined, { operations: [{ op: 'replace', path: '/0', value: 9 }] });
  void document.change([{ op: 'remove', path: '/2' }]);
  expect(first).toEqual([{ value: 9, version: 4, isOwn: false }]);
  expect(third).toEqual([
    [3, false],
    [undefined, true],
  ]);
  expect(whole).toEqual([
    [1, 2, 3],
    [9, 2, 3],
    [9, 2],
  ]);
  // Told whole, and as it was: nobody is told anything.
  add(5, 'a', sent[0]!.key, { operations: [{ op: 'remove', path: '/2' }] });
  hear('gap', noGap);
  fetches[1]!.resolve(list(9, 2));
  await turn();
  expect([first.length, third.length, whole.length]).toEqual([1, 2, 3]);
  end();
  add(6, '0', undefined, { operations: [{ op: 'replace', path: '/0', value: 1 }] });
  expect([first.length, whole.length]).toEqual([1, 4]);
  expect(() => document.watch('0', () => undefined)).toThrow('pointer');
});

test('an own change that would not be of the type is not sent; where others made it none, it can be put right', async () => {
  const parse = (value: unknown): number[] => {
    if (!Array.isArray(value) || value.some((each) => typeof each !== 'number'))
      throw new TypeError('no list of numbers');
    return value as number[];
  };
  const { document, add, sent } = await opened({ parse }, 1);
  expect(() => void document.change([{ op: 'add', path: '/-', value: 'two' }])).toThrow('no list of numbers');
  expect([document.value, document.pending, sent.length]).toEqual([[1], 0, 0]);
  void document.change([{ op: 'add', path: '/-', value: 2 }]);
  expect([document.value, sent.length]).toEqual([[1, 2], 1]);
  add(7, '0', undefined, { operations: [{ op: 'replace', path: '/0', value: ['a', 'b'] }] });
  expect(() => document.value).toThrow('no list of numbers');
  void document.change([{ op: 'remove', path: '/0/1' }]);
  void document.change([{ op: 'replace', path: '/0', value: 3 }]);
  expect(document.value).toEqual([3, 2]);
  expect(sent).toHaveLength(3);
});

test('own changes make parents that are missing, where the rules are known to say so', async () => {
  const { opened: opening, fetches, add, sent } = setUp();
  fetches[0]!.resolve(listBy({ createParents: true }, 1, 0, {}));
  const document = await opening;
  const put = (path: string) => document.change([{ op: 'add', path, value: 1 }]);
  void put('/0/a/b');
  add(2, '0', sent[0]!.key, { operations: sent[0]!.operations, createParents: true });
  void put('/0/c/d');
  expect(document.value).toEqual([{ a: { b: 1 }, c: { d: 1 } }]);
  // Somebody's patch was taken by other rules: own ones are shown by these, until the order has them.
  add(3, '0', undefined, { operations: [{ op: 'add', path: '/-', value: 2 }] });
  expect(document.value).toEqual([{ a: { b: 1 } }, 2]);
  expect(() => void put('/0/e/f')).toThrow('nothing at "e"');
  add(4, '0', sent[1]!.key, { operations: sent[1]!.operations, createParents: true });
  expect(document.value).toEqual([{ a: { b: 1 }, c: { d: 1 } }, 2]);
  expect(document.pending).toBe(0);
});

test('one that begins in the past is what it was then, and plays what came since', async () => {
  const { opened: opening, fetches, starts, hear, add } = setUp({ at: new Date(7) });
  expect(fetches.map(({ at }) => at)).toEqual([new Date(7)]);
  fetches[0]!.resolve(list(1));
  await turn();
  expect(starts).toEqual([{ cursor: '' }]);
  hear('subscribed', { cursor: '', resumed: false });
  // What came since is there in the same turn: it waits for who opened it.
  add(2);
  const document = await opening;
  const played: unknown[] = [];
  document.on('change', ({ version }) => played.push([version, document.value]));
  expect([document.version, document.value]).toEqual([1, [1]]);
  await turn();
  add(3);
  expect(played).toEqual([
    [2, [1, 2]],
    [3, [1, 2, 3]],
  ]);
  // Its past is over: an interruption is none of it.
  hear('subscribed', { cursor: 'behind 3', resumed: true });
  expect([fetches.length, document.value]).toEqual([1, [1, 2, 3]]);
});

test('one that begins in the past has what it plays before it hears that the order is another one', async () => {
  const { opened: opening, fetches, hear, add } = setUp({ at: new Date(7) });
  fetches[0]!.resolve(list(1));
  await turn();
  hear('subscribed', { cursor: '', resumed: false });
  add(2);
  hear('rebase', list(1, 9, 2));
  add(3);
  const document = await opening;
  await turn();
  expect(document.value).toEqual([1, 9, 2, 3]);
});

test('a document becomes what it was by a change of its own', async () => {
  const { document, fetches, sent, add } = await opened({}, 1, 2, 3);
  const reverted = document.revert(new Date(7));
  fetches[1]!.resolve(list(1, 2));
  await turn();
  expect([document.value, document.version]).toEqual([[1, 2], 3]);
  expect(sent.map(({ operations }) => operations)).toEqual([[{ op: 'remove', path: '/2' }]]);
  sent[0]!.acked({ writer, seq: 4 });
  expect(await reverted).toMatchObject({ level: 'quorum' });
  add(4, 'a', sent[0]!.key, { operations: sent[0]!.operations });
  const again = document.revert('place');
  fetches[2]!.resolve(list(1, 2));
  expect(await again).toBeUndefined();
  expect(sent).toHaveLength(1);
});

test('a document does not become what it was over what others change meanwhile: it is tried again, a few times', async () => {
  const { document, fetches, sent, add, refused, timers, timePasses } = await opened({}, 1, 2, 3);
  const mismatch = new RinglogError({ code: 'VERSION_MISMATCH', outcome: 'rejected', message: 'No.' });
  const reverted = document.revert(new Date(7));
  fetches[1]!.resolve(list(1, 2));
  await turn();
  sent[0]!.refused(mismatch);
  await turn();
  expect([sent.length, document.value]).toEqual([1, [1, 2, 3]]);
  add(4, '0', undefined, { operations: [{ op: 'add', path: '/0', value: 0 }] });
  await turn();
  expect(sent.map(({ ifVersion }) => ifVersion)).toEqual([3, 4]);
  expect([timers.size, document.value]).toEqual([0, [1, 2]]);
  // Nobody says who was first.
  for (let attempt = 1; attempt <= 3; attempt++) {
    sent[attempt]!.refused(mismatch);
    await turn();
    timePasses();
    await turn();
  }
  sent[4]!.refused(mismatch);
  await expect(reverted).rejects.toBe(mismatch);
  expect([sent.length, document.value, refused]).toEqual([5, [0, 1, 2, 3], []]);
});

test('a document becomes what it was once no own change is on its way', async () => {
  const { document, fetches, sent, add } = await opened({}, 1);
  void document.change([{ op: 'add', path: '/-', value: 2 }]);
  void document.revert(new Date(7));
  fetches[1]!.resolve(list(1));
  await turn();
  expect([sent.length, document.value]).toEqual([1, [1, 2]]);
  add(2, 'a', sent[0]!.key);
  await turn();
  expect([sent[1]!.ifVersion, document.value]).toEqual([2, [1]]);
});

test('while no node can tell what the document is, what comes is shown on top of what there was, and said to be tentative', async () => {
  const { document, fetches, add, hear, sent } = await opened({}, 1);
  const told: boolean[] = [];
  document.on('tentative', (isTentative) => told.push(isTentative));
  add(2);
  add(3, '1');
  // Another node, which does not have all that was delivered.
  hear('subscribed', { cursor: 'behind 3', resumed: true });
  expect([document.isTentative, document.value]).toEqual([true, [1, 2, 3]]);
  add(4);
  void document.change([{ op: 'add', path: '/-', value: 5 }]);
  expect(document.value).toEqual([1, 2, 3, 4, 5]);
  add(5, 'a', sent[0]!.key);
  // Once.
  expect([document.value, document.pending]).toEqual([[1, 2, 3, 4, 5], 1]);
  fetches[1]!.reject(ownError('TIMEOUT'));
  await turn();
  expect([document.isTentative, fetches.length]).toEqual([true, 3]);
  add(6);
  expect(document.value).toEqual([1, 2, 3, 4, 5, 6]);
  fetches[2]!.resolve(list(2, 1, 3, 4, 5));
  await turn();
  expect([document.isTentative, document.value, document.pending]).toEqual([false, [2, 1, 3, 4, 5, 6], 0]);
  expect(told).toEqual([true, false]);
});

test('what comes late is shown as it comes, until the document is told anew', async () => {
  const { document, hear, add, sent } = await opened({}, 1);
  void document.change([{ op: 'add', path: '/-', value: 7 }]);
  add(2, '1', undefined, { late: true });
  add(7, 'a', sent[0]!.key);
  expect([document.isTentative, document.value, document.pending]).toEqual([true, [1, 2, 7], 0]);
  hear('rebase', list(2, 1, 7));
  expect([document.isTentative, document.value]).toEqual([false, [2, 1, 7]]);
});

test('an own change that took effect and is void in the order that lasts is told to its author', async () => {
  const { document, refused, hear, add, sent, looks } = await opened({}, 1, 2);
  const own = [
    { op: 'test', path: '/1', value: 2 },
    { op: 'replace', path: '/0', value: 9 },
  ] as const;
  void document.change(own);
  void document.change([{ op: 'add', path: '/-', value: 5 }]);
  void document.change([{ op: 'add', path: '/-', value: 6 }]);
  sent[0]!.acked({ writer, seq: 1 }, 'owner');
  sent[2]!.acked({ writer, seq: 3 }, 'quorum');
  await turn();
  add(1, 'a', sent[0]!.key, { operations: own });
  add(2, 'a', sent[1]!.key, { operations: [{ op: 'add', path: '/-', value: 5 }] });
  // Acknowledged after it was delivered.
  sent[1]!.acked({ writer, seq: 2 }, 'owner');
  add(3, 'a', sent[2]!.key, { operations: [{ op: 'add', path: '/-', value: 6 }] });
  await turn();
  expect([document.value, document.pending, refused]).toEqual([[9, 2, 5, 6], 0, []]);
  // Somebody else had changed what it tests.
  hear('rebase', listAt(5, 1, 1, 3, 5, 6));
  expect(looks.map(({ asked }) => asked)).toEqual(['all ']);
  const replaced = { operations: [{ op: 'replace', path: '/1', value: 3 } as const] };
  looks[0]!.resolve({
    messages: [
      message(1, '1', undefined, replaced),
      message(1, 'a', sent[0]!.key, { operations: own }),
      message(2, 'a', sent[1]!.key, { operations: [{ op: 'add', path: '/-', value: 5 }] }),
      message(3, 'a', sent[2]!.key, { operations: [{ op: 'add', path: '/-', value: 6 }] }),
    ],
  });
  await turn();
  expect(document.value).toEqual([1, 3, 5, 6]);
  expect(refused).toEqual([['PATCH_FAILED', 'test-failed', `${writer}-1`]]);
  // It is not among those that are undone.
  void document.undo();
  void document.undo();
  expect([document.value, document.undo()]).toEqual([[1, 3], undefined]);
  // They were judged: nobody asks again.
  hear('rebase', listAt(7, 1, 1, 3));
  expect(looks).toHaveLength(1);
});

test('one on its way that is void in what the document is told to be does not stay in sight', async () => {
  const { document, refused, hear, sent, looks } = await opened({}, 1, 2);
  const own = [{ op: 'replace', path: '/1', value: 9 }] as const;
  void document.change(own);
  sent[0]!.acked({ writer, seq: 1 }, 'owner');
  await turn();
  hear('rebase', listAt(3, 1, 1));
  const messages = [
    message(1, '1', undefined, { operations: [{ op: 'remove', path: '/1' }] }),
    message(1, 'a', sent[0]!.key, { operations: own }),
  ];
  looks[0]!.resolve({ messages });
  await turn();
  expect([document.pending, refused]).toEqual([0, [['PATCH_FAILED', 'not-found', `${writer}-1`]]]);
});

test('an own change that took effect and that no home can read any more is told to its author', async () => {
  const { document, refused, hear, add, sent, looks } = await opened({}, 1);
  void document.change([{ op: 'add', path: '/-', value: 2 }]);
  sent[0]!.acked({ writer, seq: 1 }, 'owner');
  await turn();
  add(1, 'a', sent[0]!.key, { operations: [{ op: 'add', path: '/-', value: 2 }] });
  hear('rebase', listAt(2, 0, 1, 3));
  const ranges = [{ writer, fromSeq: 1, toSeq: 1 }];
  looks[0]!.resolve({ gaps: [{ reason: 'damaged', ranges }], messages: [message(3, '1')] });
  await turn();
  expect([document.value, refused]).toEqual([[1, 3], [['LOST', undefined, `${writer}-1`]]]);
});

test('an own change is asked for where the document is told of a place before it: nobody else may know that it went (seed 1132)', async () => {
  const { document, refused, hear, add, sent, looks } = await opened({}, 1);
  for (const [at, value] of [2, 3].entries()) {
    void document.change([{ op: 'add', path: '/-', value }]);
    sent[at]!.acked({ writer, seq: at + 1 }, 'owner');
    await turn();
    add(at + 1, 'a', sent[at]!.key, { operations: [{ op: 'add', path: '/-', value }] });
  }
  hear('rebase', listAt(1, 0, 1));
  await turn();
  looks[0]!.resolve({ gaps: [{ reason: 'lost', ranges: [{ writer, fromSeq: 1, toSeq: 1 }] }] });
  await turn();
  looks[1]!.resolve({});
  await turn();
  expect(looks.map(({ asked }) => asked)).toEqual(['1 newest', '2 newest']);
  expect(refused).toEqual([['LOST', undefined, `${writer}-1`]]);
  // The other one comes, and is void there.
  hear('rebase', listAt(1, 1, 1));
  await turn();
  expect(looks.map(({ asked }) => asked).slice(2)).toEqual(['all ']);
  const operations = [{ op: 'replace', path: '/5', value: 3 }] as const;
  looks[2]!.resolve({ messages: [message(2, 'a', sent[1]!.key, { operations })] });
  await turn();
  expect(refused.slice(1)).toEqual([['PATCH_FAILED', 'not-found', `${writer}-2`]]);
});

test('what is known of some own changes is told though nobody says what became of another', async () => {
  const { document, refused, hear, add, sent, looks } = await opened({}, 1);
  const change = async (value: number, at: number): Promise<void> => {
    void document.change([{ op: 'add', path: '/-', value }]);
    sent[at - 1]!.acked({ writer, seq: at }, 'owner');
    await turn();
    add(at, 'a', sent[at - 1]!.key, { operations: [{ op: 'add', path: '/-', value }] });
  };
  await change(2, 1);
  await change(3, 2);
  hear('rebase', listAt(1, 1, 1));
  await turn();
  const operations = [{ op: 'replace', path: '/5', value: 2 }] as const;
  looks[0]!.resolve({ messages: [message(1, 'a', sent[0]!.key, { operations })] });
  await turn();
  looks[1]!.reject(ownError('TIMEOUT', 'rejected'));
  await turn();
  expect(refused).toEqual([['PATCH_FAILED', 'not-found', `${writer}-1`]]);
});

test('an own change that took effect and went with its disk is told to its author', async () => {
  const { document, refused, hear, add, sent, fetches, looks } = await opened({}, 1);
  void document.change([{ op: 'add', path: '/-', value: 2 }]);
  sent[0]!.acked({ writer, seq: 2 }, 'owner');
  await turn();
  add(2, 'a', sent[0]!.key);
  hear('gap', { reason: 'lost', ranges: [{ writer, fromSeq: 1, toSeq: 2 }] });
  fetches[1]!.resolve(list(1));
  await turn();
  expect([document.value, document.undo()]).toEqual([[1], undefined]);
  expect(refused).toEqual([['LOST', undefined, `${writer}-2`]]);
  expect(looks).toEqual([]);
});

test('where retention has removed what came between, or nobody answers, nothing is said of own changes', async () => {
  for (const answer of ['trimmed', 'none'] as const) {
    const { document, refused, hear, add, sent, looks } = await opened({}, 1);
    void document.change([{ op: 'add', path: '/-', value: 2 }]);
    sent[0]!.acked({ writer, seq: 1 }, 'owner');
    await turn();
    add(2, 'a', sent[0]!.key);
    hear('rebase', listAt(1, 1, 1));
    if (answer === 'none') looks[0]!.reject(ownError('TIMEOUT'));
    else looks[0]!.resolve({ gaps: [{ reason: 'trimmed' }] });
    await turn();
    expect([document.value, refused]).toEqual([[1], []]);
  }
});
