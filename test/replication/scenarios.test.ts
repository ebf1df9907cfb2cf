/** Stories with a name, told to the real core. */
import { describe, expect, test } from 'vitest';
// First: it must be there before the code that it plants bugs in.
import { plant } from '../../simulations/replication/planting.js';
import {
  anotherStore,
  missedEverything,
  quietReturn,
  quietTrim,
  rolledBack,
  twoOwnersOneWiped,
} from '../../simulations/replication/returns.js';
import {
  ahead,
  hole,
  lightsOut,
  seqReuse,
  sleepingOwner,
  wipedHomeOfFive,
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

describe('a home that comes back', () => {
  test('has what nobody uses, and costs a question and an answer when it missed nothing', () => {
    expect(quietReturn).not.toThrow();
  });

  test('gets behind what was trimmed meanwhile, though nobody uses the channel', () => {
    expect(quietTrim).not.toThrow();
  });

  test('compares everything with a peer that has another store', () => {
    expect(anotherStore).not.toThrow();
  });

  test('wiped, acks to nobody before it heard from all others', () => {
    expect(twoOwnersOneWiped).not.toThrow();
  });

  test('D7 rollback: with an older disk it is found out, and counts for nothing before it heard from the others', () => {
    expect(rolledBack).not.toThrow();
  });

  test.each([
    ['no-catch-up', quietReturn, /they have/],
    ['rollback-unnoticed', rolledBack, /renewed 0 times/],
  ] as const)('%s shows', (bug, story, what) => {
    plant(bug);
    try {
      expect(story).toThrow(what);
    } finally {
      plant(undefined);
    }
  });
});

test('a home that lacks everything, over links that break all the time, is never said to ask too often', () => {
  expect(missedEverything).not.toThrow();
});
