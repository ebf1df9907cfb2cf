/** A document that several hold, as one of them sees it: what is fetched, what is delivered meanwhile, and what ends it. */
import { expect, test } from 'vitest';
import { RinglogError, ownError } from '../../src/client/error.js';
import { list, noGap, setUp, turn, writer } from './document-world.js';

test('what is delivered while the document is fetched comes on top of it', async () => {
  const { opened, fetches, add } = setUp();
  add(2);
  add(3);
  fetches[0]!.resolve(list(1));
  expect((await opened).value).toEqual([1, 2, 3]);
});

test('of several fetches the last one counts, with what came behind its place', async () => {
  const { opened, fetches, hear, add } = setUp();
  fetches[0]!.resolve(list(1));
  const document = await opened;
  hear('gap', noGap);
  add(2);
  hear('gap', noGap);
  add(3);
  expect(fetches.map(({ at }) => at)).toEqual(['start', 'start', 'behind 2']);
  fetches[2]!.resolve(list(1, 2));
  await turn();
  fetches[1]!.resolve(list(1));
  await turn();
  expect(document.value).toEqual([1, 2, 3]);
});

test('a rebase takes the place of a fetch that is under way', async () => {
  const { opened, fetches, hear, add } = setUp();
  fetches[0]!.resolve(list(1));
  const document = await opened;
  hear('gap', noGap);
  add(2);
  hear('rebase', list(1, 2, 9));
  add(3);
  fetches[1]!.resolve(list(1));
  await turn();
  expect(document.value).toEqual([1, 2, 9, 3]);
});

test('a document that comes too late is asked for again', async () => {
  const { opened, fetches } = setUp();
  fetches[0]!.reject(ownError('TIMEOUT'));
  await turn();
  fetches[1]!.resolve(list(1));
  expect((await opened).value).toEqual([1]);
});

test('one that may not be read is not followed', async () => {
  const { opened, fetches, subscription, add } = setUp();
  fetches[0]!.reject(new RinglogError({ code: 'DENIED', outcome: 'rejected', message: 'No.' }));
  await expect(opened).rejects.toMatchObject({ code: 'DENIED' });
  expect(subscription.state).toBe('closed');
  add(2);
});

test('more than a fetch is worth is dropped, and fetched anew from there', async () => {
  const { opened, fetches, add } = setUp();
  for (let i = 1; i <= 4_097; i++) add(i);
  expect(fetches.at(-1)!.at).toBe('behind 4097');
  add(4_098);
  fetches.at(-1)!.resolve(list(0));
  expect((await opened).value).toEqual([0, 4_098]);
});

test('what several wrote is fetched again once the connection was lost: the order may have it otherwise', async () => {
  const { opened, fetches, hear, add } = setUp();
  fetches[0]!.resolve(list(1));
  const document = await opened;
  add(2);
  hear('subscribed', { cursor: 'behind 2', resumed: true });
  add(3, '1');
  expect(fetches).toHaveLength(1);
  hear('subscribed', { cursor: 'behind 3', resumed: true });
  fetches[1]!.resolve(list(1, 3, 2));
  await turn();
  expect(document.value).toEqual([1, 3, 2]);
  hear('subscribed', { cursor: 'behind 3', resumed: true });
  expect(fetches).toHaveLength(2);
});

test('where retention went past the place it is fetched of, it is fetched of the next one', async () => {
  const gone = () => new RinglogError({ code: 'NOT_FOUND', outcome: 'rejected', message: 'Gone.' });
  const { opened, fetches, hear, add } = setUp();
  fetches[0]!.reject(gone());
  await turn();
  expect(fetches).toHaveLength(1);
  add(2);
  expect(fetches[1]!.at).toBe('behind 2');
  add(3);
  fetches[1]!.reject(gone());
  await turn();
  expect(fetches[2]!.at).toBe('behind 3');
  fetches[2]!.resolve(list(1, 2, 3));
  const document = await opened;
  add(4);
  expect(document.value).toEqual([1, 2, 3, 4]);
  hear('gap', noGap);
  fetches[3]!.reject(gone());
  await turn();
  hear('gap', noGap);
  fetches[4]!.resolve(list(5));
  await turn();
  expect(document.value).toEqual([5]);
});

const rangeOf = (fromSeq: number, toSeq = fromSeq) => ({ writer, fromSeq, toSeq });

/** With a change for each value, shown and acknowledged. */
async function changed(...values: number[]) {
  const world = setUp();
  world.fetches[0]!.resolve(list());
  const document = await world.opened;
  const refused: unknown[] = [];
  document.on('refused', ({ code, outcome }) => refused.push([code, outcome]));
  for (const [i, value] of values.entries()) {
    void document.change([{ op: 'add', path: '/-', value }]);
    world.sent[i]!.acked({ writer, seq: i + 1 });
  }
  await turn();
  return { ...world, document, refused };
}

test('an own change that was acknowledged and does not come is asked for, and taken back where no home has it', async () => {
  const { document, refused, looks, sent, add, timers, timePasses } = await changed(1, 2, 3);
  expect(document.value).toEqual([1, 2, 3]);
  timePasses();
  looks[0]!.reject(ownError('TIMEOUT'));
  await turn();
  // Later again.
  timePasses();
  looks[1]!.resolve({ gaps: [{ reason: 'lost', ranges: [rangeOf(1)] }] });
  await turn();
  expect(document.value).toEqual([2, 3]);
  expect(refused).toEqual([['LOST', 'indeterminate']]);
  // The next one the order has, and it comes.
  looks[2]!.resolve({});
  await turn();
  looks[3]!.resolve({ keys: [sent[1]!.key] });
  await turn();
  expect(looks.map(({ asked }) => asked)).toEqual(['1 newest', '1 newest', '2 newest', '2 start']);
  expect(timers.size).toBe(1);
  add(2, 'a', sent[1]!.key);
  add(3, 'a', sent[2]!.key);
  timePasses();
  await turn();
  expect(document.value).toEqual([2, 3]);
  expect([document.pending, timers.size, looks.length]).toEqual([0, 0, 4]);
});

test('an own change that the order has, and not behind what was delivered, is in what was fetched', async () => {
  const { document, refused, looks, fetches, timers, hear, timePasses } = await changed(1);
  hear('gap', noGap);
  fetches[1]!.resolve(list(1));
  await turn();
  // Twice, until it is known that the order has it before this place.
  expect(document.value).toEqual([1, 1]);
  timePasses();
  looks[0]!.resolve({});
  await turn();
  looks[1]!.resolve({ keys: ['key of somebody'] });
  await turn();
  expect(document.value).toEqual([1]);
  expect([document.pending, timers.size]).toEqual([0, 0]);
  expect(refused).toEqual([]);
});

test('nobody says what became of an own change to who may not ask: it stays as it was acknowledged', async () => {
  const { document, looks, timers, timePasses } = await changed(1);
  timePasses();
  looks[0]!.reject(ownError('CLOSED'));
  await turn();
  expect(document.value).toEqual([1]);
  expect([document.pending, timers.size]).toEqual([1, 0]);
});

test('an own change that came is not asked for, nor is one of a document that is closed', async () => {
  const { document, add, sent, looks, timers, timePasses } = await changed(1, 2);
  add(1, 'a', sent[0]!.key);
  add(2, 'a', sent[1]!.key);
  timePasses();
  await turn();
  expect(looks).toEqual([]);
  void document.change([{ op: 'add', path: '/-', value: 3 }]);
  sent[2]!.acked({ writer, seq: 3 });
  await turn();
  expect(timers.size).toBe(1);
  document.close();
  expect(timers.size).toBe(0);
});

test('own changes that a gap passes over are in what is fetched then, or lost', async () => {
  const { document, refused, fetches, hear } = await changed(1, 2, 3);
  hear('gap', { reason: 'trimmed', ranges: [rangeOf(1)] });
  fetches[1]!.resolve(list(1));
  await turn();
  expect(document.value).toEqual([1, 2, 3]);
  expect(document.pending).toBe(2);
  hear('gap', { reason: 'lost', ranges: [rangeOf(2, 3)] });
  fetches[2]!.resolve(list(1));
  await turn();
  expect(document.value).toEqual([1]);
  expect(refused).toHaveLength(2);
});
