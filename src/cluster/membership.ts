/** Who is in the cluster and answers: SWIM (Das, Gupta, Motivala 2002) with Lifeguard's refinements (Dadgar, Phillips,
 *  Currey 2018), one instance a node. It only says who can be reached (`route`) and who is gone (`liveness`); the ring,
 *  homes and quorums never follow from it.
 *
 *  Pure: packets, syncs and the time come in, effects go out through one synchronous sink. Call `tick` when
 *  `nextDeadline()` is reached, `receive` for every packet that is addressed here. Times are monotonic milliseconds.
 *
 *  What a lying member can do is bounded: nobody dies by hearsay, what a node says of itself outweighs what others say,
 *  and what we see ourselves outweighs both (docs of the rules: precedence.ts, routes.ts, own-standing.ts). */
import { assert } from '../base/assert.js';
import type { NodeId } from '../base/ids.js';
import type { Random } from '../base/random.js';
import { Beliefs } from './beliefs.js';
import type { Emit } from './effects.js';
import { Gossip } from './gossip.js';
import { LocalHealth } from './local-health.js';
import {
  type BootId,
  type Member,
  type MemberState,
  type Profile,
  type Statement,
  aliveStatement,
  isProfile,
  statementOf,
} from './member.js';
import { MemberTable } from './member-table.js';
import { MissedProfiles } from './missed-profiles.js';
import { News } from './news.js';
import { OwnStanding } from './own-standing.js';
import type { Packet, Sync } from './packet.js';
import type { MembershipParameters } from './parameters.js';
import { Prober } from './prober.js';
import { Relays } from './relays.js';
import { Reunion } from './reunion.js';
import { Routes } from './routes.js';

export interface MembershipOptions {
  readonly node: NodeId;
  readonly boot: BootId;
  readonly profile: Profile;
  readonly parameters: MembershipParameters;
  readonly random: Random;
  readonly emit: Emit;
}

export interface MemberView {
  readonly node: NodeId;
  readonly boot: BootId;
  readonly state: MemberState;
  readonly incarnation: number;
  readonly reachable: boolean;
  readonly profile: Profile;
}

export class Membership {
  readonly #parameters: MembershipParameters;
  readonly #random: Random;
  readonly #emit: Emit;
  readonly #table: MemberTable;
  readonly #news = new News();
  readonly #health: LocalHealth;
  readonly #standing: OwnStanding;
  readonly #gossip: Gossip;
  readonly #routes: Routes;
  readonly #beliefs: Beliefs;
  readonly #prober: Prober;
  readonly #relays: Relays;
  readonly #reunion: Reunion;
  readonly #missed: MissedProfiles;
  #state: 'new' | 'running' | 'leaving' | 'ended' = 'new';
  #seq: number;
  #nextProbeAt = Number.POSITIVE_INFINITY;
  #nextSyncAt = Number.POSITIVE_INFINITY;
  #leaveEndsAt = Number.POSITIVE_INFINITY;

  constructor({ node, boot, profile, parameters, random, emit }: MembershipOptions) {
    assert(isProfile(profile), 'a profile keeps to its bounds');
    this.#parameters = parameters;
    this.#random = random;
    this.#emit = emit;
    this.#seq = Math.floor(random.next() * 2 ** 32);
    const table = new MemberTable(random);
    const news = this.#news;
    this.#table = table;
    this.#health = new LocalHealth(parameters.localHealthMax);
    this.#standing = new OwnStanding(node, boot, profile, parameters.gossipIntervalMs);
    this.#gossip = new Gossip({ parameters, standing: this.#standing, table, news, emit });
    this.#routes = new Routes(emit);
    this.#reunion = new Reunion(parameters, table, random);
    this.#missed = new MissedProfiles(parameters, (member, address) =>
      this.#gossip.ask(member, address, { type: 'ping', seq: this.#nextSeq() }),
    );
    this.#relays = new Relays(parameters, ({ node: asker, address, seq }) => {
      this.#gossip.answer(asker, address, { type: 'nack', seq });
    });
    this.#prober = this.#makeProber();
    this.#beliefs = this.#makeBeliefs();
  }

  /** Begins, and tries to join by these addresses until somebody answers. */
  start(knownAddresses: readonly string[], now: number): void {
    assert(this.#state === 'new', 'membership starts once');
    this.#state = 'running';
    this.#nextProbeAt = now + this.#random.next() * this.#parameters.probeIntervalMs;
    this.#nextSyncAt = now + this.#random.next() * this.#parameters.syncIntervalMs;
    this.#reunion.start(now);
    this.#reunion.learn(knownAddresses, now);
  }

  /** More addresses to try: discovery found them. */
  learn(addresses: readonly string[], now: number): void {
    this.#reunion.learn(addresses, now);
  }

  /** When to call `tick`; `Infinity` when never. */
  nextDeadline(): number {
    if (this.#state === 'new' || this.#state === 'ended') return Number.POSITIVE_INFINITY;
    return Math.min(
      this.#nextProbeAt,
      this.#nextSyncAt,
      this.#leaveEndsAt,
      this.#prober.deadline,
      this.#relays.deadline,
      this.#beliefs.deadline,
      this.#gossip.deadline,
      this.#reunion.deadline,
      this.#missed.deadline,
      this.#standing.deadline,
    );
  }

  /** Does what is due. Being called late counts as a pause of this process. */
  tick(now: number): void {
    if (now < this.nextDeadline()) return;
    // Other deadlines may be past as soon as they are set.
    const lateMs = now - Math.min(this.#nextProbeAt, this.#prober.deadline);
    if (lateMs > this.#parameters.stallMs) this.stalled(lateMs, now);
    if (this.#standing.refute(now)) this.#announce(now);
    this.#relays.tick(now);
    if (this.#state === 'running') this.#probeAndSync(now);
    this.#gossip.tick(now);
    if (now < this.#leaveEndsAt) return;
    this.#state = 'ended';
    this.#emit({ type: 'leave-complete' });
  }

  /** This process did not run for so long: nobody is blamed for what was not heard, and answers that wait to be read get
   *  their time (reliability rules on pauses). */
  stalled(forMs: number, now: number): void {
    const extraMs = forMs + this.#parameters.probeTimeoutMs;
    this.#prober.extend(extraMs);
    this.#relays.extend(extraMs);
    this.#beliefs.extend(extraMs);
    this.#nextProbeAt = Math.max(this.#nextProbeAt, now + this.#parameters.probeTimeoutMs);
    this.#health.change(1);
  }

  /** A packet from `address`. */
  receive(packet: Packet, address: string, now: number): void {
    const { from, to, news, message } = packet;
    if (this.#state === 'new' || this.#state === 'ended' || to !== this.#standing.node) return;
    if (from === to) {
      if (packet.boot !== this.#standing.boot)
        this.#emit({ type: 'alarm', code: 'identity-conflict', node: to });
      return;
    }
    const known = this.#table.get(from);
    if (known) this.#beliefs.heard(known, packet, now);
    for (const statement of news) this.#hear(statement, from, now);
    if (!known) this.#meet(packet, address, now);
    const member = this.#table.get(from);
    if (member && this.#state === 'running') this.#missed.heard(member, address, now);
    switch (message.type) {
      case 'ping': {
        const isBehind = news.some((statement) => this.#standing.isOutdated(statement));
        this.#gossip.reply(packet, address, { type: 'ack', seq: message.seq }, isBehind);
        return;
      }
      case 'ack':
        this.#takeAck(message.seq, from);
        return;
      case 'nack':
        this.#prober.nacked(message.seq, from);
        return;
      case 'ping-request':
        this.#relay(message, packet, address, now);
        return;
      case 'gossip':
    }
  }

  /** Both sides' part of a sync: for a request, answer with `sync()` afterwards. */
  receiveSync({ statements, ...sender }: Sync, now: number): void {
    if (this.#state !== 'running' || sender.from === this.#standing.node) return;
    const alone = this.#table.presentCount === 1;
    this.#beliefs.quiet = alone;
    for (const statement of statements) this.#hear(statement, sender.from, now);
    this.#beliefs.quiet = false;
    const member = this.#table.get(sender.from);
    if (member) this.#beliefs.heard(member, sender, now);
    if (!alone || this.#table.presentCount === 1) return;
    this.#nextSyncAt = now + this.#random.next() * this.#syncIntervalMs();
    this.#announce(now);
  }

  /** All this node knows. */
  sync(): Sync {
    const { node: from, boot, incarnation, statement } = this.#standing;
    const statements = [statement];
    for (const member of this.#table.values()) {
      if (member.present) statements.push(aliveStatement(member));
      else statements.push(statementOf(member, from));
      for (const accuser of member.suspicion?.accusers ?? []) {
        const about = { node: member.node, boot: member.boot, incarnation: member.incarnation };
        statements.push({ state: 'suspect', ...about, accuser });
      }
    }
    return { from, boot, incarnation, statements };
  }

  /** The member answered the stream probe of that number. */
  streamAnswered(seq: number, now: number): void {
    const member = this.#prober.answeredStream(seq);
    if (member) this.#routes.heard(member, now);
  }

  /** The thread beside that node's loop says that the loop ran `ageMs` ago. */
  pulsed(node: NodeId, ageMs: number, now: number): void {
    const member = this.#table.get(node);
    if (!member) return;
    this.#prober.pulsed(member, now - ageMs);
    this.#beliefs.pulsed(member, now - ageMs, now);
  }

  /** The connection to that node broke or was refused: it is probed at once. */
  linkBroken(node: NodeId, now: number): void {
    const member = this.#table.get(node);
    if (!member?.present || this.#state !== 'running') return;
    this.#routes.linkFailed(member);
    this.#prober.probe(member, now);
  }

  /** The connection to that node stands, or brought something. */
  linkAlive(node: NodeId, now: number): void {
    const member = this.#table.get(node);
    if (member) this.#routes.heard(member, now);
  }

  /** What this node says of itself from now on; told to all when it differs. */
  update(profile: Profile, now: number): void {
    assert(isProfile(profile), 'a profile keeps to its bounds');
    if (this.#standing.update(profile, now)) this.#announce(now);
  }

  /** Says goodbye. Pings are answered until `leave-complete`. */
  leave(now: number): void {
    if (this.#state !== 'running') return;
    this.#state = 'leaving';
    this.#standing.leave();
    this.#prober.clear();
    this.#nextProbeAt = this.#nextSyncAt = Number.POSITIVE_INFINITY;
    this.#reunion.stop();
    this.#missed.stop();
    this.#leaveEndsAt = now + this.#parameters.leaveLingerMs;
    this.#announce(now);
    const told = this.#table.pick(this.#parameters.leaveToldMax, (member) => member.present);
    const { statement } = this.#standing;
    for (const member of told) this.#gossip.send(member, { type: 'gossip' }, statement);
  }

  members(): MemberView[] {
    return Array.from(this.#table.values(), viewOf);
  }

  member(node: NodeId): MemberView | undefined {
    const member = this.#table.get(node);
    return member && viewOf(member);
  }

  /** 0 healthy to 7; what this node says about others is to be taken accordingly. */
  get localHealth(): number {
    return this.#health.score;
  }

  get incarnation(): number {
    return this.#standing.incarnation;
  }

  #makeProber(): Prober {
    return new Prober({
      parameters: this.#parameters,
      table: this.#table,
      health: this.#health,
      nextSeq: () => this.#nextSeq(),
      ping: (member, seq) => this.#gossip.send(member, { type: 'ping', seq }),
      askToPing: (helper, target, seq) => this.#gossip.send(helper, { type: 'ping-request', seq, target }),
      askStream: ({ node, profile }, seq) =>
        this.#emit({ type: 'stream-probe', address: profile.peerAddress, node, seq }),
      askPulse: ({ node }) => this.#emit({ type: 'ask-pulse', node }),
      silent: (member) => this.#routes.linkFailed(member),
      answeredOthers: (member) => this.#routes.heardByOthers(member),
      failed: (member, now) => this.#beliefs.accuse(member, now),
    });
  }

  #makeBeliefs(): Beliefs {
    return new Beliefs({
      ownNode: this.#standing.node,
      parameters: this.#parameters,
      table: this.#table,
      news: this.#news,
      routes: this.#routes,
      emit: this.#emit,
      hurry: (now) => this.#gossip.hurry(now),
      verify: (member, now, chance) => this.#verify(member, now, chance),
    });
  }

  #probeAndSync(now: number): void {
    this.#prober.tick(now);
    this.#missed.tick(now);
    this.#beliefs.expire(now);
    if (this.#nextProbeAt <= now) {
      this.#nextProbeAt = now + this.#parameters.probeIntervalMs * this.#health.multiplier;
      const member = this.#table.nextToProbe();
      if (member) this.#prober.probe(member, now);
    }
    const gone = this.#reunion.goneToPing(now);
    if (gone) this.#gossip.send(gone, { type: 'ping', seq: this.#nextSeq() });
    const lost = this.#reunion.rejoinAddress(this.#standing.profile.peerAddress, now);
    if (lost) this.#requestSync(lost);
    if (this.#nextSyncAt <= now) this.#syncWithSomebody(now);
  }

  #syncWithSomebody(now: number): void {
    this.#nextSyncAt = now + this.#syncIntervalMs() * (0.75 + this.#random.next() / 2);
    this.#beliefs.forgetOld(now);
    for (const { profile } of this.#table.pick(1, (member) => member.present && member.reachable)) {
      this.#requestSync(profile.peerAddress);
    }
  }

  #syncIntervalMs(): number {
    return this.#parameters.syncIntervalMs * syncSlowdown(this.#table.presentCount);
  }

  #requestSync(address: string): void {
    this.#emit({ type: 'sync', address, request: this.sync() });
  }

  #hear(statement: Statement, source: NodeId, now: number): void {
    const { node } = this.#standing;
    if (statement.node !== node) {
      this.#beliefs.apply(statement, source, now);
      return;
    }
    const alarm = this.#standing.hear(statement);
    if (alarm) this.#emit({ type: 'alarm', code: alarm, node });
    if (!this.#standing.refute(now)) return;
    this.#health.change(1);
    this.#announce(now);
  }

  /** A sender nobody told us of: its packet may have introduced it, else both sides tell each other everything. */
  #meet(packet: Packet, address: string, now: number): void {
    const member = this.#table.get(packet.from);
    if (member) this.#beliefs.heard(member, packet, now);
    else if (this.#state === 'running' && this.#reunion.meetsStranger(now)) this.#requestSync(address);
  }

  #takeAck(seq: number, from: NodeId): void {
    const asker = this.#relays.answered(seq, from);
    if (asker) this.#gossip.answer(asker.node, asker.address, { type: 'ack', seq: asker.seq });
    else this.#prober.answered(seq, from);
  }

  #relay(message: { seq: number; target: NodeId }, packet: Packet, address: string, now: number): void {
    const target = this.#table.get(message.target);
    if (!target || this.#relays.full || this.#state !== 'running') return;
    const seq = this.#nextSeq();
    this.#relays.begin(seq, { node: packet.from, address, seq: message.seq }, target.node, now);
    this.#gossip.send(target, { type: 'ping', seq });
  }

  /** About `verifiers` members of all probe a new suspect: more would be a burst at a node that may only be busy. */
  #verify(member: Member, now: number, chance: 'some' | 'sure'): void {
    const { verifiers } = this.#parameters;
    const chosen = chance === 'sure' || this.#random.next() * this.#table.presentCount < verifiers;
    if (chosen && this.#state === 'running') this.#prober.probe(member, now);
  }

  #announce(now: number): void {
    this.#news.replace(this.#standing.node, this.#standing.statement);
    this.#gossip.hurry(now);
  }

  #nextSeq(): number {
    this.#seq = (this.#seq + 1) >>> 0;
    return this.#seq;
  }
}

/** Twice the members, one more interval: a sync carries all of them. As memberlist scales its push-pull. */
function syncSlowdown(memberCount: number): number {
  const freeOfCharge = 32;
  return memberCount <= freeOfCharge ? 1 : Math.ceil(Math.log2(memberCount / freeOfCharge)) + 1;
}

function viewOf({ node, boot, state, incarnation, reachable, profile }: Member): MemberView {
  return { node, boot, state, incarnation, reachable, profile };
}
