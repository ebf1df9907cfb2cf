/** How far a reader is: heads, hidden entries, and what is lost. */
import { expect, test } from 'vitest';
import type { ChannelName, WriterId } from '../../src/base/ids.js';
import { Reading } from '../../src/client/reading.js';
import { encodeCursor } from '../../src/log/cursor.js';
import type { Entry } from '../../src/log/entry.js';
import { hub } from './fake-node.js';

const ref = { hub, channel: 'lobby' as ChannelName };
const a = 'a'.repeat(24) as WriterId;
const b = 'b'.repeat(24) as WriterId;
const content = { payload: new Uint8Array(1) };

const entryOf = (writer: WriterId, seq: number, members: Partial<Entry> = { content }): Entry => ({
  writer,
  seq,
  timestamp: seq,
  round: 0,
  kind: 'publish',
  checksum: 0,
  previous: 0,
  ...members,
});

function reading(): Reading {
  const begun = new Reading(ref, { type: 'beginning' });
  expect(begun.begun(encodeCursor(ref, []))).toBe(true);
  return begun;
}

test('each entry replaces the head of its writer and those it names as parents', () => {
  const reader = reading();
  reader.take(entryOf(a, 1));
  reader.take(entryOf(a, 2));
  expect(reader.heads).toEqual([{ writer: a, seq: 2 }]);
  reader.take(entryOf(b, 1, { content }));
  expect(reader.heads).toEqual([
    { writer: a, seq: 2 },
    { writer: b, seq: 1 },
  ]);
  const parents = [
    { writer: b, seq: 1 },
    { writer: a, seq: 2 },
  ];
  expect(reader.take(entryOf(b, 2, { kind: 'merge', parents }))).toBe('hidden');
  expect(reader.heads).toEqual([{ writer: b, seq: 2 }]);
});

test('what is not above the last of its writer came before', () => {
  const reader = reading();
  expect([1, 2, 2, 1, 3].map((seq) => reader.take(entryOf(a, seq)))).toEqual([
    'shown',
    'shown',
    'repeated',
    'repeated',
    'shown',
  ]);
});

test('a patch counts as often as it is delivered', () => {
  const reader = reading();
  const twice = { kind: 'patch', content, idempotencyKey: 'k' } as const;
  expect(reader.take(entryOf(a, 1, twice))).toBe('shown');
  expect(reader.take(entryOf(b, 1, twice))).toBe('shown');
  expect(reader.moveTo(encodeCursor(ref, []))).toBe(true);
  expect(reader.take(entryOf(a, 1, twice))).toBe('shown');
  expect(reader.take(entryOf(b, 1))).toBe('repeated');
  expect(reader.heads).toEqual([{ writer: a, seq: 1 }]);
});

test('a cursor covers what its heads cover', () => {
  const start = { type: 'cursor', cursor: encodeCursor(ref, [{ writer: a, seq: 5 }]) } as const;
  const from = Reading.from(ref, start);
  expect(from.ok && [from.value.take(entryOf(a, 5)), from.value.take(entryOf(a, 6))]).toEqual([
    'repeated',
    'shown',
  ]);
});

test('a cursor of another channel is refused', () => {
  const cursor = encodeCursor({ hub, channel: 'kitchen' as ChannelName }, []);
  expect(Reading.from(ref, { type: 'cursor', cursor })).toMatchObject({
    ok: false,
    error: { code: 'BAD_CURSOR' },
  });
});

test('entries that no home has any more are told, unless this reader had them', () => {
  const lost = { writer: b, fromSeq: 1, toSeq: 2 };
  const gap = (seq: number): Entry => entryOf(a, seq, { kind: 'gap', lost });
  expect(reading().take(gap(1))).toEqual({ channel: 'lobby', reason: 'lost', ranges: [lost] });
  const reader = reading();
  reader.take(entryOf(b, 1));
  reader.take(entryOf(b, 2));
  expect(reader.take(gap(1))).toBe('hidden');
});
