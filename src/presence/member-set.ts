/** Who is in one channel, in the order of their sessions' ids, and how many there are beside those that are named. */
import type { Member } from '../protocol/messages.js';
import { SortedTexts } from '../base/sorted-texts.js';

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
  readonly #sessions = new SortedTexts();
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

  /** False where nothing is new. */
  set(member: Member): boolean {
    const { session } = member;
    const before = this.#members.get(session);
    if (before && isSame(before, member)) return false;
    this.#members.set(session, member);
    if (!before) this.#sessions.add(session);
    return true;
  }

  delete(session: string): boolean {
    if (!this.#members.delete(session)) return false;
    this.#sessions.delete(session);
    return true;
  }

  /** Those behind the session `after`; from the first on where it is empty. */
  page(after: string, limit: number): MembersPage {
    // One more tells whether there are more.
    const sessions = this.#sessions.behind(after, limit + 1);
    const members = sessions.slice(0, limit).map((session) => this.#members.get(session)!);
    return { members, more: sessions.length > limit };
  }

  differenceTo(next: MemberSet): MembersDifference {
    const leaves = [...this.#members.keys()].filter((session) => !next.get(session));
    const joins = [...next.#members.values()].filter((member) => {
      const before = this.#members.get(member.session);
      return !before || !isSame(before, member);
    });
    return { joins, leaves };
  }
}

function isSame(a: Member, b: Member): boolean {
  return a.since === b.since && a.user === b.user && a.metadata === b.metadata;
}
