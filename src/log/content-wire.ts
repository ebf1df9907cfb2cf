/** What a client says, as the protobuf message `Content`: built by clients, stored and delivered byte for byte, and
 *  walked once by the server so that nothing is stored which others would choke on. */
import { ByteReader, ByteWriter, varintLength } from '../base/bytes.js';
import { crc32 } from '../base/crc32.js';
import { type Result, err, ok } from '../base/result.js';
import type { Content, Extras } from './entry.js';
import {
  isUtf8,
  nestedReader,
  readTag,
  readText,
  skipBytes,
  skipValue,
  utf8Length,
  writeText,
} from '../base/protobuf.js';

/** The part of base/limits.ts that a rule may change. */
export interface ContentLimits {
  readonly messageBytesMax: number;
  readonly eventBytesMax: number;
  readonly contentTypeBytesMax: number;
  readonly headersMax: number;
  readonly headersBytesMax: number;
}

export type ContentFault =
  | 'malformed'
  | 'too-large'
  | 'event-too-long'
  | 'content-type-too-long'
  | 'too-many-headers'
  | 'headers-too-large';

export interface ContentCheck {
  /** What its extras say, where they do. */
  readonly store?: boolean;
  readonly retain?: boolean;
  readonly push?: boolean;
}

const eventTag = 0x0a;
const contentTypeTag = 0x12;
const payloadTag = 0x1a;
const headersTag = 0x22;
const extrasTag = 0x2a;
const signatureTag = 0x32;
const keyTag = 0x0a;
const valueTag = 0x12;
const storeTag = 0x08;
const retainTag = 0x10;
const pushTag = 0x18;

/** Fields in proto order, defaults left out, headers in the map's order. */
export function encodeContent(content: Content): Uint8Array {
  const out = new ByteWriter(content.payload.length + 64);
  if (content.event) writeText(out, eventTag, content.event);
  if (content.contentType) writeText(out, contentTypeTag, content.contentType);
  writeBytes(out, payloadTag, content.payload);
  for (const [key, value] of content.headers ?? []) {
    out.varint(headersTag);
    out.varint(textFieldLength(key) + textFieldLength(value));
    writeText(out, keyTag, key);
    writeText(out, valueTag, value);
  }
  if (content.extras) writeExtras(out, content.extras);
  if (content.signature) writeBytes(out, signatureTag, content.signature);
  return out.bytes();
}

/** The payload and signature are views of `bytes`. Unknown fields are skipped. */
export function decodeContent(bytes: Uint8Array): Result<Content, 'malformed'> {
  const reader = new ByteReader(bytes);
  const content: { -readonly [K in keyof Content]: Content[K] } = { payload: bytes.subarray(0, 0) };
  const headers = new Map<string, string>();
  while (!reader.done) {
    const tag = readTag(reader);
    if (tag === eventTag) content.event = readText(reader);
    else if (tag === contentTypeTag) content.contentType = readText(reader);
    else if (tag === payloadTag) content.payload = reader.take(reader.varint());
    else if (tag === headersTag) readHeader(reader, headers);
    else if (tag === extrasTag) content.extras = { ...content.extras, ...readExtras(reader) };
    else if (tag === signatureTag) content.signature = reader.take(reader.varint());
    else skipUnknown(reader, tag);
  }
  if (reader.failed) return err('malformed');
  if (headers.size > 0) content.headers = headers;
  return ok(withoutDefaults(content));
}

// Shared, so that checking a message makes no garbage.
const choices = [undefined, false, true] as const;
const checked = choices.flatMap((store) =>
  choices.flatMap((retain) =>
    choices.map((push) =>
      ok<ContentCheck>({
        ...(store === undefined ? {} : { store }),
        ...(retain === undefined ? {} : { retain }),
        ...(push === undefined ? {} : { push }),
      }),
    ),
  ),
);

/** Walks the untrusted content bytes[start, end) once: valid protobuf, text that is UTF-8, everything within its limit.
 *  Unknown fields are allowed; the limit of the whole bounds them. */
export function checkContent(
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: ContentLimits,
): Result<ContentCheck, ContentFault> {
  if (end - start > limits.messageBytesMax) return err('too-large');
  const reader = new ByteReader(bytes, start, end);
  let store: boolean | undefined;
  let retain: boolean | undefined;
  let push: boolean | undefined;
  let headers = 0;
  let headerBytes = 0;
  while (!reader.done) {
    const tag = readTag(reader);
    if (tag === payloadTag || tag === signatureTag) skipBytes(reader, reader.varint());
    else if (tag === eventTag) {
      if (checkText(reader) > limits.eventBytesMax) return err('event-too-long');
    } else if (tag === contentTypeTag) {
      if (checkText(reader) > limits.contentTypeBytesMax) return err('content-type-too-long');
    } else if (tag === headersTag) {
      if (++headers > limits.headersMax) return err('too-many-headers');
      headerBytes += checkHeader(reader);
      if (headerBytes > limits.headersBytesMax) return err('headers-too-large');
    } else if (tag === extrasTag) {
      const extras = readExtras(reader);
      store = extras.store ?? store;
      retain = extras.retain ?? retain;
      push = extras.push ?? push;
    } else skipUnknown(reader, tag);
  }
  if (reader.failed) return err('malformed');
  const [a, b, c] = [choices.indexOf(store), choices.indexOf(retain), choices.indexOf(push)];
  return checked[9 * a + 3 * b + c]!;
}

/** CRC-32 of encoded content: tells whether an idempotency key is used again for something else. */
export function contentHash(bytes: Uint8Array, start = 0, end = bytes.length): number {
  return crc32(bytes, start, end);
}

/** A known field with another wire type is refused: decoders that go by field number would misread what follows. */
function skipUnknown(reader: ByteReader, tag: number): void {
  if (tag >>> 3 >= 1 && tag >>> 3 <= 6) reader.fail();
  else skipValue(reader, tag);
}

/** Bytes of the text; its limit is checked by the caller, after a failed read it is 0. */
function checkText(reader: ByteReader): number {
  const length = reader.varint();
  const start = reader.position;
  skipBytes(reader, length);
  if (reader.failed) return 0;
  if (!isUtf8(reader.bytes, start, reader.position)) reader.fail();
  return length;
}

/** Bytes of key and value. */
function checkHeader(reader: ByteReader): number {
  const entry = nestedReader(reader);
  let bytes = 0;
  while (!entry.done) {
    const tag = readTag(entry);
    if (tag === keyTag || tag === valueTag) bytes += checkText(entry);
    else if (tag >>> 3 <= 2) entry.fail();
    else skipValue(entry, tag);
  }
  return bytes;
}

function readHeader(reader: ByteReader, headers: Map<string, string>): void {
  const entry = nestedReader(reader);
  let key = '';
  let value = '';
  while (!entry.done) {
    const tag = readTag(entry);
    if (tag === keyTag) key = readText(entry);
    else if (tag === valueTag) value = readText(entry);
    else if (tag >>> 3 <= 2) entry.fail();
    else skipValue(entry, tag);
  }
  headers.set(key, value);
}

function readExtras(reader: ByteReader): Extras {
  const inner = nestedReader(reader);
  const extras: { -readonly [K in keyof Extras]: Extras[K] } = {};
  while (!inner.done) {
    const tag = readTag(inner);
    if (tag === storeTag) extras.store = inner.varint() !== 0;
    else if (tag === retainTag) extras.retain = inner.varint() !== 0;
    else if (tag === pushTag) extras.push = inner.varint() !== 0;
    else if (tag >>> 3 <= 3) inner.fail();
    else skipValue(inner, tag);
  }
  return extras;
}

function withoutDefaults(content: { -readonly [K in keyof Content]: Content[K] }): Content {
  if (content.event === '') delete content.event;
  if (content.contentType === '') delete content.contentType;
  if (content.signature?.length === 0) delete content.signature;
  return content;
}

function writeBytes(out: ByteWriter, tag: number, bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  out.varint(tag);
  out.varint(bytes.length);
  out.raw(bytes);
}

/** Length of a string field with its one-byte tag and its length. */
function textFieldLength(text: string): number {
  const length = utf8Length(text);
  return 1 + varintLength(length) + length;
}

function writeExtras(out: ByteWriter, extras: Extras): void {
  const fields: readonly (readonly [number, boolean | undefined])[] = [
    [storeTag, extras.store],
    [retainTag, extras.retain],
    [pushTag, extras.push],
  ];
  const present = fields.filter(([, value]) => value !== undefined);
  out.varint(extrasTag);
  out.varint(2 * present.length);
  for (const [tag, value] of present) {
    out.varint(tag);
    out.varint(value ? 1 : 0);
  }
}
