import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NodeId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import {
  type AcceptedRing,
  type RingBallot,
  type RingVote,
  acceptRing,
  isDecided,
  nextBallot,
  promiseRing,
  ringToPropose,
} from '../../src/cluster/ring-agreement.js';
import { abandonChange, changeReplicas } from '../../src/cluster/ring-change.js';
import { ringDigest } from '../../src/cluster/ring-codec.js';
import { coldStartOf, compareRings, verdictOn } from '../../src/cluster/ring-versions.js';
import { type ClusterId, type Ring, foundRing } from '../../src/cluster/ring.js';
import { joining, must, nodesOf, ringOf } from './ring-arbitraries.js';

const nodes = nodesOf(6);
const [a, b, c, d] = nodes as [NodeId, NodeId, NodeId, NodeId];

/** The ring so many versions later. */
function later(ring: Ring, versions: number): Ring {
  let out = ring;
  for (let i = 0; i < versions; i++) {
    out = out.change ? must(abandonChange(out)) : must(changeReplicas(out, out.replicas === 3 ? 5 : 3));
  }
  return out;
}

describe('two rings', () => {
  const ring = ringOf([a, b, c]);

  test('of one line compare by version', () => {
    expect(compareRings(ring, ring)).toEqual({ kind: 'same' });
    for (const versions of [1, limits.ringLineageMax, limits.ringLineageMax + 1]) {
      expect(compareRings(ring, later(ring, versions))).toEqual({ kind: 'newer' });
      expect(compareRings(later(ring, versions), ring)).toEqual({ kind: 'older' });
    }
  });

  test('of one version with other content are a fork, which both tell alike', () => {
    const [x, y] = [joining(ring, d), later(ring, 1)];
    const fork = compareRings(x, y);
    expect(fork).toMatchObject({ kind: 'fork', fork: { version: 2 } });
    expect(compareRings(y, x)).toEqual(fork);
  });

  test('are a fork also where it lies versions back', () => {
    const [x, y] = [joining(ring, d), later(ring, 1)];
    const fork = compareRings(x, y);
    for (const versions of [1, 5, limits.ringLineageMax]) {
      expect(compareRings(x, later(y, versions))).toEqual(fork);
      expect(compareRings(later(y, versions), x)).toEqual(fork);
    }
  });

  test('of different founders are foreign', () => {
    const [low, high] = ['01', 'ff'].map((byte) => foundRing(byte.repeat(16) as ClusterId, d, 3));
    expect(compareRings(low!, high!)).toEqual({ kind: 'foreign' });
  });

  test('a request under a lower version is stale, under a higher one ahead', () => {
    expect([1, 2, 3].map((version) => verdictOn(version, later(ring, 1)))).toEqual([
      'stale',
      'current',
      'ahead',
    ]);
  });
});

describe('a cold start', () => {
  test('claims once a majority of the stored ring answered, and is degraded after 3 s without', () => {
    const ring = ringOf([a, b, c]);
    expect(coldStartOf(ring, new Set([a]), 0)).toBe('waiting');
    expect(coldStartOf(ring, new Set([a, b]), 0)).toBe('claiming');
    expect(coldStartOf(ring, new Set([a, d]), 2_999)).toBe('waiting');
    expect(coldStartOf(ring, new Set([a, d]), 3_000)).toBe('degraded');
    expect(coldStartOf(ringOf([a]), new Set([a]), 0)).toBe('claiming');
  });

  test('counts the members from before a change under way', () => {
    const ring = joining(ringOf([a]), b, c);
    expect(coldStartOf(ring, new Set([a]), 0)).toBe('claiming');
    expect(coldStartOf(ring, new Set([b, c]), 0)).toBe('waiting');
  });
});

describe('the agreement on the next ring', () => {
  const ring = ringOf([a, b, c]);
  const base = { version: ring.version, digest: ringDigest(ring) };
  const ballot = (round: number, node = a): RingBallot => ({ round, node });
  const next = joining(ring, d);

  test('a voter keeps its promise and tells what it accepted', () => {
    const first = promiseRing(ring, undefined, { base, ballot: ballot(2) });
    if (first.kind !== 'promised') throw new Error(first.kind);
    expect(promiseRing(ring, first.vote, { base, ballot: ballot(1, b) })).toEqual({
      kind: 'outbid',
      promised: ballot(2),
    });
    const accepted = acceptRing(ring, first.vote, { base, ballot: ballot(2), ring: next });
    if (accepted.kind !== 'accepted') throw new Error(accepted.kind);
    const second = promiseRing(ring, accepted.vote, { base, ballot: ballot(2, b) });
    expect(second).toMatchObject({ kind: 'promised', accepted: { ring: next } });
    expect(nextBallot(ring, accepted.vote, c, [7])).toEqual({ round: 8, node: c });
    expect(nextBallot(ring, accepted.vote, c, [])).toEqual({ round: 3, node: c });
    expect(nextBallot(next, accepted.vote, c, [])).toEqual({ round: 1, node: c });
  });

  test('a voter of another version, or of another ring, says so', () => {
    const request = { base, ballot: ballot(1) };
    expect(promiseRing(next, undefined, request)).toEqual({ kind: 'stale' });
    expect(promiseRing(ring, undefined, { ...request, base: { ...base, version: 2 } })).toEqual({
      kind: 'behind',
    });
    expect(promiseRing(ringOf([a, b, d]), undefined, request)).toEqual({ kind: 'unfit' });
    const skipping = { ...request, ring: later(ring, 2) };
    expect(acceptRing(ring, undefined, skipping)).toEqual({ kind: 'unfit' });
  });

  test('only members from before the change count', () => {
    expect(isDecided(next, new Set([a, d]))).toBe(false);
    expect(isDecided(next, new Set([a, b]))).toBe(true);
    expect(
      ringToPropose(
        next,
        next,
        new Map([
          [a, undefined],
          [d, undefined],
        ]),
      ),
    ).toBeUndefined();
  });

  test('never decides two rings, whatever is lost, late, repeated or asked at once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.nat(), (size, seed) => {
        expect(decidedRings(size, seed).size).toBeLessThan(2);
      }),
      { numRuns: 400 },
    );
  });

  test('decides once a proposer is left alone', () => {
    const counts = Array.from({ length: 100 }, (_, seed) => decidedRings(1 + (seed % 5), seed).size);
    expect(counts).toEqual(counts.map(() => 1));
  });
});

interface Attempt {
  readonly ballot: RingBallot;
  readonly wanted: Ring;
  readonly promises: Map<NodeId, AcceptedRing | undefined>;
  readonly acceptedBy: Set<NodeId>;
  proposed?: Ring | undefined;
}

/** Digests of all rings a majority accepted, in a run with several proposers whose messages are drawn at random, dropped
 *  and repeated; at the end one proposer has its way undisturbed. */
function decidedRings(size: number, seed: number): ReadonlySet<string> {
  const random = seededRandom(seed);
  const members = nodes.slice(0, size);
  const ring = ringOf(members);
  const base = { version: ring.version, digest: ringDigest(ring) };
  const votes = new Map<NodeId, RingVote>();
  const rounds: number[] = [];
  const attempts: Attempt[] = [];
  const decided = new Set<string>();
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.next() * list.length)]!;

  const start = (): Attempt => {
    const node = pick(members);
    const told = random.next() < 0.5 ? rounds : [];
    const ballot = nextBallot(ring, votes.get(node), node, told);
    const wanted =
      random.next() < 0.5 ? joining(ring, nodesOf(1, 100 + attempts.length)[0]!) : later(ring, 1);
    const attempt = { ballot, wanted, promises: new Map(), acceptedBy: new Set<NodeId>() };
    rounds.push(ballot.round);
    attempts.push(attempt);
    ask(attempt, node);
    return attempt;
  };
  const ask = (attempt: Attempt, voter: NodeId): void => {
    const answer = promiseRing(ring, votes.get(voter), { base, ballot: attempt.ballot });
    if (answer.kind !== 'promised') return;
    votes.set(voter, answer.vote);
    if (!attempt.proposed) attempt.promises.set(voter, answer.accepted);
    attempt.proposed ??= ringToPropose(ring, attempt.wanted, attempt.promises);
  };
  const propose = (attempt: Attempt, voter: NodeId): void => {
    if (!attempt.proposed) return;
    const request = { base, ballot: attempt.ballot, ring: attempt.proposed };
    const answer = acceptRing(ring, votes.get(voter), request);
    if (answer.kind !== 'accepted') return;
    votes.set(voter, answer.vote);
    attempt.acceptedBy.add(voter);
    if (isDecided(ring, attempt.acceptedBy)) decided.add(ringDigest(attempt.proposed));
  };

  start();
  for (let step = 0; step < 60; step++) {
    const chance = random.next();
    if (chance < 0.08) start();
    else if (chance < 0.5) ask(pick(attempts), pick(members));
    else propose(pick(attempts), pick(members));
  }
  const node = members[0]!;
  const last: Attempt = {
    ballot: nextBallot(ring, votes.get(node), node, rounds),
    wanted: later(ring, 1),
    promises: new Map(),
    acceptedBy: new Set(),
  };
  for (const voter of members) ask(last, voter);
  for (const voter of members) propose(last, voter);
  return decided;
}
