import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Agenda } from '../../src/base/agenda.js';

describe('an agenda', () => {
  test('is empty at first, and forgets what has no deadline any more', () => {
    const deadlines = new Map([['a', 5]]);
    const agenda = new Agenda<string>((item) => deadlines.get(item) ?? Infinity);
    expect(agenda.next()).toBe(Infinity);
    agenda.changed('a');
    expect(agenda.next()).toBe(5);
    deadlines.delete('a');
    expect(agenda.next()).toBe(5);
    agenda.changed('a');
    expect(agenda.next()).toBe(Infinity);
    expect(agenda.items()).toEqual([]);
  });

  test('looks again at what it handed out', () => {
    let deadline = 3;
    const agenda = new Agenda<string>(() => deadline);
    agenda.changed('a');
    expect(agenda.take(2)).toEqual([]);
    expect(agenda.take(3)).toEqual(['a']);
    deadline = 9;
    expect(agenda.next()).toBe(9);
  });

  test('says what a plain walk over all would say', () => {
    const step = fc.record({
      item: fc.nat(30),
      at: fc.oneof(fc.nat(50), fc.constant(Infinity)),
      does: fc.constantFrom('set', 'set', 'set', 'delete', 'take'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const plain = new Map<number, number>();
        const agenda = new Agenda<number>((item) => plain.get(item) ?? Infinity);
        let wrong = 0;
        for (const { item, at, does } of steps) {
          if (does === 'set') {
            if (at === Infinity) plain.delete(item);
            else plain.set(item, at);
            agenda.changed(item);
          } else if (does === 'delete') {
            plain.delete(item);
            agenda.delete(item);
          } else {
            const now = Math.min(...plain.values(), 100);
            const due = [...plain].filter(([, deadline]) => deadline <= now).map(([each]) => each);
            const taken = agenda.take(now);
            for (const each of taken) plain.delete(each);
            wrong += due.filter((each) => plain.has(each)).length + taken.length - due.length;
          }
          expect(wrong).toBe(0);
          expect(agenda.next()).toBe(Math.min(...plain.values()));
          expect(new Set(agenda.items())).toEqual(new Set(plain.keys()));
        }
        const left = agenda.take(1_000).map((each) => plain.get(each)!);
        expect(left).toEqual([...plain.values()].sort((a, b) => a - b));
      }),
    );
  });
});
