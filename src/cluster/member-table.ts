/** All members this node knows of, itself not among them: by id, in random picks, and in the order of probing. */
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import { type Alive, Member } from './member.js';

export class MemberTable {
  readonly #random: Random;
  readonly #members = new Map<NodeId, Member>();
  /** The same, in an order that means nothing: picks reorder it. */
  readonly #pool: Member[] = [];
  /** A shuffled round of probes. */
  readonly #round: Member[] = [];
  #nextInRound = 0;
  readonly #suspects = new Set<Member>();

  constructor(random: Random) {
    this.#random = random;
  }

  get(node: NodeId): Member | undefined {
    return this.#members.get(node);
  }

  values(): Iterable<Member> {
    return this.#members.values();
  }

  get size(): number {
    return this.#members.size;
  }

  /** Members with a suspicion; `beliefs.ts` keeps this set. */
  get suspects(): Set<Member> {
    return this.#suspects;
  }

  /** How many take part, this node included. */
  presentCount = 1;

  /** Takes a member in; `undefined` when the table is full of members that take part. */
  add(statement: Alive, now: number): Member | undefined {
    if (this.#members.size >= limits.membersMax && !this.#makeRoom()) return undefined;
    const member = new Member(statement, now);
    this.#members.set(member.node, member);
    this.#pool.push(member);
    this.presentCount++;
    this.#joinRound(member);
    return member;
  }

  remove(member: Member): void {
    this.#members.delete(member.node);
    this.#pool.splice(this.#pool.indexOf(member), 1);
    if (member.present) this.presentCount--;
  }

  /** The next one to be probed: everybody once a round, each round in another order (Das et al. 2002, §4.3). */
  nextToProbe(): Member | undefined {
    for (let round = 0; round < 2; round++) {
      while (this.#nextInRound < this.#round.length) {
        const member = this.#round[this.#nextInRound++]!;
        if (member.present && this.#members.get(member.node) === member) return member;
      }
      this.#newRound();
    }
    return undefined;
  }

  /** Up to `count` different members that are `wanted`, each as likely as any other. */
  pick(count: number, wanted: (member: Member) => boolean): Member[] {
    const picked: Member[] = [];
    for (let i = 0; i < this.#pool.length && picked.length < count; i++) {
      this.#swap(this.#pool, i, i + this.#below(this.#pool.length - i));
      const member = this.#pool[i]!;
      if (wanted(member)) picked.push(member);
    }
    return picked;
  }

  /** A newcomer is probed at a random place of what is left of the round. */
  #joinRound(member: Member): void {
    this.#round.push(member);
    const left = this.#round.length - this.#nextInRound;
    this.#swap(this.#round, this.#round.length - 1, this.#nextInRound + this.#below(left));
  }

  #newRound(): void {
    this.#round.length = 0;
    for (const member of this.#pool) if (member.present) this.#round.push(member);
    for (let i = this.#round.length - 1; i > 0; i--) this.#swap(this.#round, i, this.#below(i + 1));
    this.#nextInRound = 0;
  }

  /** Forgets the one gone for longest. */
  #makeRoom(): boolean {
    let oldest: Member | undefined;
    for (const member of this.#pool) {
      if (!member.present && (!oldest || member.changedAt < oldest.changedAt)) oldest = member;
    }
    if (oldest) this.remove(oldest);
    return oldest !== undefined;
  }

  #below(count: number): number {
    return Math.floor(this.#random.next() * count);
  }

  #swap(list: Member[], i: number, j: number): void {
    const held = list[i]!;
    list[i] = list[j]!;
    list[j] = held;
  }
}
