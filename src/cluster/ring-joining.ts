/** A node alone gives up its ring of one for another: that of the node it was sent to, or the one that comes first of those it
 *  meets. It learns that ring, asks a voter there to propose it, and adopts the ring once that names it. It keeps asking: a
 *  change under way is waited for. */
import type { NodeId } from '../base/ids.js';
import type { Role } from './member.js';
import type { ChangeRefusal } from './ring-intent.js';
import type { RingMessage } from './ring-messages.js';
import { type Ring, memberStateOf, votersOf } from './ring.js';
import { type Found, comesFirst } from './ring-yielding.js';

const joinMs = 60_000;
const askMs = 500;

export class Joining {
  #id: number | undefined;
  #until = Infinity;
  #askAt = Infinity;
  /** Whose ring it is to be. */
  #at: NodeId | undefined;
  #other: Found | undefined;
  #refusal: ChangeRefusal | undefined;
  #isMeeting = false;

  constructor(
    readonly self: NodeId,
    readonly role: Role,
    /** Without being told where, it joins whom it meets; else it only learns the ring that names it. */
    readonly isWilling: boolean,
    readonly send: (to: NodeId, message: RingMessage) => void,
  ) {}

  get isActive(): boolean {
    return this.#id !== undefined;
  }

  get deadline(): number {
    return this.isActive ? Math.min(this.#isMeeting ? Infinity : this.#askAt, this.#until) : Infinity;
  }

  begin(id: number, now: number, at: NodeId | undefined): void {
    this.#id = id;
    this.#at = at;
    this.#until = now + joinMs;
    this.#askAt = now;
    this.#refusal = undefined;
  }

  /** Rings are told and compared meanwhile, and nobody is asked. */
  meeting(isUnderWay: boolean, now: number): void {
    this.#isMeeting = isUnderWay;
    this.#askAt = Math.min(this.#askAt, now);
  }

  /** Another cluster's ring; whether it is to be adopted. Only a ring of one is given up. */
  told(from: NodeId, ours: Ring, found: Found): boolean {
    const { ring: other } = found;
    if (!this.isActive || ours.members.length > 1) return false;
    if (memberStateOf(other, this.self) !== undefined) return true;
    if (this.#isBetter(from, ours, found) && other.members.length > 0) {
      this.#other = found;
      this.#askAt = -Infinity;
    }
    return false;
  }

  #isBetter(from: NodeId, ours: Ring, found: Found): boolean {
    const known = this.#other;
    if (known?.ring.cluster === found.ring.cluster) return found.ring.version > known.ring.version;
    if (this.#at !== undefined) return !known && from === this.#at;
    // By the order of rings: nodes that asked each other would refuse each other.
    if (!known) return this.isWilling && comesFirst(found, { ring: ours, held: false });
    // Whoever told of that ring has given it up.
    if (memberStateOf(known.ring, from) !== undefined) return true;
    return this.isWilling && comesFirst(found, known);
  }

  /** A voter's answer; true when it was to this node's wish to join, and the ring is to be asked for. */
  answered(id: number, outcome: { readonly version: number } | { readonly refusal: string }): boolean {
    if (id !== this.#id) return false;
    const refusal = 'refusal' in outcome ? outcome.refusal : undefined;
    const isSettled = refusal === undefined || refusal === 'already-member';
    if (!isSettled) this.#refusal = refusal as ChangeRefusal;
    return isSettled;
  }

  joined(ring: Ring): number | undefined {
    if (!this.isActive || ring.members.length === 1 || memberStateOf(ring, this.self) === undefined)
      return undefined;
    return this.#end();
  }

  #end(): number | undefined {
    const id = this.#id;
    this.#id = undefined;
    this.#other = undefined;
    return id;
  }

  /** Asks again when it is time; what was refused for good, or took too long. */
  tick(
    linked: ReadonlySet<NodeId>,
    now: number,
  ): { readonly id: number; readonly refusal: ChangeRefusal } | undefined {
    const id = this.#id;
    if (id === undefined) return undefined;
    const isFinal = this.#refusal !== undefined && !passing.has(this.#refusal);
    if (isFinal || now >= this.#until) {
      this.#end();
      return { id, refusal: this.#refusal ?? 'no-voter' };
    }
    if (this.#isMeeting || now < this.#askAt) return undefined;
    this.#askAt = now + askMs;
    const voter = this.#other && votersOf(this.#other.ring).find((node) => linked.has(node));
    if (voter === undefined) for (const peer of linked) this.send(peer, { type: 'askRing' });
    else {
      const intent = { kind: 'join', nodes: [{ node: this.self, role: this.role }] } as const;
      this.send(voter, { type: 'askChange', id, intent });
    }
    return undefined;
  }
}

/** What may be otherwise in a while. */
const passing: ReadonlySet<ChangeRefusal> = new Set<ChangeRefusal>([
  'change-under-way',
  'no-voter',
  'overloaded',
  'undecided',
]);
