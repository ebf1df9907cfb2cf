/** Proofs for administrators, a part of the ring at a time: one home of each interval reads and compares with all others of it
 *  (verifying.ts), this node where it is one, else one that it reaches. */
import type { NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import { holdersOf } from '../../cluster/intervals.js';
import type { RingTable } from '../../cluster/ring-table.js';
import { type Difference, type RingRange, ringEnd } from '../../replication/reconcile-messages.js';
import type { VerifiedPeer, VerifyOptions, VerifyReport } from '../api.js';
import type { Clock, Timers } from '../ports.js';
import { Deadlines } from './deadlines.js';
import type { Verified, VerifyAsked } from './peer-messages.js';
import type {
  ProofDifference,
  ProofDifferenceKind,
  ProofHome,
  ProofPage,
  ProofRefusal,
  ProofRequest,
} from './proof.js';
import { arcsOf, commonArcs, joined } from './shared-arcs.js';

export interface ProvingParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly self: NodeId;
  ring(): RingTable;
  isLinked(peer: NodeId): boolean;
  tell(peer: NodeId, message: VerifyAsked | Verified): void;
  verify(options: VerifyOptions): Promise<VerifyReport>;
  failed(error: unknown): void;
}

/** Which home proves what, and the homes of what nobody that is reached can prove. */
interface ProofPlan {
  readonly provers: ReadonlyMap<NodeId, readonly RingRange[]>;
  readonly unreachable: ReadonlySet<NodeId>;
}

interface Asked {
  readonly peer: NodeId;
  answer(report: VerifyReport | 'interrupted' | 'late'): void;
}

const ringSize = 1n << 64n;
/** From the best to what is told of a home that is several. */
const ranks: readonly ProofHome['state'][] = ['equal', 'differs', 'late', 'interrupted', 'unreachable'];
const kinds: Readonly<Record<Difference, ProofDifferenceKind>> = {
  lacking: 'missing',
  only: 'missing',
  heads: 'entries',
  content: 'records',
  damaged: 'unreadable',
};

export class Proving {
  readonly #parts: ProvingParts;
  readonly #asked = new Map<number, Asked>();
  readonly #deadlines: Deadlines<number>;
  /** Nodes that this one proves something for now. */
  readonly #askedBy = new Set<NodeId>();
  #pages = 0;
  #lastId = 0;
  #isStopped = false;

  constructor(parts: ProvingParts) {
    this.#parts = parts;
    this.#deadlines = new Deadlines(parts.clock, parts.timers, (id) => this.#settle(id, 'interrupted'));
  }

  async page({ after, repair = false }: ProofRequest): Promise<Result<ProofPage, ProofRefusal>> {
    const place = after === undefined ? firstPlace : placeOf(after);
    if (!place) return err('bad-cursor');
    if (this.#isStopped) return err('not-serving');
    if (this.#pages >= limits.verifyPagesMax) return err('busy');
    this.#pages++;
    try {
      return ok(await this.#prove(place, repair));
    } finally {
      this.#pages--;
    }
  }

  received(peer: NodeId, message: VerifyAsked | Verified): void {
    if (message.type === 'verify') return void this.#answer(peer, message);
    if (this.#asked.get(message.id)?.peer !== peer) return;
    const { channels, entries, peers } = message;
    this.#settle(message.id, peers.length === 0 ? 'late' : { isEqual: false, channels, entries, peers });
  }

  unlinked(peer: NodeId): void {
    for (const [id, asked] of this.#asked) if (asked.peer === peer) this.#settle(id, 'interrupted');
  }

  stop(): void {
    this.#isStopped = true;
    for (const id of this.#asked.keys()) this.#settle(id, 'interrupted');
    this.#deadlines.stop();
  }

  // For administrators.

  async #prove(place: Place, repair: boolean): Promise<ProofPage> {
    const { clock } = this.#parts;
    const began = clock.monotonicMs();
    const ring = this.#parts.ring();
    const { part, end } = partAt(place);
    const plan = planOf(ring, part, this.#parts);
    const isSmallest = place.bits >= limits.verifySmallestPartBits;
    const timeMs = isSmallest ? 10 * limits.verifyPageMs : limits.verifyPageMs;
    const findings = new Findings(ring);
    for (const home of plan.unreachable) findings.see(home, 'unreachable');
    await Promise.all(
      [...plan.provers].map(async ([prover, arcs]) => {
        for (let i = 0; i < arcs.length; i += limits.verifyArcsMax) {
          const some = arcs.slice(i, i + limits.verifyArcsMax);
          findings.add(prover, await this.#ask(prover, { arcs: some, repair, timeMs }));
        }
      }),
    );
    if (findings.isLate && !isSmallest) return notYet(place);
    const isQuick = clock.monotonicMs() - began < limits.verifyPageQuickMs;
    const bits = isQuick ? Math.max(0, place.bits - 2) : place.bits;
    const next = end === ringSize ? {} : { next: placeText({ at: end, bits }) };
    return { ...findings.told(), done: shareOf(end), ...next };
  }

  #ask(
    prover: NodeId,
    options: Required<Pick<VerifyOptions, 'arcs' | 'repair' | 'timeMs'>>,
  ): Promise<VerifyReport | 'interrupted' | 'late'> {
    if (prover === this.#parts.self) return this.#parts.verify(options);
    return new Promise((answer) => {
      if (!this.#parts.isLinked(prover) || this.#isStopped) return answer('interrupted');
      const id = ++this.#lastId;
      this.#asked.set(id, { peer: prover, answer });
      const waitMs = options.timeMs + limits.verifyAnswerMs + (options.repair ? limits.verifyRepairMs : 0);
      this.#deadlines.set(id, this.#parts.clock.monotonicMs() + waitMs);
      const ringVersion = this.#parts.ring().ring.version;
      this.#parts.tell(prover, { type: 'verify', id, ringVersion, ...options });
    });
  }

  #settle(id: number, report: VerifyReport | 'interrupted' | 'late'): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    this.#deadlines.delete(id);
    asked?.answer(report);
  }

  // For other nodes.

  /** One that cannot be had now is asked for again. */
  async #answer(peer: NodeId, { id, arcs, repair, timeMs, ringVersion }: VerifyAsked): Promise<void> {
    const isOther = ringVersion !== this.#parts.ring().ring.version;
    if (this.#isStopped || isOther || this.#askedBy.has(peer) || this.#askedBy.size >= limits.verifyAskedMax)
      return this.#parts.tell(peer, { type: 'verified', id, channels: 0, entries: 0, peers: [] });
    this.#askedBy.add(peer);
    try {
      const timed = Math.min(timeMs, 10 * limits.verifyPageMs);
      const { channels, entries, peers } = await this.#parts.verify({ arcs, repair, timeMs: timed });
      if (this.#isStopped) return;
      this.#parts.tell(peer, { type: 'verified', id, channels, entries, peers: fewOf(peers) });
    } catch (error) {
      if (!this.#isStopped) this.#parts.failed(error);
    } finally {
      this.#askedBy.delete(peer);
    }
  }
}

/** What the proofs of several homes come to. */
class Findings {
  isLate = false;
  readonly #ring: RingTable;
  readonly #homes = new Map<NodeId, ProofHome['state']>();
  readonly #differences: ProofDifference[] = [];
  readonly #totals = { channels: 0, entries: 0, more: 0, repaired: 0 };

  constructor(ring: RingTable) {
    this.#ring = ring;
  }

  see(node: NodeId, state: ProofHome['state']): void {
    const known = this.#homes.get(node) ?? 'equal';
    this.#homes.set(node, ranks.indexOf(state) > ranks.indexOf(known) ? state : known);
  }

  add(prover: NodeId, report: VerifyReport | 'interrupted' | 'late'): void {
    if (typeof report === 'string') {
      if (report === 'late') this.isLate = true;
      return this.see(prover, report);
    }
    this.#totals.channels += report.channels;
    this.#totals.entries += report.entries;
    this.see(prover, 'equal');
    for (const told of report.peers) this.#addPeer(prover, told);
  }

  #addPeer(prover: NodeId, { peer, state, differences, more, repaired }: VerifiedPeer): void {
    if (state === 'late') this.isLate = true;
    const differs = differences.length + more > 0;
    this.see(peer, state === 'compared' ? (differs ? 'differs' : 'equal') : state);
    if (differs) this.see(prover, 'differs');
    this.#totals.more += more;
    this.#totals.repaired += repaired;
    for (const { ref, difference } of differences) {
      if (this.#differences.length >= limits.verifyDifferencesMax) this.#totals.more++;
      else {
        const at = difference === 'lacking' ? prover : difference === 'only' ? peer : undefined;
        this.#differences.push({
          ref,
          interval: this.#ring.intervalOfChannel(ref).id,
          kind: kinds[difference],
          homes: prover === peer ? [prover] : [prover, peer],
          ...(at !== undefined && { at }),
        });
      }
    }
  }

  told(): Omit<ProofPage, 'done' | 'next'> {
    const homes = [...this.#homes].map(([node, state]) => ({ node, state }));
    homes.sort((a, b) => (a.node < b.node ? -1 : 1));
    const isEqual = homes.every(({ state }) => state === 'equal');
    return { isEqual, homes, differences: this.#differences, ...this.#totals };
  }
}

function planOf(
  table: RingTable,
  part: RingRange,
  { self, isLinked }: Pick<ProvingParts, 'self' | 'isLinked'>,
): ProofPlan {
  const arcs = new Map<NodeId, RingRange[]>();
  const unreachable = new Set<NodeId>();
  for (const index of table.indexes()) {
    const interval = table.interval(index);
    const inside = arcsOf(interval).flatMap((arc) => commonArcs([arc], [part]));
    if (inside.length === 0) continue;
    const prover = interval.homes.includes(self) ? self : interval.homes.find((home) => isLinked(home));
    if (prover === undefined) for (const home of holdersOf(interval)) unreachable.add(home);
    else arcs.set(prover, [...(arcs.get(prover) ?? []), ...inside]);
  }
  const provers = [...arcs].map(([prover, some]) => [prover, joined(some)] as const);
  return { provers: new Map(provers), unreachable };
}

/** In one letter. */
function fewOf(peers: readonly VerifiedPeer[]): VerifiedPeer[] {
  let left: number = limits.verifyDifferencesMax;
  return peers.map((peer) => {
    const differences = peer.differences.slice(0, left);
    left -= differences.length;
    return { ...peer, differences, more: peer.more + peer.differences.length - differences.length };
  });
}

// Where a page begins, and how much of the ring it is: 2^-bits.

interface Place {
  readonly at: bigint;
  readonly bits: number;
}

const firstPlace: Place = { at: 0n, bits: limits.verifyFirstPartBits };

function placeOf(text: string): Place | undefined {
  const parts = /^([0-9a-f]{16})-(\d{1,2})$/.exec(text);
  const bits = Number(parts?.[2]);
  if (!parts || bits > limits.verifySmallestPartBits) return undefined;
  return { at: BigInt(`0x${parts[1]}`), bits };
}

function placeText({ at, bits }: Place): string {
  return `${boundText(at)}-${bits}`;
}

function boundText(at: bigint): string {
  return at.toString(16).padStart(16, '0');
}

function partAt({ at, bits }: Place): { readonly part: RingRange; readonly end: bigint } {
  const size = ringSize >> BigInt(bits);
  const end = at + size > ringSize ? ringSize : at + size;
  return { part: { from: boundText(at), to: end === ringSize ? ringEnd : boundText(end) }, end };
}

function shareOf(at: bigint): number {
  return Number(at) / Number(ringSize);
}

/** Nothing is said of a part that was too large. */
function notYet({ at, bits }: Place): ProofPage {
  const smaller = Math.min(limits.verifySmallestPartBits, bits + 2);
  const nothing = { channels: 0, entries: 0, homes: [], differences: [], more: 0, repaired: 0 };
  return { isEqual: true, ...nothing, done: shareOf(at), next: placeText({ at, bits: smaller }) };
}
