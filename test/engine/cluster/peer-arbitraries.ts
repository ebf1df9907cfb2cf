/** Random messages between nodes, beside the frames of replication. */
import { publishedKinds } from '../../../src/protocol/levels.js';
import fc from 'fast-check';
import { toHex } from '../../../src/base/bytes.js';
import type { HubName, NodeId, WriterId } from '../../../src/base/ids.js';
import { joinNodes } from '../../../src/cluster/ring-change.js';
import type { RingIntent } from '../../../src/cluster/ring-intent.js';
import type { BallotOutcome } from '../../../src/cluster/ring-messages.js';
import { type ClusterId, type Replicas, type RingDigest, foundRing } from '../../../src/cluster/ring.js';
import type { VerifiedPeer } from '../../../src/engine/api.js';
import type {
  ForwardedOutcome,
  ForwardedPublish,
  PeerMessage,
} from '../../../src/engine/cluster/peer-messages.js';
import { errorCatalogue, type ErrorCode, type Failure } from '../../../src/protocol/errors.js';
import type { Level, Member, Signal } from '../../../src/protocol/messages.js';
import type { Difference, RingRange } from '../../../src/replication/reconcile-messages.js';
import { frame, ref } from '../../replication/arbitraries.js';

const hex = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(toHex);
const writer = hex(12).map((text) => text as WriterId);
const node = hex(16).map((text) => text as NodeId);
const id = fc.maxSafeNat();
const number = fc.oneof(fc.nat(300), fc.maxSafeNat());
const seq = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 2 ** 52 }));
const dot = fc.record({ writer, seq });
const bytes = fc.uint8Array({ maxLength: 100 });
const someBytes = fc.uint8Array({ minLength: 1, maxLength: 100 });
const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
const level = fc.constantFrom<Level>('memory', 'owner', 'quorum');
const list = <T>(each: fc.Arbitrary<T>) => fc.array(each, { maxLength: 3 });
const dots = list(dot);
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

/** Without the members whose value is undefined. */
function compact(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
}
const compacted = <T>(value: fc.Arbitrary<object>) => value.map((each) => compact(each) as T);

const publish = compacted<ForwardedPublish>(
  fc
    .record({
      id,
      ref,
      actor: fc.oneof(fc.constant(''), text),
      content: bytes,
      publisher: some(fc.record({ id: text, epoch: number, seq: number, ackedThrough: number })),
      idempotencyKey: some(text),
      retain: fc.boolean(),
      push: fc.boolean(),
      level,
      degrade: fc.boolean(),
      first: fc.boolean(),
      judged: some(fc.record({ kind: fc.constantFrom(...publishedKinds), createParents: fc.boolean() })),
      isDelete: some(fc.constant(true)),
      redacts: some(dot),
      keep: some(
        fc.oneof(fc.record({ entries: number }), fc.record({ bytes: number }), fc.record({ since: number })),
      ),
    })
    .map(({ judged, ...publish }) => ({ ...publish, ...judged })),
);
const failure = compacted<Failure>(
  fc.record({
    code: fc.constantFrom(...(Object.keys(errorCatalogue) as ErrorCode[])),
    outcome: fc.constantFrom('rejected' as const, 'indeterminate' as const),
    message: text,
    retryAfterMs: some(fc.integer({ min: 1, max: 100_000 })),
    channel: some(text),
    operation: some(fc.nat(999)),
    reason: some(text),
  }),
);
const accepted = compacted<ForwardedOutcome>(
  fc.record({
    id,
    dot: some(dot),
    timestamp: number,
    duplicate: fc.boolean(),
    level,
    copies: fc.nat(9),
    version: some(fc.integer({ min: 1 })),
  }),
);
const outcome: fc.Arbitrary<ForwardedOutcome> = fc.oneof(
  accepted,
  fc.record({ id, failure }),
  fc.record({ id, moved: some(node) }),
);
const signal = compacted<Signal>(fc.record({ timestamp: number, actor: some(text), content: bytes }));
const range = fc.record({ writer, firstSeq: seq, count: fc.integer({ min: 1, max: 5_000 }) });
const slice = fc.record({
  writer,
  firstSeq: seq,
  count: fc.integer({ min: 1, max: 5_000 }),
  round: number,
  records: bytes,
});
const vector = fc.uniqueArray(fc.tuple(writer, seq), { maxLength: 4, selector: ([key]) => key });

const plain: fc.Arbitrary<PeerMessage> = fc.oneof(
  list(publish).map((publishes) => ({ type: 'publish' as const, publishes })),
  list(outcome).map((outcomes) => ({ type: 'published' as const, outcomes })),
  fc.record({
    type: fc.constant('follow' as const),
    id,
    ref,
    what: fc.constantFrom('log' as const, 'signals' as const),
    covers: dots,
  }),
  fc.record({ type: fc.constantFrom('unfollow' as const, 'declined' as const), id }),
  fc.record({ type: fc.constant('took' as const), bytes: number }),
  fc.record({ type: fc.constant('cover' as const), id, ref, dots }),
  fc.record({ type: fc.constant('covered' as const), id, lost: dots }),
  fc.record({ type: fc.constant('orphan' as const), id, ref, runs: list(bytes) }),
  fc.oneof(
    fc.record({ type: fc.constant('adopted' as const), id, have: vector.map((pairs) => new Map(pairs)) }),
    fc.record({ type: fc.constant('adopted' as const), id }),
  ),
  fc.record({ type: fc.constant('followEnded' as const), id, moved: some(node) }),
  fc.record({ type: fc.constant('read' as const), id, ref, ranges: list(range), bytesMax: number }),
  fc.record({
    type: fc.constant('readAnswer' as const),
    id,
    slices: list(slice),
    missing: fc.uniqueArray(
      fc
        .tuple(range, fc.constantFrom(undefined, 'trimmed' as const, 'deleted' as const))
        .map(([{ writer, firstSeq, count }, gone]) => ({
          writer,
          fromSeq: firstSeq,
          toSeq: firstSeq + count - 1,
          ...(gone ? { gone } : {}),
        })),
      { maxLength: 4, selector: ({ writer, fromSeq, toSeq }) => `${writer} ${fromSeq} ${toSeq}` },
    ),
  }),
  fc.record({ type: fc.constant('since' as const), id, ref, timestamp: number }),
  fc.record({ type: fc.constant('sinceAnswer' as const), id, vector: vector.map((pairs) => new Map(pairs)) }),
);
const following = compacted<PeerMessage>(
  fc.record({
    type: fc.constant('following'),
    id,
    log: some(someBytes),
    lost: dots,
    unknown: dots,
    signals: list(signal),
  }),
);
const followed = compacted<PeerMessage>(
  fc.record({
    type: fc.constant('followed'),
    id,
    runs: list(bytes),
    committed: some(dot),
    tip: some(dot),
    signals: list(signal),
  }),
);

const digest = hex(8).map((each) => each as RingDigest);
const count = fc.integer({ min: 1, max: 1_000_000 });
const ballot = fc.record({ round: count, node });
const members = fc.uniqueArray(node, { minLength: 1, maxLength: 4 });
const ring = fc
  .record({ members, cluster: hex(16), replicas: fc.integer({ min: 1, max: 9 }) })
  .map((each) => {
    const founded = foundRing(each.cluster as ClusterId, each.members[0]!, each.replicas as Replicas);
    const coming = each.members.slice(1).map((one) => ({ node: one, role: 'core' as const }));
    const joined = joinNodes(founded, coming);
    return joined.ok ? joined.value : founded;
  });
const newcomer = fc.record({ node, role: fc.constantFrom('core' as const, 'edge' as const) });
const intent: fc.Arbitrary<RingIntent> = fc.oneof(
  list(newcomer).map((nodes) => ({ kind: 'join' as const, nodes })),
  list(node).map((nodes) => ({ kind: 'drain' as const, nodes })),
  fc.record({ kind: fc.constantFrom('remove' as const, 'expel' as const, 'leave-out' as const), node }),
  fc.record({ kind: fc.constant('replace' as const), node, by: newcomer }),
  fc.constantFrom<Replicas>('all', 1, 3, 9).map((replicas): RingIntent => ({ kind: 'replicas', replicas })),
  fc.constant({ kind: 'abandon' as const }),
);
const ballotOutcome = fc.oneof(
  compacted<BallotOutcome>(
    fc.record({ kind: fc.constant('promised'), accepted: some(fc.record({ ballot, ring })) }),
  ),
  fc.record({ kind: fc.constant('outbid' as const), promised: ballot }),
  fc.record({ kind: fc.constantFrom('accepted' as const, 'stale' as const, 'behind' as const) }),
);
const ringMessage: fc.Arbitrary<PeerMessage> = fc.oneof(
  ring.map((each) => ({ type: 'ring' as const, ring: each })),
  ring.map((each) => ({ type: 'ring' as const, ring: each, held: true })),
  fc.constant({ type: 'askRing' as const }),
  compacted<PeerMessage>(
    fc.record({
      type: fc.constant('ballot'),
      base: fc.record({ version: count, digest }),
      ballot,
      ring: some(ring),
    }),
  ),
  fc.record({ type: fc.constant('ballotAnswer' as const), base: digest, ballot, outcome: ballotOutcome }),
  fc.record({
    type: fc.constant('ringReport' as const),
    version: count,
    digest,
    intervals: number,
    left: number,
  }),
  fc.record({ type: fc.constant('askChange' as const), id, intent }),
  fc.record({
    type: fc.constant('changeAnswer' as const),
    id,
    outcome: fc.oneof(fc.record({ version: count }), fc.record({ refusal: text })),
  }),
);

const bound = fc.oneof(hex(8), hex(16));
/** Rising. */
const arcs = fc.uniqueArray(bound, { maxLength: 6 }).map((bounds) => {
  const sorted = bounds.sort();
  const pairs = Array.from({ length: Math.floor(sorted.length / 2) }, (_, i) => i);
  return pairs.map((i): RingRange => ({ from: sorted[2 * i]!, to: sorted[2 * i + 1]! }));
});
const verifiedPeer: fc.Arbitrary<VerifiedPeer> = fc.record({
  peer: node,
  state: fc.constantFrom(
    'compared' as const,
    'unreachable' as const,
    'interrupted' as const,
    'late' as const,
  ),
  channels: number,
  entries: number,
  differences: list(
    fc.record({
      ref,
      difference: fc.constantFrom<Difference>('lacking', 'only', 'heads', 'content', 'damaged'),
    }),
  ),
  more: number,
  repaired: number,
});
const verifying: fc.Arbitrary<PeerMessage> = fc.oneof(
  fc.record({
    type: fc.constant('verify' as const),
    id,
    ringVersion: number,
    arcs,
    repair: fc.boolean(),
    timeMs: number,
  }),
  fc.record({
    type: fc.constant('verified' as const),
    id,
    channels: number,
    entries: number,
    peers: list(verifiedPeer),
  }),
);

const member = compacted<Member>(
  fc.record({
    session: hex(12),
    user: some(text),
    metadata: some(
      fc
        .dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.nat(), { maxKeys: 3 })
        .map((each) => JSON.stringify(each)),
    ),
    since: number,
  }),
);
const presence: fc.Arbitrary<PeerMessage> = fc.oneof(
  fc.record({
    type: fc.constant('presence' as const),
    boot: hex(8),
    stream: seq,
    number: seq,
    isWhole: fc.boolean(),
    channels: list(
      fc.record({
        ref,
        joins: list(fc.record({ member, version: number })),
        leaves: list(hex(12)),
        others: number,
        isGone: fc.boolean(),
      }),
    ),
  }),
  fc.constant({ type: 'askPresence' as const }),
  fc.record({ type: fc.constant('followPresence' as const), id, ref, isCount: fc.boolean() }),
  fc.record({
    type: fc.constantFrom('unfollowPresence' as const, 'presenceEnded' as const),
    id,
  }),
  fc.record({
    type: fc.constant('presenceFollowed' as const),
    id,
    begins: fc.boolean(),
    isWhole: fc.boolean(),
    joins: list(member),
    leaves: list(hex(12)),
    count: number,
  }),
);

const listing: fc.Arbitrary<PeerMessage> = fc.oneof(
  fc.record({
    type: fc.constant('listAsked' as const),
    id,
    ringVersion: number,
    hub: fc.constant('default' as HubName),
    after: text,
    limit: fc.integer({ min: 1, max: 1_000 }),
  }),
  fc.record({
    type: fc.constant('listed' as const),
    id,
    channels: list(fc.stringMatching(/^[a-z]{1,9}$/)),
    more: fc.boolean(),
    isWhole: fc.boolean(),
  }),
);

export const peerMessage: fc.Arbitrary<PeerMessage> = fc.oneof(
  { arbitrary: ringMessage, weight: 3 },
  frame.map((each) => ({ type: 'replication' as const, frame: each })),
  { arbitrary: plain, weight: 8 },
  following,
  followed,
  verifying,
  listing,
  { arbitrary: presence, weight: 2 },
);
export const peerMessages = fc.array(peerMessage, { maxLength: 4 });
