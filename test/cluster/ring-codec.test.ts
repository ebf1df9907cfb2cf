/** The ring's stored form. The golden bytes are on disks: what reads them must go on doing so. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equalBytes, fromHex, toHex, writeFixed32 } from '../../src/base/bytes.js';
import { crc32 } from '../../src/base/crc32.js';
import type { NodeId } from '../../src/base/ids.js';
import { limits } from '../../src/base/limits.js';
import { changeReplicas, drainNodes, finishChange, openJoint } from '../../src/cluster/ring-change.js';
import { decodeRing, encodeRing, ringDigest } from '../../src/cluster/ring-codec.js';
import { channelPosition, eachVirtualNode, intervalIdOf } from '../../src/cluster/ring-position.js';
import { RingTable } from '../../src/cluster/ring-table.js';
import { type ClusterId, type Ring, foundRing } from '../../src/cluster/ring.js';
import {
  channelOf,
  cluster,
  joining,
  must,
  nodeLists,
  nodesOf,
  replicasAny,
  ringOf,
} from './ring-arbitraries.js';

const golden = JSON.parse(
  readFileSync(new URL('../golden/cluster/ring-v1.json', import.meta.url), 'utf8'),
) as Record<string, string>;

const [a, b, c] = ['0a', '0b', '0c'].map((byte) => byte.repeat(16) as NodeId) as [NodeId, NodeId, NodeId];
const founded = foundRing(cluster, b, 3);
const filling = joining(founded, a, c);
const joint = must(openJoint(new RingTable(filling), new Set([a, b, c])));
const settled = must(finishChange(new RingTable(joint), new Set([a, b, c])));
const rings: Record<string, Ring> = {
  founded,
  filling,
  joint,
  settled,
  draining: must(drainNodes(settled, [a])),
  everywhere: must(changeReplicas(settled, 'all')),
  later: { ...founded, additions: Uint8Array.of(1, 2, 3) },
  sparse: { ...founded, virtualNodes: 8 },
};

/** Some ring in some phase. */
const someRings: fc.Arbitrary<Ring> = fc
  .tuple(nodeLists, replicasAny, fc.constantFrom('settled', 'filling', 'joint', 'draining'), fc.nat(1000))
  .map(([nodes, replicas, phase, seed]) => {
    const newcomers = nodesOf(2, seed + 5_000);
    const ring = joining(ringOf(nodes, replicas), ...newcomers);
    if (phase === 'filling') return ring;
    const all = new Set([...nodes, ...newcomers]);
    const opened = must(openJoint(new RingTable(ring), all));
    if (phase === 'joint') return opened;
    const done = must(finishChange(new RingTable(opened), all));
    return phase === 'settled' ? done : must(drainNodes(done, [nodes[0]!]));
  });

/** As if the bytes had been written so. */
function resealed(bytes: Uint8Array): Uint8Array {
  writeFixed32(bytes, bytes.length - 4, crc32(bytes, 0, bytes.length - 4));
  return bytes;
}

describe('golden bytes', () => {
  test.each(Object.keys(rings))('the ring %s has the bytes it always had, and is read from them', (name) => {
    expect(toHex(encodeRing(rings[name]!))).toBe(golden[name]);
    expect(decodeRing(fromHex(golden[name]!))).toEqual({ ok: true, value: rings[name] });
  });

  test('what is hashed, and how, stays as it is', () => {
    expect(ringDigest(settled)).toBe(golden['settledDigest']);
    expect(intervalIdOf(channelPosition(channelOf(7)))).toBe(golden['channelPosition']);
    const points: string[] = [];
    eachVirtualNode(a, 256, (position) => points.push(intervalIdOf(position)));
    expect([points[0], points[1], points[255]].join()).toBe(golden['virtualNodes']);
    expect(points).toHaveLength(256);
  });
});

describe('an encoded ring', () => {
  test('comes back as it was, in every phase', () => {
    fc.assert(
      fc.property(someRings, (ring) => {
        expect(decodeRing(encodeRing(ring))).toEqual({ ok: true, value: ring });
      }),
      { numRuns: 40 },
    );
  });

  test('with a flipped bit, cut, longer or made up is refused', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(rings)),
        fc.nat(),
        fc.uint8Array(),
        (ring, where, noise) => {
          const bytes = encodeRing(ring);
          expect(decodeRing(bytes.subarray(0, where % bytes.length)).ok).toBe(false);
          expect(decodeRing(Uint8Array.from([...bytes, 0])).ok).toBe(false);
          expect(decodeRing(noise).ok).toBe(false);
          const bit = where % (8 * bytes.length);
          bytes[bit >> 3]! ^= 1 << (bit & 7);
          expect(decodeRing(bytes).ok).toBe(false);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('with any byte changed and the checksum made to fit is a ring that encodes so, or refused', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(rings)), fc.nat(), fc.nat(255), (ring, where, byte) => {
        const bytes = encodeRing(ring);
        bytes[where % (bytes.length - 4)] = byte;
        const decoded = decodeRing(resealed(bytes));
        const reasons: readonly string[] = ['malformed', 'unknown-version', 'too-large'];
        const isRight = decoded.ok
          ? equalBytes(encodeRing(decoded.value), bytes)
          : reasons.includes(decoded.error);
        expect(isRight).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test('says why it is refused', () => {
    expect(decodeRing(new Uint8Array(limits.ringBytesMax + 1))).toEqual({ ok: false, error: 'too-large' });
    const later = encodeRing(founded).slice();
    later[0] = 2;
    expect(decodeRing(resealed(later))).toEqual({ ok: false, error: 'unknown-version' });
    const flipped = encodeRing(founded).slice();
    flipped[5]! ^= 1;
    expect(decodeRing(flipped)).toEqual({ ok: false, error: 'damaged' });
    expect(decodeRing(new Uint8Array())).toEqual({ ok: false, error: 'malformed' });
  });

  test.each<[string, Ring]>([
    ['no members', { ...founded, members: [] }],
    ['members out of order', { ...settled, members: settled.members.toReversed() }],
    ['a member twice', { ...settled, members: [settled.members[0]!, ...settled.members] }],
    ['version 0', { ...founded, version: 0 }],
    ['too short a lineage', { ...settled, lineage: [] }],
    ['too long a lineage', { ...founded, lineage: settled.lineage }],
    ['a joining member and no change', { ...founded, members: filling.members }],
    ['a joining member in the joint phase', { ...joint, members: filling.members }],
    ['a change that changes nothing', { ...settled, change: { ...joint.change!, phase: 'filling' } }],
    ['a change that begins later', { ...filling, change: { ...filling.change!, since: 9 } }],
    ['too many members', ringOf(nodesOf(limits.ringMembersMax + 1))],
  ])('with %s is no ring', (_, ring) => {
    expect(decodeRing(encodeRing(ring))).toEqual({ ok: false, error: 'malformed' });
  });

  test('with a number written longer than it need be is refused, since it would have a second digest', () => {
    const bytes = encodeRing(founded);
    const longer = Uint8Array.from([...bytes.subarray(0, 17), 0x81, 0x00, ...bytes.subarray(18)]);
    expect(bytes[17]).toBe(1);
    expect(decodeRing(resealed(longer))).toEqual({ ok: false, error: 'malformed' });
  });

  test('of as many members as may be fits', () => {
    const most = ringOf(nodesOf(limits.ringMembersMax));
    expect(decodeRing(encodeRing(most)).ok).toBe(true);
  });

  test('with what a later version added keeps it, also through a change', () => {
    expect(joining(rings['later']!, c).additions).toEqual(Uint8Array.of(1, 2, 3));
  });

  test('has a digest that tells it from any other ring', () => {
    const digests = Object.values(rings).map(ringDigest);
    const other = ringDigest({ ...founded, cluster: 'c2'.repeat(16) as ClusterId });
    expect(new Set([...digests, other]).size).toBe(digests.length + 1);
  });
});
