/** A home that lies: what can be told from the truth does no harm and is alarmed. What cannot (an ack or a grant that is not
 *  so) makes it as good as a lost disk. The search has a home that says all this at random. */
import { describe, expect, test } from 'vitest';
import type { StoreId, WriterId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import { encodeContent } from '../../src/log/content-wire.js';
import { RunWriter } from '../../src/log/run-writer.js';
import type { PeerMessage } from '../../src/replication/messages.js';
import { decodeFrame } from '../../src/replication/wire-decoder.js';
import { encodeFrame } from '../../src/replication/wire-encoder.js';
import { Home, nodeId, openingState, ownerOfThree, ref, runOf, sliceOf } from './cluster.js';

const other = '77'.repeat(12) as WriterId;
const stranger = '99'.repeat(12) as WriterId;
const claim = { round: 5, writer: other };
const dot = { writer: other, seq: 1 };
const run = runOf(other, 5, 1);
const at = (round: number) => ({ round, writer: stranger });
const absurd = at(Number.MAX_SAFE_INTEGER);
const interval = 'i';

const append = (runs: Uint8Array[], under = claim, committed?: typeof dot): PeerMessage => ({
  type: 'append',
  interval,
  claim: under,
  ref,
  runs,
  ...(committed ? { committed } : {}),
});
const claiming = (under: typeof claim): PeerMessage => ({
  type: 'claim',
  claims: [{ interval, claim: under }],
});

function alarms(home: Home): string[] {
  return home.effects.flatMap((effect) => (effect.type === 'alarm' ? [effect.code] : []));
}

/** Holds one entry of the owner b. */
function holder(): Home {
  const home = new Home('a', 'abc');
  home.hear('b', append([run.bytes]));
  home.sync();
  home.said();
  return home;
}

/** Owns, and has the channel open. */
function owner(): Home {
  const home = ownerOfThree();
  home.replica.touch(interval, ref, home.now);
  home.hear('b', openingState(home));
  home.said();
  return home;
}

describe('a claim that no home can have come by', () => {
  const absurdities: PeerMessage[] = [
    claiming(absurd),
    append([], absurd),
    { type: 'pull', interval, ref, have: new Map(), claim: absurd },
    { type: 'ask', claims: [{ interval, claim: absurd }] },
    { type: 'fenced', promises: [{ interval, claim: absurd }] },
    { type: 'asked', answers: [{ interval, claim, promise: absurd }] },
  ];

  test.each(absurdities)('is not believed as $type', (message) => {
    const home = holder();
    home.hear('c', message);
    home.sync();
    expect(alarms(home)).toEqual(['CLAIM_JUMP']);
    expect(home.said()).toEqual([]);
    expect(home.replica.promiseOf(interval)).toEqual(claim);
  });

  test('takes no claim from who holds one', () => {
    const home = owner();
    home.hear('c', { type: 'fenced', promises: [{ interval, claim: absurd }] });
    expect(home.replica.claimOf(interval)).toBeDefined();
  });

  test('leaves numbers above it however often the highest that is believed is told', () => {
    const home = new Home('a', 'abc');
    for (let i = 1; i <= 1_000; i++) {
      home.hear('c', claiming(at(i * limits.claimRoundJumpMax)));
      home.sync();
    }
    expect(alarms(home)).toEqual([]);
    const round = home.replica.promiseOf(interval)!.round;
    expect(round * 1_000_000).toBeLessThan(Number.MAX_SAFE_INTEGER);
  });

  test('that is only heard of leaves the claim above it believable', () => {
    const home = ownerOfThree();
    const heard = at(limits.claimRoundJumpMax / 2);
    home.hear('c', { type: 'fenced', promises: [{ interval, claim: heard }] });
    home.said();
    home.now += 1_000;
    home.replica.tick(home.now);
    home.drain();
    const asks = home.said().filter(({ type }) => type === 'ask');
    expect(asks).toHaveLength(2);
    const honest = new Home('b', 'abc');
    honest.hear('a', asks[0]!);
    expect(honest.said()).toContainEqual(expect.objectContaining({ type: 'asked' }));
  });
});

describe("a claim that is not the speaker's", () => {
  test('a stale one is answered with what stands above it', () => {
    const home = holder();
    home.hear('c', claiming(at(1)), append([run.bytes], at(2)));
    home.sync();
    const fenced = {
      type: 'fenced',
      promises: [
        { interval, claim },
        { interval, claim },
      ],
    };
    expect(home.said()).toEqual([fenced]);
  });

  test('a stolen one is used by its owner only', () => {
    const home = holder();
    home.hear('c', append([runOf(other, 5, 2, run.last).bytes]), claiming(claim));
    home.sync();
    expect(home.said()).toEqual([]);
    expect(home.log.have(other)).toBe(1);
    expect(alarms(home)).toEqual(['CLAIM_CONFLICT', 'CLAIM_CONFLICT']);
    expect(home.replica.ownerOf(interval)).toBe(nodeId('b'));
  });

  test("one's own comes from nobody else", () => {
    const home = owner();
    home.hear('c', append([run.bytes], home.replica.claimOf(interval)));
    home.sync();
    expect(home.log.isEmpty).toBe(true);
    expect(alarms(home)).toEqual(['CLAIM_CONFLICT']);
  });
});

describe('acks', () => {
  const ack = (home: Home, seq: number): PeerMessage => ({
    type: 'ack',
    interval,
    claim: home.replica.claimOf(interval)!,
    channels: [{ ref, seq }],
  });
  const acked = (home: Home) => home.effects.some(({ type }) => type === 'outcome');

  test('of what was never stamped count for nothing, then or later', () => {
    const home = owner();
    home.hear('b', ack(home, 1), ack(home, Number.MAX_SAFE_INTEGER));
    home.begin(true);
    home.hear('b', ack(home, 2));
    home.finish();
    expect(acked(home)).toBe(false);
    expect(alarms(home)).toEqual(['ACK_UNSENT', 'ACK_UNSENT']);
    home.hear('b', ack(home, 1));
    expect(acked(home)).toBe(true);
  });

  test('and grants of who is no home count for nothing', () => {
    const home = owner();
    home.begin(true);
    home.finish();
    home.hear('d', ack(home, 1), { type: 'granted', claims: [{ interval, claim }] }, claiming(at(9)));
    expect(acked(home)).toBe(false);
    expect(new Set(alarms(home))).toEqual(new Set(['NOT_A_HOME']));
    expect(home.replica.claimOf(interval)).toBeDefined();
  });
});

describe('commits', () => {
  test('are believed from the owner, once it is known', () => {
    const home = holder();
    home.hear('c', { type: 'state', interval, ref, have: new Map(), runs: [], committed: dot });
    expect(home.log.committed).toBeUndefined();
    home.hear('c', append([], claim, dot));
    expect(home.log.committed).toBeUndefined();
    home.hear('b', append([], claim, dot));
    expect(home.log.committed).toEqual(dot);
  });

  test('that contradict what was committed are alarmed, and stop nothing', () => {
    const home = holder();
    home.hear('b', append([], claim, dot));
    const beside = runOf(stranger, 0, 1);
    home.hear('b', append([beside.bytes], claim, { writer: stranger, seq: 1 }));
    home.sync();
    expect(alarms(home)).toEqual(['COMMIT_CONFLICT']);
    expect(home.log.committed).toEqual(dot);
    expect(home.log.have(stranger)).toBe(1);
  });

  test('of what nobody has are remembered for a bounded number of writers', () => {
    const home = holder();
    for (let i = 0; i < 1_000; i++) {
      const writer = i.toString(16).padStart(24, '0') as WriterId;
      home.hear('b', append([], claim, { writer, seq: 1 }));
    }
    expect(home.log.committed).toBeUndefined();
    expect(alarms(home)).toEqual([]);
  });
});

describe('entries', () => {
  test('that are said to be there and never come are alarmed, and asked for at a bounded rate', () => {
    const home = holder();
    for (let i = 0; i < 64; i++) {
      home.now += 10;
      home.hear('c', { type: 'state', interval, ref, have: new Map([[stranger, 50]]), runs: [] });
    }
    expect(alarms(home)[0]).toBe('NOTHING_SENT');
    const pulls = home.said().filter(({ type }) => type === 'pull');
    expect(pulls.length).toBeLessThanOrEqual(3);
  });

  test('do not open a channel for an owner who cannot get them, and another home does', () => {
    const home = ownerOfThree();
    home.replica.touch(interval, ref, home.now);
    const opening = { ...openingState(home), have: new Map([[stranger, 50]]) } as PeerMessage;
    home.hear('b', opening);
    expect(home.replica.stamping(ref, home.now).as).toBe('wait');
    home.hear('c', openingState(home));
    expect(home.replica.stamping(ref, home.now).as).toBe('owner');
  });

  test('from a far future are stored, and move nothing', () => {
    const out = new RunWriter();
    out.begin(ref, other, 5, 1, 0);
    const content = encodeContent({ payload: new Uint8Array([1]) });
    out.append({ timestamp: 2 ** 52, kind: 'publish', content });
    out.end();
    const home = new Home('a', 'abc');
    home.hear('b', append([out.bytes().slice()]));
    home.sync();
    expect(home.said()).toContainEqual(expect.objectContaining({ type: 'ack' }));
    home.begin(true);
    home.finish();
    expect(home.log.have(home.writer)).toBe(1);
  });

  test('that are damaged, or of another channel, are not taken', () => {
    const home = new Home('a', 'abc');
    const flipped = run.bytes.slice();
    flipped[flipped.length - 5]! ^= 4;
    home.hear('b', append([flipped, new Uint8Array([1, 2, 3])]));
    home.sync();
    expect(home.log.isEmpty).toBe(true);
    expect(new Set(alarms(home))).toEqual(new Set(['DAMAGED_RUN']));
  });
});

describe('answers to a home that recovers', () => {
  function recovering() {
    const home = new Home('a', 'abc', 'recovering');
    home.replica.tick(home.now);
    home.drain();
    const asked = home.said().find(({ type }) => type === 'recover');
    const session = asked?.type === 'recover' ? asked.session : -1;
    const answer = { type: 'recovery', interval, session, recovering: false, channels: [] } as const;
    return { home, answer };
  }

  test('that lie about their parts end nothing', () => {
    const { home, answer } = recovering();
    home.hear('b', { ...answer, part: 0, parts: 1 });
    for (let part = 0; part < 20; part++) home.hear('c', { ...answer, part: 0, parts: 2 + (part % 2) });
    home.sync();
    expect(home.replica.isRecovering(interval)).toBe(true);
    home.hear('c', { ...answer, part: 0, parts: 1 });
    home.sync();
    expect(home.replica.isRecovering(interval)).toBe(false);
  });

  test('with an absurd promise are no answers', () => {
    const { home, answer } = recovering();
    home.hear('b', { ...answer, part: 0, parts: 1 });
    home.hear('c', { ...answer, part: 0, parts: 1, promise: absurd });
    home.sync();
    expect(home.replica.isRecovering(interval)).toBe(true);
    expect(home.replica.promiseOf(interval)).toBeUndefined();
    expect(alarms(home)).toEqual(['CLAIM_JUMP']);
  });

  test('of another question, or of more parts than there may be, are dropped', () => {
    const { home, answer } = recovering();
    home.hear('b', { ...answer, part: 0, parts: 1 });
    home.hear('c', { ...answer, session: 1, part: 0, parts: 1 });
    home.sync();
    expect(home.replica.isRecovering(interval)).toBe(true);
    const many = { ...answer, part: 0, parts: limits.recoveryPartsMax + 1 };
    const bytes = encodeFrame({ storeId: 'f'.repeat(32) as StoreId, ringVersion: 1, messages: [many] });
    expect(decodeFrame(bytes.slice())).toEqual({ ok: false, error: 'malformed' });
  });
});

describe('frames', () => {
  test('that are too large or cut short are refused whole', () => {
    const bytes = encodeFrame({
      storeId: 'f'.repeat(32) as StoreId,
      ringVersion: 1,
      messages: [append([run.bytes])],
    }).slice();
    for (let length = 1; length < bytes.length; length++) {
      const decoded = decodeFrame(bytes.slice(0, length));
      const messages = decoded.ok ? decoded.value.messages : [];
      expect(messages).toEqual([]);
    }
    expect(decodeFrame(new Uint8Array(limits.peerFrameBytesMax + 1))).toEqual({
      ok: false,
      error: 'too-large',
    });
  });

  test('of a store that its node has no more are void', () => {
    const home = owner();
    home.begin(true);
    home.finish();
    const [old, present] = ['f'.repeat(32), 'e'.repeat(32)] as StoreId[];
    const said = home.replica.claimOf(interval)!;
    const ack: PeerMessage = { type: 'ack', interval, claim: said, channels: [{ ref, seq: 1 }] };
    home.replica.receive(nodeId('b'), { storeId: present!, ringVersion: 1, messages: [] }, home.now);
    home.replica.receive(nodeId('b'), { storeId: old!, ringVersion: 1, messages: [ack] }, home.now);
    home.drain();
    expect(home.log.committed).toBeUndefined();
    home.replica.receive(nodeId('b'), { storeId: present!, ringVersion: 1, messages: [ack] }, home.now);
    expect(home.log.committed).toEqual({ writer: home.writer, seq: 1 });
  });

  test('that are repeated change nothing', () => {
    const home = holder();
    const before = home.log.encode();
    for (let i = 0; i < 5; i++) home.hear('b', append([run.bytes]));
    home.sync();
    expect(home.log.encode()).toEqual(before);
    expect(alarms(home)).toEqual([]);
  });
});

describe('questions that are asked again and again', () => {
  const given = { atOnce: () => 10 * limits.listingBytes, perSecond: limits.listingBytes };
  const timesMax = given.atOnce() / limits.questionBytes;
  const have = new Map<WriterId, number>();
  const about = { interval, ref, have };
  const kinds: (readonly [string, (i: number) => PeerMessage])[] = [
    ['for a channel', () => ({ type: 'pull', ...about })],
    ['for a page of a channel', () => ({ type: 'pull', ...about, limited: true })],
    ['for an interval', (session) => ({ type: 'recover', interval, session })],
    [
      'who has an entry',
      (session) => ({ type: 'find', interval, ref, session, wanted: new Map([[other, 1]]) }),
    ],
    [
      'for a repair',
      (session) => ({ type: 'mend', interval, ref, session, writer: other, firstSeq: 1, count: 1 }),
    ],
  ];

  /** Holds one entry of the owner b. */
  function asked(): Home {
    const home = new Home('a', 'abc', 'new', undefined, given);
    home.hear('b', append([run.bytes]));
    home.sync();
    home.sent.length = 0;
    return home;
  }

  /** What is done for questions, and what is said, since the last time. */
  function answers(home: Home): number {
    const done = home.effects.splice(0).filter(({ type }) => type === 'read' || type === 'list');
    return done.length + home.said().filter(({ type }) => type === 'found').length;
  }

  let asks = 0;
  function ask(home: Home, from: string, times: number, question: (i: number) => PeerMessage): void {
    for (let i = 1; i <= times; i++) {
      home.hear(from, question(++asks));
      if (i % 5 === 0 || i === times) home.sync();
    }
  }

  test.each(kinds)('%s are answered so often at once, and alarmed', (_, question) => {
    const home = asked();
    ask(home, 'c', 1_000, question);
    const told = alarms(home);
    expect(new Set(told)).toEqual(new Set(['ASKED_TOO_OFTEN']));
    expect(told.length).toBeLessThanOrEqual(13);
    const times = answers(home);
    expect(times).toBeGreaterThanOrEqual(10);
    expect(times).toBeLessThanOrEqual(timesMax);
  });

  test.each(kinds)('%s harm nobody else, and nothing that is held', (_, question) => {
    const home = asked();
    const before = home.log.encode();
    ask(home, 'c', 1_000, question);
    expect(home.log.encode()).toEqual(before);
    answers(home);
    ask(home, 'b', 1, question);
    expect(answers(home)).toBe(1);
    home.hear('b', append([runOf(other, 5, 2, run.last).bytes]));
    home.sync();
    expect(home.said()).toEqual([{ type: 'ack', interval, claim, channels: [{ ref, seq: 2 }] }]);
    expect(home.log.have(other)).toBe(2);
  });

  test.each(kinds)('%s are answered again once they have become rare', (_, question) => {
    const home = asked();
    ask(home, 'c', 1_000, question);
    answers(home);
    home.now += 60_000;
    const toldBefore = alarms(home).length;
    ask(home, 'c', 5, question);
    expect(answers(home)).toBe(5);
    expect(alarms(home)).toHaveLength(toldBefore);
  });

  test('by an owner leave what it sends acked', () => {
    const home = asked();
    ask(home, 'b', 1_000, () => ({ type: 'pull', ...about, claim }));
    expect(alarms(home)[0]).toBe('ASKED_TOO_OFTEN');
    const acks = home.said().filter(({ type }) => type === 'ack');
    expect(acks.flatMap((message) => (message.type === 'ack' ? message.channels : []))).toHaveLength(1_000);
    home.hear('b', append([runOf(other, 5, 2, run.last).bytes]));
    home.sync();
    expect(home.said()).toEqual([{ type: 'ack', interval, claim, channels: [{ ref, seq: 2 }] }]);
  });

  test('by refusing what an owner sends have it read again so often', () => {
    const home = ownerOfThree(given);
    home.replica.touch(interval, ref, home.now);
    home.hear('b', openingState(home));
    const bytes = home.begin(true)!;
    home.finish();
    home.effects.length = 0;
    let reads = 0;
    const toldOf: string[] = [];
    for (let i = 0; i < 2_000; i++) {
      home.hear('c', { type: 'pull', ...about }, { type: 'refused', ...about });
      for (const effect of home.effects) {
        if (effect.type !== 'read') continue;
        reads++;
        home.replica.loaded(effect.id, [sliceOf(bytes)], false, home.now);
      }
      home.drain();
      toldOf.push(...alarms(home));
      home.effects.length = 0;
    }
    expect(toldOf[0]).toBe('ASKED_TOO_OFTEN');
    expect(reads).toBeGreaterThan(10);
    expect(reads).toBeLessThanOrEqual(timesMax);
  });
});

test('alarms of one kind about one peer are told fewer and fewer times', () => {
  const home = holder();
  for (let i = 0; i < 1_000; i++) home.hear('c', claiming(absurd));
  expect(alarms(home)).toHaveLength(10);
});
