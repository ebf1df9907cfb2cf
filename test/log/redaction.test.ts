/** Records without their content: what rests on their checksums holds, and nothing of the content is left. */
import { expect, test } from 'vitest';
import type { ChannelName, HubName, WriterId } from '../../src/base/ids.js';
import { crc32 } from '../../src/base/crc32.js';
import { seededRandom } from '../../src/base/random.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import { contentHash, decodeEntry, encodeContent, placeOf } from '../../src/log/entry-wire.js';
import type { EntryKind } from '../../src/log/entry.js';
import { RecordWalk, recordIsWhole, recordSeq } from '../../src/log/record-layout.js';
import { redactBody, redactedHash } from '../../src/log/redaction.js';
import { verifyRun } from '../../src/log/run-reader.js';
import { RunWriter } from '../../src/log/run-writer.js';

const room = { hub: 'default' as HubName, channel: 'room' as ChannelName };
const writer = (n: number): WriterId => n.toString(16).padStart(24, '0') as WriterId;
const first = writer(1);
const place = placeOf(room, first, 3);

function text(length: number, random = seededRandom(length + 1)): Uint8Array {
  return encodeContent({ payload: Uint8Array.from({ length }, () => Math.floor(random.next() * 256)) });
}

function written(...contents: readonly (Uint8Array | undefined)[]) {
  const out = new RunWriter();
  out.begin(room, first, 3, 1, 0);
  contents.forEach((content, i) =>
    out.append({
      timestamp: 10 + 2 * i,
      kind: 'publish',
      content,
      ...(i % 2 === 0 ? { actor: 'ann', idempotencyKey: `key ${i}`, retain: true } : {}),
    }),
  );
  return { run: out.end(), bytes: out.bytes().slice() };
}

/** Takes the content of these out, in place. */
function redact(bytes: Uint8Array, headerBytes: number, seqs: readonly number[]): void {
  for (const walk = new RecordWalk(bytes, headerBytes); walk.next();)
    if (seqs.includes(recordSeq(bytes, walk.bodyStart)))
      redactBody(bytes, walk.bodyStart, walk.end, place.seed);
}

const lengths = [0, 1, 2, 3, 4, 5, 60, 119, 120, 121, 122, 123, 124, 126, 127, 128, 129, 300, 16_390, 70_000];

test('a run with redacted entries is as whole as it was, of the same length, and gives the same summary', () => {
  const contents = lengths.map((length) => text(length));
  const { run, bytes } = written(...contents);
  const before = verifyRun(bytes, 0, bytes.length);
  redact(
    bytes,
    run.headerBytes,
    lengths.map((_, i) => i + 1),
  );
  const after = verifyRun(bytes, 0, bytes.length);
  expect(before).toMatchObject({ ok: true });
  // Without the one that says nothing.
  expect(after).toEqual({
    ok: true,
    value: { ...(before.ok && before.value), redacted: [2, lengths.length] },
  });
  expect(after.ok && after.value.keys.map((key) => key.contentHash)).toEqual(
    contents.filter((_, i) => i % 2 === 0).map((content) => contentHash(content)),
  );
});

test('of an entry without its content the rest can be read, and nothing of the content', () => {
  for (const length of lengths.slice(1)) {
    const content = text(length);
    const { run, bytes } = written(content);
    redact(bytes, run.headerBytes, [1]);
    const walk = new RecordWalk(bytes, run.headerBytes);
    walk.next();
    expect(recordIsWhole(bytes, walk.bodyStart, walk.end, place.seed)).toBe(true);
    const entry = decodeEntry(bytes.subarray(walk.bodyStart, walk.end), place);
    expect(entry).toMatchObject({
      ok: true,
      value: { seq: 1, timestamp: 10, actor: 'ann', redacted: true, retain: true },
    });
    expect(entry.ok && entry.value.content).toBeUndefined();
    const left = Buffer.from(bytes).includes(Buffer.from(content.subarray(-Math.max(4, length))));
    expect(left).toBe(false);
    expect(redactedHash(bytes, walk.bodyStart, walk.end, place.seed)).toBe(contentHash(content));
    const again = bytes.slice();
    redact(again, run.headerBytes, [1]);
    expect(again).toEqual(bytes);
  }
});

test('written over in part, it is whole once that is done again', () => {
  const { run, bytes } = written(text(500), text(300));
  const goal = bytes.slice();
  redact(goal, run.headerBytes, [1]);
  const random = seededRandom(5);
  for (let round = 0; round < 50; round++) {
    const torn = bytes.map((byte, at) => (random.next() < 0.5 ? byte : goal[at]!));
    redact(torn, run.headerBytes, [1]);
    expect(torn).toEqual(goal);
    expect(verifyRun(torn, 0, torn.length).ok).toBe(true);
  }
});

test('fields behind the content stay, and count', () => {
  const { run, bytes } = written(text(40));
  const walk = new RecordWalk(bytes, run.headerBytes);
  walk.next();
  // A later version's field: number 20, a varint.
  const body = Uint8Array.of(...bytes.subarray(walk.bodyStart, walk.end), 0xa0, 0x01, 7);
  new DataView(body.buffer).setUint32(1, crc32(body, 5, body.length, place.seed), true);
  const hash = contentHash(text(40));
  redactBody(body, 0, body.length, place.seed);
  expect(recordIsWhole(body, 0, body.length, place.seed)).toBe(true);
  expect(redactedHash(body, 0, body.length, place.seed)).toBe(hash);
});

test.each<EntryKind>(['patch', 'read', 'snapshot', 'settings', 'member'])(
  'of kind %s nothing is taken',
  (kind) => {
    const out = new RunWriter();
    out.begin(room, first, 3, 1, 0);
    out.append({ timestamp: 10, kind, content: text(50) });
    const run = out.end();
    const bytes = out.bytes().slice();
    const before = bytes.slice();
    redact(bytes, run.headerBytes, [1]);
    expect(bytes).toEqual(before);
  },
);

function redactionOf(...seqs: readonly number[]) {
  const out = new RunWriter();
  out.begin(room, writer(2), 4, 1, 0);
  seqs.forEach((seq, i) =>
    out.append({
      timestamp: 1_000 + i,
      kind: 'redact',
      redacts: { writer: first, seq },
      ...(i === 0 ? { parents: [{ writer: first, seq: 3 }] } : {}),
    }),
  );
  return out.end();
}

test('a log knows what is redacted from the entries that say so, as long as those are kept', () => {
  const log = new ChannelLog(room);
  log.apply(written(text(5), text(6), text(7)).run);
  expect(log.redactions.size).toBe(0);
  // What is not held, and comes later, is nobody's to redact.
  log.apply(redactionOf(2, 2, 9));
  expect(log.redactions.of({ writer: first, seq: 2 })).toMatchObject({ isErased: false });
  expect([log.redactions.size, log.redactions.version]).toEqual([1, 2]);
  expect(log.redactions.due()).toEqual([]);
  log.commitThrough({ writer: writer(2), seq: 1 });
  expect(log.redactions.due()).toHaveLength(1);
  log.redactions.erased({ writer: first, seq: 2 });
  expect([log.redactions.due(), log.redactions.isDone]).toEqual([[], true]);
  const decoded = ChannelLog.decode(room, log.encode());
  const again = decoded.ok ? decoded.value : undefined;
  expect(again?.redactions.of({ writer: first, seq: 2 })).toEqual(
    log.redactions.of({ writer: first, seq: 2 }),
  );
  expect(again?.redactions.touches([{ position: 0, writer: first, firstSeq: 1, count: 3 }])).toBe(true);
  expect(again?.redactions.touches([{ position: 0, writer: first, firstSeq: 3, count: 3 }])).toBe(false);
  again?.applyTrim(again.trimAt(2)!, 0);
  expect(again?.redactions.size).toBe(0);
});

test('what is named by an entry whose parents are lost counts when it comes', () => {
  const log = new ChannelLog(room);
  // As a start finds them whose index is gone: what it stands on was stored again behind it.
  log.lose({ writer: writer(2), fromSeq: 1, toSeq: 3 });
  const out = new RunWriter();
  out.begin(room, writer(2), 4, 4, 0);
  out.append({ timestamp: 1_000, kind: 'redact', redacts: { writer: first, seq: 2 } });
  log.apply(out.end());
  expect(log.redactions.due()).toEqual([]);
  log.apply(written(text(5), text(6), text(7)).run);
  expect(log.redactions.of({ writer: first, seq: 2 })?.by).toEqual([{ writer: writer(2), seq: 4 }]);
});

test('an entry that came without its content is not to be read until a redaction of it is held', () => {
  const { run, bytes } = written(text(50), text(60), text(70));
  redact(bytes, run.headerBytes, [2, 3]);
  const verified = verifyRun(bytes, 0, bytes.length);
  const log = new ChannelLog(room);
  if (verified.ok) log.apply(verified.value);
  expect(log.redactions.unfounded(first, 1, 3)).toEqual([2, 3]);
  log.apply(redactionOf(2));
  expect(log.redactions.unfounded(first, 1, 3)).toEqual([3]);
  const decoded = ChannelLog.decode(room, log.encode());
  expect(decoded.ok && decoded.value.redactions.unfounded(first, 1, 9)).toEqual([3]);
  log.redactions.storedAgain(run);
  expect(log.redactions.unfounded(first, 1, 3)).toEqual([]);
});
