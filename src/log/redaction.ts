/** A record without its content: as long as it was, and with the same checksum. Four free bytes are chosen so that the CRC-32
 *  of what is left is that of what was; so whatever rests on the checksum (the next entry's `previous`, the run's, the
 *  commit's, the places of all that follows) holds for both forms, and either may be written over the other. Whoever has the
 *  place and the checksum can make the form without the content. See docs/decisions/0021-redaction.md. */
import { crc32 } from '../base/crc32.js';
import { crcBefore, crcBridge } from '../base/crc32-backwards.js';
import { ByteReader, writeFixed32 } from '../base/bytes.js';
import { readTag, skipValue } from '../base/protobuf.js';
import { contentHash } from './content-wire.js';
import { type EntryKind } from './entry.js';
import { entryTags, fixedFieldsBytes, recordChecksum, recordKind } from './record-layout.js';

/** Of whom a message may be taken: what is folded into something else stays. */
export function isRedactable(kind: EntryKind | undefined): boolean {
  return kind === 'publish' || kind === 'notification';
}

/** A field: where it begins, its value, and where that ends. */
interface ContentField {
  readonly start: number;
  readonly valueStart: number;
  readonly end: number;
}

/** In the place of the content's. The short one where no length fits beside the four bytes. */
const redactedTag = 0x72;
const shortTag = 0x75;
const checksumEnd = 5;
const balanceBytes = 4;
const shortValueBytes = 3;

/** Takes the content out of the body bytes[bodyStart, end), in its place; `seed`: of its place. Returns the bytes that changed;
 *  nothing where there is no content, or none that says anything. */
export function redactBody(
  bytes: Uint8Array,
  bodyStart: number,
  end: number,
  seed: number,
): { readonly start: number; readonly end: number } | undefined {
  if (!isRedactable(recordKind(bytes, bodyStart, end))) return undefined;
  const field = fieldOf(bytes, bodyStart, end, (tag) => tag === entryTags.content || isForm(tag));
  // Nothing shorter than three bytes says anything.
  if (!field || field.end - field.start < 1 + balanceBytes) return undefined;
  const isShort = field.end - field.start === 1 + balanceBytes;
  bytes[field.start] = isShort ? shortTag : redactedTag;
  const balance = field.end - balanceBytes;
  if (!isShort) bytes.fill(0, field.valueStart, balance);
  const before = crc32(bytes, bodyStart + checksumEnd, balance, seed);
  const after = crcBefore(bytes, field.end, end, recordChecksum(bytes, bodyStart));
  writeFixed32(bytes, balance, crcBridge(before, after));
  return { start: field.start, end: field.end };
}

/** CRC-32 of the content that a body had; `undefined` where it still has it, or had none. */
export function redactedHash(
  bytes: Uint8Array,
  bodyStart: number,
  end: number,
  seed: number,
): number | undefined {
  const field = fieldOf(bytes, bodyStart, end, isForm);
  if (!field) return undefined;
  const isShort = bytes[field.start] === shortTag;
  const length = isShort ? shortValueBytes : field.end - field.valueStart;
  const head = bytes.slice(bodyStart + checksumEnd, isShort ? field.start + 2 : field.valueStart);
  const tagAt = field.start - bodyStart - checksumEnd;
  head[tagAt] = entryTags.content;
  if (isShort) head[tagAt + 1] = shortValueBytes;
  const zeros = new Uint8Array(length);
  const whole = crcBefore(bytes, field.end, end, recordChecksum(bytes, bodyStart));
  // A CRC is linear: that of the whole is that of its beginning carried on over zeros, and that of its end.
  return (whole ^ crc32(zeros, 0, length, crc32(head, 0, head.length, seed)) ^ contentHash(zeros)) >>> 0;
}

function isForm(tag: number): boolean {
  return tag === redactedTag || tag === shortTag;
}

function fieldOf(
  bytes: Uint8Array,
  bodyStart: number,
  end: number,
  isWanted: (tag: number) => boolean,
): ContentField | undefined {
  const reader = new ByteReader(bytes, bodyStart + fixedFieldsBytes, end);
  while (!reader.done) {
    const start = reader.position;
    const tag = readTag(reader);
    if (reader.failed) return undefined;
    if (!isWanted(tag)) {
      skipValue(reader, tag);
      continue;
    }
    const length = tag === shortTag ? balanceBytes : reader.varint();
    const valueStart = reader.position;
    return !reader.failed && length <= end - valueStart
      ? { start, valueStart, end: valueStart + length }
      : undefined;
  }
  return undefined;
}
