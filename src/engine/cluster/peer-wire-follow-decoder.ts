/** Parts of letters about channels that are followed, and questions about them, from untrusted bytes. */
import type { Dot, NodeId, WriterId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { SeqRange } from '../../log/channel-log.js';
import type { Signal } from '../../protocol/messages.js';
import type { PeerMessage } from './peer-messages.js';
import { type LetterReader, noBytes, noRef } from './peer-wire-reader.js';
import type { MissingRange, RecordSlice } from '../ports.js';

export function readFollow(reader: LetterReader): PeerMessage {
  let ref = noRef;
  let what: 'log' | 'signals' = 'log';
  const covers: Dot[] = [];
  const id = reader.withId((tag) => {
    if (tag === 0x12) ref = reader.ref();
    else if (tag === 0x18) what = reader.varint() === 0 ? 'log' : 'signals';
    else if (tag === 0x22) covers.push(reader.nextDot());
    else return false;
    return true;
  });
  if (ref === noRef) reader.fail();
  return { type: 'follow', id, ref, what, covers };
}

export function readFollowing(reader: LetterReader): PeerMessage {
  let log: Uint8Array | undefined;
  const lost: Dot[] = [];
  const unknown: Dot[] = [];
  const signals: Signal[] = [];
  const id = reader.withId((tag) => {
    if (tag === 0x12) log = reader.chunk();
    else if (tag === 0x1a) lost.push(reader.nextDot());
    else if (tag === 0x22) signals.push(readSignal(reader));
    else if (tag === 0x2a) unknown.push(reader.nextDot());
    else return false;
    return true;
  });
  return { type: 'following', id, ...(log ? { log } : {}), lost, unknown, signals };
}

function readSignal(reader: LetterReader): Signal {
  reader.item();
  let timestamp = 0;
  let actor = '';
  let content = noBytes;
  reader.nested((tag) => {
    if (tag === 0x08) timestamp = reader.varint();
    else if (tag === 0x12) actor = reader.text(limits.tokenBytesMax);
    else if (tag === 0x1a) content = reader.bounded(limits.frameBytesMax);
    else return false;
    return true;
  });
  return { timestamp, ...(actor === '' ? {} : { actor }), content };
}

export function readFollowEnded(reader: LetterReader): PeerMessage {
  let moved: NodeId | undefined;
  const id = reader.withId((tag) => {
    if (tag !== 0x12) return false;
    moved = reader.moved();
    return true;
  });
  return { type: 'followEnded', id, moved };
}

export function readFollowed(reader: LetterReader): PeerMessage {
  const runs: Uint8Array[] = [];
  let committed: Dot | undefined;
  let tip: Dot | undefined;
  const signals: Signal[] = [];
  const id = reader.withId((tag) => {
    if (tag === 0x12) {
      reader.item();
      runs.push(reader.chunk());
    } else if (tag === 0x1a) committed = reader.dot();
    else if (tag === 0x22) tip = reader.dot();
    else if (tag === 0x2a) signals.push(readSignal(reader));
    else return false;
    return true;
  });
  return {
    type: 'followed',
    id,
    runs,
    ...(committed ? { committed } : {}),
    ...(tip ? { tip } : {}),
    signals,
  };
}

export function readRead(reader: LetterReader): PeerMessage {
  let ref = noRef;
  const ranges: SeqRange[] = [];
  let bytesMax = 0;
  const id = reader.withId((tag) => {
    if (tag === 0x12) ref = reader.ref();
    else if (tag === 0x1a) ranges.push(reader.range());
    else if (tag === 0x20) bytesMax = reader.varint();
    else return false;
    return true;
  });
  if (ref === noRef) reader.fail();
  return { type: 'read', id, ref, ranges, bytesMax };
}

export function readReadAnswer(reader: LetterReader): PeerMessage {
  const slices: RecordSlice[] = [];
  const missing: MissingRange[] = [];
  const gone = new Map<string, MissingRange['gone']>();
  const id = reader.withId((tag) => {
    if (tag === 0x12) slices.push(readSlice(reader));
    else if (tag === 0x1a) missing.push(readMissing(reader));
    else if (tag === 0x22) gone.set(rangeText(readMissing(reader)), 'trimmed');
    else if (tag === 0x2a) gone.set(rangeText(readMissing(reader)), 'deleted');
    else if (tag === 0x32) gone.set(rangeText(readMissing(reader)), 'forced');
    else return false;
    return true;
  });
  return { type: 'readAnswer', id, slices, missing: missing.map((range) => withGone(range, gone)) };
}

function readMissing(reader: LetterReader): MissingRange {
  const { writer, firstSeq, count } = reader.range();
  return { writer, fromSeq: firstSeq, toSeq: firstSeq + count - 1 };
}

function withGone(range: MissingRange, all: ReadonlyMap<string, MissingRange['gone']>): MissingRange {
  const gone = all.get(rangeText(range));
  return gone ? { ...range, gone } : range;
}

function rangeText({ writer, fromSeq, toSeq }: MissingRange): string {
  return `${writer} ${fromSeq} ${toSeq}`;
}

function readSlice(reader: LetterReader): RecordSlice {
  let range: SeqRange | undefined;
  let round = 0;
  let records = noBytes;
  reader.nested((tag) => {
    if (tag === 0x0a) range = reader.range();
    else if (tag === 0x10) round = reader.varint();
    else if (tag === 0x1a) records = reader.chunk();
    else return false;
    return true;
  });
  if (!range) reader.fail();
  return { ...(range ?? { writer: '' as WriterId, firstSeq: 1, count: 1 }), round, records };
}

export function readSince(reader: LetterReader): PeerMessage {
  let ref = noRef;
  let timestamp = 0;
  const id = reader.withId((tag) => {
    if (tag === 0x12) ref = reader.ref();
    else if (tag === 0x18) timestamp = reader.varint();
    else return false;
    return true;
  });
  if (ref === noRef) reader.fail();
  return { type: 'since', id, ref, timestamp };
}

export function readSinceAnswer(reader: LetterReader): PeerMessage {
  const vector = new Map<WriterId, number>();
  const id = reader.withId((tag) => {
    if (tag !== 0x12) return false;
    reader.into(vector);
    return true;
  });
  return { type: 'sinceAnswer', id, vector };
}

export function readCover(reader: LetterReader): PeerMessage {
  let ref = noRef;
  const dots: Dot[] = [];
  const id = reader.withId((tag) => {
    if (tag === 0x12) ref = reader.ref();
    else if (tag === 0x1a) dots.push(reader.nextDot());
    else return false;
    return true;
  });
  if (ref === noRef) reader.fail();
  return { type: 'cover', id, ref, dots };
}

export function readCovered(reader: LetterReader): PeerMessage {
  const lost: Dot[] = [];
  const id = reader.withId((tag) => {
    if (tag !== 0x12) return false;
    lost.push(reader.nextDot());
    return true;
  });
  return { type: 'covered', id, lost };
}

export function readOrphan(reader: LetterReader): PeerMessage {
  let ref = noRef;
  const runs: Uint8Array[] = [];
  const id = reader.withId((tag) => {
    if (tag === 0x12) ref = reader.ref();
    else if (tag === 0x1a) runs.push(reader.chunk());
    else return false;
    return true;
  });
  if (ref === noRef) reader.fail();
  return { type: 'orphan', id, ref, runs };
}

export function readAdopted(reader: LetterReader): PeerMessage {
  const have = new Map<WriterId, number>();
  let isDeclined = false;
  const id = reader.withId((tag) => {
    if (tag === 0x12) reader.into(have);
    else if (tag === 0x18) isDeclined = reader.varint() !== 0;
    else return false;
    return true;
  });
  return { type: 'adopted', id, ...(isDeclined ? {} : { have }) };
}
