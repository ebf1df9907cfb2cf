/** Two homes compare what they hold: everything that differs is found, nothing else, and it ends whatever is answered. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import {
  type ComparedRange,
  type Reconcile,
  type Reconciled,
  type RingRange,
  ringEnd,
} from '../../src/replication/reconcile-messages.js';
import { type Finding, compareRanges } from '../../src/replication/reconcile-ranges.js';
import { ReconcileSession } from '../../src/replication/reconcile-session.js';
import { type Store, compare, honest, tableOf, talk, textOf, wholeRing } from './reconcile-support.js';

/** As a plain comparison of two maps would have it. */
function differencesOf(a: Store, b: Store): string[] {
  const names = [...new Set([...a.keys(), ...b.keys()])];
  return names
    .flatMap((name) => {
      const [here, there] = [a.get(name), b.get(name)];
      if (!there) return [`${name} only`];
      if (!here) return [`${name} lacking`];
      if (here[1] === 'damaged' || there[1] === 'damaged') return [`${name} damaged`];
      if (here[0] !== there[0]) return [`${name} heads`];
      return here[1] === there[1] ? [] : [`${name} content`];
    })
    .sort();
}

const mirrored = (differences: readonly string[]): string[] =>
  differences.map((text) =>
    text.replace(/ (only|lacking)$/, (_, word) => (word === 'only' ? ' lacking' : ' only')),
  );

function storeOf(
  count: number,
  change: (name: string, i: number) => readonly [number, string] | undefined,
): Store {
  const out = new Map<string, readonly [number, string]>();
  for (let i = 0; i < count; i++) {
    const held = change(`c${i}`, i);
    if (held) out.set(`c${i}`, held);
  }
  return out;
}

const stores = fc
  .record({
    count: fc.constantFrom(0, 1, 5, 31, 33, 200, 600),
    seed: fc.nat(),
    share: fc.constantFrom(0, 0.001, 0.05, 1),
  })
  .map(({ count, seed, share }) => {
    const random = seededRandom(seed);
    const pick = () => Math.floor(random.next() * 6);
    const held = (): readonly [number, string] | undefined => {
      if (random.next() >= share) return [3, 'x'];
      return ([[3, 'x'], [4, 'x'], [3, 'y'], [3, 'damaged'], undefined, [2, 'z']] as const)[pick()];
    };
    return [storeOf(count, held), storeOf(count, held)] as const;
  });

describe('two homes', () => {
  test('find everything that differs, each difference at one of them at least, and nothing else', () => {
    fc.assert(
      fc.property(stores, ([a, b]) => {
        const { session, here, there } = compare(a, b);
        expect(session.state).toBe('done');
        const expected = new Set(differencesOf(a, b));
        const seen = new Set([...here, ...mirrored(there)]);
        expect(seen).toEqual(expected);
        // Whoever acts on a difference of heads has the log, and does it once.
        const pulls = [...here, ...mirrored(there)].filter((text) => / (heads|only|lacking)$/.test(text));
        expect(pulls).toHaveLength(new Set(pulls).size);
      }),
      { numRuns: 40 },
    );
  });

  test('tell whoever asks for proof all of it, as far as it may be named', () => {
    fc.assert(
      fc.property(stores, ([a, b]) => {
        const { session, here } = compare(a, b, 'prove');
        expect(session.state).toBe('done');
        const expected = differencesOf(a, b);
        expect(here.length + session.more).toBe(expected.length);
        expect(expected).toEqual(expect.arrayContaining([...here]));
      }),
      { numRuns: 25 },
    );
  });

  test('tell whoever asks to learn all of it by name', () => {
    fc.assert(
      fc.property(stores, ([a, b]) => {
        const { session, here } = compare(a, b, 'learn');
        expect([session.state, session.more]).toEqual(['done', 0]);
        expect(here).toEqual(differencesOf(a, b));
      }),
      { numRuns: 25 },
    );
  });

  test('name a few channels at a time to whoever has none and asks to learn', () => {
    const store = storeOf(5_000, () => [3, 'x']);
    const session = new ReconcileSession({
      session: 7,
      purpose: 'learn',
      table: tableOf(new Map(), 'a'),
      arcs: wholeRing,
    });
    let named = 0;
    const answer = honest(tableOf(store, 'b'), []);
    const { findings } = talk(session, (question) => {
      const answered = answer(question);
      const each = answered.ranges.map((range) => (range.kind === 'found' ? range.found.length : 0));
      named = Math.max(named, ...each);
      expect(each.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(
        limits.reconcileLearnedRangesMax * limits.reconcileItemsMax,
      );
      return { ...answered, arrival: answered.number === 2 ? 40 : 41 };
    });
    expect([session.state, session.arrival]).toEqual(['done', 40]);
    expect(named).toBeLessThanOrEqual(limits.reconcileItemsMax);
    expect(textOf(findings)).toEqual(differencesOf(new Map(), store));
  });

  test('that hold the same say so in one exchange', () => {
    const store = storeOf(2_000, () => [3, 'x']);
    const { questions, bytes, here, there } = compare(store, store);
    expect([questions, here, there]).toEqual([1, [], []]);
    expect(bytes).toBeLessThan(4_096);
  });

  test('never take what one of them cannot read for equal', () => {
    const store = storeOf(100, (_, i) => (i === 7 ? [3, 'damaged'] : [3, 'x']));
    expect(compare(store, store).here).toEqual(['c7 damaged']);
  });

  test('compare only what both hold', () => {
    const a = storeOf(500, () => [3, 'x']);
    const arcs: readonly RingRange[] = [
      { from: '2000000000000000', to: '5000000000000000' },
      { from: 'e000000000000000', to: ringEnd },
    ];
    const { here } = compare(a, new Map(), 'prove', arcs);
    const [first, end] = tableOf(a, 'a').within(arcs[0]!);
    const [last, after] = tableOf(a, 'a').within(arcs[1]!);
    expect(here).toHaveLength(end - first + after - last);
    expect(here.length).toBeGreaterThan(100);
  });

  test('find it all though questions and answers are lost, repeated and late', () => {
    fc.assert(
      fc.property(stores, fc.nat(), ([a, b], seed) => {
        const random = seededRandom(seed);
        const session = new ReconcileSession({
          session: 7,
          purpose: 'mend',
          table: tableOf(a, 'a'),
          arcs: wholeRing,
        });
        const there: Finding[] = [];
        const answer = honest(tableOf(b, 'b'), there);
        const here: Finding[] = [];
        const late: Reconciled[] = [];
        let now = 0;
        while (session.state === 'going') {
          for (const question of session.questions(now)) {
            if (random.next() < 0.2) continue;
            late.push(answer(question));
            if (random.next() < 0.2) late.push(answer(question));
          }
          while (late.length > 0 && random.next() < 0.7) {
            const at = Math.floor(random.next() * late.length);
            here.push(...session.answered(late.splice(at, 1)[0]!, now));
          }
          now += 1_000;
        }
        // Too many losses in a row end it: then it says what is left.
        const seen = new Set([...textOf(here), ...mirrored(textOf(there))]);
        const isAllFound = [...seen].sort().join() === differencesOf(a, b).join();
        expect(session.state === 'silent' ? session.left.length > 0 : isAllFound).toBe(true);
      }),
      { numRuns: 25 },
    );
  });
});

describe('a comparison ends', () => {
  const store = storeOf(1_000, () => [3, 'x']);
  const begin = (): ReconcileSession =>
    new ReconcileSession({ session: 7, purpose: 'mend', table: tableOf(store, 'a'), arcs: wholeRing });
  const answerOf = ({ session, number }: Reconcile, ranges: readonly ComparedRange[]): Reconciled => {
    return { type: 'reconciled', session, number, isBusy: false, ranges, more: 0, arrival: 0 };
  };
  const wrong = new Uint8Array(16).fill(7);

  test('when every sum is said to be another', () => {
    const session = begin();
    const { questions, findings } = talk(session, (question) =>
      answerOf(
        question,
        question.ranges.map(({ from, to }) => ({ from, to, kind: 'sum', fingerprint: wrong })),
      ),
    );
    expect(session.state).toBe('endless');
    expect(findings).toEqual([]);
    expect(questions).toBeLessThan(1_000);
  });

  test('when ranges are split without end', () => {
    const session = begin();
    const table = tableOf(
      storeOf(3_000, () => [9, 'q']),
      'b',
    );
    talk(session, (question) => {
      const compared = compareRanges(table, question.ranges, 'mend', 'answers');
      // Never a list that would be the end of it.
      const ranges = compared.ranges.map(({ from, to }): ComparedRange => ({
        from,
        to,
        kind: 'sum',
        fingerprint: wrong,
      }));
      return answerOf(question, ranges);
    });
    expect(['endless', 'done']).toContain(session.state);
  });

  test('when something else is answered than was asked', () => {
    const session = begin();
    talk(session, (question) =>
      answerOf(question, [{ from: '0'.repeat(16), to: ringEnd, kind: 'sum', fingerprint: wrong }]),
    );
    expect(session.state).toBe('wrong');
  });

  test('when nobody answers, and says what is left', () => {
    const session = begin();
    const { questions } = talk(session, () => undefined);
    expect([session.state, questions]).toEqual(['silent', limits.reconcileTriesMax]);
    const [first, end] = tableOf(store, 'a').within(session.left[0]!);
    expect(end).toBeGreaterThan(first);
  });

  test('when the other is busy for ever', () => {
    const session = begin();
    talk(session, (question) => ({ ...answerOf(question, []), isBusy: true }));
    expect(session.state).toBe('silent');
  });

  test('answers that nobody asked for change nothing', () => {
    const session = begin();
    const [question] = session.questions(0);
    const lie = answerOf({ ...question!, session: 8 }, []);
    expect(session.answered(lie, 0)).toEqual([]);
    expect(session.answered({ ...lie, session: 7, number: 99 }, 0)).toEqual([]);
    expect(session.state).toBe('going');
    session.answered(answerOf(question!, []), 0);
    expect(session.state).toBe('done');
  });
});
