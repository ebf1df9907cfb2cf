/** The ring: who holds data. A durable, versioned, immutable value; every node holds the whole of it. It says nothing about
 *  who is alive: death changes neither homes nor quorums (R5), so both are computed from here alone (R9). Only core nodes
 *  are members; edge nodes hold nothing. How one version becomes the next: ring-change.ts and docs/decisions/0008. */
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { virtualNodesMax } from './ring-position.js';

/** 16 random bytes as 32 hex digits, drawn when a ring is founded: rings of different founders never mix. */
export type ClusterId = string & { readonly __brand: 'ClusterId' };
/** xxHash64 of a ring's encoded form, 16 hex digits. */
export type RingDigest = string & { readonly __brand: 'RingDigest' };

/** Copies of every channel; `all`: every member holds a full copy. */
export type Replicas = 'all' | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** joining: comes in, counts nowhere yet. synced: comes in, counts beside the members of before. draining: goes, still
 *  counts. A node that is gone is no member. */
export type RingMemberState = 'joining' | 'synced' | 'active' | 'draining';

export interface RingMember {
  readonly node: NodeId;
  readonly state: RingMemberState;
}

export const changeKinds = ['join', 'drain', 'remove', 'replace', 'expel', 'replicas'] as const;
export type ChangeKind = (typeof changeKinds)[number];
/** filling: incoming homes are brought up to date, the homes of before decide. joint: both sets of homes decide. */
export type ChangePhase = 'filling' | 'joint';

export interface RingChange {
  readonly kind: ChangeKind;
  readonly phase: ChangePhase;
  /** Copies once the change is done. */
  readonly replicas: Replicas;
  /** The ring version with which it began: names the change. */
  readonly since: number;
}

export interface Ring {
  readonly cluster: ClusterId;
  /** From 1, one more with every step of a change. */
  readonly version: number;
  readonly replicas: Replicas;
  /** Points of a member on the ring, 1 to 256; 256 where it is left out. Never changes: it decides who holds what. */
  readonly virtualNodes?: number;
  /** By rising node id. */
  readonly members: readonly RingMember[];
  readonly change?: RingChange;
  /** Digests of the versions before, newest first, at most `limits.ringLineageMax`. */
  readonly lineage: readonly RingDigest[];
  /** What later versions of the encoding added, kept as it came. */
  readonly additions?: Uint8Array;
}

/** The ring of a node that found no other: a single node is a ring of one. */
export function foundRing(cluster: ClusterId, node: NodeId, replicas: Replicas): Ring {
  return { cluster, version: 1, replicas, members: [{ node, state: 'active' }], lineage: [] };
}

const nobody = '0'.repeat(32);

/** What an edge node goes by until it has found a ring: that of a node that is nowhere. It is told to nobody. */
export function nowhereRing(): Ring {
  return foundRing(nobody as ClusterId, nobody as NodeId, 1);
}

export function isNowhere({ cluster }: Ring): boolean {
  return cluster === nobody;
}

/** The version of a ring as others are told. */
export function versionTold(ring: Ring): number {
  return isNowhere(ring) ? 0 : ring.version;
}

/** `undefined` for a node that is gone, or never was there. */
export function memberStateOf(ring: Ring, node: NodeId): RingMemberState | undefined {
  return ring.members.find((member) => member.node === node)?.state;
}

/** Whether the member is in the set of homes from before the change. */
export function countsNow(state: RingMemberState): boolean {
  return state === 'active' || state === 'draining';
}

/** Whether the member is in the set of homes the change leads to. */
export function countsAfter(state: RingMemberState): boolean {
  return state !== 'draining';
}

/** The members that decide about the ring: those from before the change under way. */
export function votersOf(ring: Ring): readonly NodeId[] {
  return ring.members.filter(({ state }) => countsNow(state)).map(({ node }) => node);
}

export function isMajorityOf(ring: Ring, nodes: ReadonlySet<NodeId>): boolean {
  const voters = votersOf(ring);
  return 2 * voters.filter((node) => nodes.has(node)).length > voters.length;
}

export function isReplicas(value: unknown): value is Replicas {
  return value === 'all' || (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 9);
}

/** R′: copies there can be with so many members. */
export function replicaCount(replicas: Replicas, members: number): number {
  return replicas === 'all' ? members : Math.min(replicas, members);
}

/** W of R′ homes: an entry on so many is acknowledged at `quorum`. */
export function appendQuorum(homes: number): number {
  return Math.floor(homes / 2) + 1;
}

/** R′ − W + 1 homes meet every W of them: so many must grant a claim. */
export function claimQuorum(homes: number): number {
  return homes - appendQuorum(homes) + 1;
}

/** What contradicts itself in a ring, as a sentence; `undefined` where nothing does. */
export function ringFault(ring: Ring): string | undefined {
  const { version, replicas, members, change, lineage, virtualNodes = virtualNodesMax } = ring;
  if (!Number.isSafeInteger(version) || version < 1) return 'A version is a number from 1.';
  if (!isReplicas(replicas)) return 'Replicas are 1 to 9, or all.';
  if (!(virtualNodes >= 1 && virtualNodes <= virtualNodesMax)) return 'Virtual nodes are 1 to 256.';
  if (members.length > limits.ringMembersMax) return 'There are too many members.';
  if (members.some(({ node }, i) => i > 0 && node <= members[i - 1]!.node))
    return 'Members are in order, each once.';
  if (!members.some(({ state }) => countsNow(state))) return 'No member counts.';
  const lineageLength = Math.min(version - 1, limits.ringLineageMax);
  if (lineage.length !== lineageLength) return 'The lineage names the versions before.';
  return change ? changeFault(members, replicas, change, version) : settledFault(members);
}

function settledFault(members: readonly RingMember[]): string | undefined {
  return members.some(({ state }) => state !== 'active')
    ? 'Without a change every member is active.'
    : undefined;
}

function changeFault(
  members: readonly RingMember[],
  replicas: Replicas,
  change: RingChange,
  version: number,
): string | undefined {
  if (!isReplicas(change.replicas)) return 'Replicas are 1 to 9, or all.';
  if (!(change.since > 1 && change.since <= version)) return 'A change begins with a version of its own.';
  if (!members.some(({ state }) => countsAfter(state))) return 'No member is left.';
  const other = change.phase === 'filling' ? 'synced' : 'joining';
  if (members.some(({ state }) => state === other)) return 'What comes in is in the phase of the change.';
  const isEmpty = replicas === change.replicas && members.every(({ state }) => state === 'active');
  return isEmpty ? 'A change changes something.' : undefined;
}
