/** What the committer is told before something is stamped that goes by what its channel comes to; and how much of that is kept. */
import { describe, expect, test } from 'vitest';
import type { ChannelRef, Dot, WriterId } from '../../src/base/ids.js';
import { defaultRules } from '../../src/channels/rules.js';
import { ActiveChannel } from '../../src/engine/active-channel.js';
import { RemoteUnavailableError } from '../../src/engine/cluster/followed-channel.js';
import type { Core } from '../../src/engine/core.js';
import { Documents } from '../../src/engine/documents/documents.js';
import { rebase } from '../../src/engine/documents/reading.js';
import type { Folding } from '../../src/engine/folds/folding.js';
import { type Fold, foldEntry } from '../../src/documents/fold.js';
import { utf8 } from '../../src/base/bytes.js';
import { readJsonText } from '../../src/documents/json-reader.js';
import type { Json } from '../../src/documents/value.js';
import { Folds } from '../../src/engine/folds/folds.js';
import { FoldUnreadableError, foldOn } from '../../src/engine/folds/log-fold.js';
import { OpenFold } from '../../src/engine/folds/open-fold.js';
import { limits } from '../../src/base/limits.js';
import type { Hashing, Logs, RecordSlice } from '../../src/engine/ports.js';
import type { Pending } from '../../src/engine/pending.js';
import { notificationPage } from '../../src/engine/notifications/reading.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import { encodeContent } from '../../src/log/content-wire.js';
import type { LostRange } from '../../src/log/entry.js';
import { emptyInbox } from '../../src/notifications/inbox.js';
import { RunWriter } from '../../src/log/run-writer.js';
import { failure } from '../../src/protocol/errors.js';
import type { Session } from '../../src/sessions/session.js';

const ref = { hub: 'default', channel: 'doc:plan' } as ChannelRef;
const [own, other, third] = ['1', '2', '3'].map((digit) => digit.repeat(24) as WriterId) as [
  WriterId,
  WriterId,
  WriterId,
];
const patch = { kind: 'publish', judged: { kind: 'patch' } } as Partial<Pending> as Pending;

interface Written {
  readonly writer: WriterId;
  readonly seq: number;
  readonly parents?: readonly Dot[];
  /** Gives these up. */
  readonly lost?: LostRange;
}

/** Returns what a home reads of it. */
function write(log: ChannelLog, { writer, seq, parents, lost }: Written): RecordSlice {
  const runs = new RunWriter();
  runs.begin(log.ref, writer, 1, seq, log.writer(writer)?.lastChecksum ?? 0);
  const kind = lost ? 'gap' : 'merge';
  runs.append({
    timestamp: 1_000_000_000_000 + seq,
    kind,
    ...(parents && { parents }),
    ...(lost && { lost }),
  });
  const run = runs.end();
  log.apply(run);
  const { round, firstSeq, count, headerBytes } = run;
  return { writer, round, firstSeq, count, records: runs.bytes().slice(headerBytes) };
}

function channelOf(log: ChannelLog): ActiveChannel {
  const channel = new ActiveChannel(log.ref, defaultRules, 0);
  channel.loaded(log, own);
  return channel;
}

/** Of a node that is asked before an entry with `parents`; the first entry alone is committed. */
function readinessAfter(written: readonly Written[], parents: readonly Dot[]): string {
  const log = new ChannelLog(ref);
  for (const one of written) write(log, one);
  log.commitThrough(written[0]!);
  const hashing = { sha256: () => new Uint8Array(32) };
  const folds = new Documents({} as Logs, own, hashing, { failed: () => {}, broken: () => {} });
  return folds.readiness(channelOf(log), [patch], parents);
}

const first = { writer: other, seq: 1 };

test('what follows the only head is judged once that is folded', () => {
  expect(readinessAfter([first], [first])).toBe('loading');
});

test('with two heads a merge comes first', () => {
  const beside = { writer: third, seq: 1, parents: [first] };
  const others = { writer: other, seq: 2 };
  expect(readinessAfter([first, others, beside], [others, beside])).toBe('merge');
});

test('what the writer itself wrote beyond the committed order is merged first: no parents name it', () => {
  const alone = { writer: own, seq: 1, parents: [first] };
  expect(readinessAfter([first, alone], [first])).toBe('merge');
});

test('a fold of another kind says nothing: it is made anew, and of no channel of another kind', async () => {
  const log = new ChannelLog(ref);
  const channel = channelOf(log);
  const folds = new Folds('document', counting, {} as Logs, own, { failed: () => {}, broken: () => {} });
  channel.fold = new OpenFold(log, { ...counting, empty: 7 }) as OpenFold<unknown>;
  expect(folds.at(channel, undefined)).toBeUndefined();
  expect((await folds.current(channel)).fold).toBe(0);
  const inbox = channelOf(new ChannelLog({ ...ref, channel: 'notification:plan' } as ChannelRef));
  await expect(folds.current(inbox)).rejects.toThrow('folded as what it is');
  expect(inbox.fold).toBeUndefined();
});

/** How many entries there were; two of them are kept. */
const counting: Folding<number> = {
  empty: 0,
  step: (fold) => ({ fold: fold + 1 }),
  snapshotOf: () => ({ payload: new Uint8Array() }),
  readSnapshot: () => undefined,
  bytesOf: () => 0,
  weightOf: () => 0,
  madeOf: () => 0,
  startsAnywhere: false,
  cacheBytes: 2 * limits.foldWeightMin,
};

test('what was stamped counts as kept until it is committed, and goes with the oldest then', async () => {
  const folds = new Folds('document', counting, {} as Logs, own, { failed: () => {}, broken: () => {} });
  const channels = Array.from({ length: 5 }, (_, i) =>
    channelOf(new ChannelLog({ ...ref, channel: `doc:${i}` } as ChannelRef)),
  );
  const isKept = () => channels.map(({ fold }) => fold !== undefined);
  const [stamped] = channels as [ActiveChannel];
  await folds.current(stamped);
  stamped.fold!.push({ writer: own, seq: 1, fold: 1 });
  write(stamped.log, { writer: own, seq: 1 });
  for (const channel of channels.slice(1, 4)) await folds.current(channel);
  expect(isKept()).toEqual([true, false, false, true, false]);
  stamped.log.commitThrough({ writer: own, seq: 1 });
  await folds.current(channels[4]!);
  expect(isKept()).toEqual([false, false, false, true, true]);
});

test('folds are kept by what they take in memory, whatever bytes a snapshot of them has', async () => {
  const heavy: Folding<number> = { ...counting, weightOf: () => limits.foldWeightMin };
  const keptOf = async (folding: Folding<number>): Promise<number> => {
    const folds = new Folds('document', folding, {} as Logs, own, { failed: () => {}, broken: () => {} });
    for (let i = 0; i < 5; i++)
      await folds.current(channelOf(new ChannelLog({ ...ref, channel: `doc:${i}` } as ChannelRef)));
    return [...folds.open].length;
  };
  expect(await keptOf(counting)).toBe(2);
  expect(await keptOf({ ...counting, bytesOf: () => 1_000_000 })).toBe(2);
  expect(await keptOf(heavy)).toBe(1);
});

test('documents of as many bytes count for more where they have many parts', async () => {
  const parts = `[${'[1],'.repeat(2_000)}0]`;
  const text = JSON.stringify('x'.repeat(parts.length - 2));
  const keptOf = async (json: string): Promise<number> => {
    const document = readJsonText(json) as Json;
    const hooks = { failed: () => {}, broken: () => {} };
    const documents = new Documents({} as Logs, own, {} as Hashing, hooks, 64 * parts.length);
    for (let i = 0; i < 20; i++) {
      const channel = channelOf(new ChannelLog({ ...ref, channel: `doc:${i}` } as ChannelRef));
      const open = new OpenFold(channel.log, documents.folding);
      const fold = { document, version: 1, voids: 0 };
      open.moveTo({ fold, position: 0, snapshotAt: undefined, costSince: 0 });
      channel.fold = open;
      await documents.current(channel);
    }
    return [...documents.open].length;
  };
  expect(await keptOf(text)).toBe(20);
  expect(await keptOf(parts)).toBe(1);
});

const changeOf = (operations: readonly object[]) => ({
  kind: 'patch' as const,
  content: { payload: utf8(JSON.stringify(operations)) },
});

/** A document of a text with so many letters, at its first position, and what a step on comes to. */
function textDocument(length: number) {
  const documents = new Documents({} as Logs, own, {} as Hashing, { failed: () => {}, broken: () => {} });
  const open = new OpenFold(new ChannelLog(ref), documents.folding);
  const set = (value: string) => changeOf([{ op: 'add', path: '/text', value }]);
  const move = (fold: Fold, position: number, isApart = false) =>
    open.moveTo({ fold, position, snapshotAt: undefined, costSince: 0 }, isApart);
  move(foldEntry(open.tip, set('x'.repeat(length))).fold, 1);
  return { open, set, move };
}

test('earlier folds count with the document, and are kept as long as they take no more than that itself', () => {
  const { open, set, move } = textDocument(500_000);
  const alone = open.weight;
  for (let position = 2; position <= 60; position++)
    move(
      foldEntry(open.tip, changeOf([{ op: 'splice', path: '/text', at: 9, remove: 1, insert: 'y' }])).fold,
      position,
    );
  // Small edits share nearly all.
  expect(open.foldAt(2)).toBeDefined();
  expect(open.weight).toBeGreaterThan(alone + 50_000);
  expect(open.weight).toBeLessThan(1.2 * alone);
  for (let position = 61; position <= 120; position++) {
    move(foldEntry(open.tip, set(String(position).repeat(170_000))).fold, position);
    expect(open.weight).toBeLessThan(2.5 * alone);
  }
  expect([open.foldAt(119), open.foldAt(117)].map((fold) => fold !== undefined)).toEqual([true, false]);
  // Nearly all is taken out: what was is not kept for that.
  move(foldEntry(open.tip, set('')).fold, 121);
  expect(open.foldAt(120)).toBeUndefined();
  expect(open.weight).toBeLessThan(10_000);
  // What was read anew shares nothing with what was there.
  move({ ...open.tip }, 500, true);
  expect(open.foldAt(121)).toBeUndefined();
});

test('what was stamped counts with the document at once', async () => {
  const hooks = { failed: () => {}, broken: () => {} };
  const documents = new Documents({} as Logs, own, {} as Hashing, hooks, 300_000);
  const channels = ['a', 'b', 'c'].map((name) =>
    channelOf(new ChannelLog({ ...ref, channel: `doc:${name}` } as ChannelRef)),
  ) as [ActiveChannel, ActiveChannel, ActiveChannel];
  const [grown, other, next] = channels;
  await documents.current(other);
  await documents.current(grown);
  const open = documents.at(grown, undefined)!;
  const change = changeOf([{ op: 'add', path: '/text', value: 'x'.repeat(200_000) }]);
  open.push({ writer: own, seq: 1, fold: foldEntry(open.tip, change).fold });
  write(grown.log, { writer: own, seq: 1 });
  grown.log.commitThrough({ writer: own, seq: 1 });
  // As the committer asks before the next one.
  expect(documents.at(grown, undefined)).toBe(open);
  await documents.current(next);
  expect(channels.map(({ fold }) => fold !== undefined)).toEqual([false, false, true]);
});

test('who reads on across the end of a generation is shown all of the next one, what its snapshot stands for too', async () => {
  const log = new ChannelLog(ref);
  const stored = new Map<number, Uint8Array>();
  const kinds = ['merge', 'merge', 'delete', 'merge', 'snapshot', 'merge'] as const;
  for (const [i, kind] of kinds.entries()) {
    const runs = new RunWriter();
    const seq = i + 1;
    runs.begin(ref, own, 1, seq, log.writer(own)?.lastChecksum ?? 0);
    const trim = kind === 'delete' ? log.generation.endAt(own, seq, 1) : undefined;
    const content = kind === 'snapshot' ? encodeContent({ payload: new Uint8Array() }) : undefined;
    runs.append({ timestamp: 1_000_000_000_000 + seq, kind, trim, content });
    const run = runs.end();
    const start = run.offset + run.headerBytes;
    stored.set(seq, runs.bytes().slice(start, start + run.recordBytes));
    log.apply(run);
    log.commitThrough({ writer: own, seq });
    log.dueTrims();
  }
  const read = async (_: ChannelRef, [{ firstSeq }]: readonly [{ firstSeq: number }]) => {
    const slice = { writer: own, firstSeq, count: 1, round: 1, records: stored.get(firstSeq)! };
    return { slices: [slice], missing: [] };
  };
  const folding = { ...counting, readSnapshot: () => 1 };
  const broken = () => failure('INTERNAL');
  const at = { folding, logs: { read } as unknown as Logs, ref, log, broken };
  const from = { fold: 1, position: 1, snapshotAt: undefined, costSince: 0 };
  const seen: number[] = [];
  await foldOn(at, from, log.endPosition, ({ entry }) => seen.push(entry.seq) > 0);
  expect([log.generation.start, seen]).toEqual([3, [4, 5, 6]]);
});

test('what no home that can be reached has cannot be folded now, and that is all', async () => {
  const logs = { read: () => Promise.reject(new RemoteUnavailableError('no home answers')) };
  const hashing = { sha256: () => new Uint8Array(32) };
  const documents = new Documents(logs as unknown as Logs, own, hashing, {
    failed: () => {},
    broken: () => {},
  });
  const log = new ChannelLog(ref);
  write(log, { writer: own, seq: 1 });
  log.commitThrough({ writer: own, seq: 1 });
  const channel = channelOf(log);
  await expect(documents.current(channel)).rejects.toBeInstanceOf(FoldUnreadableError);
  await expect(documents.snapshotWithin(channel, 0, 1)).rejects.toBeInstanceOf(FoldUnreadableError);
  // A reader that is due to be told what the document is waits; its session goes on.
  expect(await rebase({ documents } as Core, {} as Session, channel, 1)).toBe(false);
});

describe('an entry that was given up is no change', () => {
  const gap = { writer: other, seq: 4, lost: { writer: other, fromSeq: 2, toSeq: 2 } };
  const entries = [first, { writer: other, seq: 2 }, { writer: other, seq: 3 }, gap];

  /** A home that can read all but these. */
  function homeWith(unreadable: readonly number[], of = ref) {
    const log = new ChannelLog(of);
    const slices = entries.map((entry) => write(log, entry));
    const logs: Partial<Logs> = {
      read: (_ref, [range]) => {
        const { firstSeq, count } = range!;
        const asked = slices.slice(firstSeq - 1, firstSeq + count - 1);
        const missing = asked.filter((slice) => unreadable.includes(slice.firstSeq));
        return Promise.resolve({
          slices: asked.filter((slice) => !missing.includes(slice)),
          missing: missing.map(({ writer, firstSeq: seq }) => ({ writer, fromSeq: seq, toSeq: seq })),
        });
      },
    };
    return {
      log,
      logs,
      folds: new Folds('document', counting, logs as Logs, own, { failed: () => {}, broken: () => {} }),
    };
  }

  test.each([[[]], [[2]]])('in the order, at a home that cannot read %j', async (unreadable) => {
    const { log, folds } = homeWith(unreadable);
    log.commitThrough(gap);
    expect((await folds.current(channelOf(log))).fold).toBe(3);
  });

  test('what only this home cannot read is waited for', async () => {
    const { log, folds } = homeWith([3]);
    log.commitThrough(gap);
    await expect(folds.current(channelOf(log))).rejects.toThrow(FoldUnreadableError);
  });

  test.each([[[]], [[2]]])('beyond the order, at a home that cannot read %j', async (unreadable) => {
    const { log, folds } = homeWith(unreadable);
    log.commitThrough(first);
    const channel = channelOf(log);
    await new Promise<void>((resume) =>
      folds.prepare(channel, { resume: () => resume(), refuseUnjudged: () => {} }),
    );
    expect(folds.at(channel, [gap])?.tip).toBe(3);
    log.commitThrough(gap);
    expect((await folds.current(channel)).fold).toBe(3);
  });

  test('also where it counted as one before', async () => {
    const { log, folds } = homeWith([2]);
    log.commitThrough(first);
    const channel = channelOf(log);
    await folds.current(channel);
    for (const { seq } of entries.slice(1)) channel.fold!.push({ writer: other, seq, fold: seq });
    log.commitThrough(gap);
    expect((await folds.current(channel)).fold).toBe(3);
  });

  test.each([
    [[2], true],
    [[2, 3], false],
  ])('for pages of notifications, at a home that cannot read %j: %s', async (unreadable, isPage) => {
    const of = { ...ref, channel: 'notification:plan' } as ChannelRef;
    const { log, logs } = homeWith(unreadable, of);
    log.commitThrough(gap);
    const channel = channelOf(log);
    const folded = {
      fold: emptyInbox,
      position: log.endPosition,
      snapshotAt: undefined,
      bytesSince: 0,
    };
    const notifications = { now: () => Promise.resolve(folded) };
    const core = { logs, notifications } as object as Core;
    const request = { type: 'notifications', channel: of.channel, forward: false, unread: false } as const;
    expect((await notificationPage(core, channel, request)).ok).toBe(isPage);
  });
});
