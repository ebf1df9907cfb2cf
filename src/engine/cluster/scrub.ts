/** Compares what this node holds with its other homes, after every change of the ring and of links, and again and again in
 *  the background: equal stores cost one question a peer, a difference what it is. It finds what nothing else looks for:
 *  bits that rot, disks that forget, bugs. What one lacks the other sends; where both have the same entries and other
 *  records somebody is told. Nothing is ever removed because another lacks it. */
import { type ChannelRef, type NodeId, channelKey } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { RingTable } from '../../cluster/ring-table.js';
import type { ItemTable } from '../../replication/reconcile-items.js';
import type { Learned } from '../../replication/catch-up.js';
import type { Difference, Reconcile, Reconciled, RingRange } from '../../replication/reconcile-messages.js';
import type { Pace } from '../../replication/pace.js';
import type { Finding } from '../../replication/reconcile-ranges.js';
import type { SessionState } from '../../replication/reconcile-session.js';
import type { VerifyOptions, VerifyReport } from '../api.js';
import type { EnginePorts, LogStore } from '../ports.js';
import { Comparing } from './comparing.js';
import { Differing } from './differing.js';
import { ScrubAnswers } from './scrub-answers.js';
import { type TablePorts, makeTable } from './scrub-tables.js';
import { Verifying } from './verifying.js';
import { joined } from './shared-arcs.js';

export interface ScrubParts {
  readonly ports: Pick<EnginePorts, 'clock' | 'timers' | 'random' | 'hashing' | 'observer'>;
  readonly store: LogStore;
  readonly self: NodeId;
  ring(): RingTable;
  isLinked(peer: NodeId): boolean;
  say(peer: NodeId, message: Reconcile | Reconciled): void;
  compare(refs: readonly ChannelRef[], peer: NodeId): Promise<void>;
  failed(error: unknown): void;
  /** This node or a peer cannot read all it holds of the channel: what is damaged here is looked for elsewhere. */
  damaged(ref: ChannelRef): void;
}

export type ScrubCounters = {
  /** Comparisons that came to their end, and of those the ones that found nothing. */
  comparisons: number;
  comparisonsEqual: number;
  /** Channels found to differ: by what is held, by content, by what cannot be read. */
  channelsDiffering: number;
  channelsOtherContent: number;
  channelsDamaged: number;
};

export class Scrub {
  readonly counters: ScrubCounters = {
    comparisons: 0,
    comparisonsEqual: 0,
    channelsDiffering: 0,
    channelsOtherContent: 0,
    channelsDamaged: 0,
  };
  readonly #parts: ScrubParts;
  readonly #tablePorts: TablePorts;
  readonly #comparing: Comparing;
  readonly #answers: ScrubAnswers;
  readonly #differing: Differing;
  readonly #verifying: Verifying;
  readonly #pace: Pace = { share: limits.scrubShare, bytesPerSecond: limits.scrubBytesPerSecond };
  /** When each peer is to be compared with. */
  readonly #dueAt = new Map<NodeId, number>();
  /** When all was last compared with each, by either of the two, and whether nothing differed. */
  readonly #compared = new Map<NodeId, { readonly at: number; readonly isEqual: boolean }>();
  /** Content that differs as the index has it: to be read anew on both sides. */
  readonly #doubted = new Map<string, { readonly ref: ChannelRef; readonly peer: NodeId }>();
  #isRunning = false;
  #isStopped = false;
  #timerAt = Infinity;
  #cancelTimer: (() => void) | undefined;

  constructor(parts: ScrubParts) {
    this.#parts = parts;
    const { ports, store, self } = parts;
    const { clock, timers, random, observer, hashing } = ports;
    const sha256 = (bytes: Uint8Array): Uint8Array => hashing.sha256(bytes);
    this.#tablePorts = { store, clock, timers, sha256 };
    const say = (peer: NodeId, message: Reconcile | Reconciled): void => parts.say(peer, message);
    this.#comparing = new Comparing({ clock, timers, random, say });
    this.#differing = new Differing({
      timers,
      compare: (refs, peer) => parts.compare(refs, peer),
      isLinked: (peer) => parts.isLinked(peer),
      failed: (error) => parts.failed(error),
    });
    this.#answers = new ScrubAnswers({
      ...this.#tablePorts,
      self,
      observer,
      pace: this.#pace,
      ring: () => parts.ring(),
      say,
      found: (peer, findings) => this.#found(peer, findings),
      compared: (peer, isEqual) => this.#compared.set(peer, { at: this.#now(), isEqual }),
      failed: (error) => parts.failed(error),
    });
    this.#verifying = new Verifying({
      ...this.#tablePorts,
      self,
      ring: () => parts.ring(),
      comparing: this.#comparing,
      isLinked: (peer) => parts.isLinked(peer),
      arcsWith: (peer) => this.#answers.arcsWith(peer),
      isStopped: () => this.#isStopped,
      mend: async (peer, table, arcs) => void (await this.#compare(peer, table, arcs)),
    });
  }

  received(from: NodeId, message: Reconcile | Reconciled): void {
    if (this.#isStopped) return;
    if (message.type === 'reconciled') this.#comparing.received(from, message);
    else void this.#answers.asked(from, message);
  }

  /** One of the two begins. */
  linked(peer: NodeId): void {
    if (this.#parts.self < peer) this.#due(peer, limits.scrubSoonMs);
  }

  unlinked(peer: NodeId): void {
    this.#dueAt.delete(peer);
    this.#comparing.unlinked(peer);
    this.#compared.delete(peer);
  }

  ringChanged(): void {
    // What was asked is not answered under another ring.
    this.#comparing.stop();
    this.#compared.clear();
    for (const peer of this.#peers()) if (this.#parts.self < peer) this.#due(peer, limits.scrubSoonMs);
  }

  /** This home counts again: what it missed is looked for at once, whoever else would begin. */
  recovered(): void {
    for (const peer of this.#peers()) this.#due(peer, limits.scrubSoonMs);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#comparing.stop();
    this.#answers.stop();
    this.#differing.stop();
  }

  /** Proof that this node and its other homes hold the same, from both disks, now. */
  verify(options: VerifyOptions): Promise<VerifyReport> {
    return this.#verifying.run(this.#allPeers(), options);
  }

  compared(peer: NodeId): { readonly agoMs: number; readonly equal: boolean } | undefined {
    const last = this.#compared.get(peer);
    return last && { agoMs: Math.round(this.#now() - last.at), equal: last.isEqual };
  }

  #allPeers(): NodeId[] {
    const { self } = this.#parts;
    const peers = this.#parts.ring().ring.members.map(({ node }) => node);
    return peers.filter((peer) => peer !== self && this.#answers.arcsWith(peer).length > 0);
  }

  #peers(): NodeId[] {
    return this.#allPeers().filter((peer) => this.#parts.isLinked(peer));
  }

  // When.

  #due(peer: NodeId, afterMs: number): void {
    if (this.#isStopped) return;
    const at = this.#now() + afterMs;
    this.#dueAt.set(peer, Math.min(at, this.#dueAt.get(peer) ?? Infinity));
    this.#arm();
  }

  #arm(): void {
    const next = Math.min(...this.#dueAt.values());
    if (this.#isRunning || next >= this.#timerAt || this.#isStopped) return;
    this.#cancelTimer?.();
    this.#timerAt = next;
    this.#cancelTimer = this.#parts.ports.timers.after(Math.max(0, next - this.#now()), () => {
      this.#timerAt = Infinity;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    try {
      await this.#pass();
    } catch (error) {
      if (!this.#isStopped) this.#parts.failed(error);
    }
    this.#isRunning = false;
    this.#arm();
  }

  // One pass.

  async #pass(): Promise<void> {
    const now = this.#now();
    const due = this.#peers().filter((peer) => (this.#dueAt.get(peer) ?? Infinity) <= now);
    for (const [peer, at] of this.#dueAt) if (at <= now) this.#dueAt.delete(peer);
    if (due.length === 0) return;
    const ring = this.#parts.ring();
    const isStopped = (): boolean => this.#isStopped || this.#parts.ring() !== ring;
    const arcs = joined(due.flatMap((peer) => this.#answers.arcsWith(peer)));
    const made = await makeTable(this.#tablePorts, { arcs, pace: this.#pace, isStopped });
    for (const peer of due) {
      const state = made && !isStopped() ? await this.#compare(peer, made.table) : 'silent';
      this.#again(peer, state);
    }
    await this.#confirm();
  }

  /** What the peer has that may be lacking here, of all that both hold: for who does not know how far it is in what arrived
   *  there. Whoever calls gets it here; what the peer lacks is brought to it. */
  async learn(peer: NodeId): Promise<Learned | undefined> {
    const ring = this.#parts.ring();
    const made = await this.#answers.whole();
    if (!made || this.#isStopped || this.#parts.ring() !== ring || !this.#parts.isLinked(peer))
      return undefined;
    const { table } = made;
    const refs: ChannelRef[] = [];
    const request = { purpose: 'learn', table, arcs: this.#answers.arcsWith(peer) } as const;
    const { state, arrival } = await this.#comparing.run(peer, request, (findings) => {
      for (const { ref, difference } of findings) if (isToLearn(difference)) refs.push(ref);
      this.#found(
        peer,
        findings.filter(({ difference }) => difference !== 'heads' && difference !== 'lacking'),
      );
    });
    this.#judge(peer, state);
    // Nothing to compare: it may hold nothing that this node does.
    const isWhole = state === 'done' && arrival !== Infinity;
    return isWhole || refs.length > 0 ? { refs, arrival: isWhole ? arrival : 0, isWhole } : undefined;
  }

  async #compare(
    peer: NodeId,
    table: ItemTable,
    arcs: readonly RingRange[] = this.#answers.arcsWith(peer),
  ): Promise<SessionState> {
    if (!this.#parts.isLinked(peer)) return 'silent';
    let isEqual = true;
    const { state } = await this.#comparing.run(peer, { purpose: 'mend', table, arcs }, (findings) => {
      isEqual = false;
      this.#found(peer, findings);
    });
    this.#judge(peer, state);
    if (state === 'done') {
      this.counters.comparisons++;
      if (isEqual) this.counters.comparisonsEqual++;
      if (arcs === this.#answers.arcsWith(peer)) this.#compared.set(peer, { at: this.#now(), isEqual });
    }
    return state;
  }

  #judge(peer: NodeId, state: SessionState): void {
    if (state !== 'endless' && state !== 'wrong') return;
    const message = `A comparison with node ${peer} was ended: its answers are ${state}.`;
    this.#alarm(state === 'wrong' ? 'RECONCILE_WRONG' : 'RECONCILE_ENDLESS', message);
  }

  /** In the background one of the two begins; whoever tried in vain tries again. */
  #again(peer: NodeId, state: SessionState): void {
    if (!this.#parts.isLinked(peer)) return;
    if (state === 'silent') this.#due(peer, limits.scrubRetryMs);
    else if (this.#parts.self < peer) this.#due(peer, limits.scrubIntervalMs);
  }

  // What was found.

  #found(peer: NodeId, findings: readonly Finding[]): void {
    const refs: ChannelRef[] = [];
    for (const { ref, difference } of findings) {
      if (difference === 'content') this.#doubt(ref, peer);
      else if (difference === 'damaged') {
        this.counters.channelsDamaged++;
        this.#parts.damaged(ref);
      } else refs.push(ref);
    }
    this.counters.channelsDiffering += refs.length;
    if (refs.length > 0) this.#differing.add(peer, refs);
  }

  #doubt(ref: ChannelRef, peer: NodeId): void {
    if (this.#doubted.size >= limits.scrubDoubtedMax) return;
    this.#doubted.set(`${peer}/${channelKey(ref)}`, { ref, peer });
    // Whoever answered has no pass of its own under way.
    if (!this.#isRunning) void this.#confirmLater();
  }

  async #confirmLater(): Promise<void> {
    this.#isRunning = true;
    try {
      await this.#confirm();
    } catch (error) {
      if (!this.#isStopped) this.#parts.failed(error);
    }
    this.#isRunning = false;
    this.#arm();
  }

  /** What the indexes say is not enough to raise an alarm: both ends read these channels from disk once more. */
  async #confirm(): Promise<void> {
    while (this.#doubted.size > 0 && !this.#isStopped) {
      const [first] = this.#doubted.values();
      const { peer } = first!;
      const refs: ChannelRef[] = [];
      for (const [key, each] of this.#doubted) {
        if (each.peer !== peer || refs.length >= limits.reconcileFirstRanges) continue;
        refs.push(each.ref);
        this.#doubted.delete(key);
      }
      for (const { ref, difference } of await this.#verifying.again(peer, refs)) {
        if (difference !== 'content') continue;
        this.counters.channelsOtherContent++;
        const message = `${channelKey(ref)}: node ${peer} holds the same entries with other records.`;
        this.#alarm('DIGEST_DIFFERS', message);
      }
    }
  }

  #alarm(code: string, message: string): void {
    this.#parts.ports.observer.observe({ type: 'alarm', code, message });
  }

  #now(): number {
    return this.#parts.ports.clock.monotonicMs();
  }
}

/** Whether a peer may have something of the channel that is lacking here. */
function isToLearn(difference: Difference): boolean {
  return difference === 'lacking' || difference === 'heads' || difference === 'damaged';
}
