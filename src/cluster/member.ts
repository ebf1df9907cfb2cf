/** What is said and what is held about members of the cluster.
 *
 *  A *statement* travels: somebody says something about a node, of one incarnation. A *member* is what this node holds
 *  about another. The incarnation is a number only its own node raises, to overrule what was said about it; it never
 *  leaves gossip, and is neither a node, store nor writer id. The boot id tells a restarted process from the one before. */
import { type NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Suspicion } from './suspicion.js';

/** 8 random bytes of one process, as 16 hex digits. */
export type BootId = string & { readonly __brand: 'BootId' };

/** The order is the number on the wire. */
export const memberStates = ['alive', 'suspect', 'dead', 'left'] as const;
export type MemberState = (typeof memberStates)[number];

/** A core node homes channels and serves sessions; an edge node only serves sessions. */
export const roles = ['core', 'edge'] as const;
export type Role = (typeof roles)[number];

/** What a node says of itself. It changes only together with the incarnation. */
export interface Profile {
  /** `host:port` for gossip (UDP) and streams (TCP). */
  readonly peerAddress: string;
  /** Where clients may connect, as told to clients. */
  readonly clientAddresses: readonly string[];
  readonly role: Role;
  /** The newest ring version this node holds. */
  readonly ringVersion: number;
  /** 0 idle to 1000 full: for what share of the time its process had work lately, in hundreds. */
  readonly load: number;
  /** It has seen a majority of the ring for a while: it may take its intervals from who owns them. */
  readonly settled: boolean;
}

interface About {
  readonly node: NodeId;
  readonly boot: BootId;
  readonly incarnation: number;
}

export interface Alive extends About {
  readonly state: 'alive';
  readonly profile: Profile;
}

/** `accuser` could not reach the node, or holds it dead. */
export interface Accusation extends About {
  readonly state: 'suspect' | 'dead';
  readonly accuser: NodeId;
}

export interface Left extends About {
  readonly state: 'left';
}

export type Statement = Alive | Accusation | Left;

/** One row of the member table. Only `beliefs.ts` changes the first part, only `routes.ts` the second. */
export class Member {
  readonly node: NodeId;
  boot: BootId;
  state: MemberState = 'alive';
  incarnation: number;
  profile: Profile;
  /** Older than `incarnation` while the accusation came before the statement it is about. */
  profileIncarnation: number;
  /** When `state` became what it is. */
  changedAt: number;
  /** While `state` is suspect. */
  suspicion: Suspicion | undefined = undefined;

  /** When it last spoke to us itself. */
  heardAt = Number.NEGATIVE_INFINITY;
  /** Our own way to it: broken, or silent since the last probe. */
  linkFails = false;
  /** A whole probe of ours failed, others' help included, and nothing was heard since. */
  probeFailed = false;
  reachable = true;

  constructor({ node, boot, incarnation, profile }: Alive, now: number) {
    this.node = node;
    this.boot = boot;
    this.incarnation = incarnation;
    this.profile = profile;
    this.profileIncarnation = incarnation;
    this.changedAt = now;
  }

  /** Takes part: neither dead nor gone. */
  get present(): boolean {
    return this.state === 'alive' || this.state === 'suspect';
  }

  /** What it says of itself now was missed: what is held was said before, perhaps by an earlier process. */
  get lacksProfile(): boolean {
    return this.present && this.profileIncarnation < this.incarnation;
  }
}

/** The profile as it was said; its incarnation may be older than what is held. */
export function aliveStatement(member: Member): Alive {
  const { node, boot, profile, profileIncarnation } = member;
  return { state: 'alive', node, boot, incarnation: profileIncarnation, profile };
}

/** What `speaker` holds about the member, as it would say it. */
export function statementOf(member: Member, speaker: NodeId): Statement {
  const { state, node, boot, incarnation } = member;
  if (state === 'alive') return aliveStatement(member);
  return state === 'left'
    ? { state, node, boot, incarnation }
    : { state, node, boot, incarnation, accuser: speaker };
}

export function sameProfile(a: Profile, b: Profile): boolean {
  return (
    a.peerAddress === b.peerAddress &&
    a.role === b.role &&
    a.ringVersion === b.ringVersion &&
    a.load === b.load &&
    a.settled === b.settled &&
    a.clientAddresses.length === b.clientAddresses.length &&
    a.clientAddresses.every((address, i) => address === b.clientAddresses[i])
  );
}

/** Within bounds, so that it fits into a packet beside others. */
export function isProfile(profile: Profile): boolean {
  const { peerAddress, clientAddresses, ringVersion, load } = profile;
  return (
    isAddress(peerAddress) &&
    clientAddresses.length <= limits.clientAddressesMax &&
    clientAddresses.every(isAddress) &&
    Number.isSafeInteger(ringVersion) &&
    ringVersion >= 0 &&
    Number.isInteger(load) &&
    load >= 0 &&
    load <= limits.memberLoadMax
  );
}

/** Visible ASCII: hosts, ports and URLs need no more. */
function isAddress(address: string): boolean {
  return address.length > 0 && address.length <= limits.addressBytesMax && /^[!-~]+$/.test(address);
}
