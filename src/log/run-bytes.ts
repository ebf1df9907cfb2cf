/** Runs around records that are encoded already: a part of a stored run, or of a received one, is a run of its own. */
import { assert } from '../base/assert.js';
import { ByteWriter, fromHex, writeFixed32 } from '../base/bytes.js';
import { crc32 } from '../base/crc32.js';
import type { ChannelRef, WriterId } from '../base/ids.js';
import { utf8Length, writeUtf8 } from '../base/protobuf.js';
import { RecordWalk, recordSeq } from './record-layout.js';
import type { RunSummary } from './run.js';
import { runLayout } from './run-layout.js';

export interface RunPart {
  readonly ref: ChannelRef;
  readonly writer: WriterId;
  readonly round: number;
  readonly firstSeq: number;
  readonly count: number;
  /** Whole records, one after another. */
  readonly records: Uint8Array;
}

/** Header and records. */
export function runOf({ ref, writer, round, firstSeq, count, records }: RunPart): Uint8Array {
  const out = new ByteWriter(128 + ref.hub.length + ref.channel.length + records.length);
  putRunHeader(out, ref, writer, round, firstSeq);
  const headerBytes = out.length;
  out.raw(records);
  sealRun(out.buffer, 0, headerBytes, out.length, count);
  return out.bytes();
}

/** The entries of a verified run from `seq` on, which is one of its own. */
export function runFrom(bytes: Uint8Array, run: RunSummary, seq: number): Uint8Array {
  const start = run.offset + run.headerBytes;
  const end = start + run.recordBytes;
  const walk = new RecordWalk(bytes, start, end);
  while (walk.next()) {
    if (recordSeq(bytes, walk.bodyStart) !== seq) continue;
    const { ref, writer, round, firstSeq, count } = run;
    const records = bytes.subarray(walk.start, end);
    return runOf({ ref, writer, round, firstSeq: seq, count: firstSeq + count - seq, records });
  }
  assert(false, 'a run is cut at one of its entries');
}

/** Begins a run at the end of `out`; `sealRun` fills in checksum, record bytes and count. */
export function putRunHeader(
  out: ByteWriter,
  ref: ChannelRef,
  writer: WriterId,
  round: number,
  firstSeq: number,
): void {
  const hubBytes = utf8Length(ref.hub);
  const channelBytes = utf8Length(ref.channel);
  const headerBytes = runLayout.hub + hubBytes + 1 + channelBytes;
  out.fixed32(0);
  out.fixed32(headerBytes);
  out.fixed32(0);
  out.fixed32(0);
  out.fixed64(firstSeq);
  out.fixed64(round);
  out.raw(fromHex(writer));
  out.u8(hubBytes);
  writeUtf8(out, ref.hub, hubBytes);
  out.u8(channelBytes);
  writeUtf8(out, ref.channel, channelBytes);
}

/** Ends the run buffer[offset, end). */
export function sealRun(
  buffer: Uint8Array,
  offset: number,
  headerBytes: number,
  end: number,
  count: number,
): void {
  writeFixed32(buffer, offset + runLayout.recordBytes, end - offset - headerBytes);
  writeFixed32(buffer, offset + runLayout.count, count);
  writeFixed32(buffer, offset, crc32(buffer, offset + runLayout.headerBytes, end));
}
