/** Redacted entries on their way out. What is read is given without their content at once; on the disk they are written over in
 *  their place, by bytes of the same length and the same checksum (log/redaction.ts), so that a crash leaves one form or the
 *  other, or a mixture that the next try completes. */
import type { ReadResult } from '../engine/ports.js';
import { type ChannelRef, type WriterId, channelKey } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import type { ChannelLog } from '../log/channel-log.js';
import { RecordWalk, placeSeed, recordIsWhole, recordSeq } from '../log/record-layout.js';
import { redactBody } from '../log/redaction.js';
import type { Stretch } from './damaged-run.js';
import { IndexDoubtError } from './index-doubt.js';
import { type RunPlace, channelOf, tagged, tags } from './index-rows.js';
import { rowsOf } from './index-tables.js';
import type { KeyValue } from './key-value.js';
import type { StoreParts } from './options.js';
import { isWholePlace } from './whole-place.js';
import type { Slot } from './slots.js';

/** Takes the content out of what was read of redacted entries. The bytes are the reader's own. */
export function withoutRedacted({ log, ref }: Slot, result: ReadResult): ReadResult {
  if (log.redactions.size === 0 || planted('redacted-read')) return result;
  for (const { writer, round, firstSeq, count, records } of result.slices) {
    const redacted = log.redactions.within(writer, firstSeq, firstSeq + count - 1);
    if (redacted.length === 0) continue;
    const seqs = new Set(redacted.map(({ seq }) => seq));
    const seed = placeSeed(ref, writer, round);
    for (const walk = new RecordWalk(records); walk.next();)
      if (seqs.has(recordSeq(records, walk.bodyStart))) redactBody(records, walk.bodyStart, walk.end, seed);
  }
  return result;
}

/** Whether the bytes at a place are its run. What a crash left half written over is whole as well, and becomes so in `bytes`, which
 *  are the caller's own: its content is asked for by nobody, and the next step of `eraseStep` writes it to its end. */
export function isReadable(
  slot: Slot,
  writer: WriterId,
  place: RunPlace,
  bytes: Uint8Array,
  at: number,
): boolean {
  if (isWholePlace(slot, writer, place, bytes, at)) return true;
  const { firstSeq, count, round, headerBytes, recordBytes } = place;
  const start = at + headerBytes;
  if (headerBytes === 0 || start + recordBytes > bytes.length) return false;
  const redacted = slot.log.redactions.within(writer, firstSeq, firstSeq + count - 1);
  const half = new Set(redacted.filter(({ isErased }) => !isErased).map(({ seq }) => seq));
  if (half.size === 0) return false;
  const seed = placeSeed(slot.ref, writer, round);
  for (const walk = new RecordWalk(bytes, start, start + recordBytes); walk.next();)
    if (half.has(recordSeq(bytes, walk.bodyStart))) redactBody(bytes, walk.bodyStart, walk.end, seed);
  return isWholePlace(slot, writer, place, bytes, at);
}

/** Stretches of a run without some of its entries. */
export function stretchesWithout(stretches: readonly Stretch[], seqs: readonly number[]): readonly Stretch[] {
  if (seqs.length === 0) return stretches;
  const left: Stretch[] = [];
  for (const { bytes, start, end, round, firstSeq } of stretches) {
    let seq = firstSeq;
    let open: Stretch | undefined;
    for (const walk = new RecordWalk(bytes, start, end); walk.next(); seq++) {
      if (seqs.includes(seq)) open = undefined;
      else if (open) {
        open.end = walk.end;
        open.count++;
      } else left.push((open = { bytes, start: walk.start, end: walk.end, round, firstSeq: seq, count: 1 }));
    }
  }
  return left;
}

/** Nothing waits: neither what is to be written over nor a trim. */
export function isSettled({ redactions, heldTrims }: ChannelLog): boolean {
  return redactions.isDone && heldTrims.length === 0;
}

/** Channels in which something may have to be written over, or to take effect. */
export async function channelsThatWait(keyValue: KeyValue): Promise<Map<string, ChannelRef>> {
  const channels = new Map<string, ChannelRef>();
  for await (const [key] of rowsOf(keyValue, tagged(tags.waiting))) {
    const ref = channelOf(key);
    channels.set(channelKey(ref), ref);
  }
  return channels;
}

/** One step: some channels are looked at, and what is due in them is written over. Never beside compaction, which would go on
 *  with what it read before. */
export async function eraseStep(parts: StoreParts): Promise<void> {
  const { index, applier } = parts;
  if (applier.waiting.size === 0) return;
  let isIndexed = false;
  const refs = [...applier.waiting.values()].slice(0, limits.redactedChannelsAtOnce);
  for (const ref of refs) {
    applier.waiting.delete(channelKey(ref));
    const slot = await index.slots.use(ref);
    try {
      if (slot.log.redactions.due().length > 0) {
        // A start must not have to scan what is written over: half of it may be.
        if (!isIndexed) await syncIndex(parts);
        isIndexed = true;
        await eraseDue(parts, slot);
      }
      if (isSettled(slot.log)) index.addWrites([{ key: tagged(tags.waiting, slot.bytes) }]);
      // To the end of the queue.
      else applier.waiting.set(channelKey(ref), ref);
    } finally {
      index.slots.release(ref);
    }
  }
}

async function syncIndex({ index }: StoreParts): Promise<void> {
  await index.flushAll();
  await index.keyValue.sync();
}

async function eraseDue(parts: StoreParts, slot: Slot): Promise<void> {
  const { redactions } = slot.log;
  for (const { writer, seq } of redactions.due().slice(0, limits.redactedEntriesAtOnce)) {
    const [place] = await parts.index.places(slot.subLog(writer), seq, seq, 1);
    // What is lost here, or given up, is stored without its content if it comes again.
    const isErased = !place || (await erase(parts, slot, writer, seq, place));
    if (!isErased && seq > (slot.log.writer(writer)?.goneThrough ?? 0)) continue;
    redactions.erased({ writer, seq });
    parts.index.touch(slot);
  }
}

/** False where what is there cannot be read: it is stored again, without the content, or compaction takes it away. */
async function erase(
  { segments, options }: StoreParts,
  slot: Slot,
  writer: WriterId,
  seq: number,
  place: RunPlace,
): Promise<boolean> {
  const segment = segments.get(place.segment, place.generation);
  if (!segment) {
    if (segments.covers(place.segment)) throw new IndexDoubtError('the place of a run is in no segment');
    return false;
  }
  const { offset, headerBytes, recordBytes } = place;
  const bytes = await segments.read(segment, offset, headerBytes + recordBytes);
  const walk = new RecordWalk(bytes, headerBytes);
  for (;;) {
    if (!walk.next()) return false;
    if (recordSeq(bytes, walk.bodyStart) === seq) break;
  }
  const { bodyStart, end } = walk;
  const seed = placeSeed(slot.ref, writer, place.round);
  const wasWhole = recordIsWhole(bytes, bodyStart, end, seed);
  const changed = redactBody(bytes, bodyStart, end, seed);
  // What a crash left half written is whole once it is written to its end; what else is damaged is not made to look whole.
  if (!wasWhole && !(headerBytes > 0 && isWholePlace(slot, writer, place, bytes, 0))) return false;
  if (!changed || planted('redacted-kept')) return true;
  const file = await options.files.open(segments.pathOf(segment), 'write');
  try {
    file.write(bytes.subarray(changed.start, changed.end), offset + changed.start);
    if (!planted('erased-unsynced')) await file.sync();
  } finally {
    await file.close();
  }
  return true;
}
