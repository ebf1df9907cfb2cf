import { expect, test } from 'vitest';
import { readFixed64, writeFixed64 } from '../../src/base/bytes.js';
import type { NodeId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import type { BootId } from '../../src/cluster/member.js';
import { decodePacket, encodePacket } from '../../src/cluster/membership-wire.js';
import { type Message, type Packet, packetTimeBytes } from '../../src/cluster/packet.js';
import { ProbeAnswers } from '../../src/peer/probe-answers.js';

const [own, other, third] = ['a', 'b', 'c'].map((each) => each.repeat(32) as NodeId) as [
  NodeId,
  NodeId,
  NodeId,
];
const boot = '0123456789abcdef' as BootId;
const address = '127.0.0.1:7946';

function packet(from: NodeId, to: NodeId, message: Message, timeMs = 1_000, incarnation = 3): Uint8Array {
  const encoded = encodePacket({ from, boot, incarnation, to, message, news: [] });
  const bytes = new Uint8Array(packetTimeBytes + encoded.length);
  writeFixed64(bytes, 0, timeMs);
  bytes.set(encoded, packetTimeBytes);
  return bytes;
}

const ping = (seq: number, to = own): Uint8Array => packet(other, to, { type: 'ping', seq });
const running = { taken: 0, ranAt: 0 };

function answersOf(own_ = true): ProbeAnswers {
  const answers = new ProbeAnswers(own);
  if (own_) answers.sent(packet(own, other, { type: 'gossip' }));
  return answers;
}

function told(found: ReturnType<ProbeAnswers['due']>): Packet[] {
  return found.map(({ packet: bytes }) => {
    const decoded = decodePacket(bytes.subarray(packetTimeBytes));
    if (!decoded.ok) throw new Error('no packet');
    return decoded.value;
  });
}

test('a probe that is not taken up is answered in the words of the node, once', () => {
  const answers = answersOf();
  expect(answers.received(ping(7), address, 1, 100)).toBe(true);
  expect(answers.due(100 + limits.probeLateMs - 1, { taken: 0, ranAt: 90 }, 2_000)).toEqual([]);
  const found = answers.due(100 + limits.probeLateMs, { taken: 0, ranAt: 90 }, 2_000);
  expect(told(found)).toEqual([
    { from: own, boot, incarnation: 3, to: other, message: { type: 'ack', seq: 7 }, news: [] },
  ]);
  expect([found[0]!.address, readFixed64(found[0]!.packet, 0)]).toEqual([address, 2_000]);
  expect(answers.due(1_000, { taken: 0, ranAt: 999 }, 2_000)).toEqual([]);
});

test('what the node has taken up it answers itself', () => {
  const answers = answersOf();
  answers.received(ping(7), address, 1, 100);
  answers.received(ping(8), address, 2, 100);
  expect(told(answers.due(200, { taken: 1, ranAt: 190 }, 0)).map(({ message }) => message)).toEqual([
    { type: 'ack', seq: 8 },
  ]);
});

test('a node that has not run for long is not answered for, nor later for what came meanwhile', () => {
  const answers = answersOf();
  answers.received(ping(7), address, 1, limits.loopProofMs - limits.probeLateMs);
  expect(answers.due(limits.loopProofMs, running, 0)).toEqual([]);
  expect(answers.due(limits.loopProofMs, { taken: 0, ranAt: limits.loopProofMs }, 0)).toEqual([]);
});

test('nothing is answered but probes of this node, and nothing before it has said anything', () => {
  const answers = answersOf();
  const others: readonly Uint8Array[] = [
    ping(1, third),
    packet(other, own, { type: 'gossip' }),
    packet(other, own, { type: 'ack', seq: 1 }),
    packet(other, own, { type: 'ping-request', seq: 1, target: third }),
    new Uint8Array(3),
    new Uint8Array(100).fill(0xff),
  ];
  for (const each of others) expect(answers.received(each, address, 1, 0)).toBe(false);
  const silent = answersOf(false);
  silent.received(ping(1), address, 1, 0);
  expect(silent.due(limits.probeLateMs, running, 0)).toEqual([]);
});

test('the newest word of the node counts, and others have none', () => {
  const answers = answersOf();
  answers.sent(packet(own, other, { type: 'gossip' }, 5_000, 9));
  answers.sent(packet(third, other, { type: 'gossip' }, 9_000, 1));
  answers.sent(new Uint8Array(2));
  answers.received(ping(7), address, 1, 0);
  const found = answers.due(limits.probeLateMs, running, 0);
  expect(told(found)).toMatchObject([{ from: own, incarnation: 9 }]);
  // A clock that was set back says nothing else than the node did.
  expect(readFixed64(found[0]!.packet, 0)).toBe(5_000);
});

test('whoever sends ever more probes is not kept waiting for', () => {
  const answers = answersOf();
  for (let i = 1; i <= limits.packetsWaitingMax; i++)
    expect(answers.received(ping(i), address, i, 0)).toBe(true);
  expect(answers.received(ping(0), address, limits.packetsWaitingMax + 1, 0)).toBe(false);
});
