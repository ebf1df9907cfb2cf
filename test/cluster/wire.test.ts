/** Packets and syncs as bytes: what proto/membership.proto says, always the same, and safe to read from anybody. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import type { Statement } from '../../src/cluster/member.js';
import {
  decodePacket,
  decodeSync,
  encodePacket,
  encodeSync,
  packetHeadBytesMax,
} from '../../src/cluster/membership-wire.js';
import type { Message, Packet, Sync } from '../../src/cluster/packet.js';
import {
  a,
  accusation,
  alive,
  b,
  bootOf,
  c,
  left,
  packets,
  profileOf,
  statements,
  syncs,
} from './support.js';

const path = fileURLToPath(new URL('../../proto/membership.proto', import.meta.url));
const root = await protobuf.load(path);
const type = (name: string) => root.lookupType(`ringlog.membership.v1.${name}`);
const golden = JSON.parse(
  readFileSync(new URL('../golden/cluster/membership-v1.json', import.meta.url), 'utf8'),
) as Record<string, string>;

const statementToProto = (statement: Statement) => ({
  state: statement.state.toUpperCase(),
  node: fromHex(statement.node),
  boot: fromHex(statement.boot),
  incarnation: statement.incarnation,
  ...('accuser' in statement && { accuser: fromHex(statement.accuser) }),
  ...('profile' in statement && {
    profile: { ...statement.profile, role: statement.profile.role.toUpperCase() },
  }),
});

function messageToProto(message: Message): object {
  switch (message.type) {
    case 'gossip':
      return {};
    case 'ping-request':
      return { pingRequest: { seq: message.seq, target: fromHex(message.target) } };
    default:
      return { [message.type]: { seq: message.seq } };
  }
}

const senderToProto = ({ from, boot, incarnation }: Sync | Packet) => ({
  from: fromHex(from),
  boot: fromHex(boot),
  incarnation,
});

const packetToProto = (packet: Packet) => ({
  ...senderToProto(packet),
  to: fromHex(packet.to),
  ...messageToProto(packet.message),
  news: packet.news.map(statementToProto),
});

const syncToProto = (sync: Sync) => ({
  ...senderToProto(sync),
  statements: sync.statements.map(statementToProto),
});

const generated = (name: string, value: object): Uint8Array =>
  Uint8Array.from(type(name).encode(type(name).fromObject(value)).finish());

/** As protobufjs understands both, so that defaults and byte types do not matter. */
function expectSame(name: string, ours: Uint8Array, meant: object): void {
  const options = { longs: Number, enums: String, bytes: String, defaults: true, oneofs: true };
  const read = type(name).toObject(type(name).decode(ours), options);
  expect(read).toEqual(type(name).toObject(type(name).fromObject(meant), options));
}

describe('proto/membership.proto', () => {
  test('packets are what it says, in both directions', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        expectSame('Packet', encodePacket(packet), packetToProto(packet));
        expect(decodePacket(generated('Packet', packetToProto(packet)))).toEqual({ ok: true, value: packet });
        expect(decodePacket(encodePacket(packet))).toEqual({ ok: true, value: packet });
      }),
      { numRuns: 300 },
    );
  });

  test('syncs are what it says, in both directions', () => {
    fc.assert(
      fc.property(syncs, (sync) => {
        expectSame('Sync', encodeSync(sync), syncToProto(sync));
        expect(decodeSync(generated('Sync', syncToProto(sync)))).toEqual({ ok: true, value: sync });
        expect(decodeSync(encodeSync(sync))).toEqual({ ok: true, value: sync });
      }),
      { numRuns: 200 },
    );
  });

  test('a packet without news takes no more than is kept free for it', () => {
    const sender = { from: a, boot: bootOf('a'), incarnation: limits.incarnationMax, to: b, news: [] };
    const message = { type: 'ping-request' as const, seq: 2 ** 32 - 1, target: c };
    expect(encodePacket({ ...sender, message }).length).toBe(packetHeadBytesMax);
  });
});

const sender = { from: a, boot: bootOf('a'), incarnation: 7 };
const every: readonly Statement[] = [
  alive(b, 300, {
    profile: profileOf(b, {
      clientAddresses: ['b.example:8080', 'wss://b.example'],
      role: 'edge',
      ringVersion: 2 ** 40,
      load: 250,
    }),
  }),
  accusation('suspect', b, c, 1),
  accusation('dead', c, a, 2 ** 32 - 1),
  left(c, 0),
];
const written: Record<string, () => Uint8Array> = {
  ping: () => encodePacket({ ...sender, to: b, message: { type: 'ping', seq: 1 }, news: [] }),
  ack: () => encodePacket({ ...sender, to: b, message: { type: 'ack', seq: 2 ** 32 - 1 }, news: [left(c)] }),
  nack: () => encodePacket({ ...sender, to: b, message: { type: 'nack', seq: 0 }, news: [] }),
  pingRequest: () =>
    encodePacket({ ...sender, to: b, message: { type: 'ping-request', seq: 5, target: c }, news: [] }),
  gossip: () => encodePacket({ ...sender, to: b, message: { type: 'gossip' }, news: every }),
  sync: () => encodeSync({ ...sender, statements: every }),
};

test.each(Object.keys(written))('%s has the bytes it always had', (name) => {
  expect(toHex(written[name]!())).toBe(golden[name]);
});

describe('a decoder', () => {
  const gossip = (news: readonly Statement[]) =>
    encodePacket({ ...sender, to: b, message: { type: 'gossip' }, news });
  const appended = (bytes: Uint8Array, ...more: number[]) => Uint8Array.of(...bytes, ...more);

  test('passes over fields and states of later versions', () => {
    const plain = gossip([]);
    const unknown = [
      0xf8,
      0x01,
      ...Array<number>(9).fill(0xff),
      1,
      0xfa,
      0x01,
      2,
      9,
      9,
      0xfd,
      0x01,
      1,
      2,
      3,
      4,
    ];
    expect(decodePacket(appended(plain, ...unknown))).toEqual(decodePacket(plain));
    const later = generated('Packet', {
      ...packetToProto({ ...sender, to: b, message: { type: 'gossip' }, news: [] }),
      news: [{ ...statementToProto(left(c)), state: 9 }, statementToProto(left(b))],
    });
    expect(decodePacket(later)).toMatchObject({ value: { news: [left(b)] } });
  });

  test('refuses what is too large before it looks at it', () => {
    expect(decodePacket(new Uint8Array(limits.gossipPacketBytesMax + 1))).toEqual({
      ok: false,
      error: 'too-large',
    });
    const huge = new Uint8Array(limits.membershipSyncBytesMax + 1);
    expect(decodeSync(huge)).toEqual({ ok: false, error: 'too-large' });
  });

  test.each<[string, object]>([
    ['a node id of another length', { from: new Uint8Array(15) }],
    ['a boot id of another length', { boot: new Uint8Array(9) }],
    ['nobody it is meant for', { to: new Uint8Array(0) }],
    ['an accusation by nobody', { news: [{ ...statementToProto(left(c)), state: 1 }] }],
    ['somebody alive without a profile', { news: [{ ...statementToProto(left(c)), state: 0 }] }],
    ...(
      [
        ['no address', { peerAddress: '' }],
        ['an address that is too long', { peerAddress: 'x'.repeat(129) }],
        ['an address with a space', { peerAddress: 'a b' }],
        ['a line break in a client address', { clientAddresses: ['a\n'] }],
        ['too many client addresses', { clientAddresses: ['a', 'b', 'c', 'd', 'e'] }],
        ['an impossible load', { load: 1_001 }],
      ] as const
    ).map(([name, changes]): [string, object] => [
      name,
      {
        news: [{ ...statementToProto(alive(b)), profile: { ...profileOf(b), role: 'CORE', ...changes } }],
      },
    ]),
  ])('refuses %s', (_, changes) => {
    const message = { ...packetToProto({ ...sender, to: b, message: { type: 'gossip' }, news: [] }) };
    expect(decodePacket(generated('Packet', { ...message, ...changes }))).toEqual({
      ok: false,
      error: 'malformed',
    });
  });

  test('refuses lengths beyond the end, groups, numbers that are too large and cut bytes', () => {
    const plain = gossip([]);
    for (const tail of [
      [0x4a, 0xff, 0xff, 0xff, 0x7f],
      [0x4b],
      [0x18, 0xff, 0xff, 0xff, 0xff, 0x7f],
      [0x2a],
    ]) {
      expect(decodePacket(appended(plain, ...tail))).toEqual({ ok: false, error: 'malformed' });
    }
    const whole = encodePacket({ ...sender, to: b, message: { type: 'ping', seq: 300 }, news: [left(c)] });
    for (let length = 0; length < whole.length; length++) {
      // What is left out at a border between fields may still be a packet, of less.
      const cut = decodePacket(whole.subarray(0, length));
      expect(cut.ok ? encodePacket(cut.value).length : length).toBe(length);
    }
  });

  test('takes any bytes without throwing, and only what it can write again', () => {
    const noise = fc.uint8Array({ maxLength: 1_400 });
    const flipped = fc
      .tuple(packets, fc.array(fc.tuple(fc.nat(1_399), fc.nat(255)), { minLength: 1, maxLength: 6 }))
      .map(([packet, flips]) => {
        const bytes = encodePacket(packet).slice();
        for (const [at, value] of flips) bytes[at % bytes.length] = value;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(noise, flipped), (bytes) => {
        const packet = decodePacket(bytes);
        expect(packet.ok ? decodePacket(encodePacket(packet.value)) : packet).toEqual(packet);
        const sync = decodeSync(bytes);
        expect(sync.ok ? decodeSync(encodeSync(sync.value)) : sync).toEqual(sync);
      }),
      { numRuns: 5_000 },
    );
  });

  test('reads no statement that takes more than the room kept for news', () => {
    fc.assert(
      fc.property(statements, (statement) => {
        expect(gossip([statement]).length).toBeLessThanOrEqual(1_344);
      }),
    );
  });
});
