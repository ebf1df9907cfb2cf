/** Entries that a start could not read are holes until they are found again; then the log is as if nothing had been lost. */
import { expect, test } from 'vitest';
import type { ChannelName, ChannelRef, HubName, WriterId } from '../../src/base/ids.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import type { LostRange } from '../../src/log/entry.js';
import { encodeContent } from '../../src/log/entry-wire.js';
import { type RunEntry, RunWriter } from '../../src/log/run-writer.js';
import type { RunSummary } from '../../src/log/run.js';

const ref: ChannelRef = { hub: 'h' as HubName, channel: 'c' as ChannelName };
const [a, b] = ['a'.repeat(24) as WriterId, 'b'.repeat(24) as WriterId];
const content = encodeContent({ payload: new Uint8Array(3) });

function chain(
  writer: WriterId,
  entries: readonly Partial<RunEntry>[],
  sizes: readonly number[],
  round = 1,
): RunSummary[] {
  const out = new RunWriter();
  let previous = 0;
  let at = 0;
  return sizes.map((size) => {
    out.begin(ref, writer, round, at + 1, previous);
    for (const entry of entries.slice(at, (at += size)))
      out.append({ timestamp: 10 * at, kind: 'publish', content, ...entry });
    previous = out.lastChecksum;
    return out.end();
  });
}

const ours = chain(
  a,
  [{ timestamp: 1 }, { timestamp: 5 }, { timestamp: 9, retain: true }, { timestamp: 20 }],
  [1, 2, 1],
);
const theirs = chain(
  b,
  [
    { timestamp: 3, parents: [{ writer: a, seq: 1 }] },
    {
      timestamp: 7,
      parents: [
        { writer: b, seq: 1 },
        { writer: a, seq: 3 },
      ],
    },
  ],
  [1, 1],
  2,
);
const [first, middle, last] = [ours[0]!, ours[1]!, ours[2]!];
const [below, above] = [theirs[0]!, theirs[1]!];

function whole(): ChannelLog {
  const log = new ChannelLog(ref);
  for (const run of [first, middle, last, below, above]) log.apply(run);
  return log;
}

const stateOf = (log: ChannelLog) => ({
  heads: log.heads(),
  primary: log.primary(),
  rounds: [1, 2, 3, 4].map((seq) => log.roundOf({ writer: a, seq })),
  order: log.provisional({ writer: b, seq: 2 }),
  lost: log.lostRanges(),
  holes: log.holes(),
});

test('a hole that is filled leaves no trace', () => {
  const log = new ChannelLog(ref);
  log.apply(first);
  log.lose({ writer: a, fromSeq: 2, toSeq: 3 });
  for (const run of [last, below, above]) log.apply(run);
  expect(log.hasUnplacedHole).toBe(true);
  expect(log.holes()).toEqual([{ writer: a, fromSeq: 2, toSeq: 3 }]);
  const read = ChannelLog.decode(ref, log.encode());
  if (!read.ok) throw new Error(read.error);
  for (const each of [log, read.value]) {
    expect(each.restore(middle)).toBe(true);
    expect(each.hasUnplacedHole).toBe(false);
    expect(stateOf(each)).toEqual(stateOf(whole()));
    each.commitThrough({ writer: b, seq: 2 });
    expect(each.retained).toEqual({ writer: a, seq: 3 });
    expect(each.restore(middle)).toBe(false);
  }
});

test('what is found again may name what was not known to be missing', () => {
  const log = new ChannelLog(ref);
  log.lose({ writer: b, fromSeq: 1, toSeq: 1 });
  expect(log.restore(below)).toBe(true);
  expect(log.holes()).toEqual([{ writer: a, fromSeq: 1, toSeq: 1 }]);
});

test('what the log gives up is no hole, after it was written and read too', () => {
  const log = new ChannelLog(ref);
  log.apply(first);
  log.lose({ writer: a, fromSeq: 2, toSeq: 3 });
  const gap = chain(
    b,
    [
      {
        timestamp: 30,
        kind: 'gap',
        lost: { writer: a, fromSeq: 2, toSeq: 3 },
        parents: [{ writer: a, seq: 3 }],
      },
    ],
    [1],
  );
  log.apply(gap[0]!);
  const read = ChannelLog.decode(ref, log.encode());
  if (!read.ok) throw new Error(read.error);
  for (const each of [log, read.value]) {
    expect(each.holes()).toEqual([]);
    expect(each.hasUnplacedHole).toBe(false);
    expect(each.isGivenUp(a, 2, 3)).toBe(true);
    expect(each.isGivenUp(a, 1, 2)).toBe(false);
  }
});

test('a run is taken above what was given up, and above nothing else', () => {
  const log = new ChannelLog(ref);
  log.apply(first);
  const took = (run: RunSummary, ...givenUp: LostRange[]) => log.intake().takeBehind(run, givenUp);
  expect(took(last)).toMatchObject({ ok: false, error: { type: 'gap' } });
  const lost = { writer: a, fromSeq: 2, toSeq: 3 };
  expect(took(last, lost)).toEqual({ ok: true, value: [lost] });
  // Of two ranges, the second only as far as is needed.
  expect(took(last, { ...lost, toSeq: 2 }, { ...lost, fromSeq: 2, toSeq: 9 })).toEqual({
    ok: true,
    value: [
      { ...lost, toSeq: 2 },
      { ...lost, fromSeq: 3 },
    ],
  });
  expect(took(last, { ...lost, toSeq: 2 })).toMatchObject({ ok: false });
  expect(took(last, { ...lost, writer: b })).toMatchObject({ ok: false });
  const intake = log.intake();
  expect(intake.take(below)).toMatchObject({ ok: true });
  expect(intake.takeBehind(above, [lost])).toEqual({ ok: true, value: [lost] });
  log.lose(lost);
  for (const run of [below, above, last]) log.apply(run);
  expect(log.holes()).toEqual([lost]);
});
