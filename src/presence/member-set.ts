/** Who is in one channel, in the order of their sessions' ids, and how many there are beside those that are named. */
import type { Member } from '../protocol/messages.js';

export interface MembersPage {
  readonly members: readonly Member[];
  /** There are some behind these. */
  readonly more: boolean;
}

/** What takes one set to another. */
export interface MembersDifference {
  readonly joins: readonly Member[];
  readonly leaves: readonly string[];
}

export class MemberSet {
  readonly #members = new Map<string, Member>();
  /** Rising. Putting one in moves those behind it: some microseconds where there are a hundred thousand. */
  readonly #sessions: string[] = [];
  /** Present and not named. */
  others = 0;

  get count(): number {
    return this.#members.size + this.others;
  }

  get named(): number {
    return this.#members.size;
  }

  get isEmpty(): boolean {
    return this.count === 0;
  }

  get(session: string): Member | undefined {
    return this.#members.get(session);
  }

  /** Rising. */
  get sessions(): readonly string[] {
    return this.#sessions;
  }

  /** False where nothing is new. */
  set(member: Member): boolean {
    const { session } = member;
    const before = this.#members.get(session);
    if (before && isSame(before, member)) return false;
    this.#members.set(session, member);
    if (!before) this.#sessions.splice(this.#placeOf(session), 0, session);
    return true;
  }

  delete(session: string): boolean {
    if (!this.#members.delete(session)) return false;
    this.#sessions.splice(this.#placeOf(session), 1);
    return true;
  }

  /** Those behind the session `after`; from the first on where it is empty. */
  page(after: string, limit: number): MembersPage {
    let from = this.#placeOf(after);
    if (this.#sessions[from] === after) from++;
    const sessions = this.#sessions.slice(from, from + limit);
    return {
      members: sessions.map((session) => this.#members.get(session)!),
      more: from + limit < this.#sessions.length,
    };
  }

  differenceTo(next: MemberSet): MembersDifference {
    const leaves = this.#sessions.filter((session) => !next.get(session));
    const joins = [...next.#members.values()].filter((member) => {
      const before = this.#members.get(member.session);
      return !before || !isSame(before, member);
    });
    return { joins, leaves };
  }

  /** The first place whose session is not below. */
  #placeOf(session: string): number {
    let low = 0;
    let high = this.#sessions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sessions[middle]! < session) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function isSame(a: Member, b: Member): boolean {
  return a.since === b.since && a.user === b.user && a.metadata === b.metadata;
}
