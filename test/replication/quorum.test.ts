import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import {
  ackedLevel,
  copiesOf,
  homeSet,
  homesOf,
  meetsAppend,
  meetsClaim,
  meetsGathering,
  meetsRecovery,
  type Returned,
} from '../../src/replication/quorum.js';

const nodes = (count: number, from = 0): NodeId[] =>
  Array.from({ length: count }, (_, i) => `${from + i}`.padStart(32, '0') as NodeId);
const [a, b, c, d, e] = nodes(5) as [NodeId, NodeId, NodeId, NodeId, NodeId];

describe('a set of homes', () => {
  test('needs a majority to append, and to claim so many that the two always meet', () => {
    const numbers = [1, 2, 3, 4, 5, 9].map((count) => homeSet(nodes(count)));
    expect(numbers.map(({ appendNeeds }) => appendNeeds)).toEqual([1, 2, 2, 3, 3, 5]);
    expect(numbers.map(({ claimNeeds }) => claimNeeds)).toEqual([1, 1, 2, 2, 3, 5]);
  });

  test('that may grant and a set that may ack share a home', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(511), fc.nat(511), (count, first, second) => {
        const sets = [homeSet(nodes(count))];
        const among = (bits: number) => (home: NodeId) => (bits & (1 << Number(home))) !== 0;
        if (!meetsClaim(sets, among(first)) || !meetsAppend(sets, among(second))) return;
        expect(nodes(count).some((home) => among(first)(home) && among(second)(home))).toBe(true);
      }),
    );
  });
});

describe('while two ring versions live', () => {
  const sets = [homeSet([a, b, c]), homeSet([b, c, d])];

  test('everything needs enough homes of each', () => {
    expect(homesOf(sets)).toEqual([a, b, c, d]);
    expect(meetsClaim(sets, (home) => home === a || home === b)).toBe(false);
    expect(meetsClaim(sets, (home) => home === b || home === c)).toBe(true);
    const acked = new Map([
      [a, 9],
      [b, 7],
      [c, 3],
      [d, 5],
    ]);
    const ackedBy = (home: NodeId) => acked.get(home)!;
    expect(ackedLevel(sets, ackedBy)).toBe(5);
    expect(copiesOf(sets, ackedBy, 5)).toBe(3);
  });
});

describe('a home that lost its store', () => {
  const meets = (homes: NodeId[], answers: Partial<Record<NodeId, Returned>>) =>
    meetsRecovery([homeSet(homes)], a, (home) => answers[home] ?? 'missing');

  test('of three counts again once both others gave back', () => {
    expect(meets([a, b, c], { [b]: 'whole' })).toBe(false);
    expect(meets([a, b, c], { [b]: 'whole', [c]: 'whole' })).toBe(true);
  });

  test('of two counts again once the other gave back', () => {
    expect(meets([a, b], { [b]: 'whole' })).toBe(true);
  });

  test('of five needs three, and the fourth must not be silent: it may own the interval', () => {
    const three = { [b]: 'whole', [c]: 'whole', [d]: 'whole' } as const;
    expect(meets([a, b, c, d, e], three)).toBe(false);
    expect(meets([a, b, c, d, e], { ...three, [e]: 'recovering' })).toBe(true);
    expect(meets([a, b, c, d, e], { [b]: 'whole', [c]: 'whole', [d]: 'recovering', [e]: 'recovering' })).toBe(
      false,
    );
  });

  test('of four counts again although another one was lost too, as long as two are whole', () => {
    expect(meets([a, b, c, d], { [b]: 'whole', [c]: 'whole', [d]: 'recovering' })).toBe(true);
    expect(meets([a, b, c, d], { [b]: 'whole', [c]: 'recovering', [d]: 'recovering' })).toBe(false);
  });

  test('of two homes to be counts again though the other comes in and waits for it', () => {
    expect(meets([a, b], { [b]: 'incoming' })).toBe(true);
    expect(meets([a, b, c], { [b]: 'incoming', [c]: 'recovering' })).toBe(false);
    const changing = { phase: 'joint', incoming: [c], before: homeSet([a, b]) } as const;
    const comesIn = { node: c, counts: false };
    const told = (answers: Partial<Record<NodeId, Returned>>) =>
      meetsGathering(
        [homeSet([a, b]), homeSet([a, c])],
        changing,
        comesIn,
        (home) => answers[home] ?? 'missing',
      );
    expect(told({ [a]: 'incoming', [b]: 'whole' })).toBe(false);
    expect(told({ [a]: 'whole', [b]: 'whole' })).toBe(true);
  });

  test('that is alone has nobody to ask', () => {
    expect(meets([a], {})).toBe(true);
  });
});
