/** What the engine asks a replica beside stamping: who owns, what became of an entry, and to get what a reader has. */
import { describe, expect, test } from 'vitest';
import type { WriterId } from '../../src/base/ids.js';
import type { Effect } from '../../src/replication/effects.js';
import type { PeerMessage } from '../../src/replication/messages.js';
import { floorRun } from '../../src/log/floors.js';
import { Home, nodeId, openingState, ownerOfThree, ref, runOf, sliceOf } from './cluster.js';

const other = '77'.repeat(12) as WriterId;
const claim = { round: 5, writer: other };
const above = { round: 6, writer: '88'.repeat(12) as WriterId };
const run = runOf(other, 5, 1);
const dot = { writer: other, seq: 1 };
const quorum = { level: 'quorum', degrade: true } as const;
const strict = { level: 'quorum', degrade: false } as const;

const append = (runs: Uint8Array[], committed?: { writer: WriterId; seq: number }): PeerMessage => ({
  type: 'append',
  interval: 'i',
  claim,
  ref,
  runs,
  ...(committed ? { committed } : {}),
});

function outcomes(home: Home) {
  return home.effects.filter((effect) => effect.type === 'outcome').map(({ outcome }) => outcome);
}

/** With one entry of `other`, not known to be committed. */
function holder(): Home {
  const home = new Home('a', 'abc');
  home.hear('b', append([run.bytes]));
  home.sync();
  home.replica.touch('i', ref, home.now);
  return home;
}

describe('the owner', () => {
  test('is who claims or appends under the highest claim', () => {
    const home = new Home('a', 'abc');
    expect(home.replica.ownerOf('i')).toBeUndefined();
    home.hear('b', append([]));
    expect(home.replica.ownerOf('i')).toBe(nodeId('b'));
    home.hear('c', { type: 'claim', claims: [{ interval: 'i', claim: above }] });
    expect(home.replica.ownerOf('i')).toBe(nodeId('c'));
    home.hear('b', append([]));
    expect(home.replica.ownerOf('i')).toBe(nodeId('c'));
  });

  test('is who pulls under it', () => {
    const home = new Home('a', 'abc');
    home.hear('b', { type: 'pull', interval: 'i', ref, have: new Map(), claim });
    expect(home.replica.ownerOf('i')).toBe(nodeId('b'));
  });

  test('is oneself once the claim is held, and nobody while it is sought', () => {
    const home = new Home('a', 'a');
    home.replica.want('i', true, home.now);
    expect(home.replica.ownerOf('i')).toBeUndefined();
    home.sync();
    expect(home.replica.ownerOf('i')).toBe(nodeId('a'));
  });

  test('is unknown after a restart until heard', () => {
    const home = new Home('a', 'abc', { promise: claim, recovering: false });
    expect(home.replica.ownerOf('i')).toBeUndefined();
    home.hear('b', append([]));
    expect(home.replica.ownerOf('i')).toBe(nodeId('b'));
  });
});

describe('a repeat of an entry that is there', () => {
  test('has an outcome at once where it is committed', () => {
    const home = holder();
    home.hear('b', append([], dot));
    home.replica.awaitEntry(ref, dot, strict, home.now);
    home.drain();
    expect(outcomes(home)).toEqual([{ type: 'acked', level: 'quorum', copies: 2 }]);
  });

  test('has no more copies than a commit takes once it is trimmed: floors are acked by homes that never had it', () => {
    const home = ownerOfThree();
    home.replica.touch('i', ref, home.now);
    home.hear('b', openingState(home));
    home.begin(true);
    home.finish();
    const { writer } = home;
    const acks = {
      type: 'ack',
      interval: 'i',
      claim: { round: 1, writer },
      channels: [{ ref, seq: 1 }],
    } as const;
    home.replica.connected(nodeId('c'), home.now);
    home.hear('b', acks);
    home.hear('c', { ...openingState(home), have: new Map([[writer, 1]]) } as PeerMessage, acks);
    home.effects.length = 0;
    const repeat = (): void => {
      home.replica.awaitEntry(ref, { writer, seq: 1 }, strict, home.now);
      home.drain();
    };
    repeat();
    const trim = { through: { writer, seq: 1 }, floors: new Map([[writer, 1]]), round: 1 };
    home.log.apply(floorRun(ref, trim).run);
    repeat();
    expect(outcomes(home)).toMatchObject([{ copies: 3 }, { copies: 2 }]);
  });

  test('waits for its commit', () => {
    const home = holder();
    home.replica.awaitEntry(ref, dot, strict, home.now);
    home.drain();
    expect(outcomes(home)).toEqual([]);
    expect(home.replica.releaseChannel(ref)).toBe(false);
    home.hear('b', append([], dot));
    home.sync();
    expect(outcomes(home)).toEqual([{ type: 'acked', level: 'quorum', copies: 2 }]);
    expect(home.replica.releaseChannel(ref)).toBe(true);
  });

  test('is acked by this disk alone where that is asked, or will do', () => {
    const home = holder();
    home.replica.awaitEntry(ref, dot, { level: 'owner', degrade: false }, home.now);
    home.replica.awaitEntry(ref, dot, quorum, home.now);
    home.drain();
    const alone = { type: 'acked', level: 'owner', copies: 1 };
    expect(outcomes(home)).toEqual([alone, alone]);
  });

  test('is indeterminate at the deadline', () => {
    const home = holder();
    home.replica.awaitEntry(ref, dot, strict, home.now);
    home.now += 2_000;
    expect(home.replica.nextDeadline()).toBeLessThanOrEqual(home.now);
    home.replica.tick(home.now);
    home.drain();
    expect(outcomes(home)).toEqual([{ type: 'indeterminate' }]);
    expect(home.replica.releaseChannel(ref)).toBe(true);
  });
});

describe('a fetch', () => {
  function fetching(start?: 'recovering') {
    const home = new Home('a', 'abc', start ?? 'new');
    home.replica.touch('i', ref, home.now);
    home.said();
    const id = home.replica.fetch(ref, [dot], home.now);
    home.drain();
    const asked = home.said().filter(({ type }) => type === 'find');
    const [first] = asked;
    const session = first?.type === 'find' ? first.session : -1;
    const answer = (from: string, seq: number, recovering = false): void => {
      const have = new Map(seq > 0 ? [[other, seq]] : []);
      home.hear(from, { type: 'found', interval: 'i', ref, session, have, recovering });
    };
    const fetched = () => home.effects.filter((effect): effect is Effect => effect.type === 'fetched');
    return { home, id, asked, answer, fetched };
  }

  test('asks all other homes, and pulls from one that has it', () => {
    const { home, id, asked, answer, fetched } = fetching();
    expect(asked).toHaveLength(2);
    expect(home.replica.releaseChannel(ref)).toBe(false);
    answer('b', 0);
    answer('c', 1);
    expect(home.said()).toEqual([{ type: 'pull', interval: 'i', ref, have: new Map() }]);
    home.hear('c', { type: 'state', interval: 'i', ref, have: new Map([[other, 1]]), runs: [run.bytes] });
    expect(fetched()).toEqual([]);
    home.sync();
    expect(fetched()).toEqual([{ type: 'fetched', id, ref, missing: [], certain: true }]);
    expect(home.replica.releaseChannel(ref)).toBe(true);
  });

  test('is over for good once every other home answered without it', () => {
    const { id, answer, fetched } = fetching();
    answer('b', 0);
    expect(fetched()).toEqual([]);
    answer('c', 0);
    expect(fetched()).toEqual([{ type: 'fetched', id, ref, missing: [dot], certain: true }]);
  });

  test.each(['another home', 'this one'])('proves nothing while %s recovers', (which) => {
    const isThis = which === 'this one';
    const { home, id, answer, fetched } = fetching(isThis ? 'recovering' : undefined);
    answer('b', 0);
    answer('c', 0, !isThis);
    expect(fetched()).toEqual([]);
    home.now += 300;
    home.replica.tick(home.now);
    home.drain();
    expect(home.said().some(({ type }) => type === 'find')).toBe(!isThis);
    home.now += 2_000;
    home.replica.tick(home.now);
    home.drain();
    expect(fetched()).toEqual([{ type: 'fetched', id, ref, missing: [dot], certain: false }]);
  });

  test('counts no answer of who is no home, or to another question', () => {
    const { home, answer, fetched } = fetching();
    answer('b', 0);
    answer('d', 0);
    const have = new Map();
    home.hear('c', { type: 'found', interval: 'i', ref, session: 1, have, recovering: false });
    expect(fetched()).toEqual([]);
  });

  test('is answered behind the sync of everything received', () => {
    const home = new Home('a', 'abc');
    const wanted = new Map([[other, 3]]);
    home.hear('b', append([run.bytes]));
    home.hear('c', { type: 'find', interval: 'i', ref, session: 7, wanted });
    expect(home.said()).toEqual([]);
    home.sync();
    const have = new Map([[other, 1]]);
    const found = { type: 'found', interval: 'i', ref, session: 7, have, recovering: false };
    expect(home.said()).toContainEqual(found);
  });
});

test('a channel that is asked for again while it is read is read from what the other holds by then, and once', () => {
  const home = new Home('a', 'abc');
  const second = runOf(other, 5, 2, run.last);
  home.hear('b', append([run.bytes, second.bytes]));
  home.sync();
  const ask = (seq: number): number => {
    const have = new Map(seq > 0 ? [[other, seq]] : []);
    home.hear('c', { type: 'pull', interval: 'i', ref, have });
    home.sync();
    return home.effects.splice(0).find((effect) => effect.type === 'read')!.id;
  };
  const goesOn = (id: number): boolean => {
    home.replica.loaded(id, [sliceOf(run.bytes)], false, home.now);
    home.drain();
    return home.effects.splice(0).some(({ type }) => type === 'read');
  };
  expect(goesOn(ask(0))).toBe(true);
  const [first, again] = [ask(0), ask(0)];
  expect(goesOn(first)).toBe(false);
  expect(goesOn(again)).toBe(true);
});
