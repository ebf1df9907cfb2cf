/** Letters from untrusted bytes. Parts of kinds this version does not know are left out; anything malformed fails the
 *  letter. Contents, runs and records are views of its bytes; whether they are what they should be is for who uses them
 *  to see. */
import type { ChannelRef, Dot, NodeId, WriterId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import type { SeqRange } from '../log/channel-log.js';
import { type Failure, failure as failureOf, isErrorCode } from '../protocol/errors.js';
import type { Signal } from '../protocol/messages.js';
import { decodeFrame } from '../replication/wire-decoder.js';
import type { ForwardedOutcome, ForwardedPublish, PeerMessage } from './peer-messages.js';
import { partTags } from './peer-wire-encoder.js';
import { LetterReader } from './peer-wire-reader.js';
import { ringReaders } from './peer-wire-ring.js';
import type { MissingRange, RecordSlice } from './ports.js';

export function decodePeerMessages(bytes: Uint8Array): Result<PeerMessage[], string> {
  if (bytes.length > limits.peerFrameBytesMax) return err('the letter is too large');
  const reader = new LetterReader(bytes);
  const messages: PeerMessage[] = [];
  reader.fields((tag) => {
    if (tag !== 0x0a) return false;
    const message = readPart(reader);
    if (message) messages.push(message);
    return true;
  });
  return reader.failed ? err('the letter is malformed') : ok(messages);
}

function readPart(reader: LetterReader): PeerMessage | undefined {
  reader.item();
  let message: PeerMessage | undefined;
  reader.nested((tag) => {
    const read = readers.get(tag);
    if (!read) return false;
    message = read(reader);
    return true;
  });
  return message;
}

const readers: ReadonlyMap<number, (reader: LetterReader) => PeerMessage | undefined> = new Map([
  [partTags.replication, readReplication],
  [partTags.publish, readPublishes],
  [partTags.published, readPublished],
  [partTags.follow, readFollow],
  [partTags.unfollow, (reader) => ({ type: 'unfollow', id: readId(reader) })],
  [partTags.following, readFollowing],
  [partTags.followEnded, readFollowEnded],
  [partTags.followed, readFollowed],
  [partTags.read, readRead],
  [partTags.readAnswer, readReadAnswer],
  [partTags.since, readSince],
  [partTags.sinceAnswer, readSinceAnswer],
  [partTags.declined, (reader) => ({ type: 'declined', id: readId(reader) })],
  [partTags.ring, ringReaders.ring],
  [partTags.askRing, ringReaders.askRing],
  [partTags.ballot, ringReaders.ballot],
  [partTags.ballotAnswer, ringReaders.ballotAnswer],
  [partTags.ringReport, ringReaders.ringReport],
  [partTags.askChange, ringReaders.askChange],
  [partTags.changeAnswer, ringReaders.changeAnswer],
]);

const noRef = { hub: '', channel: '' } as unknown as ChannelRef;
const noBytes: Uint8Array = new Uint8Array(0);

function readReplication(reader: LetterReader): PeerMessage | undefined {
  const frame = decodeFrame(reader.chunk());
  if (frame.ok) return { type: 'replication', frame: frame.value };
  reader.fail();
  return undefined;
}

/** The fields of a message that begins with an id, which it gives. */
function readId(reader: LetterReader, read: (tag: number) => boolean = () => false): number {
  let id = 0;
  reader.nested((tag) => {
    if (tag !== 0x08) return read(tag);
    id = reader.varint();
    return true;
  });
  return id;
}

function readPublishes(reader: LetterReader): PeerMessage {
  const publishes: ForwardedPublish[] = [];
  reader.nested((tag) => {
    if (tag !== 0x0a) return false;
    publishes.push(readPublish(reader));
    return true;
  });
  return { type: 'publish', publishes };
}

function readPublish(reader: LetterReader): ForwardedPublish {
  reader.item();
  let ref = noRef;
  let actor = '';
  let content = noBytes;
  let publisher: ForwardedPublish['publisher'];
  let idempotencyKey = '';
  let level: ForwardedPublish['level'] | undefined;
  const flags = { retain: false, degrade: false, first: false };
  const id = readId(reader, (tag) => {
    if (tag === 0x12) ref = reader.ref();
    else if (tag === 0x1a) actor = reader.text(limits.tokenBytesMax);
    else if (tag === 0x22) content = reader.bounded(limits.frameBytesMax);
    else if (tag === 0x2a) publisher = readPublisher(reader);
    else if (tag === 0x32) idempotencyKey = reader.text(limits.idempotencyKeyBytesMax);
    else if (tag === 0x38) flags.retain = reader.varint() !== 0;
    else if (tag === 0x40) level = reader.level();
    else if (tag === 0x48) flags.degrade = reader.varint() !== 0;
    else if (tag === 0x50) flags.first = reader.varint() !== 0;
    else return false;
    return true;
  });
  if (ref === noRef || !level) reader.fail();
  return {
    id,
    ref,
    actor,
    content,
    ...(publisher ? { publisher } : {}),
    ...(idempotencyKey === '' ? {} : { idempotencyKey }),
    retain: flags.retain,
    level: level ?? 'quorum',
    degrade: flags.degrade,
    first: flags.first,
  };
}

function readPublisher(reader: LetterReader): ForwardedPublish['publisher'] {
  const publisher = { id: '', epoch: 0, seq: 0, ackedThrough: 0 };
  reader.nested((tag) => {
    if (tag === 0x0a) publisher.id = reader.text(limits.publisherIdBytesMax);
    else if (tag === 0x10) publisher.epoch = reader.varint();
    else if (tag === 0x18) publisher.seq = reader.varint();
    else if (tag === 0x20) publisher.ackedThrough = reader.varint();
    else return false;
    return true;
  });
  return publisher;
}

function readPublished(reader: LetterReader): PeerMessage {
  const outcomes: ForwardedOutcome[] = [];
  reader.nested((tag) => {
    if (tag !== 0x0a) return false;
    outcomes.push(readOutcome(reader));
    return true;
  });
  return { type: 'published', outcomes };
}

type Accepted = Omit<Extract<ForwardedOutcome, { timestamp: number }>, 'id'>;

function readOutcome(reader: LetterReader): ForwardedOutcome {
  reader.item();
  let accepted: Accepted | undefined;
  let failure: Failure | undefined;
  let moved: { moved: NodeId | undefined } | undefined;
  const id = readId(reader, (tag) => {
    if (tag === 0x12) accepted = readAccepted(reader);
    else if (tag === 0x1a) failure = readFailure(reader);
    else if (tag === 0x22) moved = { moved: readMoved(reader) };
    else return false;
    return true;
  });
  if (failure) return { id, failure };
  if (accepted) return { id, ...accepted };
  if (moved) return { id, ...moved };
  // An outcome of a later version.
  return { id, failure: failureOf('INDETERMINATE') };
}

function readAccepted(reader: LetterReader): Accepted {
  let dot: Dot | undefined;
  const numbers = { timestamp: 0, copies: 0 };
  let duplicate = false;
  let level: Accepted['level'] | undefined;
  reader.nested((tag) => {
    if (tag === 0x0a) dot = reader.dot();
    else if (tag === 0x10) numbers.timestamp = reader.varint();
    else if (tag === 0x18) duplicate = reader.varint() !== 0;
    else if (tag === 0x20) level = reader.level();
    else if (tag === 0x28) numbers.copies = reader.varint();
    else return false;
    return true;
  });
  if (!level) reader.fail();
  return { ...(dot ? { dot } : {}), ...numbers, duplicate, level: level ?? 'memory' };
}

function readFailure(reader: LetterReader): Failure {
  let code = '';
  let outcome: Failure['outcome'] = 'rejected';
  let message = '';
  let retryAfterMs = 0;
  let channel = '';
  reader.nested((tag) => {
    if (tag === 0x0a) code = reader.text(limits.intervalIdBytesMax);
    else if (tag === 0x10) outcome = reader.varint() === 0 ? 'rejected' : 'indeterminate';
    else if (tag === 0x1a) message = reader.text(limits.tokenBytesMax);
    else if (tag === 0x20) retryAfterMs = reader.varint();
    else if (tag === 0x2a) channel = reader.text(limits.cursorBytesMax);
    else return false;
    return true;
  });
  // A code of a later version: what matters is whether it may have been written.
  const known = isErrorCode(code) ? code : outcome === 'rejected' ? 'UNAVAILABLE' : 'INDETERMINATE';
  return {
    code: known,
    outcome,
    message,
    ...(retryAfterMs === 0 ? {} : { retryAfterMs }),
    ...(channel === '' ? {} : { channel }),
  };
}

function readMoved(reader: LetterReader): NodeId | undefined {
  let node: NodeId | undefined;
  reader.nested((tag) => {
    if (tag !== 0x0a) return false;
    node = reader.node();
    return true;
  });
  return node;
}

function readFollow(reader: LetterReader): PeerMessage {
  let ref = noRef;
  let what: 'log' | 'signals' = 'log';
  const covers: Dot[] = [];
  const id = readId(reader, (tag) => {
    if (tag === 0x12) ref = reader.ref();
    else if (tag === 0x18) what = reader.varint() === 0 ? 'log' : 'signals';
    else if (tag === 0x22) covers.push(reader.nextDot());
    else return false;
    return true;
  });
  if (ref === noRef) reader.fail();
  return { type: 'follow', id, ref, what, covers };
}

function readFollowing(reader: LetterReader): PeerMessage {
  let log: Uint8Array | undefined;
  const lost: Dot[] = [];
  const signals: Signal[] = [];
  const id = readId(reader, (tag) => {
    if (tag === 0x12) log = reader.chunk();
    else if (tag === 0x1a) lost.push(reader.nextDot());
    else if (tag === 0x22) signals.push(readSignal(reader));
    else return false;
    return true;
  });
  return { type: 'following', id, ...(log ? { log } : {}), lost, signals };
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

function readFollowEnded(reader: LetterReader): PeerMessage {
  let moved: NodeId | undefined;
  const id = readId(reader, (tag) => {
    if (tag !== 0x12) return false;
    moved = readMoved(reader);
    return true;
  });
  return { type: 'followEnded', id, moved };
}

function readFollowed(reader: LetterReader): PeerMessage {
  const runs: Uint8Array[] = [];
  let committed: Dot | undefined;
  let tip: Dot | undefined;
  const signals: Signal[] = [];
  const id = readId(reader, (tag) => {
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

function readRead(reader: LetterReader): PeerMessage {
  let ref = noRef;
  const ranges: SeqRange[] = [];
  let bytesMax = 0;
  const id = readId(reader, (tag) => {
    if (tag === 0x12) ref = reader.ref();
    else if (tag === 0x1a) ranges.push(reader.range());
    else if (tag === 0x20) bytesMax = reader.varint();
    else return false;
    return true;
  });
  if (ref === noRef) reader.fail();
  return { type: 'read', id, ref, ranges, bytesMax };
}

function readReadAnswer(reader: LetterReader): PeerMessage {
  const slices: RecordSlice[] = [];
  const missing: MissingRange[] = [];
  const id = readId(reader, (tag) => {
    if (tag === 0x12) slices.push(readSlice(reader));
    else if (tag === 0x1a) {
      const { writer, firstSeq, count } = reader.range();
      missing.push({ writer, fromSeq: firstSeq, toSeq: firstSeq + count - 1 });
    } else return false;
    return true;
  });
  return { type: 'readAnswer', id, slices, missing };
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

function readSince(reader: LetterReader): PeerMessage {
  let ref = noRef;
  let timestamp = 0;
  const id = readId(reader, (tag) => {
    if (tag === 0x12) ref = reader.ref();
    else if (tag === 0x18) timestamp = reader.varint();
    else return false;
    return true;
  });
  if (ref === noRef) reader.fail();
  return { type: 'since', id, ref, timestamp };
}

function readSinceAnswer(reader: LetterReader): PeerMessage {
  const vector = new Map<WriterId, number>();
  const id = readId(reader, (tag) => {
    if (tag !== 0x12) return false;
    reader.into(vector);
    return true;
  });
  return { type: 'sinceAnswer', id, vector };
}
