/** Stories of single homes: what they promise, take, ack and say. The random search has everything else. */
import { describe, expect, test } from 'vitest';
// First: it must be there before the code that it plants bugs in.
import { plant } from '../../simulations/replication/planting.js';
import type { WriterId } from '../../src/base/ids.js';
import { RunWriter } from '../../src/log/run-writer.js';
import { verifyRun } from '../../src/log/run-reader.js';
import type { PeerMessage } from '../../src/replication/messages.js';
import type { StoredSlice } from '../../src/replication/stored-slice.js';
import { timing } from '../../src/replication/timing.js';
import { Home, nodeId, openingState, ownerOfThree, ref, runOf } from './cluster.js';

const other = '77'.repeat(12) as WriterId;
const higher = '88'.repeat(12) as WriterId;
const claim = { round: 5, writer: other };
const above = { round: 5, writer: higher };
const append = (runs: Uint8Array[], under = claim) =>
  ({ type: 'append', interval: 'i', claim: under, ref, runs }) as const;

/** An entry of `higher` that gives up the second of `other`. */
function givingUp(): Uint8Array {
  const out = new RunWriter();
  out.begin(ref, higher, 5, 1, 0);
  const lost = { writer: other, fromSeq: 2, toSeq: 2 };
  out.append({ timestamp: 2_000, kind: 'gap', lost, parents: [{ writer: other, seq: 3 }] });
  out.end();
  return out.bytes().slice();
}

describe('a home', () => {
  test('acks only after the sync', () => {
    const home = new Home('a', 'abc');
    home.hear('b', append([runOf(other, 5, 1).bytes]));
    expect(home.said()).toEqual([]);
    home.begin();
    expect(home.said()).toEqual([]);
    home.finish();
    expect(home.said()).toEqual([{ type: 'ack', interval: 'i', claim, channels: [{ ref, seq: 1 }] }]);
  });

  test('does not ack what a higher claim has overtaken before the sync', () => {
    const home = new Home('a', 'abc');
    home.hear('b', append([runOf(other, 5, 1).bytes]));
    home.begin();
    home.hear('c', { type: 'claim', claims: [{ interval: 'i', claim: above }] });
    home.finish();
    expect(home.said()).toEqual([{ type: 'fenced', promises: [{ interval: 'i', claim: above }] }]);
  });

  test('grants behind the sync of its promise, and refuses what is below, of the same round too', () => {
    const home = new Home('a', 'abc');
    home.hear('c', { type: 'claim', claims: [{ interval: 'i', claim: above }] });
    expect(home.said()).toEqual([]);
    home.sync();
    expect(home.said()).toEqual([{ type: 'granted', claims: [{ interval: 'i', claim: above }] }]);
    home.hear('b', { type: 'claim', claims: [{ interval: 'i', claim }] });
    expect(home.said()).toEqual([{ type: 'fenced', promises: [{ interval: 'i', claim: above }] }]);
    home.hear('b', append([runOf(other, 5, 1).bytes]));
    expect(home.said()).toEqual([{ type: 'fenced', promises: [{ interval: 'i', claim: above }] }]);
  });

  test('says of what was given up that nobody knows what became of it, and quorum of what lies around it', () => {
    const home = new Home('a', 'abc');
    let last = 0;
    for (const seq of [1, 2, 3]) {
      const run = runOf(other, 5, seq, last);
      ({ last } = run);
      home.hear('b', append([run.bytes]));
    }
    home.sync();
    for (const seq of [1, 2, 3])
      home.replica.awaitEntry(ref, { writer: other, seq }, { level: 'quorum', degrade: false }, home.now);
    home.hear('c', append([givingUp()], above));
    home.sync();
    home.hear('c', { ...append([], above), committed: { writer: higher, seq: 1 } });
    home.drain();
    const outcomes = home.effects.flatMap((effect) =>
      effect.type === 'outcome' ? [[effect.firstSeq, effect.outcome.type]] : [],
    );
    expect(outcomes).toEqual([
      [1, 'acked'],
      [2, 'indeterminate'],
      [3, 'acked'],
    ]);
  });

  test('answers who opens with a page, and whoever else asks with all of it', () => {
    for (const terms of [{ claim }, {}]) {
      const home = new Home('a', 'abc');
      home.hear('b', append([runOf(other, 5, 1).bytes]));
      home.sync();
      home.hear('b', append([runOf(other, 5, 2, home.log.writer(other)!.lastChecksum!).bytes]));
      home.sync();
      home.effects.splice(0);
      home.hear('b', { type: 'pull', interval: 'i', ref, have: new Map(), ...terms });
      home.sync();
      const reads = () =>
        home.effects.splice(0).flatMap((effect) => (effect.type === 'read' ? [effect] : []));
      const [read] = reads();
      const bytes = runOf(other, 5, 1).bytes;
      const run = verifyRun(bytes, 0, bytes.length);
      const { headerBytes, recordBytes } = run.ok ? run.value : { headerBytes: 0, recordBytes: 0 };
      const records = bytes.subarray(headerBytes, headerBytes + recordBytes);
      const slice = { writer: other, round: 5, firstSeq: 1, count: 1, records } as StoredSlice;
      home.replica.loaded(read!.id, [slice], false, home.now);
      home.drain();
      expect(reads()).toHaveLength('claim' in terms ? 0 : 1);
    }
  });

  test('that is asked promises nothing', () => {
    const home = new Home('a', 'abc');
    home.hear('b', { type: 'ask', claims: [{ interval: 'i', claim }] });
    expect(home.said()).toEqual([{ type: 'asked', answers: [{ interval: 'i', claim }] }]);
    expect(home.replica.promiseOf('i')).toBeUndefined();
    expect(home.replica.hasWork).toBe(false);
  });

  test('tells what it has when an append does not follow', () => {
    const home = new Home('a', 'abc');
    home.hear('b', append([runOf(other, 5, 3, 99).bytes]));
    home.sync();
    expect(home.said()).toContainEqual({ type: 'refused', interval: 'i', ref, have: new Map() });
    expect(home.log.isEmpty).toBe(true);
  });

  test('takes several appends into one commit, each on top of the one before', () => {
    const home = new Home('a', 'abc');
    const first = runOf(other, 5, 1);
    home.hear('b', append([first.bytes]), append([runOf(other, 5, 2, first.last).bytes]));
    home.sync();
    expect(home.log.have(other)).toBe(2);
  });

  test('alarms when two entries have one name', () => {
    const home = new Home('a', 'abc');
    home.hear('b', append([runOf(other, 5, 1).bytes]));
    home.sync();
    home.hear('b', append([runOf(other, 5, 2, 1234).bytes]));
    home.sync();
    expect(home.effects).toContainEqual(expect.objectContaining({ type: 'alarm', code: 'DOT_CONFLICT' }));
    expect(home.log.have(other)).toBe(1);
  });

  test('refuses a frame of an older ring and asks for a newer one', () => {
    const home = new Home('a', 'abc');
    home.replica.ringVersion = 2;
    home.hear('b', append([runOf(other, 5, 1).bytes]));
    expect(home.said()).toEqual([{ type: 'staleRing' }]);
    home.replica.ringVersion = 0;
    home.hear('b', append([runOf(other, 5, 1).bytes]));
    expect(home.effects).toContainEqual(expect.objectContaining({ type: 'ringBehind', version: 1 }));
    expect(home.replica.hasWork).toBe(false);
  });

  test('takes it where it does not look (planted: stale-ring-taken)', () => {
    const home = new Home('a', 'abc');
    home.replica.ringVersion = 2;
    plant('stale-ring-taken');
    try {
      home.hear('b', append([runOf(other, 5, 1).bytes]));
    } finally {
      plant(undefined);
    }
    expect(home.replica.hasWork).toBe(true);
  });
});

describe('a home that recovers', () => {
  test('stores, says what it has, and neither acks nor grants nor answers', () => {
    const home = new Home('a', 'abc', 'recovering');
    home.hear('b', append([runOf(other, 5, 1).bytes]), { type: 'ask', claims: [{ interval: 'i', claim }] });
    home.hear('c', { type: 'claim', claims: [{ interval: 'i', claim: above }] });
    home.sync();
    expect(home.log.have(other)).toBe(1);
    expect(home.said()).toEqual([
      { type: 'state', interval: 'i', ref, have: new Map([[other, 1]]), runs: [] },
    ]);
  });

  test('gets what its owner writes at once, however long it does not count', () => {
    const owner = ownerOfThree();
    owner.replica.connected(nodeId('c'), owner.now);
    owner.begin(true);
    owner.finish();
    owner.hear('b', openingState(owner));
    owner.hear('c', { type: 'state', interval: 'i', ref, have: new Map(), runs: [] });
    const toC = (): PeerMessage[] =>
      owner.sent.splice(0).flatMap(({ to, frame }) => (to === nodeId('c') ? frame.messages : []));
    const claimed = { round: 1, writer: owner.writer };
    for (let seq = 1; seq <= 20; seq++) {
      toC();
      expect(owner.begin(true)).toBeDefined();
      expect(toC()).toMatchObject([{ type: 'append', runs: [expect.anything()] }]);
      owner.finish();
      const have = new Map([[owner.writer, seq]]);
      owner.hear('b', { type: 'ack', interval: 'i', claim: claimed, channels: [{ ref, seq }] });
      owner.hear('c', { type: 'state', interval: 'i', ref, have, runs: [] });
      owner.now += 400;
      owner.replica.tick(owner.now);
      owner.drain();
    }
  });

  test('counts again once both others gave back and all of it is synced', () => {
    const home = new Home('a', 'abc', 'recovering');
    home.replica.tick(home.now);
    home.drain();
    const asked = home.said().find(({ type }) => type === 'recover');
    const session = asked?.type === 'recover' ? asked.session : -1;
    const answer = {
      type: 'recovery',
      interval: 'i',
      session,
      recovering: false,
      part: 0,
      parts: 1,
    } as const;
    home.hear('b', { ...answer, channels: [], promise: claim });
    home.hear('c', { ...answer, channels: [{ ref, have: new Map([[other, 1]]) }] });
    home.sync();
    expect(home.replica.isRecovering('i')).toBe(true);
    const { bytes } = runOf(other, 5, 1);
    home.hear('c', { type: 'state', interval: 'i', ref, have: new Map([[other, 1]]), runs: [bytes] });
    home.sync();
    expect(home.replica.isRecovering('i')).toBe(true);
    home.sync();
    expect(home.replica.isRecovering('i')).toBe(false);
    expect(home.replica.promiseOf('i')).toEqual(claim);
  });
});

describe('a node that is alone', () => {
  test('owns its interval, and its own disk is the quorum', () => {
    const home = new Home('a', 'a');
    home.replica.want('i', true, home.now);
    home.sync();
    home.begin(true);
    home.finish();
    expect(home.effects).toContainEqual(expect.objectContaining({ type: 'claimGained' }));
    expect(home.effects).toContainEqual(
      expect.objectContaining({ type: 'outcome', outcome: { type: 'acked', level: 'quorum', copies: 1 } }),
    );
  });
});

describe('a home cut off', () => {
  test('asks again and again, and never counts rounds up', () => {
    const home = new Home('a', 'abc');
    home.now += 4_000;
    home.replica.want('i', true, home.now);
    for (let i = 0; i < 20; i++) {
      home.now = Math.max(home.now, home.replica.nextDeadline());
      home.replica.tick(home.now);
      home.drain();
      home.sync();
    }
    const rounds = home.said().flatMap((message) => (message.type === 'ask' ? message.claims : []));
    expect(rounds.length).toBeGreaterThan(5);
    expect(new Set(rounds.map((each) => each.claim.round))).toEqual(new Set([1]));
    expect(home.replica.promiseOf('i')).toBeUndefined();
  });

  test('writes with round 0 although it knows a higher one, and acks for itself alone', () => {
    const home = new Home('a', 'abc');
    home.hear('c', { type: 'claim', claims: [{ interval: 'i', claim: above }] });
    home.sync();
    home.begin(true);
    home.finish();
    expect(home.log.roundOf({ writer: home.writer, seq: 1 })).toBe(0);
    expect(home.effects).toContainEqual(
      expect.objectContaining({ type: 'outcome', outcome: { type: 'acked', level: 'owner', copies: 1 } }),
    );
  });
});

describe('an owner', () => {
  test('stamps a channel only once enough homes answered for it', () => {
    const home = ownerOfThree();
    home.replica.touch('i', ref, home.now);
    expect(home.replica.stamping(ref, home.now)).toEqual({ as: 'wait' });
    home.hear('b', openingState(home));
    expect(home.replica.stamping(ref, home.now)).toMatchObject({ as: 'owner', round: 1 });
  });

  test('sends what was refused once more, and after that only when it has asked what the home has', () => {
    const home = ownerOfThree();
    home.replica.touch('i', ref, home.now);
    home.hear('b', openingState(home));
    home.begin(true);
    home.finish();
    home.said();
    const refused = { type: 'refused', interval: 'i', ref, have: new Map() } as const;
    const reads = (): number => {
      const asked = home.effects.splice(0).filter((effect) => effect.type === 'read');
      // Damaged: there is nothing to be sent.
      for (const { id } of asked) home.replica.loaded(id, [], true, home.now);
      home.drain();
      return asked.length;
    };
    reads();
    home.hear('b', refused);
    expect(reads()).toBe(1);
    for (let i = 0; i < 10; i++) home.hear('b', refused);
    expect(reads()).toBe(0);
    home.now += 1_000;
    home.replica.tick(home.now);
    home.drain();
    expect(home.said().filter(({ type }) => type === 'pull')).toHaveLength(1);
  });

  test('says quorum when its own disk and one other have the entry, not when the other acks twice', () => {
    const home = ownerOfThree();
    home.replica.touch('i', ref, home.now);
    home.hear('b', openingState(home));
    home.begin(true);
    const ack = {
      type: 'ack',
      interval: 'i',
      claim: { round: 1, writer: home.writer },
      channels: [{ ref, seq: 1 }],
    } as const;
    home.hear('b', ack, ack);
    expect(home.effects.some(({ type }) => type === 'outcome')).toBe(false);
    home.finish();
    expect(home.effects).toContainEqual(
      expect.objectContaining({ type: 'outcome', outcome: { type: 'acked', level: 'quorum', copies: 2 } }),
    );
  });

  test('waits for homes that are linked as long as for acks before it stamps alone, and for others a moment', () => {
    const home = ownerOfThree();
    home.replica.touch('i', ref, home.now);
    const stamping = () => home.replica.stamping(ref, home.now).as;
    expect(stamping()).toBe('wait');
    home.now += timing.claimMs;
    expect(stamping()).toBe('wait');
    home.now += timing.publishMs - timing.claimMs;
    expect(stamping()).toBe('degraded');
    const alone = ownerOfThree();
    alone.replica.touch('i', ref, alone.now);
    alone.replica.disconnected(nodeId('b'), alone.now);
    expect(alone.replica.stamping(ref, alone.now).as).toBe('wait');
    alone.now += timing.claimMs - 1;
    expect(alone.replica.stamping(ref, alone.now).as).toBe('wait');
    alone.now += 1;
    expect(alone.replica.stamping(ref, alone.now).as).toBe('degraded');
  });

  test('to be asks linked homes again that answer late, and stamps alone only if none comes', () => {
    const home = new Home('a', 'abc');
    for (const peer of ['b', 'c']) home.replica.connected(nodeId(peer), home.now);
    home.replica.want('i', true, home.now);
    home.replica.touch('i', ref, home.now);
    home.drain();
    const asks = () => home.said().filter(({ type }) => type === 'ask').length;
    const isWaiting = () => home.replica.stamping(ref, home.now).as === 'wait';
    const pass = (ms: number): void => {
      home.now += ms;
      home.replica.tick(home.now);
      home.drain();
    };
    expect(asks()).toBe(2);
    pass(timing.claimMs);
    expect(asks()).toBe(2);
    expect(isWaiting()).toBe(true);
    // The attempt is over, and the next one not begun.
    pass(timing.claimMaxMs - timing.claimMs);
    expect(asks()).toBe(0);
    expect(isWaiting()).toBe(true);
    for (const peer of ['b', 'c']) home.replica.disconnected(nodeId(peer), home.now);
    expect(home.replica.stamping(ref, home.now).as).toBe('degraded');
    for (const peer of ['b', 'c']) home.replica.connected(nodeId(peer), home.now);
    expect(isWaiting()).toBe(true);
    home.now += timing.claimWaitMs;
    home.replica.tick(home.now);
    // Whatever it tries after that, publishes go on between the attempts.
    while (home.replica.stamping(ref, home.now).as === 'wait') pass(10);
    expect(home.now).toBeLessThan(10_000 + 2 * timing.claimWaitMs + timing.claimMaxMs);
  });

  test('to be that is not to be it any more tells the others what it has promised for that', () => {
    const home = new Home('a', 'abc');
    for (const peer of ['b', 'c']) home.replica.connected(nodeId(peer), home.now);
    const fences = () => home.said().filter(({ type }) => type === 'fenced');
    home.replica.want('i', true, home.now);
    home.replica.want('i', false, home.now);
    home.drain();
    expect(fences()).toEqual([]);
    home.replica.want('i', true, home.now + timing.backOffMaxMs);
    const own = { interval: 'i', claim: { round: 1, writer: home.writer } };
    home.hear('b', { type: 'asked', answers: [own] });
    home.replica.want('i', false, home.now);
    home.drain();
    const fence = { type: 'fenced', promises: [own] };
    expect(fences()).toEqual([fence, fence]);
  });

  test('asks for more of what a home has once it has stored what came of it', () => {
    const home = ownerOfThree();
    home.replica.touch('i', ref, home.now);
    const first = runOf(other, 0, 1);
    const second = runOf(other, 0, 2, first.last);
    const have = new Map([[other, 2]]);
    const page = (run: Uint8Array) => ({ ...openingState(home), have, runs: [run] }) as PeerMessage;
    home.drain();
    home.said();
    const pulls = () => home.said().filter(({ type }) => type === 'pull');
    home.hear('b', page(first.bytes));
    home.now += timing.hedgeMs;
    home.replica.tick(home.now);
    home.drain();
    // Not of who sent some: that is to be stored first. The other one has said nothing yet.
    expect(pulls()).toHaveLength(1);
    home.sync();
    expect(pulls()).toMatchObject([{ have: new Map([[other, 1]]) }]);
    home.hear('b', page(second.bytes));
    home.sync();
    expect(home.replica.stamping(ref, home.now).as).toBe('owner');
  });

  test('tells no outcome before its commit is over: nobody waits for it yet', () => {
    const home = ownerOfThree();
    home.replica.touch('i', ref, home.now);
    home.hear('b', openingState(home));
    home.begin(true);
    // However long the disk takes.
    home.now += 5_000;
    home.replica.tick(home.now);
    home.stored();
    const claim = { round: 1, writer: home.writer };
    home.hear('b', { type: 'ack', interval: 'i', claim, channels: [{ ref, seq: 1 }] });
    expect(home.log.committed).toEqual({ writer: home.writer, seq: 1 });
    expect(home.effects.filter(({ type }) => type === 'outcome')).toEqual([]);
    home.finish();
    expect(home.effects.filter(({ type }) => type === 'outcome')).toMatchObject([
      { firstSeq: 1, lastSeq: 1, outcome: { type: 'acked', level: 'quorum', copies: 2 } },
    ]);
  });

  describe('that is fenced', () => {
    /** One entry that nobody has acked. */
    function fenced(): Home {
      const home = ownerOfThree();
      home.replica.touch('i', ref, home.now);
      home.hear('b', openingState(home));
      home.begin(true);
      home.finish();
      home.hear('c', { type: 'fenced', promises: [{ interval: 'i', claim: above }] });
      home.replica.tick(home.now);
      home.drain();
      return home;
    }
    const outcomesOf = ({ effects }: Home) => effects.filter(({ type }) => type === 'outcome');

    test('stops counting', () => {
      const home = fenced();
      expect(home.effects).toContainEqual(expect.objectContaining({ type: 'claimLost' }));
      const own = { round: 1, writer: home.writer };
      home.hear('b', { type: 'ack', interval: 'i', claim: own, channels: [{ ref, seq: 1 }] });
      expect(home.log.committed).toBeUndefined();
    });

    test('says of what it stamped what it comes to under the next owner, while homes are linked', () => {
      const home = fenced();
      expect(outcomesOf(home)).toEqual([]);
      const committed = { writer: home.writer, seq: 1 };
      home.hear('c', { type: 'claim', claims: [{ interval: 'i', claim: above }] });
      home.sync();
      home.hear('c', { ...append([], above), committed });
      home.sync();
      expect(outcomesOf(home)).toMatchObject([{ outcome: { type: 'acked', level: 'quorum' } }]);
    });

    test('says that it has what it stamped alone, where nobody is linked, or after as long as a publish waits', () => {
      const alone = { outcome: { type: 'acked', level: 'owner', copies: 1 } };
      const parted = fenced();
      parted.replica.disconnected(nodeId('b'), parted.now);
      parted.replica.tick(parted.now);
      parted.drain();
      expect(outcomesOf(parted)).toMatchObject([alone]);
      const waiting = fenced();
      waiting.now += timing.publishMs;
      waiting.replica.tick(waiting.now);
      waiting.drain();
      expect(outcomesOf(waiting)).toMatchObject([alone]);
    });
  });
});
