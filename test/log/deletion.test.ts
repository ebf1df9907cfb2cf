/** Generations of a channel, as logs see them: what an end removes, what was written beside it, and what is told of that. */
import { describe, expect, test } from 'vitest';
import type { ChannelRef, Dot, WriterId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import { Mirror } from '../../src/engine/cluster/mirror.js';
import { reasonOf, withReason } from '../../src/engine/missing.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import { parentsWithVoids } from '../../src/log/deletion.js';
import type { LostRange, Timestamp, Trim } from '../../src/log/entry.js';
import { floorRun, floorsIn } from '../../src/log/floors.js';
import { LogReader } from '../../src/log/reader.js';
import type { RunSummary } from '../../src/log/run.js';
import { RunWriter } from '../../src/log/run-writer.js';
import { countersPerMs } from '../../src/log/timestamp.js';

const ref = { hub: 'h', channel: 'c' } as ChannelRef;
const a = 'aa'.repeat(12) as WriterId;
const b = 'bb'.repeat(12) as WriterId;
const c = 'cc'.repeat(12) as WriterId;

interface Writing {
  readonly round?: number;
  readonly count?: number;
  readonly deletes?: boolean;
  readonly voids?: readonly LostRange[];
  readonly lost?: LostRange;
  readonly trim?: Trim;
  readonly timestamp?: Timestamp;
}

/** Entries of a writer as it would stamp them on this log. */
function runOn(log: ChannelLog, writer: WriterId, of: Writing = {}): RunSummary {
  return stampOn(log, writer, of).runs[0]!;
}

function stampOn(log: ChannelLog, writer: WriterId, of: Writing): RunWriter {
  const { round = 1, count = 1, deletes, voids, lost, trim } = of;
  const own = log.writer(writer);
  const firstSeq = (own?.seq ?? 0) + 1;
  const out = new RunWriter();
  out.begin(ref, writer, round, firstSeq, own?.lastChecksum ?? 0);
  for (let i = 0; i < count; i++) {
    const parents = i === 0 ? log.parentsFor(writer, own === undefined) : undefined;
    const timestamp = (of.timestamp ?? log.lastTimestamp + 10) + i;
    if (deletes)
      out.append({ timestamp, kind: 'delete', parents, trim: log.generation.endAt(writer, firstSeq, round) });
    else if (trim) out.append({ timestamp, kind: 'trim', parents, trim });
    else if (lost) out.append({ timestamp, kind: 'gap', parents, lost });
    else if (voids)
      out.append({
        timestamp,
        kind: 'delete',
        parents: parentsWithVoids({ writer, seq: firstSeq - 1 }, parents, voids),
        voids,
      });
    else out.append({ timestamp, kind: 'read', parents, retain: true });
  }
  out.end();
  return out;
}

function write(writer: WriterId, of: Writing, ...logs: readonly ChannelLog[]): Dot {
  const run = runOn(logs[0]!, writer, of);
  for (const log of logs) log.apply(run);
  return { writer, seq: run.firstSeq + run.count - 1 };
}

function commit(dot: Dot, ...logs: readonly ChannelLog[]): void {
  for (const log of logs) {
    log.commitThrough(dot);
    const { due, untrue } = log.dueTrims();
    expect(untrue).toEqual([]);
    if (due) log.apply(floorRun(ref, due).run);
  }
}

/** Everything a reader is told from `position` on. */
function readAll(log: ChannelLog, reader = LogReader.atPosition(log, 0)): string[] {
  const told: string[] = [];
  for (let step = reader.next(log, 100); step.type !== 'end'; step = reader.next(log, 100)) {
    told.push(step.type === 'gap' ? step.reason : `${step.writer[0]}${step.firstSeq}x${step.count}`);
    reader.advance(step);
  }
  return told;
}

const copyOf = (log: ChannelLog): ChannelLog => {
  const decoded = ChannelLog.decode(ref, log.encode());
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value;
};

/** Two homes with five entries, of which `apart` knows no more; on the other the generation is ended. */
function parted() {
  const home = new ChannelLog(ref);
  const apart = new ChannelLog(ref);
  commit(write(a, { count: 5 }, home, apart), home, apart);
  const end = write(a, { deletes: true }, home);
  commit(end, home);
  return { home, apart, end };
}

describe('the end of a generation', () => {
  test('removes all it stands on and itself, and the log goes on behind it', () => {
    const { home, end } = parted();
    expect([home.entries, home.firstPosition, home.endPosition]).toEqual([0, 6, 6]);
    expect([home.heads(), home.committed, home.retained]).toEqual([[end], end, undefined]);
    expect(home.generation.deletion).toMatchObject({ through: end, end: 6 });
    commit(write(a, {}, home), home);
    commit(write(b, { round: 2 }, home), home);
    expect(readAll(home)).toEqual(['deleted', 'a7x1', 'b1x1']);
    expect(readAll(copyOf(home))).toEqual(['deleted', 'a7x1', 'b1x1']);
    expect(copyOf(home).encode()).toEqual(home.encode());
  });

  test('is told to who had everything before it, also while its floors are not written down', () => {
    const log = new ChannelLog(ref);
    commit(write(a, { count: 5 }, log), log);
    const live = LogReader.atPosition(log, log.endPosition);
    log.commitThrough(write(a, { deletes: true }, log));
    log.commitThrough(write(a, {}, log));
    expect(log.firstPosition).toBe(0);
    expect(readAll(log, live)).toEqual(['deleted', 'a7x1']);
    expect(readAll(log)).toEqual(['deleted', 'a7x1']);
  });

  test('is gone over by nobody before it takes effect, and is told then', () => {
    const log = new ChannelLog(ref);
    commit(write(a, { count: 5 }, log), log);
    const live = LogReader.atPosition(log, log.endPosition);
    const ahead = (tip: Dot): string[] => {
      const told: string[] = [];
      for (;;) {
        const step = live.nextProvisional(log, tip, 100);
        if (step.type !== 'entries') return told;
        told.push(`${step.writer[0]}${step.firstSeq}x${step.count}`);
        live.took(step.writer, step.firstSeq + step.count - 1);
      }
    };
    expect(ahead(write(a, { count: 2 }, log))).toEqual(['a6x2']);
    const end = write(a, { deletes: true }, log);
    const tip = write(a, { count: 2 }, log);
    expect(ahead(tip)).toEqual([]);
    commit(end, log);
    expect(readAll(log, live)).toEqual(['deleted']);
    expect(ahead(tip)).toEqual(['a9x2']);
    commit(tip, log);
    expect(readAll(log, live)).toEqual([]);
  });

  test('is told once to who goes on elsewhere, where it takes effect later', () => {
    const log = new ChannelLog(ref);
    commit(write(a, { count: 5 }, log), log);
    write(a, { deletes: true }, log);
    const tip = write(a, { count: 2 }, log);
    const told = LogReader.atCursor(log, [tip]);
    commit(write(a, {}, log), log);
    expect(told.ok && readAll(log, told.value)).toEqual(['a9x1']);
  });

  test('is why its past cannot be read, also to who has not heard of it', () => {
    const { home, apart } = parted();
    const range = { writer: a, fromSeq: 2, toSeq: 3 };
    expect(reasonOf(home, range)).toBe('deleted');
    expect(reasonOf(apart, range)).toBe('damaged');
    expect(reasonOf(apart, withReason(home, range))).toBe('deleted');
  });

  test('is nothing where another owner had gone on without it', () => {
    const [log, other] = [new ChannelLog(ref), new ChannelLog(ref)];
    commit(write(a, { count: 5 }, log, other), log, other);
    write(a, { deletes: true }, log);
    const later = runOn(other, b, { round: 2 });
    log.apply(later);
    other.apply(later);
    write(b, { round: 2 }, log);
    commit({ writer: b, seq: 2 }, log);
    expect([log.generation.deletion, log.firstPosition, log.heldTrims]).toEqual([undefined, 0, []]);
    expect(readAll(log)).toEqual(['a1x5', 'b1x1', 'a6x1', 'b2x1']);
  });

  test('is nothing to a follower either where another owner had gone on without it', () => {
    const log = new ChannelLog(ref);
    const mirror = new Mirror(new ChannelLog(ref));
    const follow = (writer: WriterId, of: Writing, on = log): Dot => {
      const out = stampOn(on, writer, of);
      const [run] = out.runs as [RunSummary];
      log.apply(run);
      expect(mirror.take(out.bytes().slice())).toBe(true);
      return { writer, seq: run.firstSeq + run.count - 1 };
    };
    follow(a, { count: 5 });
    const other = copyOf(log);
    follow(a, { deletes: true });
    follow(b, { round: 2 }, other);
    const merged = follow(b, { round: 2 });
    expect(mirror.commit(merged)?.position).toBe(0);
    mirror.settle();
    expect([mirror.log.generation.deletion, mirror.log.firstPosition]).toEqual([undefined, 0]);
    expect(readAll(mirror.log)).toEqual(['a1x5', 'b1x1', 'a6x1', 'b2x1']);
    commit(merged, log);
    commit(follow(b, { round: 2, deletes: true }), log);
    mirror.commit({ writer: b, seq: 3 });
    mirror.settle();
    expect(mirror.log.encode()).toEqual(log.encode());
  });

  test('is adopted by a home that was away, with what is known of it', () => {
    const { home, apart, end } = parted();
    const told = home.trim!;
    expect(apart.judgeFloors(told)).toBe('behind');
    const { run } = floorRun(ref, told);
    expect(floorsIn(run)?.deletion).toEqual(told.deletion);
    apart.apply(run);
    expect([apart.entries, apart.heads(), apart.generation.deletion]).toEqual([
      0,
      [end],
      home.generation.deletion,
    ]);
  });

  test('is forgotten long after, once something else is trimmed', () => {
    const { home } = parted();
    const later = home.lastTimestamp + (limits.deletionKeptMs + 1_000) * countersPerMs;
    commit(write(a, { timestamp: later }, home), home);
    expect(home.generation.deletion).toBeDefined();
    home.applyTrim(home.trimAt(7)!, 0);
    write(a, { timestamp: later + 10 }, home);
    expect([home.generation.deletion, home.trim?.deletion]).toEqual([undefined, undefined]);
  });
});

describe('what was written beside the end', () => {
  test('is of the older generation wherever it turns up, and what stands on the end is not', () => {
    const { home, apart } = parted();
    const beside = runOn(apart, c, { round: 0, count: 3 });
    apart.apply(beside);
    home.apply(beside);
    const behind = runOn(home, b, { round: 0 });
    home.apply(behind);
    expect([
      home.generation.oldThrough(c),
      home.generation.oldThrough(b),
      home.generation.oldThrough(a),
    ]).toEqual([3, 0, 5]);
    expect(home.generation.voidsDue()).toEqual([{ writer: c, fromSeq: 1, toSeq: 3 }]);
    // The other home learns of the end with all of that in its log already.
    apart.apply(floorRun(ref, home.trim!).run);
    expect(apart.generation.voidsDue()).toEqual(home.generation.voidsDue());
  });

  test('is of the older generation also under a claim above that of the end, got before the end was committed', () => {
    const { home, apart } = parted();
    const behind = runOn(home, b, { round: 3 });
    const beside = [runOn(apart, c, { round: 2 })];
    apart.apply(beside[0]!);
    beside.push(runOn(apart, c, { round: 2, count: 2 }));
    apart.apply(beside[1]!);
    for (const run of [...beside, behind]) home.apply(run);
    // The other home learns of the end with all of that in its log already.
    apart.apply(floorRun(ref, home.trim!).run);
    apart.apply(behind);
    for (const log of [home, apart, copyOf(home)]) {
      expect([log.generation.oldThrough(b), log.generation.oldThrough(c)]).toEqual([0, 3]);
      expect(log.generation.voidsDue()).toEqual([{ writer: c, fromSeq: 1, toSeq: 3 }]);
    }
  });

  test('is dropped once the owner says so, told to readers, and waited for by nobody', () => {
    const { home, apart } = parted();
    const late = new ChannelLog(ref);
    const beside = runOn(apart, c, { round: 0, count: 3 });
    apart.apply(beside);
    home.apply(beside);
    const said = runOn(home, a, { voids: home.generation.voidsDue() });
    home.apply(said);
    expect([home.entries, home.writer(c)?.goneThrough, home.generation.voidsDue()]).toEqual([1, 3, []]);
    // One that learns of the end first, and one that never had what is void.
    apart.apply(floorRun(ref, home.trim!).run);
    apart.apply(said);
    late.apply(floorRun(ref, home.trim!).run);
    const lost = late.intake().takeBehind(said, home.givenUp());
    for (const range of lost.ok ? lost.value : []) late.lose(range);
    late.apply(said);
    const last = write(b, { round: 2 }, home, apart, late);
    commit(last, home, apart, late);
    for (const log of [home, apart, late, copyOf(home), copyOf(late)]) {
      expect([log.entries, log.writer(c)?.goneThrough, log.holes()]).toEqual([2, 3, []]);
      expect(readAll(log)).toEqual(['deleted', 'deleted', 'a7x1', 'b1x1']);
      expect(log.lacking(new Map())).toEqual([
        { writer: a, firstSeq: 7, count: 1 },
        { writer: b, firstSeq: 1, count: 1 },
      ]);
    }
  });

  test('is dropped also where that is said before the end is known to be committed', () => {
    const { home, apart } = parted();
    const end = runOn(apart, a, { deletes: true });
    const beside = runOn(apart, c, { round: 0, count: 3 });
    apart.apply(beside);
    home.apply(beside);
    const said = runOn(home, a, { voids: home.generation.voidsDue() });
    home.apply(said);
    apart.apply(end);
    apart.apply(said);
    expect(apart.writer(c)?.goneThrough).toBe(3);
    commit({ writer: a, seq: 7 }, apart);
    expect(readAll(apart)).toEqual(['deleted', 'deleted', 'a7x1']);
    expect(apart.generation.oldThrough(c)).toBe(3);
  });

  test('has its place also at a home that hears at once of what takes it in and that it is void', () => {
    const { home, apart } = parted();
    const late = copyOf(home);
    const first = runOn(apart, c, { round: 0, count: 3 });
    apart.apply(first);
    // Beside the end too, and standing on the other.
    const second = runOn(apart, b, { round: 0, count: 2 });
    for (const log of [home, late]) for (const run of [first, second]) log.apply(run);
    commit(write(a, {}, home, late), home);
    expect(home.endPosition).toBe(12);
    const last = write(a, { voids: home.generation.voidsDue() }, home, late);
    commit(last, home, late);
    for (const log of [home, late]) {
      expect([log.endPosition, log.heads(), log.committedSeq(b), log.committedSeq(c)]).toEqual([
        13,
        [last],
        2,
        3,
      ]);
      expect([log.entries, log.headsAt(13)]).toEqual([2, [last]]);
    }
    // So what removes it is true at both.
    commit(write(a, { trim: home.trimAt(13)! }, home, late), home, late);
    for (const log of [home, late]) {
      expect(log.trim?.through).toEqual(last);
      expect(readAll(log)).toEqual(['deleted', 'a9x1']);
    }
  });

  test('nobody’s word alone removes what is held', () => {
    const log = new ChannelLog(ref);
    commit(write(a, { count: 5 }, log), log);
    write(a, { voids: [{ writer: a, fromSeq: 1, toSeq: 4 }] }, log);
    expect([log.entries, log.writer(a)?.goneThrough]).toEqual([6, 0]);
    const { home } = parted();
    commit(write(b, { round: 2, count: 2 }, home), home);
    write(b, { round: 2, voids: [{ writer: b, fromSeq: 1, toSeq: 2 }] }, home);
    expect([home.entries, home.generation.oldThrough(b)]).toEqual([3, 0]);
  });

  test('is told to who reads ahead of what is committed, once, before it goes on', () => {
    const { home, apart } = parted();
    const beside = runOn(apart, c, { round: 0, count: 3 });
    home.apply(beside);
    const reader = LogReader.atPosition(home, home.endPosition);
    write(a, { voids: home.generation.voidsDue() }, home);
    const tip = write(a, { count: 2 }, home);
    const step = reader.nextProvisional(home, tip, 100);
    expect(step).toMatchObject({ reason: 'deleted', ranges: [{ writer: c, fromSeq: 1, toSeq: 3 }] });
    reader.advance(step);
    expect(reader.nextProvisional(home, tip, 100)).toMatchObject({
      writer: a,
      firstSeq: 7,
      count: 3,
      late: false,
    });
    reader.took(a, 9);
    expect(reader.nextProvisional(home, tip, 100)).toEqual({ type: 'end' });
    // Its cursor covers what is void: whoever goes on from there is not told any more.
    expect(reader.heads(home)).toEqual([tip]);
    commit(tip, home);
    expect([readAll(home, reader), reader.isBeyond, reader.tellsGivenUp()]).toEqual([[], false, false]);
    const onwards = LogReader.atCursor(home, [tip]);
    expect(onwards.ok && readAll(home, onwards.value)).toEqual([]);
  });

  test('is told as deleted to a reader that had some of it', () => {
    const { home, apart } = parted();
    const beside = runOn(apart, c, { round: 0, count: 3 });
    apart.apply(beside);
    home.apply(beside);
    const had = LogReader.atCursor(home, [{ writer: c, seq: 2 }]);
    write(a, { voids: home.generation.voidsDue() }, home);
    commit(write(a, {}, home), home);
    expect(had.ok && readAll(home, had.value)).toEqual(['deleted', 'deleted', 'a7x2']);
  });
});

describe('what nobody can read of it', () => {
  /** Beside the end: five entries of `c` in three runs, the middle one of which is lost, and what stands on them. */
  function withHole() {
    const { home, apart } = parted();
    const runs = [2, 1, 2].map((count) => {
      const run = runOn(apart, c, { round: 0, count });
      apart.apply(run);
      return run;
    }) as [RunSummary, RunSummary, RunSummary];
    const after = runOn(apart, b, { round: 0, count: 2 });
    // What a start finds of it on a disk where the middle rotted.
    const hurt = new ChannelLog(ref);
    hurt.apply(runOn(hurt, a, { count: 5 }));
    hurt.apply(runs[0]);
    hurt.lose(hole);
    for (const run of [runs[2], after]) hurt.apply(run);
    return { home, hurt, runs, after };
  }

  const hole: LostRange = { writer: c, fromSeq: 3, toSeq: 3 };
  const allOf = (log: ChannelLog): readonly number[] => [b, c].map((each) => log.generation.oldThrough(each));

  test('is of the generation of what is before it, and so is what follows, once it is given up', () => {
    const { home, hurt, runs, after } = withHole();
    home.apply(runs[0]);
    hurt.apply(floorRun(ref, home.trim!).run);
    // It may have stood on the end.
    expect(allOf(hurt)).toEqual([0, 2]);
    write(a, { lost: hole }, home, hurt);
    // Of what nothing is behind it is not said that it is deleted.
    expect(allOf(home)).toEqual([0, 2]);
    for (const run of [runs[2], after]) home.apply(run);
    for (const log of [home, hurt, copyOf(home)]) expect(allOf(log)).toEqual([2, 5]);
    const voids = home.generation.voidsDue();
    expect(voids).toEqual(hurt.generation.voidsDue());
    commit(write(a, { voids }, home, hurt), home, hurt);
    for (const log of [home, hurt, copyOf(hurt)]) {
      expect([log.entries, log.holes(), log.generation.voidsDue()]).toEqual([2, [], []]);
      expect(readAll(log)).not.toContainEqual(expect.stringMatching(/^[bc]/));
    }
    // Whoever is told of the floors from now on is told of that too.
    expect(home.trim?.deletion?.old).toEqual(home.generation.deletion?.old);
  });

  test('is known again where it is stored again', () => {
    const { home, hurt, runs } = withHole();
    hurt.apply(floorRun(ref, home.trim!).run);
    expect(hurt.restore(runs[1])).toBe(true);
    expect(allOf(hurt)).toEqual([2, 5]);
    expect(hurt.trim?.deletion?.old).toEqual(hurt.generation.deletion?.old);
  });

  test('is void with what follows it where an owner that had it says so', () => {
    const { home, hurt, runs, after } = withHole();
    hurt.apply(floorRun(ref, home.trim!).run);
    for (const run of [...runs, after]) home.apply(run);
    write(a, { voids: home.generation.voidsDue() }, home, hurt);
    for (const log of [home, hurt])
      expect([log.entries, log.writer(c)?.goneThrough, log.writer(b)?.goneThrough]).toEqual([1, 5, 2]);
  });

  test('hides nothing that a later claim stamped, also where that comes in behind it', () => {
    const { home } = parted();
    const opening = runOn(home, b, { round: 2 });
    const full = copyOf(home);
    full.apply(opening);
    const behind = runOn(full, b, { round: 2, count: 3 });
    const late = copyOf(home);
    home.lose({ writer: b, fromSeq: 1, toSeq: 1 });
    home.apply(behind);
    for (const log of [home, late]) {
      write(c, { round: 3, lost: { writer: b, fromSeq: 1, toSeq: 1 } }, log);
      if (log === late) log.apply(behind);
      expect([allOf(log), log.generation.voidsDue()]).toEqual([[0, 0], []]);
    }
  });

  test('hides nothing behind it that names what stands on the end', () => {
    const { home } = parted();
    commit(write(a, {}, home), home);
    const full = copyOf(home);
    full.apply(runOn(full, c, { round: 0 }));
    const next = runOn(full, c, { round: 0 });
    full.apply(next);
    write(a, {}, home, full);
    const named = runOn(full, c, { round: 0, count: 2 });
    home.lose({ writer: c, fromSeq: 1, toSeq: 1 });
    for (const run of [next, named]) home.apply(run);
    full.apply(named);
    expect(allOf(full)).toEqual([0, 0]);
    write(a, { lost: { writer: c, fromSeq: 1, toSeq: 1 } }, home, full);
    // Also where what is given up had been known.
    for (const log of [home, full])
      expect(log.generation.voidsDue()).toEqual([{ writer: c, fromSeq: 1, toSeq: 2 }]);
  });
});
