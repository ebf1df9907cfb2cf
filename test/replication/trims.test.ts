/** Trims and floors among homes: when a trim takes effect, how a home that was away gets behind one, and what a home that
 *  lies can do with them. */
import { describe, expect, test } from 'vitest';
import type { WriterId } from '../../src/base/ids.js';
import type { Trim } from '../../src/log/entry.js';
import { floorRun, floorWriter } from '../../src/log/floors.js';
import { RunWriter } from '../../src/log/run-writer.js';
import type { PeerMessage } from '../../src/replication/messages.js';
import {
  comesBack,
  comparedFromBehind,
  comparedUncommitted,
} from '../../simulations/replication/trim-stories.js';
import { plant } from '../../simulations/replication/planting.js';
import { Home, nodeId, openingState, ownerOfThree, ref } from './cluster.js';

const other = '77'.repeat(12) as WriterId;
const claim = { round: 5, writer: other };
const interval = 'i';

function trimOf(seq: number, writer: WriterId = other): Trim {
  return { through: { writer, seq }, floors: new Map([[writer, seq]]), round: 5 };
}

/** Entries of the owner b from `first` to `last`, the last one a trim where one is given. */
function entries(
  first: number,
  last: number,
  previous = 0,
  trim?: Trim,
): { bytes: Uint8Array; last: number } {
  const out = new RunWriter();
  out.begin(ref, other, 5, first, previous);
  for (let seq = first; seq <= last; seq++) {
    const timestamp = 1_000 + seq;
    if (seq === last && trim) out.append({ timestamp, kind: 'trim', trim });
    else out.append({ timestamp, kind: 'merge' });
  }
  const run = out.end();
  return { bytes: out.bytes().slice(), last: run.lastChecksum };
}

const append = (runs: Uint8Array[], more: { committed?: number; trim?: Trim } = {}): PeerMessage => ({
  type: 'append',
  interval,
  claim,
  ref,
  runs,
  ...(more.committed === undefined ? {} : { committed: { writer: other, seq: more.committed } }),
  ...(more.trim ? { trim: more.trim } : {}),
});

const state = (trim: Trim, have: readonly (readonly [WriterId, number])[] = []): PeerMessage => ({
  type: 'state',
  interval,
  ref,
  have: new Map(have),
  runs: [],
  trim,
});

function alarms(home: Home): string[] {
  return home.effects.flatMap((effect) => (effect.type === 'alarm' ? [effect.code] : []));
}

/** Of the owner b it holds four entries and a trim of the first two. */
function holder(): Home {
  const home = new Home('a', 'abc');
  home.hear('b', append([entries(1, 5, 0, trimOf(2)).bytes], { committed: 4 }));
  home.sync();
  return home;
}

describe('a trim', () => {
  test('takes effect at a home once it is committed, written down with the next commit', () => {
    const home = holder();
    expect(home.log.floors.size).toBe(0);
    home.sync();
    expect(home.log.floors.size).toBe(0);
    home.hear('b', append([], { committed: 5 }));
    expect([home.log.floors.size, home.replica.hasWork]).toEqual([0, true]);
    home.sync();
    expect(home.log.trim).toEqual(trimOf(2));
    expect([home.log.firstPosition, home.log.endPosition, home.replica.hasWork]).toEqual([2, 5, false]);
    expect(home.effects.some(({ type }) => type === 'overtaken')).toBe(false);
  });

  test('that removes something else than the past of what it names never does', () => {
    const home = new Home('a', 'abc');
    const floors = new Map([
      [other, 2],
      ['55'.repeat(12) as WriterId, 9],
    ]);
    home.hear('b', append([entries(1, 5, 0, { ...trimOf(2), floors }).bytes], { committed: 5 }));
    home.sync();
    home.sync();
    expect([home.log.floors.size, home.log.heldTrims]).toEqual([0, []]);
    expect(alarms(home)).toEqual(['TRIM_CONFLICT']);
  });

  test('waits for homes that are away, as long as the grace goes', () => {
    const home = ownerOfThree();
    home.replica.touch(interval, ref, home.now);
    home.hear('b', openingState(home));
    home.begin(true);
    home.finish();
    home.hear('b', {
      type: 'ack',
      interval,
      claim: { round: 1, writer: home.writer },
      channels: [{ ref, seq: 1 }],
    });
    expect(home.log.endPosition).toBe(1);
    // c was never seen.
    expect(home.replica.trimLimit(ref, 1_000, home.now)).toBe(0);
    expect(home.replica.trimLimit(ref, 1_000, home.now + 999)).toBe(0);
    expect(home.replica.trimLimit(ref, 1_000, home.now + 1_000)).toBe(1);
    home.replica.connected(nodeId('c'), home.now);
    expect(home.replica.trimLimit(ref, 1_000, home.now)).toBe(1);
    home.hear('c', { type: 'pull', interval, ref, have: new Map([[home.writer, 1]]) });
    home.replica.disconnected(nodeId('c'), home.now);
    expect(home.replica.trimLimit(ref, 1_000, home.now)).toBe(1);
  });
});

describe('a home behind floors', () => {
  test('takes them over before the entries of the same message, in one commit', () => {
    const home = new Home('a', 'abc');
    home.hear('b', append([entries(8, 9).bytes], { committed: 9, trim: trimOf(7) }));
    home.sync();
    expect([home.log.have(other), home.log.floors.get(other), home.log.entries]).toEqual([9, 7, 2]);
    expect(home.log.committed).toEqual({ writer: other, seq: 9 });
    expect(home.effects).toContainEqual({ type: 'overtaken', ref, from: 0 });
    expect(home.said()).toContainEqual({ type: 'ack', interval, claim, channels: [{ ref, seq: 9 }] });
    expect(alarms(home)).toEqual([]);
  });

  test('says so to readers before what it hears is committed, while the store is just done with them', () => {
    const home = new Home('a', 'abc');
    home.hear('b', append([entries(8, 9).bytes], { trim: trimOf(7) }));
    home.begin();
    home.stored();
    home.hear('b', append([], { committed: 9 }));
    home.finish();
    const told = home.effects.filter(({ type }) => type === 'overtaken' || type === 'committed');
    expect(told).toMatchObject([
      { type: 'overtaken', from: 0 },
      { type: 'committed', from: 7, to: 9 },
    ]);
  });

  test('is told them by its owner, ahead of what is kept', () => {
    const home = ownerOfThree();
    home.log.apply(floorRun(ref, trimOf(7)).run);
    home.replica.touch(interval, ref, home.now);
    home.hear('b', openingState(home));
    home.sync();
    const told = home.said().filter(({ type }) => type === 'append');
    expect(told[0]).toMatchObject({ trim: trimOf(7) });
  });

  test('comes back, and what it alone wrote is merged: D5', () => {
    expect(() => comesBack()).not.toThrow();
  });
});

describe('homes that compare what they hold come to the same floors', () => {
  test('where one missed the trim and what it removes', () => {
    plant('no-catch-up');
    try {
      expect(() => comparedFromBehind()).not.toThrow();
    } finally {
      plant(undefined);
    }
  });

  test('where one holds the trim, and does not know that it is committed', () => {
    plant('no-catch-up');
    try {
      expect(() => comparedUncommitted()).not.toThrow();
    } finally {
      plant(undefined);
    }
  });
});

describe('a home that lies about floors', () => {
  test('is not believed while another one is known to own', () => {
    const home = holder();
    home.hear('c', state(trimOf(1_000)));
    home.sync();
    expect(home.log.floors.size).toBe(0);
  });

  test('removes nothing that is held: the trim itself must be held, and committed', () => {
    const home = holder();
    home.hear('b', append([], { trim: trimOf(4) }));
    home.sync();
    expect(home.log.floors.size).toBe(0);
    expect(alarms(home)).toEqual([]);
  });

  test('that would leave a part of what is committed is told', () => {
    const home = holder();
    home.hear('b', append([], { trim: trimOf(1_000, '55'.repeat(12) as WriterId) }));
    home.sync();
    expect(home.log.floors.size).toBe(0);
    expect(alarms(home)).toEqual(['TRIM_CONFLICT']);
  });

  test('cannot send the run by which a store says it', () => {
    const home = holder();
    home.hear('b', append([floorRun(ref, trimOf(1_000)).bytes]));
    home.sync();
    expect([home.log.floors.size, home.log.have(floorWriter)]).toEqual([0, 0]);
    expect(alarms(home)).toEqual(['DAMAGED_RUN']);
  });

  test('and is no home of the interval is not heard', () => {
    const home = new Home('a', 'ab');
    home.hear('c', state(trimOf(9)));
    home.sync();
    expect(home.log.floors.size).toBe(0);
  });
});
