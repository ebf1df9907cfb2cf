/** Names, statements and a membership whose effects are kept, for tests without a network. */
import fc from 'fast-check';
import type { NodeId } from '../../src/base/ids.js';
import { seededRandom } from '../../src/base/random.js';
import type { MembershipEffect } from '../../src/cluster/effects.js';
import type { Accusation, Alive, BootId, Left, Profile, Statement } from '../../src/cluster/member.js';
import { Membership } from '../../src/cluster/membership.js';
import type { Message, Packet } from '../../src/cluster/packet.js';
import { type MembershipParameters, lan } from '../../src/cluster/parameters.js';

export const nodeOf = (letter: string): NodeId => letter.repeat(32) as NodeId;
export const bootOf = (letter: string): BootId => letter.repeat(16) as BootId;

export const [a, b, c, d, e] = ['a', 'b', 'c', 'd', 'e'].map(nodeOf) as [
  NodeId,
  NodeId,
  NodeId,
  NodeId,
  NodeId,
];

export const addressOf = (node: NodeId): string => `${node[0]}.example:7946`;

export function profileOf(node: NodeId, changes: Partial<Profile> = {}): Profile {
  const peerAddress = addressOf(node);
  const own = { clientAddresses: [], role: 'core', ringVersion: 1, load: 0, settled: false } as const;
  return { peerAddress, ...own, ...changes };
}

export function alive(node: NodeId, incarnation = 1, changes: Partial<Alive> = {}): Alive {
  const boot = bootOf(node[0]!);
  return { state: 'alive', node, boot, incarnation, profile: profileOf(node), ...changes };
}

export function accusation(
  state: 'suspect' | 'dead',
  node: NodeId,
  accuser: NodeId,
  incarnation = 1,
): Accusation {
  return { state, node, boot: bootOf(node[0]!), incarnation, accuser };
}

export function left(node: NodeId, incarnation = 1): Left {
  return { state: 'left', node, boot: bootOf(node[0]!), incarnation };
}

export interface Subject {
  readonly membership: Membership;
  readonly effects: MembershipEffect[];
  /** What was asked for since the last call. */
  take(): MembershipEffect[];
  /** The packets among it. */
  sent(): Packet[];
  /** A packet from `from`, an established member of incarnation 1 unless said otherwise. */
  packet(from: NodeId, message: Message, news?: readonly Statement[], incarnation?: number): void;
  now: number;
  /** Lets time pass, ticking at each deadline. */
  pass(ms: number): void;
}

/** Node a, which has been told of these others. */
export function subject(
  others: readonly NodeId[],
  parameters: MembershipParameters = lan,
  profile = profileOf(a),
): Subject {
  const effects: MembershipEffect[] = [];
  const emit = (effect: MembershipEffect) => void effects.push(effect);
  const options = { node: a, boot: bootOf('a'), profile, parameters, emit };
  const membership = new Membership({ ...options, random: seededRandom(7) });
  membership.start([], 0);
  const first = others[0];
  if (first) {
    const statements = others.map((node) => alive(node));
    membership.receiveSync({ from: first, boot: bootOf(first[0]!), incarnation: 1, statements }, 0);
  }
  effects.length = 0;
  const made: Subject = {
    membership,
    effects,
    now: 0,
    take: () => effects.splice(0),
    sent: () => effects.splice(0).flatMap((effect) => (effect.type === 'send' ? [effect.packet] : [])),
    packet(from, message, news = [], incarnation = 1) {
      const sender = { from, boot: bootOf(from[0]!), incarnation };
      membership.receive({ ...sender, to: a, message, news }, addressOf(from), made.now);
    },
    pass(ms) {
      const end = made.now + ms;
      for (let due = membership.nextDeadline(); due <= end; due = membership.nextDeadline()) {
        made.now = Math.max(made.now, due);
        membership.tick(made.now);
      }
      made.now = end;
    },
  };
  return made;
}

/** The verdicts among the effects, in short. */
export function verdicts(effects: readonly MembershipEffect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.type === 'route') return [`${effect.reachable ? 'route to' : 'away from'} ${effect.node[0]}`];
    if (effect.type === 'liveness') return [`${effect.node[0]} ${effect.verdict}`];
    return effect.type === 'alarm' ? [`alarm ${effect.code} ${effect.node[0]}`] : [];
  });
}

const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value) => Buffer.from(value).toString('hex'));

const uint32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
const address = fc.stringMatching(/^[!-~]{1,128}$/);

export const nodeIds = hex(16).map((id) => id as NodeId);
const senders = fc.record({ from: nodeIds, boot: hex(8).map((id) => id as BootId), incarnation: uint32 });
export const profiles: fc.Arbitrary<Profile> = fc.record({
  peerAddress: address,
  clientAddresses: fc.array(address, { maxLength: 4 }),
  role: fc.constantFrom('core', 'edge'),
  ringVersion: fc.oneof(fc.nat(300), fc.maxSafeNat()),
  load: fc.nat(1_000),
  settled: fc.boolean(),
});
const about = { node: nodeIds, boot: hex(8).map((id) => id as BootId), incarnation: uint32 };
export const statements: fc.Arbitrary<Statement> = fc.oneof(
  fc.record({ state: fc.constant('alive' as const), ...about, profile: profiles }),
  fc.record({ state: fc.constantFrom('suspect' as const, 'dead' as const), ...about, accuser: nodeIds }),
  fc.record({ state: fc.constant('left' as const), ...about }),
);
const messages: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ type: fc.constantFrom('ping' as const, 'ack' as const, 'nack' as const), seq: uint32 }),
  fc.record({ type: fc.constant('ping-request' as const), seq: uint32, target: nodeIds }),
  fc.constant({ type: 'gossip' as const }),
);
export const packets: fc.Arbitrary<Packet> = fc
  .tuple(senders, nodeIds, messages, fc.array(statements, { maxLength: 1 }))
  .map(([sender, to, message, news]) => ({ ...sender, to, message, news }));
export const syncs = fc
  .tuple(senders, fc.array(statements, { maxLength: 8 }))
  .map(([sender, all]) => ({ ...sender, statements: all }));
