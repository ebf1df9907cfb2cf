/** Profiles that news did not bring. Every packet says the incarnation of its sender, but the news of what it says of itself go
 *  round once. Whoever was cut off then would hold on to the profile before until a sync: a node that is just up, or has lost its
 *  majority, would be taken for settled, and where all wait for such a one nobody acts.
 *
 *  So the member itself is asked, once the news have had their time, and again until it has answered. */
import type { Member } from './member.js';
import type { MembershipParameters } from './parameters.js';

interface Missed {
  /** Where it was heard from: its profile may say that it has moved there. */
  address: string;
  askAt: number;
}

export class MissedProfiles {
  readonly #parameters: MembershipParameters;
  readonly #ask: (member: Member, address: string) => void;
  readonly #missed = new Map<Member, Missed>();
  #deadline = Number.POSITIVE_INFINITY;

  constructor(parameters: MembershipParameters, ask: (member: Member, address: string) => void) {
    this.#parameters = parameters;
    this.#ask = ask;
  }

  get deadline(): number {
    return this.#deadline;
  }

  /** The member said something of its own, and what came with it is taken in. */
  heard(member: Member, address: string, now: number): void {
    if (!member.lacksProfile) return;
    const missed = this.#missed.get(member);
    if (missed) {
      missed.address = address;
      return;
    }
    const askAt = now + this.#parameters.gossipIntervalMs;
    this.#missed.set(member, { address, askAt });
    this.#deadline = Math.min(this.#deadline, askAt);
  }

  stop(): void {
    this.#missed.clear();
    this.#deadline = Number.POSITIVE_INFINITY;
  }

  tick(now: number): void {
    if (now < this.#deadline) return;
    this.#deadline = Number.POSITIVE_INFINITY;
    for (const [member, missed] of this.#missed) {
      if (!member.lacksProfile) {
        this.#missed.delete(member);
        continue;
      }
      if (missed.askAt <= now) {
        this.#ask(member, missed.address);
        missed.askAt = now + this.#parameters.probeIntervalMs;
      }
      this.#deadline = Math.min(this.#deadline, missed.askAt);
    }
  }
}
