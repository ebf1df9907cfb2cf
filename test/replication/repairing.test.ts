/** What takes the place of a record that cannot be read must fit all that is known of it; what no home has is given up. */
import { describe, expect, test } from 'vitest';
import type { WriterId } from '../../src/base/ids.js';
import type { Mend } from '../../src/replication/messages.js';
import {
  type Damaged,
  compose,
  missingIn,
  piecesHere,
  piecesOfRun,
} from '../../src/replication/repair-pieces.js';
import { RecordWalk, encodeContent, placeSeed } from '../../src/log/entry-wire.js';
import { redactBody } from '../../src/log/redaction.js';
import type { Redactions } from '../../src/log/redactions.js';
import { runOf as bytesOf } from '../../src/log/run-bytes.js';
import { verifyRun } from '../../src/log/run-reader.js';
import { RunWriter } from '../../src/log/run-writer.js';
import type { RunSummary } from '../../src/log/run.js';
import { type Home, nodeId, ownerOfThree, openingState, ref, runOf as oneEntry } from './cluster.js';

const writer = 'd'.repeat(24) as WriterId;

function runOf(texts: readonly string[], round = 1): { bytes: Uint8Array; run: RunSummary } {
  const out = new RunWriter();
  out.begin(ref, writer, round, 1, 0);
  texts.forEach((text, i) =>
    out.append({
      timestamp: 100 + i,
      kind: 'publish',
      content: encodeContent({ payload: new TextEncoder().encode(text) }),
    }),
  );
  const run = out.end();
  return { bytes: out.bytes().slice(), run };
}

const good = runOf(['one', 'two', 'three']);

function damaged(changes: Partial<Damaged> = {}): Damaged {
  const { run, bytes } = good;
  const all = bytes.subarray(run.headerBytes, run.headerBytes + run.recordBytes);
  const third = Math.floor(all.length / 3);
  return {
    ref,
    writer,
    firstSeq: 1,
    count: 3,
    known: { round: 1, recordBytes: run.recordBytes },
    whole: [{ writer, firstSeq: 1, count: 1, round: 1, records: all.subarray(0, third) }],
    before: 0,
    last: run.lastChecksum,
    ...changes,
  };
}

const nobody = { of: () => undefined };
const noneIsGivenUp = (): boolean => false;

describe('a run put together again', () => {
  test('is the one that was written', () => {
    const damage = damaged();
    const here = piecesHere(damage);
    expect(missingIn(damage, here)).toEqual([2, 3]);
    const composed = compose(
      damage,
      new Map([...piecesOfRun(good.bytes, good.run, nobody), ...here]),
      noneIsGivenUp,
    );
    const bytes = typeof composed === 'object' ? composed.map((each) => each.bytes.slice()) : composed;
    expect(bytes).toEqual([good.bytes]);
  });

  test.each([
    ['another content', runOf(['one', 'two', 'other'])],
    ['another length', runOf(['one', 'two', 'three and more'])],
    ['another round', runOf(['one', 'two', 'three'], 2)],
    ['another entry before it', runOf(['other', 'two', 'three'])],
  ])('is refused with %s', (_, { bytes, run }) => {
    const damage = damaged();
    const pieces = new Map([...piecesOfRun(bytes, run, nobody), ...piecesHere(damage)]);
    expect(compose(damage, pieces, noneIsGivenUp)).toBe('other');
  });

  test('takes nothing that is without its content unless a redaction is held, and then nothing that has it', () => {
    const bytes = good.bytes.slice();
    const { headerBytes } = good.run;
    const seed = placeSeed(good.run.ref, good.run.writer, good.run.round);
    for (const walk = new RecordWalk(bytes, headerBytes); walk.next();)
      redactBody(bytes, walk.bodyStart, walk.end, seed);
    const bare = verifyRun(bytes, 0, bytes.length);
    if (!bare.ok) throw new Error(bare.error);
    expect([...piecesOfRun(bytes, bare.value, nobody)]).toEqual([]);
    const second: Pick<Redactions, 'of'> = {
      of: (dot) => (dot.seq === 2 ? { ...dot, by: [], isErased: true } : undefined),
    };
    expect([...piecesOfRun(bytes, bare.value, second).keys()]).toEqual([2]);
    const pieces = piecesOfRun(good.bytes, good.run, second);
    const composed = compose(damaged({ whole: [] }), pieces, noneIsGivenUp);
    const run = typeof composed === 'object' ? composed[0]!.run : undefined;
    expect(run).toMatchObject({ count: 3, redacted: [2, 2], recordBytes: good.run.recordBytes });
  });

  test('is waited for until all of it is there; of a hole a beginning will do', () => {
    const part = new Map([...piecesOfRun(good.bytes, good.run, nobody)].filter(([seq]) => seq !== 3));
    expect(compose(damaged({ whole: [] }), part, noneIsGivenUp)).toBe('missing');
    const composed = compose(damaged({ whole: [], known: undefined }), part, noneIsGivenUp);
    expect(typeof composed === 'object' && composed.map(({ run }) => run.count)).toEqual([2]);
  });
});

describe('a run of which an entry in the middle was given up', () => {
  const damage = damaged({ whole: [] });
  const all = piecesOfRun(good.bytes, good.run, nobody);
  const isGivenUp = (seq: number): boolean => seq === 2;
  const without = (...seqs: number[]) => new Map([...all].filter(([seq]) => !seqs.includes(seq)));

  test('is put together again in two parts', () => {
    const composed = compose(damage, without(2), isGivenUp);
    const parts = typeof composed === 'object' && composed.map(({ run }) => [run.firstSeq, run.count]);
    expect(parts).toEqual([
      [1, 1],
      [3, 1],
    ]);
  });

  test('is one run where somebody has it all the same', () => {
    const composed = compose(damage, all, isGivenUp);
    expect(typeof composed === 'object' && composed.map(({ run }) => run.count)).toEqual([3]);
  });

  test('is waited for while another is missing, and refused where its end is another', () => {
    expect(compose(damage, without(2, 3), isGivenUp)).toBe('missing');
    const other = runOf(['one', 'two', 'other']);
    const pieces = new Map([...without(2, 3), ...piecesOfRun(other.bytes, other.run, nobody)]);
    pieces.delete(2);
    expect(compose(damage, pieces, isGivenUp)).toBe('other');
  });
});

describe('an owner', () => {
  const damage = damaged({ whole: [] });

  function asked(): { home: Home; session: number } {
    const home = ownerOfThree();
    home.replica.touch('i', ref, home.now);
    home.hear('b', openingState(home));
    home.log.apply(good.run);
    home.said();
    home.replica.damaged('i', damage, home.now);
    home.drain();
    const mend = home.said().find(({ type }) => type === 'mend');
    return { home, session: mend?.type === 'mend' ? mend.session : -1 };
  }

  const answer = { type: 'mended', interval: 'i', ref, through: 3, floor: 0, recovering: false } as const;
  const mendsOf = (home: Home): Mend[] =>
    home.said().flatMap((message) => (message.type === 'mend' ? [message] : []));
  /** Both others have nothing of what they are asked for; returns what they are asked then. */
  const hearNothing = (home: Home, asked: readonly Mend[]): Mend[] => {
    const { session, firstSeq, count } = asked[0]!;
    for (const peer of 'bc') home.hear(peer, { ...answer, session, through: firstSeq + count - 1, runs: [] });
    return mendsOf(home);
  };
  const givenUp = (home: Home): boolean => home.effects.some(({ type }) => type === 'giveUp');

  test('stores again what one home sends', () => {
    const { home, session } = asked();
    home.hear('b', { ...answer, session, runs: [good.bytes] });
    const part = home.replica.cut();
    expect(part.repairs.map(({ run }) => [run.firstSeq, run.count])).toEqual([[1, 3]]);
    home.replica.synced(part.token, home.now);
    expect(home.replica.mayMend(ref, writer, 1)).toBe(true);
  });

  test('tells of other content, and does not store it', () => {
    const { home, session } = asked();
    home.hear('b', { ...answer, session, runs: [runOf(['one', 'two', 'other']).bytes] });
    expect(home.replica.cut().repairs).toEqual([]);
    expect(home.effects).toContainEqual(expect.objectContaining({ type: 'alarm', code: 'DOT_CONFLICT' }));
  });

  test('gives up what all others lack, and nothing before all have answered', () => {
    const { home, session } = asked();
    home.hear('b', { ...answer, session, runs: [] });
    expect(givenUp(home)).toBe(false);
    home.hear('c', { ...answer, session, runs: [], recovering: true });
    expect(givenUp(home)).toBe(false);
    expect(home.replica.mayMend(ref, writer, 1)).toBe(true);
    home.hear('c', { ...answer, session, runs: [] });
    expect(home.effects).toContainEqual({ type: 'giveUp', ref, lost: { writer, fromSeq: 1, toSeq: 3 } });
    expect(home.replica.mayMend(ref, writer, 1)).toBe(false);
  });

  test('stores again what others have of it once what nobody has in its middle is given up', () => {
    const { home, session } = asked();
    const pieces = piecesOfRun(good.bytes, good.run, nobody);
    const ends = [1, 3].map((seq) => {
      const records = pieces.get(seq)!.record;
      return bytesOf({ ref, writer, round: 1, firstSeq: seq, count: 1, records });
    });
    home.hear('b', { ...answer, session, runs: ends });
    home.hear('c', { ...answer, session, runs: [] });
    const lost = { writer, fromSeq: 2, toSeq: 2 };
    expect(home.effects).toContainEqual({ type: 'giveUp', ref, lost });
    expect([1, 2, 3].map((seq) => home.replica.mayMend(ref, writer, seq))).toEqual([true, false, true]);
    const out = new RunWriter();
    const above = 'e'.repeat(24) as WriterId;
    out.begin(ref, above, 0, 1, 0);
    out.append({ timestamp: 200, kind: 'gap', parents: [{ writer, seq: 3 }], lost });
    out.end();
    const have = new Map([
      [writer, 3],
      [above, 1],
    ]);
    home.hear('c', { type: 'state', interval: 'i', ref, have, runs: [out.bytes().slice()] });
    home.sync();
    const { repairs } = home.replica.cut();
    expect(repairs.map(({ run }) => [run.firstSeq, run.count])).toEqual([
      [1, 1],
      [3, 1],
    ]);
  });

  test('asks again at once what it had asked before it owned: until then nobody gave up', () => {
    const home = ownerOfThree();
    home.log.apply(good.run);
    home.replica.touch('i', ref, home.now);
    home.replica.damaged('i', damage, home.now);
    home.drain();
    const sessions = (): number[] =>
      home.said().flatMap((message) => (message.type === 'mend' ? [message.session] : []));
    const [session] = sessions();
    const hearNothing = (): void => {
      for (const peer of ['b', 'c'] as const) home.hear(peer, { ...answer, session: session!, runs: [] });
    };
    hearNothing();
    expect(givenUp(home)).toBe(false);
    home.hear('b', openingState(home));
    home.replica.tick(home.now);
    home.drain();
    expect(sessions()).toContain(session);
    hearNothing();
    expect(givenUp(home)).toBe(true);
  });

  test('gives up nothing that another home has trimmed: it asks that home for its floors', () => {
    const { home, session } = asked();
    home.hear('b', { ...answer, session, runs: [], floor: 3 });
    expect(home.said()).toContainEqual(expect.objectContaining({ type: 'pull', ref }));
    home.hear('c', { ...answer, session, runs: [] });
    expect(givenUp(home)).toBe(false);
    expect(home.replica.mayMend(ref, writer, 1)).toBe(true);
  });

  test('asks the other homes too for what one of them cannot read and it lacks itself', () => {
    const home = ownerOfThree();
    home.replica.touch('i', ref, home.now);
    home.hear('b', openingState(home));
    home.sync();
    home.said();
    const mend = { type: 'mend', interval: 'i', ref, session: 1, writer, firstSeq: 1, count: 2 } as const;
    home.hear('b', mend);
    home.sync();
    const questions = home.said().flatMap((each) => (each.type === 'mend' ? [each] : []));
    expect(questions.map(({ firstSeq, count }) => [firstSeq, count])).toEqual([
      [1, 3],
      [1, 3],
    ]);
    const { session } = questions[0]!;
    let asked = questions;
    while (asked.length > 0) asked = hearNothing(home, asked);
    expect(givenUp(home)).toBe(false);
    // Nobody showed an entry behind it: it is looked for anew only when somebody asks anew.
    home.hear('b', mend);
    home.sync();
    const anew = mendsOf(home);
    expect(anew.map(({ firstSeq, count }) => [firstSeq, count])).toEqual([
      [1, 3],
      [1, 3],
    ]);
    expect(anew[0]!.session).not.toBe(session);
  });

  test('looks further on for an entry behind it, where what comes next is as unreadable', () => {
    const home = ownerOfThree();
    home.replica.touch('i', ref, home.now);
    home.hear('b', openingState(home));
    home.sync();
    home.said();
    home.hear('b', { type: 'mend', interval: 'i', ref, session: 1, writer, firstSeq: 1, count: 1 });
    home.sync();
    const asked = hearNothing(home, mendsOf(home));
    expect(asked.map(({ firstSeq, count }) => [firstSeq, count])).toEqual([
      [3, 7],
      [3, 7],
    ]);
    const out = new RunWriter();
    out.begin(ref, writer, 1, 4, 7);
    for (const timestamp of [104, 105])
      out.append({ timestamp, kind: 'publish', content: encodeContent({ payload: new Uint8Array(1) }) });
    out.end();
    const { session } = asked[0]!;
    home.hear('b', { ...answer, session, through: 5, runs: [out.bytes().slice()] });
    expect(givenUp(home)).toBe(false);
    home.hear('c', { ...answer, session, through: 9, runs: [] });
    // What is shown is enough: nobody is asked for more of it.
    expect(mendsOf(home)).toEqual([]);
    expect(home.effects).toContainEqual({ type: 'giveUp', ref, lost: { writer, fromSeq: 1, toSeq: 3 } });
  });

  test('gives that up once somebody sends what stands on it', () => {
    const home = ownerOfThree();
    home.replica.touch('i', ref, home.now);
    home.hear('b', openingState(home));
    home.sync();
    const out = new RunWriter();
    const above = 'e'.repeat(24) as WriterId;
    out.begin(ref, above, 0, 1, 0);
    const parents = [{ writer, seq: 2 }];
    out.append({
      timestamp: 200,
      kind: 'publish',
      parents,
      content: encodeContent({ payload: new Uint8Array(1) }),
    });
    out.end();
    const have = new Map([
      [writer, 2],
      [above, 1],
    ]);
    home.hear('b', { type: 'state', interval: 'i', ref, have, runs: [out.bytes().slice()] });
    home.sync();
    home.said();
    home.hear('b', { type: 'mend', interval: 'i', ref, session: 1, writer, firstSeq: 2, count: 3 });
    home.sync();
    const session = home.said().flatMap((each) => (each.type === 'mend' ? [each.session] : []))[0]!;
    for (const peer of 'bc') home.hear(peer, { ...answer, session, through: 5, runs: [] });
    // Entry 2 was named; of 3 and 4 only who lost them speaks. Without entry 1 nothing can be said of any.
    expect(givenUp(home)).toBe(false);
    home.hear('b', { type: 'mend', interval: 'i', ref, session: 2, writer, firstSeq: 1, count: 4 });
    home.sync();
    const again = home.said().flatMap((each) => (each.type === 'mend' ? [each.session] : []))[0]!;
    for (const peer of 'bc') home.hear(peer, { ...answer, session: again, through: 5, runs: [] });
    expect(home.effects).toContainEqual({ type: 'giveUp', ref, lost: { writer, fromSeq: 1, toSeq: 2 } });
  });

  test('hears nothing from who is no home, or was not asked', () => {
    const { home, session } = asked();
    home.hear('x', { ...answer, session, runs: [good.bytes] });
    home.hear('b', { ...answer, session: session + 1, runs: [good.bytes] });
    home.hear('b', { ...answer, session, runs: [oneEntry(writer, 5, 1).bytes.subarray(0, 40)] });
    expect(home.replica.cut().repairs).toEqual([]);
    expect(nodeId('b')).not.toBe(nodeId('x'));
  });
});
