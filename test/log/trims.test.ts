/** What a log makes of trims it holds and of floors it is told. */
import { describe, expect, test } from 'vitest';
import type { ChannelRef, WriterId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import type { Trim } from '../../src/log/entry.js';
import { floorRun, floorsIn, isFloorRun } from '../../src/log/floors.js';
import { LogReader } from '../../src/log/reader.js';
import { RunWriter } from '../../src/log/run-writer.js';

const ref = { hub: 'h', channel: 'c' } as ChannelRef;
const a = 'aa'.repeat(12) as WriterId;
const b = 'bb'.repeat(12) as WriterId;

/** Adds entries of a writer, the last one a trim where one is given. */
function add(log: ChannelLog, writer: WriterId, count: number, trim?: Trim): void {
  const own = log.writer(writer);
  const out = new RunWriter();
  out.begin(ref, writer, 1, (own?.seq ?? 0) + 1, own?.lastChecksum ?? 0);
  const parents = log.parentsFor(writer, own === undefined);
  for (let i = 0; i < count; i++) {
    const first = i === 0 && parents ? { parents } : {};
    const timestamp = log.lastTimestamp + 10 + i;
    if (trim && i === count - 1) out.append({ timestamp, kind: 'trim', trim, ...first });
    else out.append({ timestamp, kind: 'merge', ...first });
  }
  log.apply(out.end());
}

function committed(count: number): ChannelLog {
  const log = new ChannelLog(ref);
  add(log, a, count);
  log.commitThrough({ writer: a, seq: count });
  return log;
}

const trimOf = (
  writer: WriterId,
  seq: number,
  more: readonly (readonly [WriterId, number])[] = [],
): Trim => ({
  through: { writer, seq },
  floors: new Map([...more, [writer, seq]]),
  round: 1,
});

describe('a trim that is held', () => {
  test('is due once it is committed, and until its floors are in force', () => {
    const log = committed(4);
    const trim = log.trimAt(2)!;
    add(log, a, 1, trim);
    expect(log.heldTrims).toEqual([{ dot: { writer: a, seq: 5 }, trim }]);
    expect(log.dueTrims()).toEqual({ due: undefined, untrue: [] });
    log.commitThrough({ writer: a, seq: 5 });
    expect(log.dueTrims()).toEqual({ due: trim, untrue: [] });
    log.apply(floorRun(ref, trim).run);
    expect([log.trim, log.heldTrims, log.dueTrims().due]).toEqual([trim, [], undefined]);
  });

  test.each([
    ['more than the past of what it names', trimOf(a, 2, [[b, 7]])],
    ['what is not there', trimOf(b, 3)],
    ['what is not on the chain at that round', { ...trimOf(a, 2), round: 9 }],
  ])('is forgotten where it names %s', (_, trim) => {
    const log = committed(4);
    add(log, a, 1, trim);
    log.commitThrough({ writer: a, seq: 5 });
    expect(log.dueTrims()).toEqual({ due: undefined, untrue: [{ writer: a, seq: 5 }] });
    expect(log.heldTrims).toEqual([]);
  });

  test('lives as long as the state of the log; of many the oldest are let go', () => {
    const log = committed(200);
    for (let i = 1; i <= limits.heldTrimsMax + 5; i++) add(log, a, 1, trimOf(a, i));
    expect(log.heldTrims).toHaveLength(limits.heldTrimsMax);
    const decoded = ChannelLog.decode(ref, log.encode());
    expect(decoded.ok && decoded.value.heldTrims).toEqual(log.heldTrims);
    log.commitThrough({ writer: a, seq: 200 + limits.heldTrimsMax + 5 });
    expect(log.dueTrims().due?.through).toEqual({ writer: a, seq: limits.heldTrimsMax + 5 });
  });
});

describe('a trim that was forced', () => {
  const forced = (seq: number): Trim => ({
    ...trimOf(a, seq),
    forced: { through: { writer: a, seq }, end: seq },
  });

  test('is known as that behind later ones, in the state of the log, and to who takes its floors over', () => {
    const log = committed(9);
    add(log, a, 1, forced(3));
    add(log, a, 1, trimOf(a, 5));
    const decoded = ChannelLog.decode(ref, log.encode());
    expect(decoded.ok && decoded.value.heldTrims).toEqual(log.heldTrims);
    log.commitThrough({ writer: a, seq: 11 });
    const { due } = log.dueTrims();
    expect(due).toEqual({ ...trimOf(a, 5), forced: forced(3).forced });
    log.apply(floorRun(ref, due!).run);
    log.apply(floorRun(ref, trimOf(a, 7)).run);
    expect(log.trim).toEqual({ ...trimOf(a, 7), forced: forced(3).forced });
    const again = ChannelLog.decode(ref, log.encode());
    expect(again.ok && again.value.trim).toEqual(log.trim);
    const behind = committed(1);
    behind.apply(floorRun(ref, log.trim!).run);
    expect(behind.trim).toEqual(log.trim);
  });

  test('is told whichever of it and a usual one that removes as much is in force first', () => {
    const reasonOf = (log: ChannelLog): unknown => {
      const step = LogReader.atPosition(log, 0).next(log, 9);
      return step.type === 'gap' && step.reason;
    };
    const log = committed(9);
    log.apply(floorRun(ref, trimOf(a, 7)).run);
    expect(reasonOf(log)).toBe('trimmed');
    add(log, a, 1, forced(3));
    // Not before it is committed; and kept over a start until then.
    expect([log.dueTrims().due, reasonOf(log)]).toEqual([undefined, 'trimmed']);
    const decoded = ChannelLog.decode(ref, log.encode());
    const again = decoded.ok ? decoded.value : log;
    again.commitThrough({ writer: a, seq: 10 });
    expect(again.dueTrims()).toEqual({ due: undefined, untrue: [] });
    expect([again.heldTrims, reasonOf(again)]).toEqual([[], 'forced']);
    expect(again.trim).toEqual({ ...trimOf(a, 7), forced: forced(3).forced });
    // At a node alone: both in one commit.
    const alone = committed(9);
    for (const trim of [trimOf(a, 7), forced(3)]) alone.applyTrim(trim, 0);
    expect(alone.trim).toEqual(again.trim);
    // What it does not cover it cannot have removed.
    const lie = { ...forced(3), forced: { through: { writer: a, seq: 3 }, end: 99 } };
    add(log, a, 1, lie);
    expect(log.heldTrims).toHaveLength(1);
  });

  test('is not let go before others where many wait', () => {
    const log = committed(200);
    add(log, a, 1, forced(1));
    for (let i = 2; i <= limits.heldTrimsMax + 5; i++) add(log, a, 1, trimOf(a, i));
    expect(log.heldTrims).toHaveLength(limits.heldTrimsMax);
    log.commitThrough({ writer: a, seq: 200 + limits.heldTrimsMax + 5 });
    expect(log.dueTrims().due?.forced).toEqual(forced(1).forced);
  });

  test('is told to whom it may have taken something from, and to nobody who had all of it', () => {
    const log = committed(9);
    add(log, a, 1, forced(4));
    log.commitThrough({ writer: a, seq: 10 });
    const overtaken = LogReader.atPosition(log, 5);
    log.apply(floorRun(ref, forced(4)).run);
    log.apply(floorRun(ref, trimOf(a, 7)).run);
    const reasonOf = (reader: LogReader): unknown => {
      const step = reader.next(log, 9);
      return step.type === 'gap' && step.reason;
    };
    const resumed = (seq: number): LogReader => {
      const reader = LogReader.atCursor(log, [{ writer: a, seq }]);
      if (!reader.ok) throw new Error('the head is held');
      return reader.value;
    };
    expect(reasonOf(overtaken)).toBe('trimmed');
    expect([3, 4, 6].map((seq) => reasonOf(resumed(seq)))).toEqual(['forced', 'trimmed', 'trimmed']);
    expect(reasonOf(LogReader.atPosition(log, 0))).toBe('forced');
    expect(reasonOf(LogReader.atVector(log, new Map([[a, 6]])))).toBe('forced');
  });
});

describe('floors that are told', () => {
  test('are taken over by who lacks something below them, and by nobody else', () => {
    const log = committed(4);
    expect(log.judgeFloors(trimOf(a, 3))).toBe('held');
    expect(log.judgeFloors(trimOf(a, 9))).toBe('behind');
    expect(log.judgeFloors(trimOf(b, 9))).toBe('conflict');
    expect(log.judgeFloors(trimOf(b, 9, [[a, 4]]))).toBe('behind');
    expect(log.judgeFloors(trimOf(b, 9, [[a, 3]]))).toBe('conflict');
    log.apply(floorRun(ref, trimOf(a, 9)).run);
    expect(log.judgeFloors(trimOf(a, 9))).toBe('known');
    expect(log.judgeFloors(trimOf(b, 9))).toBe('conflict');
  });

  test('are taken over where something below them is lost: nobody has it, and nothing is placed above it', () => {
    const log = committed(4);
    log.lose({ writer: b, fromSeq: 1, toSeq: 2 });
    add(log, a, 2);
    expect(log.judgeFloors(trimOf(a, 5))).toBe('held');
    expect(log.judgeFloors(trimOf(a, 5, [[b, 1]]))).toBe('behind');
    expect(log.judgeFloors(trimOf(b, 2, [[a, 5]]))).toBe('behind');
  });

  test('count with what is on its way into the log', () => {
    const log = committed(4);
    const intake = log.intake();
    intake.raise(new Map([[a, 9]]));
    expect(log.judgeFloors(trimOf(a, 9), intake)).toBe('held');
  });

  test('spare what was written beside them, whose parents may be gone', () => {
    const log = committed(4);
    add(log, b, 2);
    log.apply(floorRun(ref, trimOf(a, 9)).run);
    expect([log.have(a), log.have(b), log.entries]).toEqual([9, 2, 2]);
    expect(log.heads()).toContainEqual({ writer: a, seq: 9 });
    // Nothing is left of the writer; what it wrote was committed, and a reader may still wait for it as the newest.
    expect([log.committedSeq(a), log.provisional({ writer: a, seq: 3 })]).toEqual([9, []]);
    expect(log.heads()).toContainEqual({ writer: b, seq: 2 });
    add(log, a, 1);
    log.commitThrough({ writer: a, seq: 10 });
    expect([log.firstPosition, log.endPosition, log.committedSeq(b)]).toEqual([9, 12, 2]);
  });
});

test('a reader that a trim overtakes has no cursor that covers what it did not get', () => {
  const log = committed(6);
  const reader = LogReader.atPosition(log, 0);
  const step = reader.next(log, 2);
  reader.advance(step);
  expect(reader.heads(log)).toEqual([{ writer: a, seq: 2 }]);
  log.applyTrim(log.trimAt(4)!, 0);
  const again = LogReader.atCursor(log, reader.heads(log));
  expect(again.ok && again.value.next(log, 9)).toMatchObject({
    type: 'gap',
    ranges: [{ writer: a, fromSeq: 3, toSeq: 4 }],
    heads: [{ writer: a, seq: 4 }],
  });
});

test('a reader that a trim overtakes goes on, at a home that is not as far, behind what it got', () => {
  const log = committed(6);
  const reader = LogReader.atPosition(log, 0);
  reader.advance(reader.next(log, 2));
  const step = reader.next(log, 2);
  log.applyTrim(log.trimAt(5)!, 0);
  reader.advance(step);
  const behind = committed(6);
  const again = LogReader.atCursor(behind, reader.heads(log));
  expect(again.ok && again.value.next(behind, 9)).toMatchObject({ type: 'entries', firstSeq: 5 });
});

test('a floor run is one only as it is written', () => {
  const { run } = floorRun(ref, trimOf(a, 9));
  expect([isFloorRun(run), floorsIn(run)]).toEqual([true, trimOf(a, 9)]);
  expect(floorsIn({ ...run, firstSeq: 8 })).toBeUndefined();
  expect(floorsIn({ ...run, writer: a })).toBeUndefined();
  expect(new ChannelLog(ref).accepts({ ...run, firstSeq: 8 }).ok).toBe(false);
});
