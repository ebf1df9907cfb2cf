/** Probes: a direct ping; then others are asked to ping, the stream is tried and the pulse asked for; then the verdict.
 *  SWIM's failure detector (Das et al. 2002, §3.1) with Lifeguard's nacks (Dadgar et al. 2018, §III-A). */
import type { NodeId } from '../base/ids.js';
import type { LocalHealth } from './local-health.js';
import type { Member } from './member.js';
import type { MemberTable } from './member-table.js';
import type { MembershipParameters } from './parameters.js';

interface Probe {
  readonly seq: number;
  readonly member: Member;
  /** When others are asked, and when all is over. */
  directEndsAt: number;
  endsAt: number;
  /** Its pulse came, and what that was worth was given. */
  isPatient: boolean;
  /** Who was asked to help; empty before. */
  helpers: readonly NodeId[];
  indirect: boolean;
  readonly nacks: Set<NodeId>;
}

export interface ProberParts {
  readonly parameters: MembershipParameters;
  readonly table: MemberTable;
  readonly health: LocalHealth;
  readonly nextSeq: () => number;
  readonly ping: (member: Member, seq: number) => void;
  readonly askToPing: (helper: Member, target: NodeId, seq: number) => void;
  readonly askStream: (member: Member, seq: number) => void;
  readonly askPulse: (member: Member) => void;
  /** The direct answer did not come in time. */
  readonly silent: (member: Member) => void;
  /** Answered, though not to us. */
  readonly answeredOthers: (member: Member) => void;
  readonly failed: (member: Member, now: number) => void;
}

export class Prober {
  readonly #parts: ProberParts;
  readonly #probes = new Map<number, Probe>();

  constructor(parts: ProberParts) {
    this.#parts = parts;
  }

  get deadline(): number {
    let nearest = Number.POSITIVE_INFINITY;
    for (const probe of this.#probes.values()) nearest = Math.min(nearest, dueOf(probe));
    return nearest;
  }

  /** Begins a probe, unless one of this member is under way. */
  probe(member: Member, now: number): void {
    for (const probe of this.#probes.values()) if (probe.member === member) return;
    const { parameters, health, nextSeq, ping } = this.#parts;
    const seq = nextSeq();
    const directEndsAt = now + parameters.probeTimeoutMs * health.multiplier;
    const endsAt = now + parameters.probeIntervalMs * health.multiplier;
    const probe = {
      seq,
      member,
      directEndsAt,
      endsAt,
      isPatient: false,
      helpers: [],
      indirect: false,
      nacks: new Set<NodeId>(),
    };
    this.#probes.set(seq, probe);
    ping(member, seq);
  }

  /** An ack by the member itself, or by one who was asked to ping it; others' do not count. */
  answered(seq: number, from: NodeId): void {
    const probe = this.#probes.get(seq);
    if (!probe) return;
    const { member } = probe;
    if (from !== member.node && !probe.helpers.includes(from)) return;
    this.#succeeded(probe);
    if (from !== member.node) this.#parts.answeredOthers(member);
  }

  /** The member answered over a stream; the member, if the probe was still open. */
  answeredStream(seq: number): Member | undefined {
    const probe = this.#probes.get(seq);
    if (!probe?.indirect) return undefined;
    this.#succeeded(probe);
    return probe.member;
  }

  /** The member's loop last ran then: it has some time from there on to come to our ping. Once a probe, so that one whose loop
   *  runs and whose words do not come through is found out. */
  pulsed(member: Member, ranAt: number): void {
    for (const probe of this.#probes.values()) {
      if (probe.member !== member || !probe.indirect || probe.isPatient) continue;
      probe.isPatient = true;
      probe.endsAt = Math.max(probe.endsAt, ranAt + this.#parts.parameters.pulseFreshMs);
    }
  }

  nacked(seq: number, from: NodeId): void {
    const probe = this.#probes.get(seq);
    if (probe?.helpers.includes(from)) probe.nacks.add(from);
  }

  tick(now: number): void {
    for (const probe of this.#probes.values()) {
      if (probe.endsAt <= now) this.#fail(probe, now);
      else if (!probe.indirect && probe.directEndsAt <= now) this.#goIndirect(probe);
    }
  }

  /** Answers may be waiting that we had no time to read. */
  extend(byMs: number): void {
    for (const probe of this.#probes.values()) {
      probe.directEndsAt += byMs;
      probe.endsAt += byMs;
    }
  }

  clear(): void {
    this.#probes.clear();
  }

  #succeeded(probe: Probe): void {
    this.#probes.delete(probe.seq);
    this.#parts.health.change(-1);
  }

  #goIndirect(probe: Probe): void {
    const { table, parameters, askToPing, askStream, askPulse, silent } = this.#parts;
    const { member, seq } = probe;
    probe.indirect = true;
    silent(member);
    const helpers = table.pick(
      parameters.indirectProbers,
      (other) => other !== member && other.state === 'alive' && other.reachable,
    );
    probe.helpers = helpers.map((helper) => helper.node);
    for (const helper of helpers) askToPing(helper, member.node, seq);
    askStream(member, seq);
    askPulse(member);
  }

  /** Helpers that do not even say "no answer" speak against ourselves. */
  #fail(probe: Probe, now: number): void {
    const { health, failed } = this.#parts;
    this.#probes.delete(probe.seq);
    const asked = probe.helpers.length;
    health.change(asked > 0 ? asked - probe.nacks.size : 1);
    failed(probe.member, now);
  }
}

function dueOf(probe: Probe): number {
  return probe.indirect ? probe.endsAt : Math.min(probe.directEndsAt, probe.endsAt);
}
