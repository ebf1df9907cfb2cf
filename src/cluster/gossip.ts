/** Everything this node sends: it puts the sender's head, the buddy statement and the news that fit into each packet, and
 *  decides when to gossip.
 *
 *  Buddy (Dadgar et al. 2018, §III-C): whatever goes to a member that is accused says so first, so that it can refute at
 *  once. The same tells a restarted node what was known of its earlier life, and a member whose last words were missed which
 *  ones are held here: it answers a ping with the newer ones. */
import type { NodeId } from '../base/ids.js';
import type { Emit } from './effects.js';
import { type Member, type Statement, statementOf } from './member.js';
import type { MemberTable } from './member-table.js';
import { packetHeadBytesMax, statementFieldLength } from './membership-wire.js';
import { type News, transmitLimit } from './news.js';
import type { OwnStanding } from './own-standing.js';
import type { Message, Packet, Sender } from './packet.js';
import type { MembershipParameters } from './parameters.js';

/** Rounds at the fresh pace: with three members each, all but one in ten thousand are reached. */
const freshRounds = 3;
/** Rounds that may be early in a row. One more is earned in each gossip interval, so however much is new, a node gossips
 *  at most twice as often in the long run. */
const earlyRoundsMax = 6;

export interface GossipParts {
  readonly parameters: MembershipParameters;
  readonly standing: OwnStanding;
  readonly table: MemberTable;
  readonly news: News;
  readonly emit: Emit;
}

export class Gossip {
  readonly #parts: GossipParts;
  #nextAt = 0;
  #lastAt = Number.NEGATIVE_INFINITY;
  #freshRoundsLeft = 0;
  #earlyRounds = earlyRoundsMax;

  constructor(parts: GossipParts) {
    this.#parts = parts;
  }

  get deadline(): number {
    return this.#parts.news.waiting > 0 ? this.#nextAt : Number.POSITIVE_INFINITY;
  }

  /** Something new is waiting that others act upon. */
  hurry(now: number): void {
    this.#freshRoundsLeft = freshRounds;
    this.#nextAt = Math.min(this.#nextAt, Math.max(now, this.#lastAt + this.#freshPaceMs()));
  }

  tick(now: number): void {
    const { parameters, table, news } = this.#parts;
    if (news.waiting === 0 || now < this.#nextAt) return;
    const earned = (now - this.#lastAt) / parameters.gossipIntervalMs;
    this.#earlyRounds = Math.min(earlyRoundsMax, this.#earlyRounds + earned);
    if (earned < 1) this.#earlyRounds--;
    this.#lastAt = now;
    if (this.#freshRoundsLeft > 0) this.#freshRoundsLeft--;
    this.#nextAt = now + (this.#freshRoundsLeft > 0 ? this.#freshPaceMs() : parameters.gossipIntervalMs);
    for (const member of table.pick(parameters.gossipFanOut, (other) => other.present)) {
      this.send(member, { type: 'gossip' });
    }
  }

  /** `first` goes in before all else. */
  send(member: Member, message: Message, first = this.#buddyFor(member)): void {
    this.#emit(member.profile.peerAddress, member.node, message, first);
  }

  /** Goes to where the packet came from; the sender learns what we hold of it if that is not what it says itself. First of all,
   *  though, who we are, where it `isBehind`. */
  reply(to: Sender, address: string, message: Message, isBehind: boolean): void {
    const { table, standing } = this.#parts;
    const member = table.get(to.from);
    const agreed =
      !member ||
      (member.state === 'alive' &&
        !member.lacksProfile &&
        member.boot === to.boot &&
        member.incarnation <= to.incarnation);
    const buddy = agreed ? undefined : statementOf(member, standing.node);
    this.#emit(address, to.from, message, isBehind ? standing.statement : buddy);
  }

  /** To where a member was heard from: its profile, which is missed here, may say that it lives there now. */
  ask(member: Member, address: string, message: Message): void {
    this.#emit(address, member.node, message, this.#buddyFor(member));
  }

  /** To one who asked for help. */
  answer(node: NodeId, address: string, message: Message): void {
    this.#emit(address, node, message);
  }

  #freshPaceMs(): number {
    const { gossipFreshMs, gossipIntervalMs } = this.#parts.parameters;
    return this.#earlyRounds >= 1 ? gossipFreshMs : gossipIntervalMs;
  }

  #buddyFor(member: Member): Statement | undefined {
    const agreed = member.state === 'alive' && !member.lacksProfile;
    return agreed ? undefined : statementOf(member, this.#parts.standing.node);
  }

  #emit(address: string, to: NodeId, message: Message, buddy?: Statement): void {
    const { parameters, standing, table, news, emit } = this.#parts;
    const budget = parameters.packetBytesMax - packetHeadBytesMax - (buddy ? statementFieldLength(buddy) : 0);
    const told = news.take(budget, transmitLimit(table.presentCount, parameters.transmitFactor));
    const { node: from, boot, incarnation } = standing;
    const packet: Packet = { from, boot, incarnation, to, message, news: buddy ? [buddy, ...told] : told };
    emit({ type: 'send', address, packet });
  }
}
