/** Work that can wait keeps within a share of a node's time. */
import { expect, test } from 'vitest';
import { restAfter } from '../../src/replication/pace.js';
import { Pacer, pacing } from '../../src/replication/pacer.js';
import { assert } from '../../src/base/assert.js';
import { seededRandom } from '../../src/base/random.js';

const quarter = { share: 0.25, bytesPerSecond: Infinity };

/** One of a node that publishes need from time 0 on. */
function needed(pace = quarter): Pacer<string> {
  const pacer = new Pacer<string>(pace);
  pacer.needed(0);
  return pacer;
}

test('what others take of the loop meanwhile, as they did before, is not counted', () => {
  const pacer = needed();
  pacer.begin(0, 0);
  pacer.ended(0, 0);
  // Half of the time others work.
  pacer.begin(100, 50);
  pacer.add('a', 'a', 100);
  pacer.needed(100);
  pacer.ended(120, 70);
  expect(pacer.deadline).toBe(150);
  // All of it, and more than is thought: nothing is left to rest for.
  pacer.begin(220, 170);
  pacer.ended(240, 180);
  expect(pacer.deadline).toBe(240);
});

test('a rest keeps work within its share, or its bytes within their rate, whichever is longer', () => {
  expect(restAfter(quarter, 10, 0)).toBe(30);
  expect(restAfter({ share: 1, bytesPerSecond: Infinity }, 10, 1_000)).toBe(0);
  expect(restAfter({ share: 0.5, bytesPerSecond: 1_000 }, 10, 100)).toBe(90);
});

test('what waits has its turn in its order, and after a rest for what was done', () => {
  const pacer = needed();
  for (const piece of ['a', 'b', 'c']) expect(pacer.add(piece, piece, 0)).toBeUndefined();
  expect(pacer.next(0, 100)).toBe('a');
  // Nothing more begins beside it once the loop has worked for so long.
  expect(pacer.next(4, 100 + pacing.stretchMs)).toBeUndefined();
  pacer.ended(10, 110);
  expect(pacer.deadline).toBe(40);
  expect(pacer.next(39, 110)).toBeUndefined();
  expect(pacer.next(40, 110)).toBe('b');
  // It waited for the disk: the loop had nothing to do, and the next one need not wait.
  expect(pacer.next(140, 111)).toBe('c');
  expect(pacer.next(140, 111)).toBeUndefined();
  expect(pacer.deadline).toBe(Infinity);
});

test('few are under way at a time, also where nobody else needs the node', () => {
  const pacer = new Pacer<number>(quarter);
  for (let i = 0; i <= pacing.atOnceMax; i++) pacer.add(`${i}`, i, 0);
  for (let i = 0; i < pacing.atOnceMax; i++) expect(pacer.next(0, 0)).toBe(i);
  expect(pacer.next(0, 0)).toBeUndefined();
  expect(pacer.deadline).toBe(pacing.waitMaxMs);
  pacer.ended(1, 1);
  expect(pacer.next(1, 1)).toBe(pacing.atOnceMax);
});

test('nothing rests while nobody else needs the node, nor once that is over', () => {
  const pacer = new Pacer<string>(quarter);
  for (const piece of ['a', 'b', 'c']) pacer.add(piece, piece, 0);
  expect(pacer.next(0, 0)).toBe('a');
  pacer.ended(200, 200);
  expect(pacer.next(200, 200)).toBe('b');
  pacer.needed(300);
  pacer.ended(400, 400);
  expect(pacer.next(400, 400)).toBeUndefined();
  expect(pacer.deadline).toBe(300 + pacing.neededMs);
  expect(pacer.next(300 + pacing.neededMs, 400)).toBe('c');
});

test('where the clock stands still while code runs nothing is held back', () => {
  const pacer = needed();
  for (let i = 0; i < 100; i++) {
    pacer.add('a', 'a', 0);
    expect(pacer.next(0, 0)).toBe('a');
    pacer.ended(0, 0);
  }
});

test('no rest is longer than the longest, and a piece that waited too long is done whatever the share', () => {
  const pacer = needed({ share: 0.01, bytesPerSecond: Infinity });
  pacer.begin(0, 0);
  pacer.ended(0, 50);
  pacer.add('a', 'a', 0);
  pacer.needed(900);
  expect(pacer.next(pacing.restMaxMs - 1, 50)).toBeUndefined();
  expect(pacer.next(pacing.restMaxMs, 50)).toBe('a');
  // It never ends.
  pacer.add('b', 'b', 2_000);
  for (let now = 2_000; now < 2_000 + pacing.waitMaxMs; now += 100) {
    pacer.needed(now);
    expect(pacer.next(now, now)).toBeUndefined();
  }
  expect(pacer.deadline).toBeLessThanOrEqual(2_000 + pacing.waitMaxMs);
  expect(pacer.next(2_000 + pacing.waitMaxMs, 9_000)).toBe('b');
});

test('what is asked again takes the place of what was asked, and waits no longer for it', () => {
  const pacer = needed();
  pacer.begin(0, 0);
  expect(pacer.add('a', 'first', 0)).toBeUndefined();
  expect(pacer.add('b', 'other', 1)).toBeUndefined();
  expect(pacer.add('a', 'second', 2)).toBe('first');
  pacer.needed(pacing.waitMaxMs - 1);
  expect(pacer.next(pacing.waitMaxMs - 1, 10)).toBeUndefined();
  expect(pacer.next(pacing.waitMaxMs, 10)).toBe('second');
  // The other came a moment later.
  expect(pacer.next(pacing.waitMaxMs, 10)).toBeUndefined();
  expect(pacer.next(pacing.waitMaxMs + 1, 10)).toBe('other');
});

test('whatever the pieces take, all are done, and of the time a share', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = seededRandom(seed);
    const share = [0.1, 0.25, 0.5][seed % 3]!;
    const pacer = new Pacer<number>({ share, bytesPerSecond: Infinity });
    const pieces = Array.from({ length: 40 }, () => 1 + 9 * random.next());
    let [now, worked, done] = [0, 0, 0];
    pieces.forEach((_, i) => pacer.add(`${i}`, i, now));
    while (done < pieces.length) {
      pacer.needed(now);
      // One after the other: the loop does nothing else.
      const piece = pacer.next(now, worked);
      if (piece === undefined) {
        // A deadline that has passed would be looked at again and again.
        assert(pacer.deadline > now, 'it says when to look again');
        now = Math.min(pacer.deadline, now + pacing.neededMs);
        continue;
      }
      now += pieces[piece]!;
      worked += pieces[piece]!;
      done++;
      pacer.ended(now, worked);
    }
    expect(now).toBeLessThan(pacing.waitMaxMs);
    // But for the last one, behind which no rest counts.
    expect((worked - pieces.at(-1)!) / (now - pieces.at(-1)!)).toBeCloseTo(share, 6);
  }
});
