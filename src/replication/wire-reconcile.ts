/** The wire form of comparisons (proto/peer.proto: Reconcile, Reconciled), both ways. Bounds are 8 bytes, or 16; where a
 *  range begins at the end of the one before, its beginning is left out. */
import { type ByteWriter, fromHex, toHex } from '../base/bytes.js';
import type { ChannelRef } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { closeField, openField } from '../base/protobuf.js';
import { fingerprintBytes, idBytes, itemBytes } from './reconcile-items.js';
import {
  type ComparedRange,
  type Difference,
  type FoundItem,
  type Reconcile,
  type Reconciled,
  type RingBound,
  type RingRange,
  ringEnd,
  ringStart,
} from './reconcile-messages.js';
import type { PeerReader } from './wire-reader.js';
import { putBytes, putNumber, putRef } from './wire-writer.js';

/** By their number in the proto, less one. */
export const differences: readonly Difference[] = ['lacking', 'only', 'heads', 'content', 'damaged'];
const kinds = ['sum', 'items', 'found'] as const;

export function putReconcile(out: ByteWriter, message: Reconcile | Reconciled): void {
  putNumber(out, 0x08, message.session);
  putNumber(out, 0x10, message.number);
  const isQuestion = message.type === 'reconcile';
  const flag = isQuestion ? message.purpose === 'prove' : message.isBusy;
  putNumber(out, 0x18, flag ? 1 : 0);
  let previous = ringStart;
  for (const range of message.ranges) {
    const field = openField(out, 0x22);
    putRange(out, range, previous);
    closeField(out, field);
    previous = range.to;
  }
  if (isQuestion) return putNumber(out, 0x28, message.purpose === 'learn' ? 1 : 0);
  putNumber(out, 0x28, message.more);
  putNumber(out, 0x30, message.arrival);
}

function putRange(out: ByteWriter, range: ComparedRange, previous: RingBound): void {
  if (range.from !== previous) putBytes(out, 0x0a, fromHex(range.from));
  if (range.to !== ringEnd) putBytes(out, 0x12, fromHex(range.to));
  putNumber(out, 0x18, kinds.indexOf(range.kind) + 1);
  if (range.kind === 'sum') putBytes(out, 0x22, range.fingerprint);
  else if (range.kind === 'items') {
    if (range.items.length > 0) putBytes(out, 0x22, range.items);
  } else for (const found of range.found) putFound(out, found);
}

function putFound(out: ByteWriter, { difference, id, ref }: FoundItem): void {
  const field = openField(out, 0x2a);
  putNumber(out, 0x08, differences.indexOf(difference) + 1);
  putBytes(out, 0x12, fromHex(id));
  if (ref) putRef(out, 0x1a, ref);
  closeField(out, field);
}

export function readReconcile(reader: PeerReader): Reconcile {
  const { session, number, flag, ranges, more } = readFields(reader, limits.reconcileRangesMax);
  const purpose = flag ? 'prove' : more > 0 ? 'learn' : 'mend';
  return { type: 'reconcile', session, number, purpose, ranges };
}

export function readReconciled(reader: PeerReader): Reconciled {
  const rangesMax = limits.reconcileRangesMax * limits.reconcileBranching;
  const { session, number, flag, ranges, more, arrival } = readFields(reader, rangesMax);
  return { type: 'reconciled', session, number, isBusy: flag, ranges, more, arrival };
}

interface Fields {
  session: number;
  number: number;
  flag: boolean;
  /** Of an answer; of a question, whether it is to learn. */
  more: number;
  arrival: number;
  readonly ranges: ComparedRange[];
}

function readFields(reader: PeerReader, rangesMax: number): Fields {
  const fields: Fields = { session: 0, number: 0, flag: false, more: 0, arrival: 0, ranges: [] };
  let previous = ringStart;
  reader.nested((tag) => {
    if (tag === 0x08) fields.session = reader.varint();
    else if (tag === 0x10) fields.number = reader.varint();
    else if (tag === 0x18) fields.flag = reader.varint() !== 0;
    else if (tag === 0x22) {
      const { to, range } = readRange(reader, previous);
      previous = to;
      if (range) fields.ranges.push(range);
    } else if (tag === 0x28) fields.more = reader.varint();
    else if (tag === 0x30) fields.arrival = reader.varint();
    else return false;
    return true;
  });
  if (fields.ranges.length > rangesMax) reader.fail();
  return fields;
}

/** Without a range where it is of a kind that this version does not know. */
function readRange(
  reader: PeerReader,
  previous: RingBound,
): { readonly to: RingBound; readonly range: ComparedRange | undefined } {
  reader.item();
  let from = previous;
  let to = ringEnd;
  let kind: (typeof kinds)[number] | undefined;
  let data: Uint8Array = new Uint8Array(0);
  const found: FoundItem[] = [];
  reader.nested((tag) => {
    if (tag === 0x0a) from = readBound(reader);
    else if (tag === 0x12) to = readBound(reader);
    else if (tag === 0x18) kind = kinds[reader.varint() - 1];
    else if (tag === 0x22) data = reader.chunk();
    else if (tag === 0x2a) found.push(readFound(reader));
    else return false;
    return true;
  });
  if (from >= to) reader.fail();
  return { to, range: kind && rangeOf(reader, { from, to }, kind, data, found) };
}

function rangeOf(
  reader: PeerReader,
  range: RingRange,
  kind: (typeof kinds)[number],
  data: Uint8Array,
  found: readonly FoundItem[],
): ComparedRange {
  if (kind === 'found') return { ...range, kind, found };
  if (kind === 'items') {
    if (data.length % itemBytes !== 0) reader.fail();
    return { ...range, kind, items: data };
  }
  if (data.length !== fingerprintBytes) reader.fail();
  return { ...range, kind, fingerprint: data };
}

function readFound(reader: PeerReader): FoundItem {
  reader.item();
  let difference: Difference | undefined;
  let id = '';
  let ref: ChannelRef | undefined;
  reader.nested((tag) => {
    if (tag === 0x08) difference = differences[reader.varint() - 1];
    else if (tag === 0x12) id = toHex(reader.chunk());
    else if (tag === 0x1a) ref = reader.ref();
    else return false;
    return true;
  });
  if (id.length !== 2 * idBytes) reader.fail();
  // One of a later version: whatever it is, something differs.
  return { difference: difference ?? 'heads', id, ...(ref ? { ref } : {}) };
}

export function readBound(reader: PeerReader): RingBound {
  const bytes = reader.chunk();
  if (bytes.length !== idBytes && bytes.length !== 2 * idBytes) reader.fail();
  return toHex(bytes);
}
