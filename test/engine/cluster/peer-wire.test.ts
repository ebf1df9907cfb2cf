/** Letters between nodes as bytes: what is written is read, by an independent reader too, and nothing that comes in does
 *  more than be refused. */
import { publishedKindNumber } from '../../../src/protocol/levels.js';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../../src/base/bytes.js';
import type { ChannelRef, NodeId, WriterId } from '../../../src/base/ids.js';
import { limits } from '../../../src/base/limits.js';
import type { RingBallot } from '../../../src/cluster/ring-agreement.js';
import { encodeRing } from '../../../src/cluster/ring-codec.js';
import type { RingIntent } from '../../../src/cluster/ring-intent.js';
import type { BallotOutcome, RingMessage } from '../../../src/cluster/ring-messages.js';
import type { ForwardedOutcome, PeerMessage } from '../../../src/engine/cluster/peer-messages.js';
import { decodePeerMessages, encodePeerMessages } from '../../../src/engine/cluster/peer-wire.js';
import type { VerifiedPeer } from '../../../src/engine/api.js';
import { type PresenceMessage, isPresenceMessage } from '../../../src/presence/messages.js';
import type { Level, Member } from '../../../src/protocol/messages.js';
import { type RingRange, ringEnd, ringStart } from '../../../src/replication/reconcile-messages.js';
import { encodeFrame } from '../../../src/replication/wire-encoder.js';
import { peerMessages } from './peer-arbitraries.js';
import { lettersOf } from './peer-world.js';

const source = readFileSync(fileURLToPath(new URL('../../../proto/peer.proto', import.meta.url)), 'utf8');
const root = protobuf.parse(source).root;
const Letter = root.lookupType('ringlog.peer.v1.Letter');
const Frame = root.lookupType('ringlog.peer.v1.Frame');

const dot = (each: { writer: WriterId; seq: number } | undefined) =>
  each && { writer: fromHex(each.writer), seq: each.seq };
const levelOf = (level: Level) => ({ memory: 1, owner: 2, quorum: 3 })[level];
const moved = (node: NodeId | undefined) => (node === undefined ? {} : { node: fromHex(node) });
const range = (each: { writer: WriterId; firstSeq: number; count: number }) => ({
  writer: fromHex(each.writer),
  firstSeq: each.firstSeq,
  count: each.count,
});

const arc = ({ from, to }: RingRange) => ({
  ...(from === ringStart ? {} : { from: fromHex(from) }),
  ...(to === ringEnd ? {} : { to: fromHex(to) }),
});

function verifiedHome({ peer, state, differences, ...fields }: VerifiedPeer): object {
  return {
    node: fromHex(peer),
    state: { compared: 1, unreachable: 2, interrupted: 3, late: 4 }[state],
    differences: differences.map(({ ref, difference }) => ({
      ref,
      difference: { lacking: 1, only: 2, heads: 3, content: 4, damaged: 5 }[difference],
    })),
    ...fields,
  };
}

function outcomeToProto(outcome: ForwardedOutcome): object {
  const { id } = outcome;
  if ('moved' in outcome) return { id, moved: moved(outcome.moved) };
  if ('failure' in outcome) {
    const { outcome: kind, ...fields } = outcome.failure;
    return { id, failure: { ...fields, indeterminate: kind === 'indeterminate' } };
  }
  const { timestamp, duplicate, copies, version } = outcome;
  return {
    id,
    accepted: { dot: dot(outcome.dot), timestamp, duplicate, copies, version, level: levelOf(outcome.level) },
  };
}

const ballotToProto = ({ round, node }: RingBallot) => ({ round, node: fromHex(node) });

function outcomeOfBallot(outcome: BallotOutcome): object {
  const accepted = outcome.kind === 'promised' ? outcome.accepted : undefined;
  return {
    outcome: ['promised', 'accepted', 'outbid', 'stale', 'behind', 'unfit'].indexOf(outcome.kind) + 1,
    ...(outcome.kind === 'outbid' ? { promised: ballotToProto(outcome.promised) } : {}),
    ...(accepted
      ? { accepted: { ballot: ballotToProto(accepted.ballot), ring: encodeRing(accepted.ring) } }
      : {}),
  };
}

function intentToProto(intent: RingIntent): object {
  const kinds = ['join', 'drain', 'remove', 'expel', 'replace', 'replicas', 'abandon', 'leave-out'];
  const coming = intent.kind === 'join' ? intent.nodes : intent.kind === 'replace' ? [intent.by] : [];
  const leaving = intent.kind === 'drain' ? intent.nodes : 'node' in intent ? [intent.node] : [];
  return {
    kind: kinds.indexOf(intent.kind) + 1,
    coming: coming.map(({ node, role }) => ({ node: fromHex(node), edge: role === 'edge' })),
    leaving: leaving.map((node) => fromHex(node)),
    replicas: intent.kind === 'replicas' && intent.replicas !== 'all' ? intent.replicas : 0,
  };
}

function ringToProto(message: RingMessage): object {
  switch (message.type) {
    case 'ring':
      return { ring: { ring: encodeRing(message.ring), ...(message.held && { held: true }) } };
    case 'askRing':
      return { askRing: {} };
    case 'ballot': {
      const { base, ballot, ring } = message;
      const bytes = ring ? { ring: encodeRing(ring) } : {};
      return {
        ballot: {
          version: base.version,
          digest: fromHex(base.digest),
          ballot: ballotToProto(ballot),
          ...bytes,
        },
      };
    }
    case 'ballotAnswer': {
      const { base, ballot, outcome } = message;
      const voted = outcomeOfBallot(outcome);
      return { ballotAnswer: { base: fromHex(base), ballot: ballotToProto(ballot), ...voted } };
    }
    case 'ringReport': {
      const { digest, version, intervals, left } = message;
      return { ringReport: { digest: fromHex(digest), version, intervals, left } };
    }
    case 'askChange':
      return { askChange: { id: message.id, intent: intentToProto(message.intent) } };
    case 'changeAnswer':
      return { changeAnswer: { id: message.id, ...message.outcome } };
  }
}

/** The part as proto/peer.proto has it. */
function toProto(message: PeerMessage): object {
  switch (message.type) {
    case 'replication':
      return { replication: Frame.decode(encodeFrame(message.frame)) };
    case 'publish': {
      const publishes = message.publishes.map((each) => ({
        ...each,
        level: levelOf(each.level),
        kind: each.kind && publishedKindNumber(each.kind),
        delete: each.isDelete,
        redacts: dot(each.redacts),
      }));
      return { publish: { publishes } };
    }
    case 'published':
      return { published: { outcomes: message.outcomes.map(outcomeToProto) } };
    case 'follow': {
      const { id, ref, what, covers } = message;
      return { follow: { id, ref, signalsOnly: what === 'signals', covers: covers.map(dot) } };
    }
    case 'unfollow':
      return { unfollow: { id: message.id } };
    case 'following': {
      const { id, log, lost, unknown, signals } = message;
      return { following: { id, log, lost: lost.map(dot), unknown: unknown.map(dot), signals } };
    }
    case 'followEnded':
      return { followEnded: { id: message.id, moved: moved(message.moved) } };
    case 'followed': {
      const { id, runs, committed, tip, signals } = message;
      return { followed: { id, runs, committed: dot(committed), tip: dot(tip), signals } };
    }
    case 'read': {
      const { id, ref, ranges, bytesMax } = message;
      return { read: { id, ref, ranges: ranges.map(range), bytesMax } };
    }
    case 'readAnswer': {
      const slices = message.slices.map((each) => ({
        range: range(each),
        round: each.round,
        records: each.records,
      }));
      const ranges = (all: typeof message.missing) =>
        all.map(({ writer, fromSeq, toSeq }) =>
          range({ writer, firstSeq: fromSeq, count: toSeq - fromSeq + 1 }),
        );
      const missing = ranges(message.missing);
      const trimmed = ranges(message.missing.filter(({ gone }) => gone === 'trimmed'));
      const deleted = ranges(message.missing.filter(({ gone }) => gone === 'deleted'));
      return { readAnswer: { id: message.id, slices, missing, trimmed, deleted } };
    }
    case 'since':
      return { since: { id: message.id, ref: message.ref, timestamp: message.timestamp } };
    case 'sinceAnswer': {
      const vector = [...message.vector].map(([writer, seq]) => dot({ writer, seq }));
      return { sinceAnswer: { id: message.id, vector } };
    }
    case 'cover':
      return { cover: { id: message.id, ref: message.ref, dots: message.dots.map(dot) } };
    case 'covered':
      return { covered: { id: message.id, lost: message.lost.map(dot) } };
    case 'orphan':
      return { orphan: { id: message.id, ref: message.ref, runs: message.runs } };
    case 'adopted': {
      const have = message.have && [...message.have].map(([writer, seq]) => dot({ writer, seq }));
      return { adopted: { id: message.id, ...(have ? { have } : { declined: true }) } };
    }
    case 'took':
      return { took: { bytes: message.bytes } };
    case 'declined':
      return { declined: { id: message.id } };
    case 'verify': {
      const { type: _, arcs, ...fields } = message;
      return { verify: { ...fields, arcs: arcs.map(arc) } };
    }
    case 'listAsked': {
      const { type: _, ...fields } = message;
      return { listAsked: fields };
    }
    case 'listed': {
      const { type: _, isWhole: whole, ...fields } = message;
      return { listed: { ...fields, whole } };
    }
    case 'verified': {
      const { id, channels, entries, peers } = message;
      return { verified: { id, channels, entries, homes: peers.map(verifiedHome) } };
    }
    default:
      return isPresenceMessage(message) ? presenceToProto(message) : ringToProto(message);
  }
}

function presenceToProto(message: PresenceMessage): object {
  switch (message.type) {
    case 'presence': {
      const { boot, stream, number, isWhole: whole } = message;
      const channels = message.channels.map(({ ref, joins, leaves, others, isGone: gone }) => ({
        ref,
        joins: joins.map(({ member, version }) => memberToProto(member, version)),
        leaves: leaves.map((session) => fromHex(session)),
        others,
        gone,
      }));
      return { presence: { boot: fromHex(boot), stream, number, whole, channels } };
    }
    case 'askPresence':
      return { askPresence: {} };
    case 'followPresence':
      return { followPresence: { id: message.id, ref: message.ref, count: message.isCount } };
    case 'presenceFollowed': {
      const { id, begins, isWhole: whole, count } = message;
      const joins = message.joins.map((member) => memberToProto(member, 0));
      const leaves = message.leaves.map((session) => fromHex(session));
      return { presenceFollowed: { id, begins, whole, joins, leaves, count } };
    }
    default:
      return { [message.type]: { id: message.id } };
  }
}

const memberToProto = ({ session, ...fields }: Member, version: number) => ({
  session: fromHex(session),
  version,
  ...fields,
});

/** Bytes as hex and no defaults, so that two forms of one message compare. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: toHex(value) };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value)
    .map(([key, each]) => [key, plain(each)] as const)
    .filter(([, each]) => each !== undefined && each !== 0 && each !== '' && each !== false)
    .filter(([, each]) => !(Array.isArray(each) && each.length === 0))
    .filter(([, each]) => !(typeof each === 'object' && 'bytes' in each! && each.bytes === ''));
  return Object.fromEntries(members);
}

const lettersToProto = (messages: readonly PeerMessage[]) => ({ parts: messages.map(toProto) });
const plainOf = (message: protobuf.Message) => plain(Letter.toObject(message, { longs: Number }));
const fault = { ok: false, error: expect.any(String) };

describe('a letter', () => {
  test('comes back as it was sent', () => {
    fc.assert(
      fc.property(peerMessages, (sent) => {
        expect(decodePeerMessages(encodePeerMessages(sent).slice())).toEqual({ ok: true, value: sent });
      }),
      { numRuns: 600 },
    );
  });

  test('is read by protobufjs as the message of proto/peer.proto', () => {
    fc.assert(
      fc.property(peerMessages, (sent) => {
        const expected = Letter.fromObject(lettersToProto(sent));
        expect(plainOf(Letter.decode(encodePeerMessages(sent)))).toEqual(plainOf(expected));
      }),
      { numRuns: 300 },
    );
  });

  test('written by protobufjs is read here', () => {
    fc.assert(
      fc.property(peerMessages, (sent) => {
        const theirs = Letter.encode(Letter.fromObject(lettersToProto(sent))).finish();
        expect(decodePeerMessages(Uint8Array.from(theirs))).toEqual({ ok: true, value: sent });
      }),
      { numRuns: 300 },
    );
  });

  test('keeps its bytes: what one version wrote the next one reads', () => {
    const writer = '0a'.repeat(12) as WriterId;
    const sent: PeerMessage[] = [
      {
        type: 'publish',
        publishes: [
          {
            id: 300,
            ref: { hub: 'h', channel: 'c' } as ChannelRef,
            actor: 'a',
            content: new Uint8Array([0x1a, 1, 7]),
            publisher: { id: 'p', epoch: 1, seq: 2, ackedThrough: 1 },
            idempotencyKey: 'k',
            retain: true,
            push: false,
            level: 'quorum',
            degrade: true,
            first: true,
          },
        ],
      },
      { type: 'followed', id: 1, runs: [new Uint8Array([1, 2])], committed: { writer, seq: 5 }, signals: [] },
    ];
    const golden =
      '0a2d122b0a2908ac0212060a01681201631a016122031a01072a090a0170100118022001' +
      '32016b38014003480150010a1a42180801120201021a100a0c0a0a0a0a0a0a0a0a0a0a0a0a1005';
    expect(toHex(encodePeerMessages(sent))).toBe(golden);
    expect(decodePeerMessages(fromHex(golden))).toEqual({ ok: true, value: sent });
  });

  test('is closed when it is long enough, and what follows goes into the next', () => {
    const runs = [new Uint8Array(700_000)];
    const sent: PeerMessage[] = [1, 2, 3, 4, 5].map((id) => ({ type: 'followed', id, runs, signals: [] }));
    const letters = lettersOf(sent);
    expect(letters.map((letter) => Math.round(letter.length / 100_000))).toEqual([14, 14, 7]);
    const read = letters.map((letter) => decodePeerMessages(letter));
    expect(read.map((decoded) => decoded.ok && decoded.value.map((each) => 'id' in each && each.id))).toEqual(
      [[1, 2], [3, 4], [5]],
    );
    expect(lettersOf([])).toEqual([]);
  });

  test('never has more elements than its receiver takes', () => {
    const outcomes = Array.from({ length: 40_000 }, (_, id) => ({ id, moved: undefined }));
    const sent: PeerMessage[] = [
      { type: 'published', outcomes },
      { type: 'published', outcomes },
    ];
    const letters = lettersOf(sent);
    expect(letters.length).toBe(2);
    for (const letter of letters) expect(decodePeerMessages(letter).ok).toBe(true);
  });
});

describe('bytes that are no letter', () => {
  test('are refused, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(typeof decodePeerMessages(bytes).ok).toBe('boolean');
      }),
      { numRuns: 2_000 },
    );
  });

  test('made by flipping bits and cutting are refused or another letter', () => {
    fc.assert(
      fc.property(
        peerMessages,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.nat(),
        (sent, at, mask, cut) => {
          const bytes = encodePeerMessages(sent).slice();
          if (bytes.length === 0) return;
          bytes[at % bytes.length]! ^= mask;
          expect(typeof decodePeerMessages(bytes).ok).toBe('boolean');
          expect(typeof decodePeerMessages(bytes.subarray(0, cut % bytes.length)).ok).toBe('boolean');
        },
      ),
      { numRuns: 1_500 },
    );
  });

  test('that are too long are not looked at', () => {
    expect(decodePeerMessages(new Uint8Array(limits.peerFrameBytesMax + 1))).toEqual(fault);
  });

  test('with more parts than a letter may have cost no more than reading that many', () => {
    const bytes = new Uint8Array(2 * limits.peerFrameItemsMax + 2);
    for (let at = 0; at < bytes.length; at += 2) bytes.set([0x0a, 0x00], at);
    expect(decodePeerMessages(bytes)).toEqual(fault);
  });

  test('of a kind that is not known are passed over', () => {
    const known = encodePeerMessages([{ type: 'declined', id: 7 }]);
    const unknown = Uint8Array.from([...known, 0x0a, 0x04, 0xfa, 0x07, 0x01, 0x00]);
    expect(decodePeerMessages(unknown)).toEqual({ ok: true, value: [{ type: 'declined', id: 7 }] });
  });

  test.each([
    ['a name that is none', { follow: { id: 1, ref: { hub: 'h', channel: 'a b' } } }],
    ['a channel without a hub', { since: { id: 1, ref: { channel: 'c' } } }],
    ['no channel', { read: { id: 1 } }],
    ['a node id that is too short', { followEnded: { id: 1, moved: { node: new Uint8Array(15) } } }],
    ['a dot of nobody', { following: { id: 1, lost: [{ seq: 1 }] } }],
    [
      'a range of nothing',
      { readAnswer: { id: 1, slices: [{ range: { writer: new Uint8Array(12), firstSeq: 1 } }] } },
    ],
    [
      'a level that is not known',
      { publish: { publishes: [{ ref: { hub: 'h', channel: 'c' }, level: 9 }] } },
    ],
    ['a frame that is none', { replication: { ringVersion: 1 } }],
  ])('with %s are refused', (_, part) => {
    const bytes = Letter.encode(Letter.fromObject({ parts: [part] })).finish();
    expect(decodePeerMessages(Uint8Array.from(bytes))).toEqual(fault);
  });
});

test('an error of a later version says at least whether it may have been written', () => {
  const failures = [
    { code: 'NEW_CODE', message: 'x' },
    { code: 'NEW_CODE', message: 'x', indeterminate: true },
  ];
  const outcomes = [...failures.map((failure) => ({ id: 1, failure })), { id: 2 }];
  const bytes = Letter.encode(Letter.fromObject({ parts: [{ published: { outcomes } }] })).finish();
  expect(decodePeerMessages(Uint8Array.from(bytes))).toMatchObject({
    value: [
      {
        outcomes: [
          { failure: { code: 'UNAVAILABLE', outcome: 'rejected' } },
          { failure: { code: 'INDETERMINATE', outcome: 'indeterminate' } },
          { failure: { code: 'INDETERMINATE', outcome: 'indeterminate' } },
        ],
      },
    ],
  });
});
