/** Letters from untrusted bytes. Parts of kinds this version does not know are left out; anything malformed fails the
 *  letter. Contents, runs and records are views of its bytes; whether they are what they should be is for who uses them
 *  to see. */
import type { Dot, NodeId } from '../../base/ids.js';
import { publishedKindOf } from '../../protocol/levels.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import { type Failure, failure as failureOf, isErrorCode } from '../../protocol/errors.js';
import { decodeFrame } from '../../replication/wire-decoder.js';
import type { ForwardedOutcome, ForwardedPublish, PeerMessage } from './peer-messages.js';
import { partTags } from './peer-wire-encoder.js';
import {
  readAdopted,
  readCover,
  readCovered,
  readFollow,
  readFollowEnded,
  readFollowed,
  readFollowing,
  readOrphan,
  readRead,
  readReadAnswer,
  readSince,
  readSinceAnswer,
} from './peer-wire-follow-decoder.js';
import { readListAsked, readListed } from './peer-wire-list.js';
import { LetterReader, noBytes, noRef } from './peer-wire-reader.js';
import { presenceReaders } from './peer-wire-presence.js';
import { ringReaders } from './peer-wire-ring.js';
import { readVerified, readVerify } from './peer-wire-verify.js';

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
  [partTags.unfollow, (reader) => ({ type: 'unfollow', id: reader.withId() })],
  [partTags.following, readFollowing],
  [partTags.followEnded, readFollowEnded],
  [partTags.followed, readFollowed],
  [partTags.read, readRead],
  [partTags.readAnswer, readReadAnswer],
  [partTags.since, readSince],
  [partTags.sinceAnswer, readSinceAnswer],
  [partTags.declined, (reader) => ({ type: 'declined', id: reader.withId() })],
  [partTags.cover, readCover],
  [partTags.covered, readCovered],
  [partTags.took, (reader) => ({ type: 'took', bytes: reader.withId() })],
  [partTags.ring, ringReaders.ring],
  [partTags.askRing, ringReaders.askRing],
  [partTags.ballot, ringReaders.ballot],
  [partTags.ballotAnswer, ringReaders.ballotAnswer],
  [partTags.ringReport, ringReaders.ringReport],
  [partTags.askChange, ringReaders.askChange],
  [partTags.changeAnswer, ringReaders.changeAnswer],
  [partTags.orphan, readOrphan],
  [partTags.adopted, readAdopted],
  [partTags.verify, readVerify],
  [partTags.verified, readVerified],
  [partTags.listAsked, readListAsked],
  [partTags.listed, readListed],
  [partTags.presence, presenceReaders.presence],
  [partTags.askPresence, presenceReaders.askPresence],
  [partTags.followPresence, presenceReaders.followPresence],
  [partTags.unfollowPresence, presenceReaders.unfollowPresence],
  [partTags.presenceFollowed, presenceReaders.presenceFollowed],
  [partTags.presenceEnded, presenceReaders.presenceEnded],
]);

function readReplication(reader: LetterReader): PeerMessage | undefined {
  const frame = decodeFrame(reader.chunk());
  if (frame.ok) return { type: 'replication', frame: frame.value };
  reader.fail();
  return undefined;
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
  const flags = { retain: false, push: false, degrade: false, first: false };
  let createParents = false;
  let isDelete = false;
  let kind: ForwardedPublish['kind'];
  let redacts: ForwardedPublish['redacts'];
  let keep: ForwardedPublish['keep'];
  const id = reader.withId((tag) => {
    if (tag === 0x12) ref = reader.ref();
    else if (tag === 0x1a) actor = reader.text(limits.tokenBytesMax);
    else if (tag === 0x22) content = reader.bounded(limits.frameBytesMax);
    else if (tag === 0x2a) publisher = readPublisher(reader);
    else if (tag === 0x32) idempotencyKey = reader.text(limits.idempotencyKeyBytesMax);
    else if (tag === 0x38) flags.retain = reader.varint() !== 0;
    else if (tag === 0x40) level = reader.level();
    else if (tag === 0x48) flags.degrade = reader.varint() !== 0;
    else if (tag === 0x50) flags.first = reader.varint() !== 0;
    else if (tag === 0x140) kind = readKind(reader);
    else if (tag === 0x58) flags.push = reader.varint() !== 0;
    else if (tag === 0x148) createParents = reader.varint() !== 0;
    else if (tag === 0x168) isDelete = reader.varint() !== 0;
    else if (tag === 0x172) redacts = reader.dot();
    else if (tag === 0x17a) keep = readKeep(reader);
    else return false;
    return true;
  });
  if (ref === noRef || !level) reader.fail();
  return {
    id,
    ref,
    actor,
    content,
    publisher,
    idempotencyKey: idempotencyKey === '' ? undefined : idempotencyKey,
    ...flags,
    level: level ?? 'quorum',
    ...(kind ? { kind, createParents } : {}),
    ...(isDelete ? { isDelete: true } : {}),
    ...(redacts ? { redacts } : {}),
    ...(keep ? { keep } : {}),
  };
}

function readKeep(reader: LetterReader): ForwardedPublish['keep'] {
  let keep: ForwardedPublish['keep'];
  reader.nested((tag) => {
    if (tag === 0x08) keep = { entries: reader.varint() };
    else if (tag === 0x10) keep = { bytes: reader.varint() };
    else if (tag === 0x18) keep = { since: reader.varint() };
    else return false;
    return true;
  });
  if (!keep) reader.fail();
  return keep;
}

function readKind(reader: LetterReader): ForwardedPublish['kind'] {
  const number = reader.varint();
  const kind = publishedKindOf(number);
  if (!kind && number !== 0) reader.fail();
  return kind;
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

type Accepted = Extract<ForwardedOutcome, { timestamp: number }>;

function readOutcome(reader: LetterReader): ForwardedOutcome {
  reader.item();
  let accepted: Accepted | undefined;
  let failure: Failure | undefined;
  let moved: { moved: NodeId | undefined } | undefined;
  let id = 0;
  reader.nested((tag) => {
    if (tag === 0x08) id = reader.varint();
    else if (tag === 0x12) accepted = readAccepted(reader, id);
    else if (tag === 0x1a) failure = readFailure(reader);
    else if (tag === 0x22) moved = { moved: reader.moved() };
    else return false;
    return true;
  });
  if (failure) return { id, failure };
  if (accepted) return accepted.id === id ? accepted : { ...accepted, id };
  if (moved) return { id, ...moved };
  // An outcome of a later version.
  return { id, failure: failureOf('INDETERMINATE') };
}

/** One shape for all: there are as many as publishes. The id comes before, from whoever writes fields in order. */
function readAccepted(reader: LetterReader, id: number): Accepted {
  let dot: Dot | undefined;
  let timestamp = 0;
  let duplicate = false;
  let level: Accepted['level'] | undefined;
  let copies = 0;
  let version = 0;
  reader.nested((tag) => {
    if (tag === 0x0a) dot = reader.dot();
    else if (tag === 0x10) timestamp = reader.varint();
    else if (tag === 0x18) duplicate = reader.varint() !== 0;
    else if (tag === 0x20) level = reader.level();
    else if (tag === 0x28) copies = reader.varint();
    else if (tag === 0x140) version = reader.varint();
    else return false;
    return true;
  });
  if (!level) reader.fail();
  const accepted = { id, dot, timestamp, duplicate, level: level ?? ('memory' as const), copies };
  return version === 0 ? accepted : { ...accepted, version };
}

function readFailure(reader: LetterReader): Failure {
  let code = '';
  let outcome: Failure['outcome'] = 'rejected';
  let message = '';
  let retryAfterMs = 0;
  let channel = '';
  let operation: number | undefined;
  let reason = '';
  reader.nested((tag) => {
    if (tag === 0x0a) code = reader.text(limits.intervalIdBytesMax);
    else if (tag === 0x10) outcome = reader.varint() === 0 ? 'rejected' : 'indeterminate';
    else if (tag === 0x1a) message = reader.text(limits.tokenBytesMax);
    else if (tag === 0x20) retryAfterMs = reader.varint();
    else if (tag === 0x2a) channel = reader.text(limits.cursorBytesMax);
    else if (tag === 0x140) operation = reader.varint();
    else if (tag === 0x14a) reason = reader.text(limits.intervalIdBytesMax);
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
    ...(operation === undefined ? {} : { operation }),
    ...(reason === '' ? {} : { reason }),
  };
}
