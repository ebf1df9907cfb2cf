/** What homes say to each other after an absence, and what a lying one can do with it. */
import { describe, expect, test } from 'vitest';
import type { StoreId, WriterId } from '../../src/base/ids.js';
import { fromHex, toHex } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import {
  decodeCheckpoint,
  decodeStatement,
  encodeCheckpoint,
  encodeStatement,
} from '../../src/replication/catch-up-notes.js';
import type { Arrived, AskArrived, Frame, PeerMessage, Statement } from '../../src/replication/messages.js';
import { homeSet } from '../../src/replication/quorum.js';
import type { StoreFacts } from '../../src/replication/replica.js';
import { timing } from '../../src/replication/timing.js';
import { Home, nodeId, ref } from './cluster.js';

const own = '0'.repeat(32) as StoreId;
const theirs = 'f'.repeat(32) as StoreId;
const [first, second, third] = ['11', '22', '33'].map((hex) => hex.repeat(12) as WriterId) as [
  WriterId,
  WriterId,
  WriterId,
];

/** Seals are no secret here. */
function sealOf({ storeId, commits, writer, other }: Omit<Statement, 'seal'>): string {
  const text = [storeId, commits, writer, other ?? ''].join(' ');
  let sum = 7;
  for (let i = 0; i < text.length; i++) sum = (sum * 31 + text.charCodeAt(i)) % 4_294_967_291;
  return sum.toString(16).padStart(32, '0');
}

function sealed(statement: Omit<Statement, 'seal'>): Statement {
  return { ...statement, seal: sealOf(statement) };
}

const facts = (newest = 0, commits = 10): StoreFacts => ({
  newest: () => newest,
  commits: () => commits,
  notes: new Map(),
  seal: (text) => {
    const [storeId, count, writer, other] = text.split(' ') as [StoreId, string, WriterId, WriterId | ''];
    return sealOf({ storeId, commits: Number(count), writer, ...(other === '' ? {} : { other }) });
  },
  earlier: new Set([first]),
});

const homeWith = (newest?: number): Home => new Home('a', 'abc', 'new', facts(newest));

/** Linked with b, and what it asked. */
function asking(home: Home): AskArrived {
  home.replica.connected(nodeId('b'), home.now);
  home.drain();
  return askOf(home);
}

function askOf(home: Home): AskArrived {
  return home.said().find((message) => message.type === 'askArrived')!;
}

function page({ session, after }: AskArrived, fields: Partial<Arrived> = {}): Arrived {
  const statement = sealed({ storeId: theirs, commits: 5, writer: second });
  const flags = { more: false, unknown: false };
  return { type: 'arrived', session, after, through: after, ...flags, channels: [], statement, ...fields };
}

function alarms(home: Home): string[] {
  return home.effects.flatMap((effect) => (effect.type === 'alarm' ? [effect.code] : []));
}

/** Since it was asked last. */
function comparisons(home: Home): number[] {
  return home.effects.splice(0).flatMap((effect) => (effect.type === 'reconcile' ? [effect.id] : []));
}

const count = (messages: readonly PeerMessage[], type: PeerMessage['type']): number =>
  messages.filter((message) => message.type === type).length;

describe('a reminder', () => {
  const heard = (statement: Statement): Home => {
    const home = homeWith();
    home.hear('b', { type: 'reminded', statement });
    return home;
  };
  const says = (home: Home): string[] => home.effects.map(({ type }) => type);

  test('of what was never said changes nothing, and is told', () => {
    const home = heard({ ...sealed({ storeId: own, commits: 99, writer: second }), seal: '0'.repeat(32) });
    expect(says(home)).toEqual(['alarm']);
    expect(alarms(home)).toEqual(['FALSE_REMINDER']);
  });

  test('of more than there is means that the store forgot it: nothing is said any more', () => {
    const home = heard(sealed({ storeId: own, commits: 11, writer: first }));
    expect(says(home)).toContain('storeForgot');
    home.said();
    home.replica.connected(nodeId('c'), home.now);
    home.drain();
    expect(home.said()).toEqual([]);
  });

  test('of a start that left no trace means the same', () => {
    expect(says(heard(sealed({ storeId: own, commits: 3, writer: third })))).toContain('storeForgot');
  });

  test('of another start that knows of this one means that both live', () => {
    const home = homeWith();
    const { writer } = home;
    home.hear('b', {
      type: 'reminded',
      statement: sealed({ storeId: own, commits: 3, writer: third, other: writer }),
    });
    expect(says(home)).toContain('storeTwice');
  });

  test('of what still holds, or of an earlier store, is nothing new', () => {
    expect(says(heard(sealed({ storeId: own, commits: 10, writer: first })))).toEqual([]);
    expect(says(heard(sealed({ storeId: theirs, commits: 99, writer: third })))).toEqual([]);
  });
});

describe('who listens', () => {
  test('reminds a store that has fewer commits than it said, and takes nothing from it any more', () => {
    const home = homeWith();
    const ask = asking(home);
    home.hear('b', page(ask));
    home.now += timing.arrivalsMs;
    home.replica.tick(home.now);
    home.drain();
    const statement = sealed({ storeId: theirs, commits: 4, writer: third });
    home.hear('b', page(askOf(home), { statement }));
    expect(alarms(home)).toEqual(['STORE_ROLLED_BACK']);
    expect(home.said().filter(({ type }) => type === 'reminded')).toHaveLength(1);
    home.hear('b', { type: 'askArrived', session: 9, after: 0, others: [] });
    expect(home.said()).toEqual([]);
  });

  test('finds out that two processes use one store', () => {
    const home = homeWith();
    const starts = [
      sealed({ storeId: theirs, commits: 5, writer: second }),
      sealed({ storeId: theirs, commits: 6, writer: third }),
      sealed({ storeId: theirs, commits: 6, writer: second, other: third }),
    ];
    let ask = asking(home);
    for (const statement of starts) {
      home.hear('b', page(ask, { statement }));
      home.replica.disconnected(nodeId('b'), home.now);
      if (statement !== starts[2]) ask = asking(home);
    }
    expect(ask.others).toEqual([second, third]);
    expect(alarms(home)).toEqual(['STORE_TWICE']);
    expect(home.said().filter(({ type }) => type === 'reminded')).toHaveLength(2);
  });
});

test('a frame that an earlier store sent long ago does not silence the one a peer has', () => {
  const home = homeWith();
  home.hear('b', page(asking(home)));
  const late: Frame = {
    storeId: 'e'.repeat(32) as StoreId,
    ringVersion: 1,
    messages: [{ type: 'staleRing' }],
  };
  home.replica.receive(nodeId('b'), late, home.now);
  home.drain();
  const claim = { round: 1, writer: third };
  const ask: PeerMessage = { type: 'ask', claims: [{ interval: 'i', claim }] };
  // Asked anew because of that frame.
  home.hear('b', page(askOf(home)), ask);
  home.hear('b', ask);
  expect(count(home.said(), 'asked')).toBe(1);
});

describe('a lying home', () => {
  test('that asks again and again gets a bounded number of pages', () => {
    const home = homeWith(1_000);
    for (let i = 0; i < limits.pagesAtOnceMax + 500; i++) {
      home.hear('b', { type: 'askArrived', session: i, store: own, after: 0, others: [] });
    }
    const looked = home.effects.filter(({ type }) => type === 'arrived');
    expect(looked).toHaveLength(limits.pagesAtOnceMax);
    expect(alarms(home)).toContain('ASKED_TOO_OFTEN');
  });

  test('that asks faster than is looked up is answered once', () => {
    const home = homeWith(1_000);
    for (let i = 0; i < 10; i++)
      home.hear('b', { type: 'askArrived', session: i, store: own, after: 0, others: [] });
    for (const effect of home.effects)
      if (effect.type === 'arrived') home.replica.arrived(effect.id, [], 1_000);
    home.drain();
    expect(count(home.said(), 'arrived')).toBe(1);
  });

  test('that never knows the arrival has everything compared now and then only', () => {
    const home = homeWith();
    let ask = asking(home);
    let compared = 0;
    for (let i = 0; i < 50; i++) {
      home.hear('b', page(ask, { unknown: true, through: 7 }));
      for (const id of comparisons(home)) {
        compared++;
        home.replica.reconciled(id, { refs: [], arrival: 7, isWhole: true }, home.now);
        home.sync();
      }
      home.now += 1_000;
      home.replica.tick(home.now);
      home.drain();
      ask = askOf(home) ?? ask;
    }
    expect(compared).toBeLessThanOrEqual(6);
  });

  test('that names entries which do not exist is asked for them a few times, and then left alone', () => {
    const home = homeWith();
    const ask = asking(home);
    const have = new Map([[third, 9]]);
    home.hear('b', page(ask, { through: 9, channels: [{ ref, have }] }));
    const open = home.effects.find((effect) => effect.type === 'open')!;
    home.replica.opened(open.id, [ref], home.now);
    let pulls = 0;
    for (let i = 0; i < 20; i++) {
      home.drain();
      const asked = home.said().filter((message) => message.type === 'pull' && message.limited);
      pulls += asked.length;
      for (let j = 0; j < asked.length; j++)
        home.hear('b', { type: 'state', interval: 'i', ref, have, runs: [] });
      home.now += 500;
      home.replica.tick(home.now);
    }
    expect(pulls).toBe(limits.emptyPullsMax);
    expect(alarms(home)).toContain('NOTHING_SENT');
  });

  test('that answers what was not asked is not heard', () => {
    const home = homeWith();
    const ask = asking(home);
    home.hear('b', page(ask, { session: ask.session + 1, unknown: true, through: 7 }));
    home.hear('c', page(ask, { unknown: true, through: 7 }));
    expect(comparisons(home)).toEqual([]);
  });
});

describe('where a home does not know how far it is', () => {
  const nothing = { refs: [], arrival: 7, isWhole: true };
  const have = new Map([[third, 1]]);

  /** b does not know the arrival, and c is what this home asks. */
  function comparing(home: Home): number {
    home.hear('b', page(asking(home), { unknown: true, through: 7 }));
    return comparisons(home)[0]!;
  }

  /** The arrival it asks after next. */
  function nextAsked(home: Home): number | undefined {
    home.sync();
    home.said();
    home.now += timing.arrivalsMs;
    home.replica.tick(home.now);
    home.drain();
    return askOf(home)?.after;
  }

  test('all is compared, and once it is the same nothing is left to ask for', () => {
    const home = homeWith();
    home.replica.reconciled(comparing(home), nothing, home.now);
    home.drain();
    const [ask] = home.said().filter((message) => message.type === 'askArrived');
    expect(ask).toMatchObject({ store: theirs, after: 7 });
  });

  test('it counts no more than the other had looked at when it began to read', () => {
    const home = homeWith();
    home.replica.reconciled(comparing(home), { ...nothing, arrival: 5 }, home.now);
    home.drain();
    expect(askOf(home).after).toBe(5);
  });

  test('what differs is pulled, and counts once all that the other has of it is here', () => {
    const home = homeWith();
    home.replica.reconciled(comparing(home), { ...nothing, refs: [ref] }, home.now);
    home.drain();
    const open = home.effects.find((effect) => effect.type === 'open')!;
    home.replica.opened(open.id, [ref], home.now);
    home.drain();
    expect(home.said().some((message) => message.type === 'pull' && message.limited)).toBe(true);
    home.hear('b', { type: 'state', interval: 'i', ref, have, runs: [] });
    // It names more than it sends: asked for again.
    home.now += timing.pullWaitMs;
    home.replica.tick(home.now);
    home.drain();
    expect(home.said().some((message) => message.type === 'pull' && message.limited)).toBe(true);
    home.hear('b', { type: 'state', interval: 'i', ref, have: new Map(), runs: [] });
    expect(nextAsked(home)).toBeUndefined();
  });

  test('a channel of which the other has nothing more is done with', () => {
    const home = homeWith();
    home.replica.reconciled(comparing(home), { ...nothing, refs: [ref] }, home.now);
    home.drain();
    const open = home.effects.find((effect) => effect.type === 'open')!;
    home.replica.opened(open.id, [ref], home.now);
    home.hear('b', { type: 'state', interval: 'i', ref, have: new Map(), runs: [] });
    expect(askOf(home).after).toBe(7);
  });

  test('a comparison that came to nothing, or not to its end, is made again later and counts for nothing', () => {
    for (const learned of [undefined, { ...nothing, arrival: 0, isWhole: false }]) {
      const home = homeWith();
      home.replica.reconciled(comparing(home), learned, home.now);
      home.drain();
      expect(home.said()).toEqual([]);
      expect(nextAsked(home)).toBe(0);
    }
  });

  test('one under way when the link broke counts for nothing', () => {
    const home = homeWith();
    const id = comparing(home);
    home.replica.disconnected(nodeId('b'), home.now);
    expect(asking(home).after).toBe(0);
    home.replica.reconciled(id, nothing, home.now);
    home.drain();
    expect(home.said()).toEqual([]);
  });
});

test('what two nodes become homes of together by a change of the ring is compared', () => {
  const home = homeWith();
  const ask = asking(home);
  home.hear('b', page(ask, { unknown: true, through: 7 }));
  home.replica.reconciled(comparisons(home)[0]!, { refs: [], arrival: 7, isWhole: true }, home.now);
  home.sync();
  home.said();
  const kept = { sets: [homeSet('abc'.split('').map(nodeId))], changing: undefined, claimLives: true };
  const intervals = [
    { id: 'i', ...kept, from: ['i'], gathers: undefined },
    { id: 'j', ...kept, from: [], gathers: undefined },
  ];
  const plan = { version: 2, intervals, intervalOf: () => 'i' };
  home.replica.ringNotes(plan);
  home.sync();
  home.replica.changeRing(plan, home.now);
  home.drain();
  const [id, ...more] = comparisons(home);
  expect([id === undefined, more]).toEqual([false, []]);
  expect(home.said().some((message) => message.type === 'askArrived')).toBe(false);
  home.replica.reconciled(id!, { refs: [], arrival: 9, isWhole: true }, home.now);
  home.drain();
  expect(askOf(home).after).toBe(7);
});

test('notes keep their bytes', () => {
  const checkpoint = { store: theirs, arrival: 300, ringVersion: 2 };
  const stored = `${'ff'.repeat(16)}2c010000000000000200000000000000`;
  expect(toHex(encodeCheckpoint(checkpoint))).toBe(stored);
  expect(decodeCheckpoint(fromHex(stored))).toEqual(checkpoint);
  const statement = { storeId: own, commits: 258, writer: second, seal: 'ab'.repeat(16), other: third };
  const told = `${'00'.repeat(16)}0201000000000000${'22'.repeat(12)}${'ab'.repeat(16)}${'33'.repeat(12)}`;
  expect(toHex(encodeStatement(statement))).toBe(told);
  expect(decodeStatement(fromHex(told))).toEqual(statement);
  const { other: _other, ...alone } = statement;
  expect(decodeStatement(encodeStatement(alone))).toEqual(alone);
  for (const cut of [0, 5, 31]) expect(decodeCheckpoint(fromHex(stored.slice(0, 2 * cut)))).toBeUndefined();
});
