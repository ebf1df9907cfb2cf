/** Frames from untrusted bytes. Messages of kinds this version does not know are left out; anything malformed fails the
 *  frame. Runs are views of its bytes; whether they are runs is for the receiver to see. */
import type { ChannelRef, Dot, StoreId, WriterId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import type { LostRange, Trim } from '../log/entry.js';
import { floorWriter } from '../log/floors.js';
import type { Claim } from './claim.js';
import type { Asked, Frame, IntervalClaim, PeerMessage } from './messages.js';
import { readArrived, readAskArrived, readHeld, readReminded } from './wire-catch-up.js';
import { messageTags } from './wire-encoder.js';
import { PeerReader } from './wire-reader.js';
import { readReconcile, readReconciled } from './wire-reconcile.js';

export type FrameFault = 'malformed' | 'too-large';

export function decodeFrame(bytes: Uint8Array): Result<Frame, FrameFault> {
  if (bytes.length > limits.peerFrameBytesMax) return err('too-large');
  const reader = new PeerReader(bytes);
  const messages: PeerMessage[] = [];
  let storeId = '' as StoreId;
  let ringVersion = 0;
  reader.fields((tag) => {
    if (tag === 0x0a) storeId = reader.storeId();
    else if (tag === 0x10) ringVersion = reader.varint();
    else if (tag === 0x1a) {
      const message = readMessage(reader);
      if (message) messages.push(message);
    } else return false;
    return true;
  });
  return reader.failed || storeId === '' ? err('malformed') : ok({ storeId, ringVersion, messages });
}

function readMessage(reader: PeerReader): PeerMessage | undefined {
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

const readers: ReadonlyMap<number, (reader: PeerReader) => PeerMessage> = new Map([
  [messageTags.ask, (reader) => ({ type: 'ask', claims: readClaims(reader) })],
  [messageTags.asked, readAsked],
  [messageTags.claim, (reader) => ({ type: 'claim', claims: readClaims(reader) })],
  [messageTags.granted, (reader) => ({ type: 'granted', claims: readClaims(reader) })],
  [messageTags.fenced, (reader) => ({ type: 'fenced', promises: readClaims(reader) })],
  [messageTags.staleRing, readStaleRing],
  [messageTags.append, readAppend],
  [messageTags.ack, readAcks],
  [messageTags.refused, (reader) => readOfChannel(reader, 'refused')],
  [messageTags.pull, (reader) => readOfChannel(reader, 'pull')],
  [messageTags.state, (reader) => readOfChannel(reader, 'state')],
  [messageTags.recover, readRecover],
  [messageTags.recovery, readRecovery],
  [messageTags.find, (reader) => readLooking(reader, 'find')],
  [messageTags.found, (reader) => readLooking(reader, 'found')],
  [messageTags.askArrived, readAskArrived],
  [messageTags.arrived, readArrived],
  [messageTags.reminded, readReminded],
  [messageTags.reconcile, readReconcile],
  [messageTags.reconciled, readReconciled],
  [messageTags.mend, readMend],
  [messageTags.mended, readMended],
]);

const nobody: Claim = { round: 0, writer: '' as WriterId };
const noRef = { hub: '', channel: '' } as unknown as ChannelRef;

function readStaleRing(reader: PeerReader): PeerMessage {
  reader.nested(() => false);
  return { type: 'staleRing' };
}

function readClaims(reader: PeerReader): readonly IntervalClaim[] {
  const claims: IntervalClaim[] = [];
  reader.nested((tag) => {
    if (tag !== 0x0a) return false;
    const { interval, claim } = readAnswer(reader);
    claims.push({ interval, claim });
    return true;
  });
  return claims;
}

function readAsked(reader: PeerReader): PeerMessage {
  const answers: Asked['answers'][number][] = [];
  reader.nested((tag) => {
    if (tag !== 0x0a) return false;
    answers.push(readAnswer(reader));
    return true;
  });
  return { type: 'asked', answers };
}

/** An `Answer`, whose first two fields are those of an `IntervalClaim`. */
function readAnswer(reader: PeerReader): Asked['answers'][number] {
  reader.item();
  let interval = '';
  let claim = nobody;
  let promise: Claim | undefined;
  reader.nested((tag) => {
    if (tag === 0x0a) interval = reader.interval();
    else if (tag === 0x12) claim = reader.claim();
    else if (tag === 0x1a) promise = reader.claim();
    else return false;
    return true;
  });
  if (interval === '' || claim === nobody) reader.fail();
  return { interval, claim, ...(promise ? { promise } : {}) };
}

function readAppend(reader: PeerReader): PeerMessage {
  let interval = '';
  let claim = nobody;
  let ref = noRef;
  const runs: Uint8Array[] = [];
  let committed: Dot | undefined;
  let trim: Trim | undefined;
  const givenUp: LostRange[] = [];
  reader.nested((tag) => {
    if (tag === 0x0a) interval = reader.interval();
    else if (tag === 0x12) claim = reader.claim();
    else if (tag === 0x1a) ref = reader.ref();
    else if (tag === 0x22) runs.push(readRun(reader));
    else if (tag === 0x2a) committed = reader.dot();
    else if (tag === 0x32) trim = reader.trim();
    else if (tag === 0x3a) givenUp.push(reader.lost());
    else return false;
    return true;
  });
  if (interval === '' || claim === nobody || ref === noRef) reader.fail();
  const append = { type: 'append', interval, claim, ref, runs, ...(trim ? { trim } : {}) } as const;
  return { ...append, ...(committed ? { committed } : {}), ...(givenUp.length > 0 ? { givenUp } : {}) };
}

function readAcks(reader: PeerReader): PeerMessage {
  let interval = '';
  let claim = nobody;
  const channels: { ref: ChannelRef; seq: number }[] = [];
  reader.nested((tag) => {
    if (tag === 0x0a) interval = reader.interval();
    else if (tag === 0x12) claim = reader.claim();
    else if (tag === 0x1a) channels.push(readAck(reader));
    else return false;
    return true;
  });
  if (interval === '' || claim === nobody) reader.fail();
  return { type: 'ack', interval, claim, channels };
}

function readAck(reader: PeerReader): { ref: ChannelRef; seq: number } {
  reader.item();
  let ref = noRef;
  let seq = 0;
  reader.nested((tag) => {
    if (tag === 0x0a) ref = reader.ref();
    else if (tag === 0x10) seq = reader.varint();
    else return false;
    return true;
  });
  if (ref === noRef || seq < 1) reader.fail();
  return { ref, seq };
}

function readOfChannel(reader: PeerReader, type: 'refused' | 'pull' | 'state'): PeerMessage {
  let interval = '';
  let ref = noRef;
  const have = new Map<WriterId, number>();
  const runs: Uint8Array[] = [];
  let committed: Dot | undefined;
  let claim: Claim | undefined;
  let isLimited = false;
  let trim: Trim | undefined;
  const givenUp: LostRange[] = [];
  const claimTag = type === 'pull' ? 0x22 : 0x32;
  const trimTag = { refused: 0x22, pull: 0x2a, state: 0x3a }[type];
  reader.nested((tag) => {
    if (tag === 0x0a) interval = reader.interval();
    else if (tag === 0x12) ref = reader.ref();
    else if (tag === 0x1a) reader.into(have);
    else if (tag === 0x22 && type === 'state') runs.push(readRun(reader));
    else if (tag === 0x2a && type === 'state') committed = reader.dot();
    else if (tag === claimTag && type !== 'refused') claim = reader.claim();
    else if (tag === 0x78 && type === 'pull') isLimited = reader.varint() !== 0;
    else if (tag === trimTag) trim = reader.trim();
    else if (tag === 0x42 && type === 'state') givenUp.push(reader.lost());
    else return false;
    return true;
  });
  if (interval === '' || ref === noRef) reader.fail();
  const terms = { ...(claim ? { claim } : {}), ...(trim ? { trim } : {}) };
  if (type === 'refused') return { type, interval, ref, have, ...(trim ? { trim } : {}) };
  if (type === 'pull')
    return { type, interval, ref, have, ...terms, ...(isLimited ? { limited: true } : {}) };
  const more = { ...(committed ? { committed } : {}), ...(givenUp.length > 0 ? { givenUp } : {}) };
  return { type, interval, ref, have, runs, ...terms, ...more };
}

function readRecover(reader: PeerReader): PeerMessage {
  let interval = '';
  let session = 0;
  reader.nested((tag) => {
    if (tag === 0x0a) interval = reader.interval();
    else if (tag === 0x10) session = reader.varint();
    else return false;
    return true;
  });
  if (interval === '') reader.fail();
  return { type: 'recover', interval, session };
}

function readRecovery(reader: PeerReader): PeerMessage {
  let interval = '';
  const numbers = { session: 0, part: 0, parts: 0 };
  let recovering = false;
  let incoming = false;
  let promise: Claim | undefined;
  const channels: { ref: ChannelRef; have: Map<WriterId, number> }[] = [];
  reader.nested((tag) => {
    if (tag === 0x0a) interval = reader.interval();
    else if (tag === 0x10) numbers.session = reader.varint();
    else if (tag === 0x1a) promise = reader.claim();
    else if (tag === 0x22) channels.push(readHeld(reader));
    else if (tag === 0x28) numbers.part = reader.varint();
    else if (tag === 0x30) numbers.parts = reader.varint();
    else if (tag === 0x38) recovering = reader.varint() !== 0;
    else if (tag === 0x40) incoming = reader.varint() !== 0;
    else return false;
    return true;
  });
  if (interval === '' || numbers.part >= numbers.parts || numbers.parts > limits.recoveryPartsMax)
    reader.fail();
  const more = { ...(incoming ? { incoming } : {}), ...(promise ? { promise } : {}) };
  return { type: 'recovery', interval, ...numbers, recovering, ...more, channels };
}

function readLooking(reader: PeerReader, type: 'find' | 'found'): PeerMessage {
  let interval = '';
  let ref = noRef;
  let session = 0;
  let recovering = false;
  const have = new Map<WriterId, number>();
  reader.nested((tag) => {
    if (tag === 0x0a) interval = reader.interval();
    else if (tag === 0x12) ref = reader.ref();
    else if (tag === 0x18) session = reader.varint();
    else if (tag === 0x22) reader.into(have);
    else if (tag === 0x28 && type === 'found') recovering = reader.varint() !== 0;
    else return false;
    return true;
  });
  if (interval === '' || ref === noRef) reader.fail();
  if (type === 'find') return { type, interval, ref, session, wanted: have };
  return { type, interval, ref, session, have, recovering };
}

function readMend(reader: PeerReader): PeerMessage {
  let interval = '';
  let ref = noRef;
  let writer = '' as WriterId;
  const numbers = { session: 0, firstSeq: 0, count: 0 };
  reader.nested((tag) => {
    if (tag === 0x0a) interval = reader.interval();
    else if (tag === 0x12) ref = reader.ref();
    else if (tag === 0x18) numbers.session = reader.varint();
    else if (tag === 0x22) writer = reader.writer();
    else if (tag === 0x28) numbers.firstSeq = reader.varint();
    else if (tag === 0x30) numbers.count = reader.varint();
    else return false;
    return true;
  });
  const { firstSeq, count } = numbers;
  const isRange = firstSeq >= 1 && count >= 1 && Number.isSafeInteger(firstSeq + count);
  // Floors are each store's own.
  const isEntries = isRange && writer !== '' && writer !== floorWriter;
  if (interval === '' || ref === noRef || !isEntries) reader.fail();
  return { type: 'mend', interval, ref, writer, ...numbers };
}

function readMended(reader: PeerReader): PeerMessage {
  let interval = '';
  let ref = noRef;
  let recovering = false;
  const numbers = { session: 0, through: 0, floor: 0 };
  const runs: Uint8Array[] = [];
  reader.nested((tag) => {
    if (tag === 0x0a) interval = reader.interval();
    else if (tag === 0x12) ref = reader.ref();
    else if (tag === 0x18) numbers.session = reader.varint();
    else if (tag === 0x20) numbers.through = reader.varint();
    else if (tag === 0x28) numbers.floor = reader.varint();
    else if (tag === 0x30) recovering = reader.varint() !== 0;
    else if (tag === 0x3a) runs.push(readRun(reader));
    else return false;
    return true;
  });
  if (interval === '' || ref === noRef) reader.fail();
  return { type: 'mended', interval, ref, ...numbers, recovering, runs };
}

function readRun(reader: PeerReader): Uint8Array {
  reader.item();
  return reader.chunk();
}
