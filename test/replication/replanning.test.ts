/** Another version of the ring in a replica: promises, claims and channels go where the intervals go. */
import { describe, expect, test } from 'vitest';
// First: it must be there before the code that it plants bugs in.
import { plant } from '../../simulations/replication/planting.js';
import type { StoreId, WriterId } from '../../src/base/ids.js';
import { decodeIntervalNote, noteOf } from '../../src/replication/claim.js';
import type { PeerMessage } from '../../src/replication/messages.js';
import { homeSet } from '../../src/replication/quorum.js';
import type { PlannedInterval } from '../../src/replication/replica.js';
import { Home, nodeId, ref, runOf } from './cluster.js';

const other = '77'.repeat(12) as WriterId;
const claim = { round: 5, writer: other };
const set = (homes: string) => homeSet(homes.split('').map(nodeId));

const planned = (id: string, more: Partial<PlannedInterval> = {}): PlannedInterval => ({
  id,
  sets: [set('abc')],
  changing: undefined,
  from: ['i'],
  claimLives: true,
  gathers: undefined,
  ...more,
});

/** The ring changes, in the order the engine keeps: notes in a commit, then the version. */
function change(
  home: Home,
  intervals: readonly PlannedInterval[],
  at: string | undefined,
): Map<string, unknown> {
  const plan = { version: 2, intervals, intervalOf: () => at };
  const notes = home.replica.ringNotes(plan);
  home.sync();
  home.replica.changeRing(plan, home.now);
  home.drain();
  return new Map([...notes].map(([name, note]) => [name, decodeIntervalNote(note)]));
}

function promised(): Home {
  const home = new Home('a', 'abc');
  home.hear('b', { type: 'append', interval: 'i', claim, ref, runs: [runOf(other, 5, 1).bytes] });
  home.sync();
  home.said();
  return home;
}

describe('another version of the ring', () => {
  test('hands promises on to both parts of an interval that was split', () => {
    const home = promised();
    const notes = change(home, [planned('i'), planned('j')], 'j');
    for (const id of ['i', 'j']) {
      expect(home.replica.promiseOf(id)).toEqual(claim);
      expect(notes.get(noteOf(id))).toEqual({ promise: claim, recovering: false });
      expect(home.replica.ownerOf(id)).toBe(nodeId('b'));
    }
  });

  test('keeps a claim where the same homes decide, and ends it where others do', () => {
    for (const claimLives of [true, false]) {
      const home = new Home('a', 'a');
      home.replica.want('i', true, home.now);
      home.sync();
      const held = home.replica.claimOf('i');
      expect(held).toBeDefined();
      const sets = [set(claimLives ? 'a' : 'abc')];
      change(home, [planned('i', { sets, claimLives })], 'i');
      expect(home.replica.claimOf('i')).toEqual(claimLives ? held : undefined);
      expect(home.replica.promiseOf('i')).toEqual(held);
    }
  });

  test('lets go of what is held no more, and of its channels', () => {
    const home = promised();
    const fetched = home.replica.fetch(ref, [{ writer: other, seq: 9 }], home.now);
    change(home, [], undefined);
    expect(home.replica.promiseOf('i')).toBeUndefined();
    expect(home.effects.find((effect) => effect.type === 'fetched')).toMatchObject({
      id: fetched,
      certain: false,
    });
    expect(home.replica.releaseChannel(ref)).toBe(true);
  });

  test('makes a home that comes in gather from W homes of before, whoever else is silent', () => {
    const home = new Home('d', 'd');
    const changing = { phase: 'filling', incoming: [nodeId('d')], before: set('abc') } as const;
    const coming = planned('k', { from: [], claimLives: false, changing, gathers: 'incoming' });
    const notes = change(home, [coming], 'k');
    expect(notes.get(noteOf('k'))).toEqual({ promise: undefined, recovering: true, incoming: true });
    expect(home.replica.isRecovering('k')).toBe(true);
    home.replica.tick(home.now);
    home.drain();
    const question = home.said().find((message) => message.type === 'recover');
    const { session } = question as { session: number };
    for (const from of ['a', 'b']) {
      expect(home.replica.gathers('k')).toBe(true);
      const answer = { type: 'recovery', interval: 'k', session, recovering: false, promise: claim } as const;
      home.replica.receive(
        nodeId(from),
        {
          storeId: 'f'.repeat(32) as never,
          ringVersion: 2,
          messages: [{ ...answer, channels: [], part: 0, parts: 1 }],
        },
        home.now,
      );
    }
    home.sync();
    expect(home.replica.gathers('k')).toBe(false);
    expect(home.replica.promiseOf('k')).toEqual(claim);
    expect(home.effects).toContainEqual({ type: 'gathered', interval: 'k' });
  });

  // Else what no home can read any more keeps it out for good, and it what no home can read from being given up.
  test('lets a home that comes in say that it lacks what others cannot read, unlike one that forgot (seed 588)', () => {
    const coming = new Home('d', 'd');
    const changing = { phase: 'filling', incoming: [nodeId('d')], before: set('abc') } as const;
    change(coming, [planned('k', { from: [], claimLives: false, changing, gathers: 'incoming' })], 'k');
    expect(answerOf(coming, 'k', 2)).toMatchObject({ through: 2, recovering: false });
    expect(answerOf(new Home('d', 'abd', 'recovering'), 'i', 1)).toMatchObject({
      through: 2,
      recovering: true,
    });
  });

  /** What it says to somebody who cannot read an entry that it lacks as well. */
  function answerOf(home: Home, interval: string, ringVersion: number): PeerMessage | undefined {
    home.replica.touch(interval, ref, home.now);
    const mend = { type: 'mend', interval, ref, session: 1, writer: other, firstSeq: 1, count: 2 } as const;
    const storeId = 'f'.repeat(32) as StoreId;
    home.replica.receive(nodeId('a'), { storeId, ringVersion, messages: [mend] }, home.now);
    home.sync();
    return home.said().find(({ type }) => type === 'mended');
  }

  /** A home that stays, a while after both sets decide; nobody has answered. */
  const stays = (): Home => {
    const home = promised();
    const changing = { phase: 'joint', incoming: [], before: set('abc') } as const;
    const sets = [set('abc'), set('abd')];
    change(home, [planned('i', { sets, changing, claimLives: false, gathers: 'checking' })], 'i');
    home.replica.tick(home.now);
    home.drain();
    home.sync();
    return home;
  };

  test('lets one that stays count while it makes sure that it lacks nothing', () => {
    const home = stays();
    expect([home.replica.gathers('i'), home.replica.isRecovering('i')]).toEqual([true, false]);
  });

  test('does not wait for that where it is not made sure of (planted: joint-unchecked)', () => {
    plant('joint-unchecked');
    try {
      expect(stays().replica.gathers('i')).toBe(false);
    } finally {
      plant(undefined);
    }
  });
});
