/** What one home says that is not so, of the kinds that must do no harm: absurd numbers, stale and stolen claims, acks of what
 *  was never sent, entries that do not exist, channels where they are not, damaged and old frames. An ack or a grant that is
 *  a lie in itself cannot be told from a true one: such a home is as good as a lost disk. */
import type { Dot, WriterId } from '../../src/base/ids.js';
import { floorRun } from '../../src/log/floors.js';
import type { Claim } from '../../src/replication/claim.js';
import type { PeerMessage } from '../../src/replication/messages.js';
import { encodeFrame } from '../../src/replication/wire-encoder.js';
import type { SimNode } from './node.js';
import type { World } from './world.js';

const absurd = Number.MAX_SAFE_INTEGER;

/** One lie to somebody. */
export function lie(world: World, liar: SimNode): void {
  const to = world.pick(world.nodes.filter((node) => node !== liar));
  world.stats.lies++;
  const messages = world.pick(lies)(world, liar, to);
  const frame = encodeFrame({ storeId: liar.disk.storeId, ringVersion: 1, messages }).slice();
  const bytes = world.chance(0.1) ? damaged(world, frame) : frame;
  // What the other knows must be so when it hears it: after a start it believes whoever speaks first.
  if (!messages.some((message) => 'committed' in message)) {
    world.network.send({ from: liar.index, to: to.index, bytes });
  } else if (to.isUp && !to.isPaused) to.receive(liar, bytes);
}

/** The same questions in great number, about all there is: more than an absence explains. */
export function nag(world: World, liar: SimNode): void {
  const to = world.pick(world.nodes.filter((node) => node !== liar));
  world.stats.nags++;
  const messages = Array.from({ length: 24 }, () => questions(world, liar)).flat();
  const bytes = encodeFrame({ storeId: liar.disk.storeId, ringVersion: 1, messages }).slice();
  world.network.send({ from: liar.index, to: to.index, bytes });
}

function questions(world: World, liar: SimNode): PeerMessage[] {
  const session = world.integer(2 ** 31);
  const ofChannels = world.refs.flatMap((ref): PeerMessage[] => {
    const have = new Map<WriterId, number>();
    const [held] = liar.log(ref).writers();
    const about = { interval: world.intervalOf(ref), ref };
    const pull = { type: 'pull', ...about, have } as const;
    const ofEntries = held && [
      { type: 'find', ...about, session, wanted: new Map([[held.writer, held.seq]]) } as const,
      { type: 'mend', ...about, session, writer: held.writer, firstSeq: 1, count: held.seq } as const,
    ];
    return [pull, { ...pull, limited: true }, { type: 'refused', ...about, have }, ...(ofEntries ?? [])];
  });
  return [
    ...world.intervals.map((interval) => ({ type: 'recover', interval, session }) as const),
    ...ofChannels,
  ];
}

/** A flipped bit could make a lie of it that no one can tell from the truth. */
function damaged(world: World, bytes: Uint8Array): Uint8Array {
  return world.chance(0.5) ? bytes.slice(0, world.integer(bytes.length)) : world.random.bytes(40);
}

type Lie = (world: World, liar: SimNode, to: SimNode) => readonly PeerMessage[];

const claimOf = (world: World, round: number): Claim => ({ round, writer: world.newId(24) as WriterId });

const lies: readonly Lie[] = [
  // Claims at the end of the numbers, and at the beginning.
  (world) => claims(world, 'claim', claimOf(world, absurd)),
  (world) => claims(world, 'ask', claimOf(world, absurd)),
  (world) => claims(world, 'claim', claimOf(world, 1)),
  (world) => [
    { type: 'fenced', promises: claimsOf(world, claimOf(world, absurd)) },
    { type: 'granted', claims: claimsOf(world, claimOf(world, absurd)) },
  ],
  // Acks of what was never stamped.
  (world, _liar, to) => {
    const ref = world.pick(world.refs);
    const claim = to.replica.claimOf(world.intervalOf(ref)) ?? claimOf(world, 1);
    const channels = [{ ref, seq: to.log(ref).have(to.writer) + 1_000 + world.integer(1_000) }];
    return [{ type: 'ack', interval: world.intervalOf(ref), claim, channels }];
  },
  // Entries that nobody has.
  (world, liar) => {
    const ref = world.pick(world.refs);
    const have = new Map(
      liar
        .log(ref)
        .writers()
        .map(({ writer, seq }) => [writer, seq + 50] as const),
    );
    return [{ type: 'state', interval: world.intervalOf(ref), ref, have, runs: [] }];
  },
  // Commits of what is not, by who does not own, to a home that knows who does.
  (world, liar, to) => {
    const ref = world.pick(world.refs);
    const interval = world.intervalOf(ref);
    const owner = to.replica.ownerOf(interval);
    const claim = to.replica.promiseOf(interval);
    const committed: Dot | undefined = to.log(ref).heads()[0];
    if (!owner || owner === liar.id || !claim || !committed) return [];
    const have = new Map<WriterId, number>();
    return [
      { type: 'append', interval, claim, ref, runs: [], committed },
      ...(owner === to.id ? [] : [{ type: 'state', interval, ref, have, runs: [], committed } as const]),
    ];
  },
  // Floors that no trim made, by who does not own, to a home that knows who does; and to anybody the run that says them.
  (world, liar, to) => {
    const ref = world.pick(world.refs);
    const interval = world.intervalOf(ref);
    const owner = to.replica.ownerOf(interval);
    const through = oneOf(world);
    const held = to
      .log(ref)
      .writers()
      .map(({ writer, seq }) => [writer, seq + world.integer(9)] as const);
    const floors = new Map([...held, [through.writer, through.seq] as const]);
    const trim = { through, floors, round: 1 + world.integer(9) };
    const isKnown = owner !== undefined && owner !== liar.id && owner !== to.id;
    const runs = [floorRun(ref, trim).bytes];
    const state = { type: 'state', interval, ref, have: new Map<WriterId, number>() } as const;
    return [
      { ...state, runs },
      ...(isKnown ? [{ ...state, runs: [], trim, committed: through } as const] : []),
    ];
  },
  // A channel in an interval where it is not, under a new claim that would be right there.
  (world) => {
    const ref = world.pick(world.refs);
    const others = world.intervals.filter((interval) => interval !== world.intervalOf(ref));
    const [interval] = others;
    if (interval === undefined) return [];
    return [{ type: 'append', interval, claim: claimOf(world, 2), ref, runs: [], committed: oneOf(world) }];
  },
  // A run that is none.
  (world) => {
    const ref = world.pick(world.refs);
    const interval = world.intervalOf(ref);
    const runs = [world.random.bytes(1 + world.integer(60))];
    return [{ type: 'state', interval, ref, have: new Map(), runs }];
  },
  // Parts of an answer that nobody asked for, and one without an end.
  (world) => [
    {
      type: 'recovery',
      interval: world.pick(world.intervals),
      session: world.integer(1_000),
      recovering: false,
      promise: claimOf(world, absurd),
      channels: [],
      part: 3,
      parts: 60_000,
    },
  ],
];

const oneOf = (world: World): Dot => ({ writer: world.newId(24) as WriterId, seq: 1 });

function claims(world: World, type: 'ask' | 'claim', claim: Claim): readonly PeerMessage[] {
  return [{ type, claims: claimsOf(world, claim) }];
}

function claimsOf(world: World, claim: Claim) {
  return world.intervals.map((interval) => ({ interval, claim }));
}
