/** What this node holds about the others: takes statements in, suspects, lets suspicions run out, and passes on what it
 *  did not know. The rules of precedence: precedence.ts. */
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Emit, LivenessVerdict, MembershipAlarm } from './effects.js';
import {
  type Accusation,
  type Alive,
  type Left,
  type Member,
  type Statement,
  sameProfile,
} from './member.js';
import type { MemberTable } from './member-table.js';
import type { News } from './news.js';
import type { Sender } from './packet.js';
import type { MembershipParameters } from './parameters.js';
import { weigh } from './precedence.js';
import type { Routes } from './routes.js';
import { Suspicion, suspicionBounds } from './suspicion.js';

export interface BeliefParts {
  readonly ownNode: NodeId;
  readonly parameters: MembershipParameters;
  readonly table: MemberTable;
  readonly news: News;
  readonly routes: Routes;
  readonly emit: Emit;
  /** Something urgent is waiting to be told. */
  readonly hurry: (now: number) => void;
  /** We should see for ourselves; `chance`: it is enough that some members do. */
  readonly verify: (member: Member, now: number, chance: 'some' | 'sure') => void;
}

export class Beliefs {
  readonly #parts: BeliefParts;
  /** Set while a newcomer is told what everybody knows. */
  quiet = false;

  constructor(parts: BeliefParts) {
    this.#parts = parts;
  }

  /** `source` is who sent it, who need not be who first said it. */
  apply(statement: Statement, source: NodeId, now: number): void {
    const member = this.#parts.table.get(statement.node);
    if (!member) {
      this.#introduce(statement, now);
      return;
    }
    const ahead = statement.incarnation - member.incarnation;
    if (ahead > limits.incarnationJumpMax && source !== statement.node) {
      this.#alarm('incarnation-jump', statement.node);
      return;
    }
    const weight = weigh(statement, member);
    if (weight === 'taken') this.#take(member, statement, now);
    else if (weight === 'profile') this.#adoptProfile(member, statement as Alive, now);
    else if (weight === 'confirms') this.#confirm(member, statement as Accusation);
  }

  /** A member's own word, from the head of what it sent us: it is alive at that incarnation. Its profile follows in
   *  gossip, or is asked for; so does the news for others. Repairs what a liar pushed out of the node's own reach. */
  heard(member: Member, { boot, incarnation }: Sender, now: number): void {
    const ahead = incarnation - member.incarnation;
    if (ahead > 0 || ahead < -limits.incarnationJumpMax) {
      this.#parts.news.replace(member.node);
      this.#become(member, 'alive', { boot, incarnation }, now);
      member.profileIncarnation = Math.min(member.profileIncarnation, incarnation - 1);
    }
    if (member.boot === boot) this.#parts.routes.heard(member, now);
  }

  /** A suspect's process says when its loop last ran. If that was since, its own word may have missed us. */
  pulsed(member: Member, ranAt: number, now: number): void {
    if (member.suspicion?.pulsed(ranAt, now)) this.#parts.verify(member, now, 'sure');
  }

  /** A probe of ours failed. */
  accuse(member: Member, now: number): void {
    const { routes, ownNode } = this.#parts;
    const { node, boot, incarnation } = member;
    const accusation: Accusation = { state: 'suspect', node, boot, incarnation, accuser: ownNode };
    if (member.state === 'alive') this.#take(member, accusation, now);
    else if (member.state === 'suspect') this.#confirm(member, accusation);
    routes.probeFailed(member);
  }

  /** Declares those dead whose time is over, and looks for itself where a single accusation was neither confirmed nor
   *  refuted: gossip misses a node now and then. */
  expire(now: number): void {
    for (const member of this.#parts.table.suspects) {
      const suspicion = member.suspicion!;
      if (suspicion.deadline <= now) {
        this.#die(member, now);
        continue;
      }
      if (suspicion.askAt <= now) {
        suspicion.asked(now);
        this.#parts.emit({ type: 'ask-pulse', node: member.node });
      }
      if (suspicion.lookAt <= now) {
        suspicion.looked();
        if (member.reachable && member.heardAt <= suspicion.startedAt) {
          this.#parts.verify(member, now, 'sure');
        }
      }
    }
  }

  get deadline(): number {
    let nearest = Number.POSITIVE_INFINITY;
    for (const member of this.#parts.table.suspects) {
      const { deadline, lookAt, askAt } = member.suspicion!;
      nearest = Math.min(nearest, deadline, lookAt, askAt);
    }
    return nearest;
  }

  /** We heard nothing for so long. */
  extend(byMs: number): void {
    for (const member of this.#parts.table.suspects) member.suspicion!.extend(byMs);
  }

  /** Forgets who has been gone for long. */
  forgetOld(now: number): void {
    const { table, parameters } = this.#parts;
    for (const member of table.values()) {
      if (member.present || now - member.changedAt < parameters.deadKeptMs) continue;
      table.remove(member);
      this.#tell(member, 'forgotten');
    }
  }

  /** Nobody is taken in as dead: those who forgot a member would learn it from those who have not, for ever. */
  #introduce(statement: Statement, now: number): void {
    if (statement.state !== 'alive') return;
    const { table } = this.#parts;
    const member = table.add(statement, now);
    if (!member) {
      this.#alarm('members-full', statement.node);
      return;
    }
    this.#passOn(statement, now);
    this.#tell(member, 'joined');
    this.#parts.emit({ type: 'profile', node: member.node, profile: member.profile });
    this.#parts.emit({ type: 'route', node: member.node, reachable: true });
  }

  #take(member: Member, statement: Statement, now: number): void {
    switch (statement.state) {
      case 'alive':
        this.#passOn(statement, now);
        this.#become(member, 'alive', statement, now);
        this.#setProfile(member, statement);
        if (member.probeFailed) this.#parts.verify(member, now, 'sure');
        return;
      case 'left':
        this.#passOn(statement, now);
        this.#become(member, 'left', statement, now);
        return;
      case 'suspect':
      case 'dead': {
        // By hearsay nobody is more than suspected.
        const accusation: Accusation = { ...statement, state: 'suspect' };
        this.#passOn(accusation, now);
        this.#suspect(member, accusation, now);
      }
    }
  }

  #suspect(member: Member, accusation: Accusation, now: number): void {
    const { table, parameters, ownNode, verify } = this.#parts;
    const bounds = suspicionBounds(table.presentCount, parameters);
    const suspicion = new Suspicion(accusation.accuser, now, bounds, parameters);
    this.#become(member, 'suspect', accusation, now, suspicion);
    if (accusation.accuser !== ownNode) verify(member, now, 'some');
  }

  #confirm(member: Member, accusation: Accusation): void {
    if (!member.suspicion!.accuse(accusation.accuser)) return;
    if (!this.quiet) this.#parts.news.add({ ...accusation, state: 'suspect' });
    this.#parts.routes.review(member);
  }

  /** Only those who accused it say so: the others' own suspicions run out at the same time. */
  #die(member: Member, now: number): void {
    const { ownNode, news } = this.#parts;
    const { node, boot, incarnation } = member;
    const witnessed = member.suspicion!.accusers.includes(ownNode);
    news.replace(node);
    if (witnessed) news.add({ state: 'dead', node, boot, incarnation, accuser: ownNode });
    this.#become(member, 'dead', { boot, incarnation }, now);
  }

  #become(
    member: Member,
    state: Member['state'],
    { boot, incarnation }: Pick<Left, 'boot' | 'incarnation'>,
    now: number,
    suspicion?: Suspicion,
  ): void {
    const { table, routes } = this.#parts;
    const before = { state: member.state, boot: member.boot, present: member.present };
    if (before.state !== state) member.changedAt = now;
    Object.assign(member, { state, boot, incarnation, suspicion });
    if (suspicion) table.suspects.add(member);
    else table.suspects.delete(member);
    table.presentCount += Number(member.present) - Number(before.present);
    if (before.present && !member.present) this.#tell(member, state === 'left' ? 'left' : 'dead');
    else if (member.present && before.boot !== boot) this.#tell(member, 'restarted');
    else if (member.present && !before.present) this.#tell(member, 'recovered');
    routes.review(member);
  }

  /** What is said of a suspect is told beside the suspicion. */
  #adoptProfile(member: Member, statement: Alive, now: number): void {
    if (member.state === 'alive') this.#passOn(statement, now);
    else if (!this.quiet) this.#parts.news.add(statement);
    this.#setProfile(member, statement);
  }

  #setProfile(member: Member, { profile, incarnation }: Alive): void {
    const same = sameProfile(profile, member.profile);
    member.profile = profile;
    member.profileIncarnation = incarnation;
    if (!same) this.#parts.emit({ type: 'profile', node: member.node, profile });
  }

  #passOn(statement: Statement, now: number): void {
    const { news, hurry } = this.#parts;
    news.replace(statement.node);
    if (this.quiet) return;
    news.add(statement);
    hurry(now);
  }

  #tell(member: Member, verdict: LivenessVerdict['verdict']): void {
    this.#parts.emit({ type: 'liveness', node: member.node, boot: member.boot, verdict });
  }

  #alarm(code: MembershipAlarm['code'], node: NodeId): void {
    this.#parts.emit({ type: 'alarm', code, node });
  }
}
