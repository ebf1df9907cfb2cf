/** An entry as it is stored and delivered (`Entry` in proto/client.proto), decoded and summed without any code of the
 *  product. */
import { crc32 } from 'node:zlib';
import { ProtobufReader, hexOf } from './protobuf-reader.js';

export interface RecordDot {
  readonly writer: string;
  readonly seq: number;
}

export interface RecordTrim {
  readonly through: RecordDot;
  /** By writer. */
  readonly floors: ReadonlyMap<string, number>;
  /** Through which an operator forced it; in floors that a store wrote down, the newest that was. */
  readonly forced?: RecordDot | undefined;
}

export interface RecordRange {
  readonly writer: string;
  readonly fromSeq: number;
  readonly toSeq: number;
}

export interface LogRecord {
  readonly checksum: number;
  readonly previous: number;
  readonly seq: number;
  readonly timestamp: number;
  /** Number of `EntryKind`; 0 is a publish. */
  readonly kind: number;
  readonly parents: readonly RecordDot[];
  readonly trim: RecordTrim | undefined;
  /** What it gives up. */
  readonly lost?: RecordRange | undefined;
  /** What it says is of an older generation. */
  readonly voids?: readonly RecordRange[];
  /** Its content was taken out. */
  readonly isRedacted: boolean;
  /** Whose content it has taken out. */
  readonly redacts?: RecordDot | undefined;
  /** A view of the bytes it was decoded from. */
  readonly payload: Uint8Array;
  /** The checksum over the bytes, in the place they were found. */
  readonly isWhole: boolean;
}

/** Those fields of `Entry` that are looked at, by number. */
const field = {
  checksum: 1,
  previous: 2,
  seq: 3,
  timestamp: 4,
  kind: 5,
  parent: 9,
  trim: 10,
  lost: 11,
  voids: 13,
  redacted: 14,
  content: 15,
  redacts: 16,
} as const;
const payloadField = 3;
const checksumFieldBytes = 5;
const none: Uint8Array = new Uint8Array(0);

/** Decodes the body bytes[start, end), an `Entry` found in the place that `seed` stands for. Throws MalformedError. */
export function decodeRecord(bytes: Uint8Array, start: number, end: number, seed: number): LogRecord {
  const record = {
    checksum: 0,
    previous: 0,
    seq: 0,
    timestamp: 0,
    kind: 0,
    parents: noParents,
    trim: undefined as RecordTrim | undefined,
    lost: undefined as RecordRange | undefined,
    voids: noRanges,
    isRedacted: false,
    redacts: undefined as RecordDot | undefined,
    payload: none,
    isWhole: false,
  };
  const reader = new ProtobufReader(bytes, start, end);
  while (reader.next()) {
    switch (reader.field) {
      case field.checksum:
        record.checksum = reader.value;
        break;
      case field.previous:
        record.previous = reader.value;
        break;
      case field.seq:
        record.seq = reader.value;
        break;
      case field.timestamp:
        record.timestamp = reader.value;
        break;
      case field.kind:
        record.kind = reader.value;
        break;
      case field.parent:
        record.parents = [...record.parents, decodeDot(reader.nested())];
        break;
      case field.trim:
        record.trim = decodeTrim(reader.nested());
        break;
      case field.lost:
        record.lost = decodeRange(reader.nested());
        break;
      case field.voids:
        record.voids = [...record.voids, decodeRange(reader.nested())];
        break;
      case field.redacted:
        record.isRedacted = true;
        break;
      case field.redacts:
        record.redacts = decodeDot(reader.nested());
        break;
      case field.content:
        record.payload = payloadOf(reader.nested());
        break;
    }
  }
  record.isWhole = crc32(bytes.subarray(start + checksumFieldBytes, end), seed) === record.checksum;
  return record;
}

const noParents: readonly RecordDot[] = [];
const noRanges: readonly RecordRange[] = [];

/** What the checksum of every record of one writer and round in one channel starts with. */
export function placeSeed(hub: string, channel: string, writer: string, round: number): number {
  const [hubBytes, channelBytes] = [Buffer.from(hub), Buffer.from(channel)];
  const roundBytes = Buffer.alloc(8);
  roundBytes.writeBigUInt64LE(BigInt(round));
  const parts = [
    [hubBytes.length],
    hubBytes,
    [channelBytes.length],
    channelBytes,
    Buffer.from(writer, 'hex'),
    roundBytes,
  ];
  return crc32(Buffer.concat(parts.map((part) => Buffer.from(part))));
}

/** The same, remembered: a writer's records come in thousands, and places are few. */
export class PlaceSeeds {
  readonly #seeds = new Map<string, number>();

  of(hub: string, channel: string, writer: string, round: number): number {
    const place = `${hub}/${channel}/${writer}/${round}`;
    let seed = this.#seeds.get(place);
    if (seed === undefined) this.#seeds.set(place, (seed = placeSeed(hub, channel, writer, round)));
    return seed;
  }
}

export function decodeDot(reader: ProtobufReader): RecordDot {
  let writer = '';
  let seq = 0;
  while (reader.next()) {
    if (reader.field === 1) writer = hexOf(reader.bytes, reader.start, reader.end);
    else if (reader.field === 2) seq = reader.value;
  }
  return { writer, seq };
}

function decodeTrim(reader: ProtobufReader): RecordTrim {
  let through: RecordDot = { writer: '', seq: 0 };
  let forced: RecordDot | undefined;
  const floors = new Map<string, number>();
  while (reader.next()) {
    if (reader.field === 1) through = decodeDot(reader.nested());
    else if (reader.field === 2) {
      const { writer, seq } = decodeDot(reader.nested());
      floors.set(writer, seq);
    } else if (reader.field === 5) forced = decodeForced(reader.nested());
  }
  return { through, floors, forced };
}

function decodeForced(reader: ProtobufReader): RecordDot | undefined {
  let through: RecordDot | undefined;
  while (reader.next()) if (reader.field === 1) through = decodeDot(reader.nested());
  return through;
}

function decodeRange(reader: ProtobufReader): RecordRange {
  const range = { writer: '', fromSeq: 0, toSeq: 0 };
  while (reader.next()) {
    if (reader.field === 1) range.writer = hexOf(reader.bytes, reader.start, reader.end);
    else if (reader.field === 2) range.fromSeq = reader.value;
    else if (reader.field === 3) range.toSeq = reader.value;
  }
  return range;
}

function payloadOf(content: ProtobufReader): Uint8Array {
  let payload = none;
  while (content.next()) if (content.field === payloadField) payload = content.view();
  return payload;
}
