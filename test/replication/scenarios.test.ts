/** Stories with a name, told to the real core. */
import { describe, expect, test } from 'vitest';
// First: it must be there before the code that it plants bugs in.
import { plant } from '../../simulations/replication/planting.js';
import {
  ahead,
  hole,
  lightsOut,
  seqReuse,
  sleepingOwner,
  wipedHomeOfFive,
  wipedHomeOfThree,
} from '../../simulations/replication/scenarios.js';

test('D1 seq reuse: a start after a power loss never uses a name again', () => {
  expect(seqReuse).not.toThrow();
});

test('D2 hole: a home takes nothing that it cannot place', () => {
  expect(hole).not.toThrow();
});

test.each([true, false])('D3 sleeping owner, which notices its pause: %s', (notices) => {
  expect(() => sleepingOwner(notices)).not.toThrow();
});

describe('D11 lights out', () => {
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
    [0, 1],
    [1, 0],
    [0, 2],
    [2, 0],
    [1, 2],
    [2, 1],
  ];
  test.each(orders)('started as %j %j %j', (...order) => {
    const nodes = order.filter((at) => at !== undefined);
    for (const gapMs of [0, 1_000, 4_000]) expect(() => lightsOut(nodes, gapMs)).not.toThrow();
  });
});

test('D14 ahead: a cursor goes on at a replica that is behind', () => {
  expect(ahead).not.toThrow();
});

test('a wiped home of three counts for nobody', () => {
  expect(wipedHomeOfThree).not.toThrow();
});

describe('a wiped home of five', () => {
  test('counts for nothing while one home is silent', () => {
    expect(wipedHomeOfFive).not.toThrow();
  });

  test('breaks the order where it does (planted: recovery-by-quorum)', () => {
    plant('recovery-by-quorum');
    try {
      expect(wipedHomeOfFive).toThrow(/order/);
    } finally {
      plant(undefined);
    }
  });
});
