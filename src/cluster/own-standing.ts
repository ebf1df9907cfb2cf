/** What this node says of itself, and how it overrules what others say of it: by raising its incarnation above theirs.
 *
 *  It does so at most once in `intervalMs`, whatever is said how often. */
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { MembershipAlarm } from './effects.js';
import { type BootId, type Profile, type Statement, sameProfile } from './member.js';

/** Times another process of this node's id may raise the incarnation before it counts as one that lives. */
const foreignRaisesMax = 3;

export class OwnStanding {
  readonly node: NodeId;
  readonly boot: BootId;
  readonly #intervalMs: number;
  #profile: Profile;
  #incarnation = 1;
  #left = false;
  /** The highest incarnation others know of, where it must be overruled. */
  #overrule: number | undefined;
  #raisedAt = Number.NEGATIVE_INFINITY;
  /** The boot that claims this node's id, and how often it did so anew. */
  #foreign: { boot: BootId; raises: number } | undefined;

  constructor(node: NodeId, boot: BootId, profile: Profile, intervalMs: number) {
    this.node = node;
    this.boot = boot;
    this.#profile = profile;
    this.#intervalMs = intervalMs;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  get profile(): Profile {
    return this.#profile;
  }

  get left(): boolean {
    return this.#left;
  }

  get statement(): Statement {
    const about = { node: this.node, boot: this.boot, incarnation: this.#incarnation };
    return this.#left ? { state: 'left', ...about } : { state: 'alive', ...about, profile: this.#profile };
  }

  /** When the next refutation is due, if one is. */
  get deadline(): number {
    return this.#overrule === undefined ? Number.POSITIVE_INFINITY : this.#raisedAt + this.#intervalMs;
  }

  /** Takes in what somebody said of this node. */
  hear(statement: Statement): MembershipAlarm['code'] | undefined {
    if (this.#left || statement.incarnation < this.#incarnation || this.#says(statement)) return undefined;
    // Nobody has to follow: our own word brings those who believed it back (beliefs.ts, `heard`).
    if (statement.incarnation > this.#incarnation + limits.incarnationJumpMax) return 'incarnation-jump';
    this.#overrule = Math.max(this.#overrule ?? 0, statement.incarnation);
    if (statement.state !== 'alive' || statement.boot === this.boot) return undefined;
    if (this.#foreign?.boot !== statement.boot) this.#foreign = { boot: statement.boot, raises: 0 };
    return ++this.#foreign.raises > foreignRaisesMax ? 'identity-conflict' : undefined;
  }

  /** What this node said of itself before: whoever says it has missed what came after. */
  isOutdated(statement: Statement): boolean {
    const { node, state, incarnation } = statement;
    return node === this.node && state === 'alive' && incarnation < this.#incarnation;
  }

  /** Raises the incarnation if that is due; whether it did. */
  refute(now: number): boolean {
    if (this.#overrule === undefined || now < this.deadline) return false;
    this.#raiseAbove(Math.max(this.#incarnation, this.#overrule), now);
    return true;
  }

  /** Whether anything changed. */
  update(profile: Profile, now: number): boolean {
    if (this.#left || sameProfile(profile, this.#profile)) return false;
    this.#profile = profile;
    this.#raiseAbove(Math.max(this.#incarnation, this.#overrule ?? 0), now);
    return true;
  }

  leave(): void {
    this.#left = true;
    this.#overrule = undefined;
  }

  #raiseAbove(incarnation: number, now: number): void {
    this.#incarnation = Math.min(incarnation + 1, limits.incarnationMax);
    this.#overrule = undefined;
    this.#raisedAt = now;
  }

  #says(statement: Statement): boolean {
    return (
      statement.state === 'alive' &&
      statement.incarnation === this.#incarnation &&
      statement.boot === this.boot &&
      sameProfile(statement.profile, this.#profile)
    );
  }
}
