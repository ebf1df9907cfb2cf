/** What sessions are told of other nodes, and when it is told again. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { clientAddresses } from '../../src/engine/cluster/client-addresses.js';
import { NodesTold } from '../../src/engine/nodes-told.js';
import type { NodeId } from '../../src/base/ids.js';
import type { BootId } from '../../src/cluster/member.js';
import type { MemberView } from '../../src/cluster/membership.js';
import { type ClusterId, type Ring, foundRing } from '../../src/cluster/ring.js';

const shown = (told: NodesTold, isLocal: boolean): unknown =>
  JSON.parse(new TextDecoder().decode(told.frame('json', isLocal).bytes));

describe('sessions', () => {
  test('are told nothing as long as there is nobody else', () => {
    const told = new NodesTold();
    told.look([], 100_000);
    expect(told.version).toBe(0);
  });

  test('are told of every change, and of how long to spread in powers of two', () => {
    const told = new NodesTold();
    told.look(['http://a:1'], 0);
    expect(shown(told, false)).toEqual({ nodes: { urls: ['http://a:1'], spreadMs: 32 } });
    told.look(['http://a:1'], 100);
    expect(told.version).toBe(1);
    told.look(['http://a:1'], 45_000);
    expect(told.version).toBe(2);
    expect(shown(told, false)).toMatchObject({ nodes: { spreadMs: 16_384 } });
    told.look([], 45_000);
    expect(told.version).toBe(3);
    told.look([], 1);
    expect(told.version).toBe(3);
  });

  test('learn of addresses of this machine only when they are on it', () => {
    const told = new NodesTold();
    told.look(['http://127.0.0.1:1', 'http://[::1]:2', 'http://localhost:3', 'http://a:4'], 1);
    expect(shown(told, false)).toMatchObject({ nodes: { urls: ['http://a:4'] } });
    expect(shown(told, true)).toMatchObject({ nodes: { urls: { length: 4 } } });
  });
});

describe('addresses of other nodes', () => {
  const member = (node: string, changes: Partial<MemberView> = {}): MemberView => ({
    node: node as NodeId,
    boot: '' as BootId,
    state: 'alive',
    incarnation: 0,
    reachable: true,
    profile: {
      peerAddress: `${node}:7946`,
      clientAddresses: [`http://${node}`],
      role: 'core',
      ringVersion: 1,
      load: 0,
      settled: true,
    },
    ...changes,
  });

  const ringOf = (members: readonly MemberView[]): Ring => ({
    ...foundRing('c' as ClusterId, 'd' as NodeId, 3),
    members: members.map(({ node }) => ({ node, state: 'active' })),
  });

  test('are of those that are there, beginning behind oneself', () => {
    const members = [
      member('f'),
      member('a'),
      member('e', { state: 'suspect' }),
      member('b', { state: 'left' }),
      member('c', { state: 'dead' }),
      member('g', { reachable: false }),
    ];
    expect(clientAddresses('d' as NodeId, ringOf(members), members)).toEqual([
      'http://e',
      'http://f',
      'http://a',
    ]);
  });

  test('are of members of the own ring only, and of those that stay', () => {
    const members = ['a', 'b', 'c'].map((node) => member(node));
    const ring = ringOf(members.slice(0, 2));
    expect(clientAddresses('d' as NodeId, ring, members)).toEqual(['http://a', 'http://b']);
    const leaving = ring.members.map((each, i) => (i === 0 ? { ...each, state: 'draining' as const } : each));
    expect(clientAddresses('d' as NodeId, { ...ring, members: leaving }, members)).toEqual(['http://b']);
  });

  test('are of edge nodes too, once they go by a ring', () => {
    const members = ['a', 'b', 'c'].map((node) => member(node));
    const edge = (each: MemberView, ringVersion: number): MemberView => ({
      ...each,
      profile: { ...each.profile, role: 'edge', ringVersion },
    });
    const ring = ringOf(members.slice(0, 1));
    const there = [members[0]!, edge(members[1]!, 3), edge(members[2]!, 0)];
    expect(clientAddresses('d' as NodeId, ring, there)).toEqual(['http://a', 'http://b']);
  });

  test('are no more than a client needs', () => {
    const members = Array.from({ length: 100 }, (_, i) => member(`n${i}`));
    expect(clientAddresses('n50' as NodeId, ringOf(members), members)).toHaveLength(limits.nodesToldMax);
  });
});
