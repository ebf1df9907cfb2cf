/** Messages about the ring in letters (proto/peer.proto), both ways. A ring travels in its stored form (cluster/ring-codec.ts);
 *  one of a later version of that form is passed over. */
import { type ByteWriter, fromHex, toHex } from '../../base/bytes.js';
import type { NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { closeField, openField } from '../../base/protobuf.js';
import type { AcceptedRing, RingBallot } from '../../cluster/ring-agreement.js';
import type { Newcomer } from '../../cluster/ring-change.js';
import { decodeRing, encodeRing } from '../../cluster/ring-codec.js';
import type { RingIntent } from '../../cluster/ring-intent.js';
import type { BallotAnswer, BallotOutcome, RingMessage } from '../../cluster/ring-messages.js';
import { type Replicas, type Ring, type RingDigest, isReplicas } from '../../cluster/ring.js';
import { putBytes, putNumber, putText } from '../../replication/wire-writer.js';
import type { LetterReader } from './peer-wire-reader.js';

type Kinds<T extends string> = readonly (T | undefined)[];

/** Their numbers on the wire. */
const outcomes: Kinds<BallotOutcome['kind']> = [
  undefined,
  'promised',
  'accepted',
  'outbid',
  'stale',
  'behind',
  'unfit',
];
const intents: Kinds<RingIntent['kind']> = [
  undefined,
  'join',
  'drain',
  'remove',
  'expel',
  'replace',
  'replicas',
  'abandon',
  'leave-out',
];

const digestBytes = 8;

// Writing.

export function putRingMessage(out: ByteWriter, message: RingMessage): void {
  switch (message.type) {
    case 'ring':
      putBytes(out, 0x0a, encodeRing(message.ring));
      if (message.held) putNumber(out, 0x10, 1);
      return;
    case 'askRing':
      return;
    case 'ballot':
      putNumber(out, 0x08, message.base.version);
      putBytes(out, 0x12, fromHex(message.base.digest));
      putBallot(out, 0x1a, message.ballot);
      if (message.ring) putBytes(out, 0x22, encodeRing(message.ring));
      return;
    case 'ballotAnswer':
      return putBallotAnswer(out, message);
    case 'ringReport':
      putNumber(out, 0x08, message.version);
      putBytes(out, 0x12, fromHex(message.digest));
      putNumber(out, 0x18, message.intervals);
      return putNumber(out, 0x20, message.left);
    case 'askChange':
      putNumber(out, 0x08, message.id);
      return putIntent(out, 0x12, message.intent);
    case 'changeAnswer':
      putNumber(out, 0x08, message.id);
      if ('version' in message.outcome) return putNumber(out, 0x10, message.outcome.version);
      return putText(out, 0x1a, message.outcome.refusal);
  }
}

function putBallot(out: ByteWriter, tag: number, { round, node }: RingBallot): void {
  const field = openField(out, tag);
  putNumber(out, 0x08, round);
  putBytes(out, 0x12, fromHex(node));
  closeField(out, field);
}

function putBallotAnswer(out: ByteWriter, { base, ballot, outcome }: BallotAnswer): void {
  putBytes(out, 0x0a, fromHex(base));
  putBallot(out, 0x12, ballot);
  putNumber(out, 0x18, outcomes.indexOf(outcome.kind));
  if (outcome.kind === 'outbid') putBallot(out, 0x22, outcome.promised);
  if (outcome.kind !== 'promised' || !outcome.accepted) return;
  const field = openField(out, 0x2a);
  putBallot(out, 0x0a, outcome.accepted.ballot);
  putBytes(out, 0x12, encodeRing(outcome.accepted.ring));
  closeField(out, field);
}

function putIntent(out: ByteWriter, tag: number, intent: RingIntent): void {
  const field = openField(out, tag);
  putNumber(out, 0x08, intents.indexOf(intent.kind));
  const coming = intent.kind === 'join' ? intent.nodes : intent.kind === 'replace' ? [intent.by] : [];
  for (const { node, role } of coming) {
    const inner = openField(out, 0x12);
    putBytes(out, 0x0a, fromHex(node));
    putNumber(out, 0x10, role === 'edge' ? 1 : 0);
    closeField(out, inner);
  }
  const leaving = intent.kind === 'drain' ? intent.nodes : 'node' in intent ? [intent.node] : [];
  for (const node of leaving) putBytes(out, 0x1a, fromHex(node));
  if (intent.kind === 'replicas') putNumber(out, 0x20, intent.replicas === 'all' ? 0 : intent.replicas);
  closeField(out, field);
}

// Reading.

export type RingReaders = Readonly<
  Record<RingMessage['type'], (reader: LetterReader) => RingMessage | undefined>
>;

export const ringReaders: RingReaders = {
  ring(reader) {
    let ring: Ring | undefined;
    let held = false;
    reader.nested((tag) => {
      if (tag === 0x0a) ring = readRing(reader);
      else if (tag === 0x10) held = reader.varint() === 1;
      else return false;
      return true;
    });
    if (!ring) return undefined;
    return held ? { type: 'ring', ring, held } : { type: 'ring', ring };
  },

  askRing(reader) {
    reader.nested(() => false);
    return { type: 'askRing' };
  },

  ballot(reader) {
    let version = 0;
    let digest: RingDigest | undefined;
    let ballot: RingBallot | undefined;
    let ring: Ring | undefined | null = null;
    reader.nested((tag) => {
      if (tag === 0x08) version = reader.varint();
      else if (tag === 0x12) digest = readDigest(reader);
      else if (tag === 0x1a) ballot = readBallot(reader);
      else if (tag === 0x22) ring = readRing(reader);
      else return false;
      return true;
    });
    // A ring that is not understood is not voted for.
    if (ring === undefined) return undefined;
    if (!digest || !ballot || version < 1) return failed(reader);
    return { type: 'ballot', base: { version, digest }, ballot, ...(ring ? { ring } : {}) };
  },

  ballotAnswer(reader) {
    let base: RingDigest | undefined;
    let ballot: RingBallot | undefined;
    let kind: BallotOutcome['kind'] | undefined;
    let promised: RingBallot | undefined;
    let accepted: AcceptedRing | undefined | null = null;
    reader.nested((tag) => {
      if (tag === 0x0a) base = readDigest(reader);
      else if (tag === 0x12) ballot = readBallot(reader);
      else if (tag === 0x18) kind = outcomes[reader.varint()];
      else if (tag === 0x22) promised = readBallot(reader);
      else if (tag === 0x2a) accepted = readAccepted(reader);
      else return false;
      return true;
    });
    if (!base || !ballot) return failed(reader);
    const outcome = accepted === undefined ? undefined : outcomeOf(kind, promised, accepted ?? undefined);
    return outcome && { type: 'ballotAnswer', base, ballot, outcome };
  },

  ringReport(reader) {
    let digest: RingDigest | undefined;
    const numbers = { version: 0, intervals: 0, left: 0 };
    reader.nested((tag) => {
      if (tag === 0x08) numbers.version = reader.varint();
      else if (tag === 0x12) digest = readDigest(reader);
      else if (tag === 0x18) numbers.intervals = reader.varint();
      else if (tag === 0x20) numbers.left = reader.varint();
      else return false;
      return true;
    });
    return digest ? { type: 'ringReport', digest, ...numbers } : failed(reader);
  },

  askChange(reader) {
    let id = 0;
    let intent: RingIntent | undefined;
    reader.nested((tag) => {
      if (tag === 0x08) id = reader.varint();
      else if (tag === 0x12) intent = readIntent(reader);
      else return false;
      return true;
    });
    return intent && { type: 'askChange', id, intent };
  },

  changeAnswer(reader) {
    const numbers = { id: 0, version: 0 };
    let refusal = '';
    reader.nested((tag) => {
      if (tag === 0x08) numbers.id = reader.varint();
      else if (tag === 0x10) numbers.version = reader.varint();
      else if (tag === 0x1a) refusal = reader.text(limits.intervalIdBytesMax);
      else return false;
      return true;
    });
    const { id, version } = numbers;
    return { type: 'changeAnswer', id, outcome: refusal === '' ? { version } : { refusal } };
  },
};

function failed(reader: LetterReader): undefined {
  reader.fail();
  return undefined;
}

/** `undefined` for one of a later version; anything else that is no ring fails the letter. */
function readRing(reader: LetterReader): Ring | undefined {
  const ring = decodeRing(reader.bounded(limits.ringBytesMax));
  if (ring.ok) return ring.value;
  return ring.error === 'unknown-version' ? undefined : failed(reader);
}

function readDigest(reader: LetterReader): RingDigest {
  const bytes = reader.chunk();
  if (bytes.length !== digestBytes) reader.fail();
  return toHex(bytes) as RingDigest;
}

function readBallot(reader: LetterReader): RingBallot | undefined {
  let round = 0;
  let node: NodeId | undefined;
  reader.nested((tag) => {
    if (tag === 0x08) round = reader.varint();
    else if (tag === 0x12) node = reader.node();
    else return false;
    return true;
  });
  return node && round >= 1 ? { round, node } : failed(reader);
}

function readAccepted(reader: LetterReader): AcceptedRing | undefined {
  let ballot: RingBallot | undefined;
  let ring: Ring | undefined | null = null;
  reader.nested((tag) => {
    if (tag === 0x0a) ballot = readBallot(reader);
    else if (tag === 0x12) ring = readRing(reader);
    else return false;
    return true;
  });
  if (!ballot || ring === null) return failed(reader);
  return ring && { ballot, ring };
}

function outcomeOf(
  kind: BallotOutcome['kind'] | undefined,
  promised: RingBallot | undefined,
  accepted: AcceptedRing | undefined,
): BallotOutcome | undefined {
  if (kind === 'promised') return { kind, ...(accepted ? { accepted } : {}) };
  if (kind === 'outbid') return promised && { kind, promised };
  return kind && { kind };
}

function readIntent(reader: LetterReader): RingIntent | undefined {
  let kind: RingIntent['kind'] | undefined;
  const coming: Newcomer[] = [];
  const leaving: NodeId[] = [];
  let replicas = 0;
  reader.nested((tag) => {
    if (tag === 0x08) kind = intents[reader.varint()];
    else if (tag === 0x12) coming.push(readNewcomer(reader));
    else if (tag === 0x1a) {
      reader.item();
      leaving.push(reader.node());
    } else if (tag === 0x20) replicas = reader.varint();
    else return false;
    return true;
  });
  return kind && intentOf(kind, coming, leaving, replicas === 0 ? 'all' : (replicas as Replicas));
}

/** `undefined` where something is missing: nothing is asked then. */
function intentOf(
  kind: RingIntent['kind'],
  coming: readonly Newcomer[],
  leaving: readonly NodeId[],
  replicas: Replicas,
): RingIntent | undefined {
  const [node] = leaving;
  const [by] = coming;
  switch (kind) {
    case 'join':
      return { kind, nodes: coming };
    case 'drain':
      return { kind, nodes: leaving };
    case 'replace':
      return node && by && { kind, node, by };
    case 'replicas':
      return isReplicas(replicas) ? { kind, replicas } : undefined;
    case 'abandon':
      return { kind };
    default:
      return node && { kind, node };
  }
}

function readNewcomer(reader: LetterReader): Newcomer {
  reader.item();
  let node: NodeId | undefined;
  let role: Newcomer['role'] = 'core';
  reader.nested((tag) => {
    if (tag === 0x0a) node = reader.node();
    else if (tag === 0x10) role = reader.varint() === 0 ? 'core' : 'edge';
    else return false;
    return true;
  });
  if (!node) reader.fail();
  return { node: node ?? ('' as NodeId), role };
}
