/** Whether to route to a member: on the first accusation if our own way to it fails too, else on the second accuser,
 *  unless it has spoken to us itself since. Early and cheap: it only chooses which home acts, and is taken back at once.
 *
 *  What we saw ourselves outweighs what we were told, in both directions: after a failed probe of ours only the member's
 *  own word brings it back, and while it answers us no number of accusers takes it away. */
import type { Emit } from './effects.js';
import type { Member } from './member.js';

export function isReachable(member: Member): boolean {
  if (!member.present || member.probeFailed) return false;
  const { suspicion } = member;
  if (!suspicion) return true;
  if (member.linkFails) return false;
  return suspicion.accusers.length < 2 || member.heardAt > suspicion.startedAt;
}

export class Routes {
  readonly #emit: Emit;

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  /** Tells when the verdict about this member has changed. */
  review(member: Member): void {
    const reachable = isReachable(member);
    if (reachable === member.reachable) return;
    member.reachable = reachable;
    this.#emit({ type: 'route', node: member.node, reachable });
  }

  /** It spoke to us, directly or over a stream. */
  heard(member: Member, now: number): void {
    member.heardAt = now;
    member.linkFails = false;
    member.probeFailed = false;
    this.review(member);
  }

  /** It answered one who asked for us: it is there, though our own way to it may fail. */
  heardByOthers(member: Member): void {
    member.probeFailed = false;
    this.review(member);
  }

  linkFailed(member: Member): void {
    member.linkFails = true;
    this.review(member);
  }

  probeFailed(member: Member): void {
    member.linkFails = true;
    member.probeFailed = true;
    this.review(member);
  }
}
