/** The small tables of the index: segments and notes. */
import { ByteReader, ByteWriter, utf8, utf8Text } from '../base/bytes.js';
import type { KeyValue, Write } from './key-value.js';
import {
  isSealed,
  keyAfter,
  readBigEndian32,
  seal,
  segmentKey,
  tagged,
  tags,
  valueStart,
} from './index-rows.js';
import type { Segment } from './segments.js';

export function encodeSegmentRow(segment: Segment): Write {
  const out = new ByteWriter(64);
  out.fixed32(0);
  out.fixed32(segment.generation);
  out.fixed32(segment.through);
  out.fixed32(segment.end);
  out.fixed64(segment.firstCommit);
  out.fixed64(segment.firstArrival);
  out.fixed64(segment.lastCommit);
  out.fixed64(Math.max(0, segment.liveBytes));
  const key = segmentKey(segment.number);
  return { key, value: seal(key, out.bytes().slice()) };
}

/** `undefined` when a row is damaged. */
export async function readSegmentRows(keyValue: KeyValue): Promise<Segment[] | undefined> {
  const segments: Segment[] = [];
  for await (const [key, value] of rowsOf(keyValue, tagged(tags.segment))) {
    if (!isSealed(key, value)) return undefined;
    const reader = new ByteReader(value, valueStart);
    segments.push({
      number: readBigEndian32(key, 1),
      generation: reader.fixed32(),
      through: reader.fixed32(),
      end: reader.fixed32(),
      firstCommit: reader.fixed64(),
      firstArrival: reader.fixed64(),
      lastCommit: reader.fixed64(),
      liveBytes: reader.fixed64(),
    });
    if (reader.failed) return undefined;
  }
  return segments;
}

export function encodeNoteRow(name: string, bytes: Uint8Array): Write {
  const key = tagged(tags.note, utf8(name));
  const value = new Uint8Array(valueStart + bytes.length);
  value.set(bytes, valueStart);
  return { key, value: seal(key, value) };
}

/** `undefined` when a row is damaged. */
export async function readNoteRows(keyValue: KeyValue): Promise<Map<string, Uint8Array> | undefined> {
  const notes = new Map<string, Uint8Array>();
  for await (const [key, value] of rowsOf(keyValue, tagged(tags.note))) {
    if (!isSealed(key, value)) return undefined;
    notes.set(utf8Text(key.subarray(1)), value.slice(valueStart));
  }
  return notes;
}

const rowsAtOnce = 1_000;

/** All rows whose key begins with `prefix`, without holding all of them. */
export async function* rowsOf(
  keyValue: KeyValue,
  prefix: Uint8Array,
): AsyncGenerator<readonly [Uint8Array, Uint8Array], void, undefined> {
  const lt = keyAfter(prefix);
  let gte = prefix;
  for (;;) {
    const rows = await keyValue.range({ gte, lt, limit: rowsAtOnce });
    yield* rows;
    if (rows.length < rowsAtOnce) return;
    // The smallest key above the last one.
    const last = rows.at(-1)![0];
    gte = new Uint8Array(last.length + 1);
    gte.set(last);
  }
}
