/** How one ring follows another. A change gives a version to each of its steps; docs/decisions/0008 has the reasons:
 *
 *      settled ──begin──▶ filling ──open──▶ joint ──finish──▶ settled, with the new members
 *                           └──────abandon──────┴──────────▶ settled, with the members of before
 *
 *  Any voter may propose a step; a majority of the voters, the members from before, decides (ring-agreement.ts). There is one
 *  change at a time: 256 virtual nodes a member lie everywhere, so two changes all but always meet in some interval. Nodes
 *  that want to come may still enter a change that is filling. Pure: what was reported comes in as sets of nodes. */
import type { NodeId } from '../base/ids.js';
import { planted } from '../base/planted.js';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import type { Role } from './member.js';
import { ringDigest } from './ring-codec.js';
import type { RingTable } from './ring-table.js';
import {
  type ChangeKind,
  type RingMemberState,
  type Replicas,
  type Ring,
  type RingMember,
  appendQuorum,
  isMajorityOf,
  memberStateOf,
  replicaCount,
  votersOf,
} from './ring.js';

/** not-core: edge nodes hold nothing. change-under-way: it would overlap the one that has begun. nothing-to-do: no node
 *  named, or the ring is so already. last-member: nobody would be left. too-many-members: `limits.ringMembersMax`.
 *  no-change: none is under way. wrong-phase: the step does not come now. not-ready: an interval would be left with fewer
 *  than W homes that have everything. */
export type RingRefusal =
  | 'not-core'
  | 'already-member'
  | 'not-a-member'
  | 'change-under-way'
  | 'nothing-to-do'
  | 'last-member'
  | 'too-many-members'
  | 'no-change'
  | 'wrong-phase'
  | 'not-ready';

export interface Newcomer {
  readonly node: NodeId;
  readonly role: Role;
}

/** Brings in nodes, together where several wait: also into a join that is still filling. */
export function joinNodes(ring: Ring, newcomers: readonly Newcomer[]): Result<Ring, RingRefusal> {
  const { change } = ring;
  const enters = change?.kind === 'join' && change.phase === 'filling';
  if (change && !enters) return err('change-under-way');
  return begin(ring, 'join', { newcomers });
}

/** Without a newcomer that went elsewhere; where it was the only one, that is the end of the change. */
export function leaveOut(ring: Ring, node: NodeId): Result<Ring, RingRefusal> {
  const { change } = ring;
  if (memberStateOf(ring, node) !== 'joining') return err('not-a-member');
  const members = ring.members.filter((member) => member.node !== node);
  const isLast = change?.kind !== 'join' || members.every(({ state }) => state !== 'joining');
  return isLast ? abandonChange(ring) : ok(following(ring, { members, change }));
}

/** Lets nodes go that are there and help: their homes are filled from them too. */
export function drainNodes(ring: Ring, nodes: readonly NodeId[]): Result<Ring, RingRefusal> {
  return ring.change ? err('change-under-way') : begin(ring, 'drain', { leaving: nodes });
}

/** Lets a node go that will not come back. As a drain: what the other homes have is enough, or the change does not end. */
export function removeNode(ring: Ring, node: NodeId): Result<Ring, RingRefusal> {
  return ring.change ? err('change-under-way') : begin(ring, 'remove', { leaving: [node] });
}

/** One comes, one goes, as one change: nothing moves twice. */
export function replaceNode(ring: Ring, node: NodeId, by: Newcomer): Result<Ring, RingRefusal> {
  return ring.change ? err('change-under-way') : begin(ring, 'replace', { newcomers: [by], leaving: [node] });
}

/** The step `nodeToExpel` decided on. */
export function expelNode(ring: Ring, node: NodeId): Result<Ring, RingRefusal> {
  return ring.change ? err('change-under-way') : begin(ring, 'expel', { leaving: [node] });
}

export function changeReplicas(ring: Ring, replicas: Replicas): Result<Ring, RingRefusal> {
  if (ring.change) return err('change-under-way');
  return replicas === ring.replicas ? err('nothing-to-do') : begin(ring, 'replicas', { replicas });
}

export interface ChangeProgress {
  /** Intervals that change. */
  readonly intervals: number;
  /** Those of them with fewer than W of their next homes ready: with none the next step may be taken. */
  readonly short: number;
  /** Next homes of changing intervals that are not ready. Waiting for them all, while they are alive, keeps R′ copies. */
  readonly waitingFor: readonly NodeId[];
}

/** How far the change under way is. `ready` are the nodes that reported so for the ring's version:
 *  - filling: it holds all but what is on its way of every changing interval it is a next home of. Saves waiting later.
 *  - joint: of each such interval it holds, synced, all that W homes from before had when they already were in the joint
 *    phase, and the highest promise among theirs. */
export function changeProgress(table: RingTable, ready: ReadonlySet<NodeId>): ChangeProgress {
  const waitingFor = new Set<NodeId>();
  let [intervals, short] = [0, 0];
  for (const index of table.indexes()) {
    if (!table.isChanging(index)) continue;
    const interval = table.interval(index);
    if (interval.state === 'settled') continue;
    intervals++;
    const missing = interval.nextHomes.filter((node) => !ready.has(node) && !planted('joint-skipped'));
    for (const node of missing) waitingFor.add(node);
    if (interval.nextHomes.length - missing.length >= appendQuorum(interval.nextHomes.length)) continue;
    if (!planted('joint-skipped')) short++;
  }
  return { intervals, short, waitingFor: [...waitingFor].sort() };
}

/** From filling to joint: from now on both sets of homes decide. */
export function openJoint(table: RingTable, ready: ReadonlySet<NodeId>): Result<Ring, RingRefusal> {
  const { ring } = table;
  if (!ring.change) return err('no-change');
  if (ring.change.phase !== 'filling') return err('wrong-phase');
  if (changeProgress(table, ready).short > 0) return err('not-ready');
  const members = withStates(ring.members, (state) => (state === 'joining' ? 'synced' : state));
  return ok(following(ring, { members, change: { ...ring.change, phase: 'joint' } }));
}

/** The end: only the new homes decide, and who drained is gone. */
export function finishChange(table: RingTable, ready: ReadonlySet<NodeId>): Result<Ring, RingRefusal> {
  const { ring } = table;
  if (!ring.change) return err('no-change');
  if (ring.change.phase !== 'joint') return err('wrong-phase');
  if (changeProgress(table, ready).short > 0) return err('not-ready');
  const members = withStates(ring.members, (state) => (state === 'draining' ? undefined : 'active'));
  return ok(following(ring, { members, replicas: ring.change.replicas }));
}

/** Back to the members of before. Right in both phases: whatever was committed is on W of the homes from before. */
export function abandonChange(ring: Ring): Result<Ring, RingRefusal> {
  if (!ring.change) return err('no-change');
  const members = withStates(ring.members, (state) =>
    state === 'joining' || state === 'synced' ? undefined : 'active',
  );
  return ok(following(ring, { members }));
}

export interface ExpelInput {
  /** How long each member was out of reach without a break, as seen here; members that are in reach are not in it. */
  readonly unreachableMs: ReadonlyMap<NodeId, number>;
  /** `cluster.expelAfterMs`; `undefined`, the default: never. */
  readonly expelAfterMs: number | undefined;
}

/** The member a majority side may let go, the one longest out of reach first; one at a time, since two of three homes gone
 *  at once leave no W to fill the others from. Never below R members: there a node's death is waited out. */
export function nodeToExpel(ring: Ring, input: ExpelInput): NodeId | undefined {
  const { unreachableMs, expelAfterMs } = input;
  const members = votersOf(ring);
  const reached = new Set(members.filter((node) => !unreachableMs.has(node)));
  const isLarger = members.length > replicaCount(ring.replicas, Number.POSITIVE_INFINITY);
  if (expelAfterMs === undefined || ring.change || !isLarger || !isMajorityOf(ring, reached))
    return undefined;
  let found: NodeId | undefined;
  let longest = -1;
  for (const node of members) {
    const ms = unreachableMs.get(node);
    if (ms === undefined || ms < expelAfterMs || ms <= longest) continue;
    found = node;
    longest = ms;
  }
  return found;
}

interface Wanted {
  readonly newcomers?: readonly Newcomer[];
  readonly leaving?: readonly NodeId[];
  readonly replicas?: Replicas;
}

function begin(ring: Ring, kind: ChangeKind, wanted: Wanted): Result<Ring, RingRefusal> {
  const { newcomers = [], leaving = [], replicas = ring.replicas } = wanted;
  const refusal = refusalOf(ring, newcomers, leaving, kind);
  if (refusal) return err(refusal);
  const goes = new Set(leaving);
  const staying = withStates(ring.members, (state, node) => (goes.has(node) ? 'draining' : state));
  const coming = newcomers.map(({ node }): RingMember => ({ node, state: 'joining' }));
  const members = [...staying, ...coming].sort((a, b) => (a.node < b.node ? -1 : 1));
  if (members.length > limits.ringMembersMax) return err('too-many-members');
  const since = ring.change?.since ?? ring.version + 1;
  return ok(following(ring, { members, change: { kind, phase: 'filling', replicas, since } }));
}

function refusalOf(
  ring: Ring,
  newcomers: readonly Newcomer[],
  leaving: readonly NodeId[],
  kind: ChangeKind,
): RingRefusal | undefined {
  if (newcomers.length + leaving.length === 0 && kind !== 'replicas') return 'nothing-to-do';
  if (newcomers.some(({ role }) => role !== 'core')) return 'not-core';
  const coming = new Set(newcomers.map(({ node }) => node));
  const known = newcomers.some(({ node }) => memberStateOf(ring, node) !== undefined);
  if (known || coming.size < newcomers.length) return 'already-member';
  if (leaving.some((node) => memberStateOf(ring, node) === undefined)) return 'not-a-member';
  const left = ring.members.length - new Set(leaving).size + newcomers.length;
  return left < 1 ? 'last-member' : undefined;
}

/** Without those whose new state is `undefined`. */
function withStates(
  members: readonly RingMember[],
  stateOf: (state: RingMemberState, node: NodeId) => RingMemberState | undefined,
): readonly RingMember[] {
  return members.flatMap(({ node, state }) => {
    const next = stateOf(state, node);
    return next ? [{ node, state: next }] : [];
  });
}

/** The next version, which has a change under way only where one is given. */
function following(ring: Ring, next: Partial<Pick<Ring, 'members' | 'replicas' | 'change'>>): Ring {
  const { cluster, version, replicas, virtualNodes, members, lineage, additions } = ring;
  return {
    cluster,
    version: version + 1,
    replicas,
    ...(virtualNodes === undefined ? {} : { virtualNodes }),
    members,
    ...next,
    lineage: [ringDigest(ring), ...lineage].slice(0, limits.ringLineageMax),
    ...(additions ? { additions } : {}),
  };
}
