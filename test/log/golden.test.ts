/** Stored forms as bytes. A failure here means that what is on disks and with clients can no longer be read: it needs a
 *  new format version that still reads these, and another file beside this one. The state of a log alone is derived: one
 *  of another version is refused, and made anew. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/base/bytes.js';
import type { ChannelRef, WriterId } from '../../src/base/ids.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import { decodeCursor, encodeCursor } from '../../src/log/cursor.js';
import type { Content, Trim } from '../../src/log/entry.js';
import {
  RecordWalk,
  decodeEntry,
  encodeContent,
  iterateRecords,
  placeOf,
  placeSeed,
} from '../../src/log/entry-wire.js';
import { floorRun, floorsIn } from '../../src/log/floors.js';
import { redactBody } from '../../src/log/redaction.js';
import { verifyRun } from '../../src/log/run-reader.js';
import { RunWriter } from '../../src/log/run-writer.js';

const golden = JSON.parse(readFileSync(new URL('../golden/log/v1.json', import.meta.url), 'utf8')) as Record<
  string,
  string
>;

const ref = { hub: 'acme', channel: 'room:blue' } as ChannelRef;
const a = '0192f0c1a2b3000000000001' as WriterId;
const b = '0192f0c1a2b4000000000002' as WriterId;
const c = '0192f0c1a2b5000000000003' as WriterId;

const content: Content = {
  event: 'greeting',
  contentType: 'application/json',
  payload: new TextEncoder().encode('{"text":"grüße"}'),
  headers: new Map([
    ['a', '1'],
    ['b', ''],
  ]),
  extras: { store: true, retain: false },
  signature: new Uint8Array([1, 2, 3]),
};

/** Every field of an entry, and the kinds that have fields of their own. */
function writeRun(): RunWriter {
  const out = new RunWriter();
  out.begin(ref, b, 7, 1, 0);
  out.append({
    timestamp: 372_613_670_400_000,
    kind: 'patch',
    actor: 'alice',
    publisher: { id: 'phone', epoch: 3, seq: 300 },
    idempotencyKey: 'key-1',
    parents: [
      { writer: a, seq: 70_000 },
      { writer: c, seq: 1 },
    ],
    content: encodeContent(content),
  });
  out.append({
    timestamp: 372_613_670_400_001,
    kind: 'publish',
    content: encodeContent({ payload: new Uint8Array([0]) }),
  });
  const floors = new Map([
    [b, 1],
    [a, 70_000],
  ]);
  out.append({
    timestamp: 372_613_670_400_009,
    kind: 'trim',
    trim: { through: { writer: b, seq: 1 }, floors, round: 7 },
  });
  out.append({ timestamp: 372_613_670_500_000, kind: 'gap', lost: { writer: c, fromSeq: 2, toSeq: 9 } });
  out.end();
  return out;
}

/** With entries to be retained, which came later than the run above. */
function writeRetainedRun(): RunWriter {
  const out = new RunWriter();
  out.begin(ref, b, 7, 5, 99);
  const stamps = [true, true, false, true].entries();
  for (const [i, retain] of stamps) {
    out.append({
      timestamp: 372_613_670_600_000 + i,
      kind: 'publish',
      retain,
      content: encodeContent({ payload: new Uint8Array([i]) }),
    });
  }
  out.end();
  return out;
}

const deletion = {
  through: { writer: b, seq: 9 },
  end: 70_020,
  timestamp: 372_613_670_700_000,
  old: new Map([
    [a, 70_011],
    [b, 8],
  ]),
};

/** The end of a generation, and what says which entries were written beside it. */
function writeDeletingRun(): RunWriter {
  const out = new RunWriter();
  out.begin(ref, b, 7, 9, 99);
  const floors = new Map([
    [b, 9],
    [a, 70_011],
  ]);
  const trim = { through: { writer: b, seq: 9 }, floors, round: 7 };
  out.append({ timestamp: 372_613_670_700_000, kind: 'delete', actor: 'root', trim });
  out.append({
    timestamp: 372_613_670_700_001,
    kind: 'delete',
    parents: [{ writer: c, seq: 3 }],
    voids: [
      { writer: c, fromSeq: 1, toSeq: 3 },
      { writer: a, fromSeq: 70_012, toSeq: 70_013 },
    ],
  });
  out.end();
  return out;
}

/** One entry that is redacted, one whose content is too short for that with its length, and what says so. */
function writeRedactingRun(): Uint8Array {
  const out = new RunWriter();
  out.begin(ref, b, 7, 20, 99);
  const timestamp = 372_613_670_800_000;
  out.append({ timestamp, kind: 'publish', actor: 'alice', content: encodeContent(content) });
  const short = encodeContent({ payload: new Uint8Array([7]) });
  out.append({ timestamp: timestamp + 1, kind: 'notification', content: short });
  out.append({ timestamp: timestamp + 2, kind: 'redact', redacts: { writer: b, seq: 20 } });
  const { headerBytes } = out.end();
  const bytes = out.bytes().slice();
  for (const walk = new RecordWalk(bytes, headerBytes); walk.next();)
    redactBody(bytes, walk.bodyStart, walk.end, placeSeed(ref, b, 7));
  return bytes;
}

/** A state with everything in it: a trim, a block, a tail that is not committed, lost entries, rounds, marks, a retained
 *  entry and later ones that are not placed. */
function writeLog(): ChannelLog {
  const log = new ChannelLog(ref);
  const out = new RunWriter();
  const apply = (
    writer: WriterId,
    round: number,
    timestamps: readonly number[],
    parents?: ReturnType<ChannelLog['parentsFor']>,
  ) => {
    out.clear();
    const state = log.writer(writer);
    out.begin(ref, writer, round, (state?.seq ?? 0) + 1, state?.lastChecksum ?? 0);
    timestamps.forEach((timestamp, i) => {
      const retain = timestamp % 100 === 1;
      out.append({ timestamp, kind: 'publish', retain, ...(i === 0 && parents ? { parents } : {}) });
    });
    log.apply(out.end());
  };
  apply(a, 1, [1000, 1001, 1002, 1010]);
  log.commitThrough({ writer: a, seq: 4 });
  log.applyTrim(log.trimAt(2)!, 60);
  apply(c, 0, [1100, 1105], log.parentsFor(c, true));
  apply(a, 1, [1101], undefined);
  apply(b, 2, [1200, 1201], log.parentsFor(b, true));
  log.commitThrough({ writer: b, seq: 1 });
  log.lose({ writer: c, fromSeq: 3, toSeq: 4 });
  apply(b, 3, [1301, 1400], log.parentsFor(b, true));
  apply(c, 0, [1500]);
  return log;
}

const elsewhere: Trim = {
  through: { writer: b, seq: 3 },
  floors: new Map([
    [b, 3],
    [a, 70_000],
  ]),
  round: 7,
};

/** Floors from elsewhere, an entry above them, and a trim that is not in force. */
function writeTrimmedLog(): ChannelLog {
  const log = new ChannelLog(ref);
  log.apply(floorRun(ref, elsewhere).run);
  const out = new RunWriter();
  out.begin(ref, c, 8, 1, 0);
  out.append({ timestamp: 2_000, kind: 'publish', parents: log.parentsFor(c, true) });
  const floors = new Map([...elsewhere.floors, [c, 1] as const]);
  out.append({ timestamp: 2_001, kind: 'trim', trim: { through: { writer: c, seq: 1 }, floors, round: 8 } });
  log.apply(out.end());
  return log;
}

const ended: Trim = {
  round: 7,
  through: { writer: b, seq: 9 },
  floors: new Map([...deletion.old, [b, 9] as const]),
  deletion,
};

/** Behind the end of a generation, with entries that are void. */
function writeDeletedLog(): ChannelLog {
  const log = new ChannelLog(ref);
  log.apply(floorRun(ref, ended).run);
  log.lose({ writer: c, fromSeq: 1, toSeq: 3 });
  log.lose({ writer: a, fromSeq: 70_012, toSeq: 70_013 });
  const out = writeDeletingRun();
  log.apply({ ...out.runs[0]!, firstSeq: 10, count: 1, marked: [out.runs[0]!.marked[1]!] });
  return log;
}

const written: Record<string, () => Uint8Array> = {
  content: () => encodeContent(content),
  run: () => writeRun().bytes(),
  retainedRun: () => writeRetainedRun().bytes(),
  cursor: () =>
    encodeCursor(ref, [
      { writer: c, seq: 1 },
      { writer: a, seq: 70_000 },
    ]),
  emptyCursor: () => encodeCursor(ref, []),
  floorRun: () => floorRun(ref, elsewhere).bytes,
  deletingRun: () => writeDeletingRun().bytes(),
  redactingRun: writeRedactingRun,
  floorRunOfDeletion: () => floorRun(ref, ended).bytes,
  logWithDeletion: () => writeDeletedLog().encode(),
  logWithHeldTrim: () => writeTrimmedLog().encode(),
  emptyLog: () => new ChannelLog(ref).encode(),
  log: () => writeLog().encode(),
};

test.each(Object.keys(written))('%s has the bytes it always had', (name) => {
  expect(toHex(written[name]!())).toBe(golden[name]);
});

describe('stored before', () => {
  test('a place seed is the same', () => {
    expect(placeSeed(ref, b, 7).toString(16)).toBe(golden['placeSeed']);
  });

  test('a run is read', () => {
    const bytes = fromHex(golden['run']!);
    const run = verifyRun(bytes, 0, bytes.length);
    expect(run).toEqual({ ok: true, value: writeRun().runs[0] });
    const records = bytes.subarray(run.ok ? run.value.headerBytes : 0);
    const entries = [...iterateRecords(records)].map(({ bodyStart, end }) =>
      decodeEntry(records.subarray(bodyStart, end), placeOf(ref, b, 7)),
    );
    expect(entries[0]).toMatchObject({ ok: true, value: { content, actor: 'alice', seq: 1 } });
    expect(entries.map((entry) => entry.ok && entry.value.kind)).toEqual(['patch', 'publish', 'trim', 'gap']);
  });

  test('a run with entries to be retained is read', () => {
    const bytes = fromHex(golden['retainedRun']!);
    const run = verifyRun(bytes, 0, bytes.length);
    expect(run).toEqual({ ok: true, value: writeRetainedRun().runs[0] });
    expect(run.ok && run.value.retained).toEqual([5, 6, 8, 8]);
  });

  test('floors are read', () => {
    const bytes = fromHex(golden['floorRun']!);
    const run = verifyRun(bytes, 0, bytes.length);
    expect(run.ok && floorsIn(run.value)).toEqual(elsewhere);
  });

  test('the end of a generation is read, and what was written beside it', () => {
    const bytes = fromHex(golden['deletingRun']!);
    const run = verifyRun(bytes, 0, bytes.length);
    expect(run).toEqual({ ok: true, value: writeDeletingRun().runs[0] });
    const floors = fromHex(golden['floorRunOfDeletion']!);
    const raised = verifyRun(floors, 0, floors.length);
    expect(raised.ok && floorsIn(raised.value)).toEqual(ended);
    const decoded = ChannelLog.decode(ref, fromHex(golden['logWithDeletion']!));
    if (!decoded.ok) throw new Error(decoded.error);
    const { generation } = decoded.value;
    expect(generation.deletion?.through).toEqual(deletion.through);
    expect([generation.oldThrough(c), generation.oldThrough(a), decoded.value.entries]).toEqual([
      3, 70_013, 1,
    ]);
  });

  test('a run with redacted entries is read', () => {
    const bytes = fromHex(golden['redactingRun']!);
    const run = verifyRun(bytes, 0, bytes.length);
    expect(run).toMatchObject({ ok: true, value: { firstSeq: 20, count: 3, redacted: [20, 21] } });
    expect(run.ok && run.value.marked.map(({ redacts }) => redacts)).toEqual([{ writer: b, seq: 20 }]);
  });

  test('a state with floors from elsewhere and a trim that is not in force is read', () => {
    const decoded = ChannelLog.decode(ref, fromHex(golden['logWithHeldTrim']!));
    if (!decoded.ok) throw new Error(decoded.error);
    const [log, twin] = [decoded.value, writeTrimmedLog()];
    expect(log.trim).toEqual(elsewhere);
    expect(log.heldTrims).toEqual(twin.heldTrims);
    expect(log.heldTrims).toHaveLength(1);
    expect(log.dueTrims()).toEqual({ due: undefined, untrue: [] });
    log.commitThrough({ writer: c, seq: 2 });
    expect(log.dueTrims().due?.through).toEqual({ writer: c, seq: 1 });
  });

  test('a cursor is read', () => {
    expect(decodeCursor(ref, fromHex(golden['cursor']!))).toMatchObject({
      value: [
        { writer: a, seq: 70_000 },
        { writer: c, seq: 1 },
      ],
    });
    expect(decodeCursor(ref, fromHex(golden['emptyCursor']!))).toEqual({ ok: true, value: [] });
  });

  test('the state of a log of an older version is refused', () => {
    expect(ChannelLog.decode(ref, fromHex(golden['logOfVersion1']!))).toMatchObject({ ok: false });
  });

  test('the state of a log is read, and lives on as the one it was', () => {
    const decoded = ChannelLog.decode(ref, fromHex(golden['log']!));
    if (!decoded.ok) throw new Error(decoded.error);
    const [log, twin] = [decoded.value, writeLog()];
    expect(log.writers()).toEqual(twin.writers());
    expect(log.trim).toEqual(twin.trim);
    expect(log.retained).toEqual(twin.retained);
    expect(log.retained).toBeDefined();
    expect(log.lostRanges()).toEqual(twin.lostRanges());
    expect(log.heads()).toEqual(twin.heads());
    expect([log.entries, log.bytes, log.lastTimestamp]).toEqual([
      twin.entries,
      twin.bytes,
      twin.lastTimestamp,
    ]);
    expect(log.spans(0, 99)).toEqual(twin.spans(0, 99));
    expect(log.provisional({ writer: c, seq: 5 })).toEqual(twin.provisional({ writer: c, seq: 5 }));
    expect(log.commitThrough({ writer: b, seq: 4 })).toEqual(twin.commitThrough({ writer: b, seq: 4 }));
    expect(log.retained).toEqual({ writer: b, seq: 3 });
    expect(log.encode()).toEqual(twin.encode());
  });
});
