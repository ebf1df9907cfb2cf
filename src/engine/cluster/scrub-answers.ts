/** Answers homes that compare what they hold with what is held here. Nothing is kept for one who asks but what was read for
 *  it, and that not for long. */
import type { NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { RingTable } from '../../cluster/ring-table.js';
import { type Finding, compareRanges } from '../../replication/reconcile-ranges.js';
import type { Reconcile, Reconciled, RingRange } from '../../replication/reconcile-messages.js';
import type { Pace } from '../../replication/pace.js';
import type { Observer } from '../ports.js';
import { type MadeTable, type TablePorts, makeTable } from './scrub-tables.js';
import { isWithinArcs, joined, sharedArcs } from './shared-arcs.js';

export interface AnswersParts extends TablePorts {
  readonly self: NodeId;
  readonly observer: Observer;
  readonly pace: Pace;
  ring(): RingTable;
  say(peer: NodeId, message: Reconciled): void;
  /** In a comparison that is to mend. */
  found(peer: NodeId, findings: readonly Finding[]): void;
  /** A comparison that is to mend: whether nothing differed as far as it has come. */
  compared(peer: NodeId, isEqual: boolean): void;
  failed(error: unknown): void;
}

interface Kept {
  readonly ring: RingTable;
  readonly arcs: readonly RingRange[];
  readonly made: Promise<MadeTable | undefined>;
  isMade: boolean;
  usedAt: number;
}

/** At full speed: somebody waits for the proof. */
const unpaced: Pace = { share: 1, bytesPerSecond: Infinity };

export class ScrubAnswers {
  readonly #parts: AnswersParts;
  readonly #asking = new Map<NodeId, number>();
  /** By peer the last comparison in which something differed. */
  readonly #differs = new Map<NodeId, number>();
  readonly #arcs = new Map<NodeId, { readonly ring: RingTable; readonly arcs: readonly RingRange[] }>();
  /** Of everything held, for whoever compares to mend. */
  #whole: Kept | undefined;
  #wholeSession = 0;
  /** By peer and session. */
  readonly #proofs = new Map<string, Kept>();
  #isStopped = false;

  constructor(parts: AnswersParts) {
    this.#parts = parts;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** What both hold, in the present ring. */
  arcsWith(peer: NodeId): readonly RingRange[] {
    const ring = this.#parts.ring();
    const known = this.#arcs.get(peer);
    if (known?.ring === ring) return known.arcs;
    const arcs = sharedArcs(ring, this.#parts.self, peer);
    this.#arcs.set(peer, { ring, arcs });
    return arcs;
  }

  async asked(from: NodeId, question: Reconcile): Promise<void> {
    const asking = this.#asking.get(from) ?? 0;
    // Beyond that it is lost, and asked again.
    if (this.#isStopped || asking >= 2 * limits.reconcileWindow || !this.#mayAsk(from, question)) return;
    this.#asking.set(from, asking + 1);
    try {
      await this.#answer(from, question);
    } catch (error) {
      if (!this.#isStopped) this.#parts.failed(error);
    }
    const left = this.#asking.get(from)! - 1;
    if (left > 0) this.#asking.set(from, left);
    else this.#asking.delete(from);
  }

  #mayAsk(from: NodeId, { ranges }: Reconcile): boolean {
    const arcs = this.arcsWith(from);
    if (ranges.every((range) => isWithinArcs(arcs, range))) return true;
    const message = `node ${from} compares a part of the ring that it does not hold together with this one`;
    this.#parts.observer.observe({ type: 'alarm', code: 'NOT_A_HOME', message });
    return false;
  }

  async #answer(from: NodeId, question: Reconcile): Promise<void> {
    const { session, number, purpose, ranges } = question;
    const kept = purpose === 'prove' ? this.#keepProof(from, question) : this.#keepWhole(session);
    const made = kept && (await this.#inTime(kept));
    if (this.#isStopped) return;
    if (!made) {
      const nothing = { isBusy: true, ranges: [], more: 0, arrival: 0 };
      this.#parts.say(from, { type: 'reconciled', session, number, ...nothing });
      return;
    }
    const compared = compareRanges(made.table, ranges, purpose, 'answers');
    const { ranges: told, more, findings } = compared;
    const { arrival } = made;
    this.#parts.say(from, {
      type: 'reconciled',
      session,
      number,
      isBusy: false,
      ranges: told,
      more,
      arrival,
    });
    if (purpose !== 'mend') return;
    this.#parts.found(from, findings);
    if (told.length > 0) this.#differs.set(from, session);
    this.#parts.compared(from, this.#differs.get(from) !== session);
  }

  /** All that is held here together with others, as it was a moment ago at most. */
  async whole(): Promise<MadeTable | undefined> {
    return await this.#keepWhole(undefined).made;
  }

  /** The same for everybody and for a while: what grew meanwhile costs a look at the channel and nothing more. */
  #keepWhole(session: number | undefined): Kept {
    const { clock, pace } = this.#parts;
    const now = clock.monotonicMs();
    const known = this.#whole;
    const isOf = known?.ring === this.#parts.ring();
    const isGood =
      isOf && (!known.isMade || session === this.#wholeSession || now < known.usedAt + limits.scrubTableMs);
    if (session !== undefined) this.#wholeSession = session;
    if (known && isGood) return known;
    const ring = this.#parts.ring();
    const peers = ring.ring.members.map(({ node }) => node).filter((node) => node !== this.#parts.self);
    const arcs = joined(peers.flatMap((peer) => this.arcsWith(peer)));
    return (this.#whole = this.#make({ arcs, pace }));
  }

  /** What is read for one proof is read once, after it was asked for. */
  #keepProof(from: NodeId, { session, ranges }: Reconcile): Kept | undefined {
    const { clock } = this.#parts;
    const now = clock.monotonicMs();
    const key = `${from}/${session}`;
    for (const [each, { usedAt, isMade }] of this.#proofs) {
      if (isMade && now > usedAt + limits.scrubProofKeptMs) this.#proofs.delete(each);
    }
    const known = this.#proofs.get(key);
    if (
      known &&
      known.ring === this.#parts.ring() &&
      ranges.every((range) => isWithinArcs(known.arcs, range))
    ) {
      known.usedAt = now;
      return known;
    }
    if (!known && this.#proofs.size >= limits.scrubProofsMax && !this.#dropProof(from, now)) return undefined;
    const kept = this.#make({
      arcs: joined([...(known?.arcs ?? []), ...ranges.map(({ from: start, to }) => ({ from: start, to }))]),
      pace: unpaced,
      notBefore: Math.floor(clock.wallMs()),
    });
    this.#proofs.set(key, kept);
    return kept;
  }

  /** Room for another one: who asked for it before is done with it, as it seems. Where it is not, it is read again. */
  #dropProof(from: NodeId, now: number): boolean {
    let [oldest, usedAt] = ['', Infinity];
    for (const [key, kept] of this.#proofs) {
      const isIdle =
        kept.isMade && (key.startsWith(`${from}/`) || now > kept.usedAt + limits.scrubProofIdleMs);
      if (isIdle && kept.usedAt < usedAt) [oldest, usedAt] = [key, kept.usedAt];
    }
    return this.#proofs.delete(oldest);
  }

  #make({
    arcs,
    pace,
    notBefore,
  }: Pick<Kept, 'arcs'> & { readonly pace: Pace; readonly notBefore?: number }): Kept {
    const { clock } = this.#parts;
    const ring = this.#parts.ring();
    const request = {
      arcs,
      pace,
      isStopped: () => this.#isStopped,
      ...(notBefore === undefined ? {} : { notBefore }),
    };
    const kept: Kept = {
      ring,
      arcs,
      made: makeTable(this.#parts, request).finally(() => {
        kept.isMade = true;
        kept.usedAt = clock.monotonicMs();
      }),
      isMade: false,
      usedAt: clock.monotonicMs(),
    };
    return kept;
  }

  /** `undefined` while it is still being made. */
  async #inTime({ made, isMade }: Kept): Promise<MadeTable | undefined> {
    if (isMade) return await made;
    const { timers } = this.#parts;
    return await new Promise((resolve, reject) => {
      const cancel = timers.after(limits.scrubPatienceMs, () => resolve(undefined));
      made.then(
        (table) => {
          cancel();
          resolve(table);
        },
        (error: unknown) => {
          cancel();
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    });
  }
}
