/** Frames between nodes as bytes: what is written is read, by an independent reader too, and nothing that comes in does
 *  more than be refused. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/base/bytes.js';
import type { ChannelRef, Dot, StoreId, WriterId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import type { LostRange, Trim, Vector } from '../../src/log/entry.js';
import type { Claim } from '../../src/replication/claim.js';
import type { Frame, PeerMessage, Statement } from '../../src/replication/messages.js';
import { type ComparedRange, ringEnd, ringStart } from '../../src/replication/reconcile-messages.js';
import { decodeFrame } from '../../src/replication/wire-decoder.js';
import { encodeFrame } from '../../src/replication/wire-encoder.js';
import { frame } from './arbitraries.js';

const source = readFileSync(fileURLToPath(new URL('../../proto/peer.proto', import.meta.url)), 'utf8');
const FrameType = protobuf.parse(source).root.lookupType('ringlog.peer.v1.Frame');

const writer = (claimOrDot: { writer: WriterId }) => fromHex(claimOrDot.writer);
const claimOf = (claim: Claim | undefined) => claim && { round: claim.round, writer: writer(claim) };
const dotOf = (dot: Dot | undefined) => dot && { writer: writer(dot), seq: dot.seq };
const refOf = ({ hub, channel }: ChannelRef) => ({ hub, channel });
const haveOf = (have: Vector) => [...have].map(([each, seq]) => ({ writer: fromHex(each), seq }));
const trimOf = (trim: Trim | undefined) =>
  trim && {
    through: dotOf(trim.through),
    round: trim.round,
    floors: haveOf(trim.floors),
    ...(trim.forced ? { forced: { through: dotOf(trim.forced.through), end: trim.forced.end } } : {}),
  };
const lostOf = (ranges: readonly LostRange[] | undefined) =>
  ranges?.map(({ writer: of, fromSeq, toSeq }) => ({ writer: fromHex(of), fromSeq, toSeq }));
const claimsOf = (claims: readonly { interval: string; claim: Claim }[]) => ({
  claims: claims.map(({ interval, claim }) => ({ interval, claim: claimOf(claim) })),
});

const statementOf = ({ storeId, commits, writer: own, other, seal }: Statement) => ({
  storeId: fromHex(storeId),
  commits,
  writer: fromHex(own),
  other: other && fromHex(other),
  seal: fromHex(seal),
});
const differences = ['lacking', 'only', 'heads', 'content', 'damaged'];
function rangesOf(ranges: readonly ComparedRange[]): object[] {
  let previous = ringStart;
  return ranges.map((range) => {
    const from = range.from === previous ? undefined : fromHex(range.from);
    previous = range.to;
    const bounds = { from, to: range.to === ringEnd ? undefined : fromHex(range.to) };
    if (range.kind === 'sum') return { ...bounds, kind: 1, data: range.fingerprint };
    if (range.kind === 'items')
      return { ...bounds, kind: 2, data: range.items.length > 0 ? range.items : undefined };
    const found = range.found.map(({ difference, id, ref }) => {
      return { difference: differences.indexOf(difference) + 1, id: fromHex(id), ref: ref && refOf(ref) };
    });
    return { ...bounds, kind: 3, found };
  });
}

/** The message as proto/peer.proto has it. */
function toProto(message: PeerMessage): object {
  switch (message.type) {
    case 'ask':
      return { ask: claimsOf(message.claims) };
    case 'claim':
      return { claim: claimsOf(message.claims) };
    case 'granted':
      return { granted: claimsOf(message.claims) };
    case 'fenced':
      return { fenced: claimsOf(message.promises) };
    case 'asked': {
      const answers = message.answers.map(({ interval, claim, promise }) => ({
        interval,
        claim: claimOf(claim),
        promise: claimOf(promise),
      }));
      return { asked: { answers } };
    }
    case 'staleRing':
      return { staleRing: {} };
    case 'append': {
      const { interval, claim, ref, runs, committed, trim, givenUp } = message;
      const fields = { committed: dotOf(committed), trim: trimOf(trim), givenUp: lostOf(givenUp) };
      return { append: { interval, claim: claimOf(claim), ref: refOf(ref), runs, ...fields } };
    }
    case 'ack': {
      const { interval, claim, channels } = message;
      return { ack: { interval, claim: claimOf(claim), channels } };
    }
    case 'refused': {
      const { interval, ref, have, trim } = message;
      return { refused: { interval, ref, have: haveOf(have), trim: trimOf(trim) } };
    }
    case 'pull': {
      const { interval, ref, have, claim, trim, limited } = message;
      const fields = { claim: claimOf(claim), trim: trimOf(trim), limited };
      return { pull: { interval, ref, have: haveOf(have), ...fields } };
    }
    case 'state': {
      const { interval, ref, have, runs, committed, claim, trim, givenUp } = message;
      const told = { committed: dotOf(committed), trim: trimOf(trim), givenUp: lostOf(givenUp) };
      const fields = { claim: claimOf(claim), ...told };
      return { state: { interval, ref, have: haveOf(have), runs, ...fields } };
    }
    case 'recover':
      return { recover: { interval: message.interval, session: message.session } };
    case 'find': {
      const { interval, ref, session, wanted } = message;
      return { find: { interval, ref: refOf(ref), session, wanted: haveOf(wanted) } };
    }
    case 'found': {
      const { type: _type, ref, have, ...fields } = message;
      return { found: { ...fields, ref: refOf(ref), have: haveOf(have) } };
    }
    case 'askArrived': {
      const { type: _type, store, others, ...fields } = message;
      return { askArrived: { ...fields, store: store && fromHex(store), others: others.map(fromHex) } };
    }
    case 'arrived': {
      const { type: _type, channels, statement, ...fields } = message;
      const held = channels.map(({ ref, have }) => ({ ref, have: haveOf(have) }));
      return { arrived: { ...fields, channels: held, statement: statementOf(statement) } };
    }
    case 'reminded':
      return { reminded: { statement: statementOf(message.statement) } };
    case 'reconcile': {
      const { session, number, purpose, ranges } = message;
      return {
        reconcile: {
          session,
          number,
          prove: purpose === 'prove',
          ranges: rangesOf(ranges),
          learn: purpose === 'learn',
        },
      };
    }
    case 'reconciled': {
      const { session, number, isBusy, ranges, more, arrival } = message;
      return { reconciled: { session, number, busy: isBusy, ranges: rangesOf(ranges), more, arrival } };
    }
    case 'mend': {
      const { type: _type, ref, writer, ...fields } = message;
      return { mend: { ...fields, ref: refOf(ref), writer: fromHex(writer) } };
    }
    case 'mended': {
      const { type: _type, ref, ...fields } = message;
      return { mended: { ...fields, ref: refOf(ref) } };
    }
    case 'recovery': {
      const { type: _type, promise, channels, ...fields } = message;
      const held = channels.map(({ ref, have }) => ({ ref, have: haveOf(have) }));
      return { recovery: { ...fields, promise: claimOf(promise), channels: held } };
    }
  }
}

function frameToProto({ storeId, ringVersion, messages }: Frame): Record<string, unknown> {
  return { storeId: fromHex(storeId), ringVersion, messages: messages.map(toProto) };
}

/** Bytes as hex and no defaults, so that two forms of one message compare. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: toHex(value) };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value)
    .map(([key, each]) => [key, plain(each)] as const)
    .filter(([, each]) => each !== undefined && each !== 0 && each !== '' && each !== false)
    .filter(([, each]) => !(Array.isArray(each) && each.length === 0));
  return Object.fromEntries(members);
}

describe('a frame', () => {
  test('comes back as it was sent', () => {
    fc.assert(
      fc.property(frame, (sent) => {
        expect(decodeFrame(encodeFrame(sent).slice())).toEqual({ ok: true, value: sent });
      }),
      { numRuns: 500 },
    );
  });

  test('is read by protobufjs as the message of proto/peer.proto', () => {
    fc.assert(
      fc.property(frame, (sent) => {
        const read = FrameType.toObject(FrameType.decode(encodeFrame(sent)), { longs: Number });
        expect(plain(read)).toEqual(plain(frameToProto(sent)));
      }),
      { numRuns: 300 },
    );
  });

  test('written by protobufjs is read here', () => {
    fc.assert(
      fc.property(frame, (sent) => {
        const theirs = FrameType.encode(FrameType.fromObject(frameToProto(sent))).finish();
        expect(decodeFrame(Uint8Array.from(theirs))).toEqual({ ok: true, value: sent });
      }),
      { numRuns: 300 },
    );
  });

  test('keeps its bytes: what one version wrote the next one reads', () => {
    const sent: Frame = {
      storeId: '00112233445566778899aabbccddeeff' as StoreId,
      ringVersion: 300,
      messages: [
        {
          type: 'append',
          interval: 'i7',
          claim: { round: 2, writer: '0a'.repeat(12) as WriterId },
          ref: { hub: 'h', channel: 'c' } as ChannelRef,
          runs: [new Uint8Array([1, 2])],
          committed: { writer: '0b'.repeat(12) as WriterId, seq: 129 },
        },
      ],
    };
    const golden =
      '0a1000112233445566778899aabbccddeeff10ac021a373a350a026937121008021' +
      '20c0a0a0a0a0a0a0a0a0a0a0a0a1a060a016812016322020102' +
      '2a110a0c0b0b0b0b0b0b0b0b0b0b0b0b108101';
    expect(toHex(encodeFrame(sent))).toBe(golden);
    expect(decodeFrame(fromHex(golden))).toEqual({ ok: true, value: sent });
  });
});

describe('bytes that are no frame', () => {
  test('are refused, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(typeof decodeFrame(bytes).ok).toBe('boolean');
      }),
      { numRuns: 2_000 },
    );
  });

  test('made by flipping bits and cutting are refused or another frame', () => {
    fc.assert(
      fc.property(frame, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat(), (sent, at, mask, cut) => {
        const bytes = encodeFrame(sent).slice();
        bytes[at % bytes.length]! ^= mask;
        expect(typeof decodeFrame(bytes).ok).toBe('boolean');
        expect(typeof decodeFrame(bytes.subarray(0, cut % bytes.length)).ok).toBe('boolean');
      }),
      { numRuns: 1_000 },
    );
  });

  test('that are too long are not looked at', () => {
    expect(decodeFrame(new Uint8Array(limits.peerFrameBytesMax + 1))).toEqual({
      ok: false,
      error: 'too-large',
    });
  });

  test('with more parts than a frame may have cost no more than reading that many', () => {
    // Empty messages, two bytes each.
    const bytes = new Uint8Array(2 * limits.peerFrameItemsMax + 20);
    bytes.set([0x0a, 0x10]);
    for (let at = 18; at < bytes.length; at += 2) bytes.set([0x1a, 0x00], at);
    expect(decodeFrame(bytes)).toEqual({ ok: false, error: 'malformed' });
  });

  test('of a kind that is not known are passed over', () => {
    const known = encodeFrame({ storeId: '11'.repeat(16) as StoreId, ringVersion: 1, messages: [] });
    const unknown = Uint8Array.from([...known, 0x1a, 0x04, 0xfa, 0x07, 0x01, 0x00]);
    expect(decodeFrame(unknown)).toMatchObject({ ok: true, value: { messages: [] } });
  });
});
