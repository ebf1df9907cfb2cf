/** Proof on demand: this node and another home both read what they hold from disk, now, and compare it. What only grows
 *  meanwhile is looked at again before it is said to differ. */
import { type ChannelRef, type NodeId, channelKey } from '../../base/ids.js';
import { utf8, toHex } from '../../base/bytes.js';
import { limits } from '../../base/limits.js';
import { channelPosition, intervalIdOf } from '../../cluster/ring-position.js';
import type { RingTable } from '../../cluster/ring-table.js';
import { type ItemTable, idBytes, isDamagedItem } from '../../replication/reconcile-items.js';
import { type RingRange, ringEnd, ringStart } from '../../replication/reconcile-messages.js';
import type { Finding } from '../../replication/reconcile-ranges.js';
import type { SessionState } from '../../replication/reconcile-session.js';
import type { VerifiedPeer, VerifyOptions, VerifyReport } from '../api.js';
import type { Comparing } from './comparing.js';
import { type MadeTable, type TablePorts, makeTable } from './scrub-tables.js';
import { commonArcs } from './shared-arcs.js';

export interface VerifyingParts extends TablePorts {
  readonly self: NodeId;
  readonly comparing: Comparing;
  ring(): RingTable;
  isLinked(peer: NodeId): boolean;
  arcsWith(peer: NodeId): readonly RingRange[];
  isStopped(): boolean;
  /** Both are to bring together what they hold there; resolves once that has begun. */
  mend(peer: NodeId, table: ItemTable, arcs: readonly RingRange[]): Promise<void>;
}

const fullSpeed = { share: 1, bytesPerSecond: Infinity };
/** Arcs in one comparison: its first question names them all. */
const arcsAtOnce = limits.reconcileFirstRanges;
const wholeRing: readonly RingRange[] = [{ from: ringStart, to: ringEnd }];

interface Run {
  readonly findings: Map<string, Finding>;
  more: number;
  channels: number;
  entries: number;
  state: SessionState | 'late';
}

/** One proof: what was read from disk before it began does not count, and when it is to end. */
interface Proof extends VerifyOptions {
  readonly notBefore: number;
  readonly endsAt: number;
}

export class Verifying {
  readonly #parts: VerifyingParts;

  constructor(parts: VerifyingParts) {
    this.#parts = parts;
  }

  /** A node without others reads what it holds, and tells what it cannot read. */
  async run(peers: readonly NodeId[], options: VerifyOptions): Promise<VerifyReport> {
    const { self } = this.#parts;
    const proof = this.#begin(options);
    const wanted = options.arcs ?? wholeRing;
    const begun = this.#parts.ring();
    const told: VerifiedPeer[] = [];
    const made = await this.#read(
      commonArcs(this.#parts.arcsWith(self), wanted),
      proof,
      (channels, entries) => proof.progress?.({ peer: self, channels, entries }),
    );
    for (const peer of peers) {
      const arcs = commonArcs(this.#parts.arcsWith(peer), wanted);
      if (arcs.length > 0) told.push(await this.#verify(peer, arcs, proof));
    }
    if (told.length === 0) told.push(aloneWith(self, made));
    // Under another ring these were not all that had to be compared.
    if (this.#parts.ring() !== begun)
      for (const [i, each] of told.entries()) told[i] = { ...each, state: 'interrupted' };
    const isEqual = told.every(
      ({ state, differences, more }) => state === 'compared' && differences.length + more === 0,
    );
    return { isEqual, channels: made?.table.size ?? 0, entries: made?.entries ?? 0, peers: told };
  }

  /** What still differs of these channels once both have read them anew. */
  async again(peer: NodeId, refs: readonly ChannelRef[]): Promise<readonly Finding[]> {
    const { findings } = await this.#compare(peer, this.#arcsOf(refs), this.#begin({}));
    return [...findings.values()];
  }

  #begin(options: VerifyOptions): Proof {
    const { clock } = this.#parts;
    const endsAt = clock.monotonicMs() + (options.timeMs ?? Infinity);
    return { ...options, notBefore: Math.floor(clock.wallMs()), endsAt };
  }

  async #verify(peer: NodeId, arcs: readonly RingRange[], proof: Proof): Promise<VerifiedPeer> {
    let [channels, entries, more, repaired] = [0, 0, 0, 0];
    let state: VerifiedPeer['state'] = this.#parts.isLinked(peer) ? 'compared' : 'unreachable';
    const findings: Finding[] = [];
    for (let i = 0; i < arcs.length && state === 'compared'; i += arcsAtOnce) {
      const some = arcs.slice(i, i + arcsAtOnce);
      const run = await this.#compare(peer, some, proof, (now) => {
        proof.progress?.({ peer, channels: channels + now.channels, entries: entries + now.entries });
      });
      channels += run.channels;
      entries += run.entries;
      let left = await this.#settled(peer, [...run.findings.values()]);
      if (proof.repair && left.length > 0) {
        const before = left.length;
        left = await this.#repaired(peer, some, left, { ...proof, endsAt: Infinity });
        repaired += before - left.length;
      }
      more += run.more;
      for (const finding of left) {
        if (findings.length < limits.verifyDifferencesMax) findings.push(finding);
        else more++;
      }
      if (run.state !== 'done') state = run.state === 'late' ? 'late' : 'interrupted';
    }
    return { peer, state, channels, entries, differences: findings, more, repaired };
  }

  /** Those that differ by what they hold may have been compared at two moments. */
  async #settled(peer: NodeId, findings: readonly Finding[]): Promise<readonly Finding[]> {
    let moving: readonly Finding[] = findings.filter(
      ({ difference }) => difference === 'heads' || difference === 'content',
    );
    const settled = findings.filter((finding) => !moving.includes(finding));
    for (let tries = 0; moving.length > 0 && tries < limits.verifyTriesMax; tries++) {
      await this.#pause();
      moving = await this.#stillOf(peer, moving);
    }
    return [...settled, ...moving];
  }

  /** What homes do about differences anyway, now; returns what is left of these after a while. */
  async #repaired(
    peer: NodeId,
    arcs: readonly RingRange[],
    findings: readonly Finding[],
    proof: Proof,
  ): Promise<readonly Finding[]> {
    const { clock } = this.#parts;
    const endsAt = clock.monotonicMs() + limits.verifyRepairMs;
    let left = findings;
    while (left.length > 0 && clock.monotonicMs() < endsAt && this.#parts.isLinked(peer)) {
      const made = await this.#read(arcs, proof);
      if (made) await this.#parts.mend(peer, made.table, arcs);
      await this.#pause();
      left = await this.#stillOf(peer, left);
    }
    return left;
  }

  async #stillOf(peer: NodeId, findings: readonly Finding[]): Promise<readonly Finding[]> {
    const still: Finding[] = [];
    for (let i = 0; i < findings.length; i += arcsAtOnce) {
      const some = findings.slice(i, i + arcsAtOnce);
      const arcs = this.#arcsOf(some.map(({ ref }) => ref));
      const { state, findings: found } = await this.#compare(peer, arcs, this.#begin({}));
      // Where nothing could be compared nothing is proven.
      still.push(...(state === 'done' ? found.values() : some));
    }
    return still;
  }

  async #compare(
    peer: NodeId,
    arcs: readonly RingRange[],
    proof: Proof,
    progress?: (now: { readonly channels: number; readonly entries: number }) => void,
  ): Promise<Run> {
    const run: Run = { findings: new Map(), more: 0, channels: 0, entries: 0, state: 'silent' };
    const made = await this.#read(arcs, proof, (channels, entries) => progress?.({ channels, entries }));
    if (!made || !this.#parts.isLinked(peer)) return this.#isLate(proof) ? { ...run, state: 'late' } : run;
    const { table } = made;
    run.channels = table.size;
    run.entries = made.entries;
    progress?.(run);
    const timeMs = proof.endsAt - this.#parts.clock.monotonicMs();
    const { state, more } = await this.#parts.comparing.run(
      peer,
      { purpose: 'prove', table, arcs, timeMs },
      (findings) => {
        for (const finding of findings) {
          if (run.findings.size < limits.verifyDifferencesMax)
            run.findings.set(channelKey(finding.ref), finding);
          else run.more++;
        }
      },
    );
    run.state = state !== 'done' && this.#isLate(proof) ? 'late' : state;
    run.more += more;
    return run;
  }

  #read(
    arcs: readonly RingRange[],
    proof: Proof,
    progress?: (channels: number, entries: number) => void,
  ): Promise<MadeTable | undefined> {
    return makeTable(this.#parts, {
      arcs,
      notBefore: proof.notBefore,
      pace: fullSpeed,
      isStopped: () => this.#parts.isStopped() || this.#isLate(proof),
      ...(progress && { progress }),
    });
  }

  #isLate({ endsAt }: Proof): boolean {
    return this.#parts.clock.monotonicMs() >= endsAt;
  }

  #pause(): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#parts.timers.after(limits.verifyPauseMs, resolve);
    });
  }

  /** The parts of the ring where nothing but these channels lies. */
  #arcsOf(refs: readonly ChannelRef[]): readonly RingRange[] {
    const arcs = refs.map((ref): RingRange => {
      const position = intervalIdOf(channelPosition(ref));
      const id = toHex(this.#parts.sha256(utf8(channelKey(ref))).subarray(0, idBytes));
      const from = position + id;
      return { from, to: boundAfter(from) };
    });
    return arcs.sort((a, b) => (a.from < b.from ? -1 : 1));
  }
}

function aloneWith(self: NodeId, made: MadeTable | undefined): VerifiedPeer {
  const told = { peer: self, channels: 0, entries: 0, differences: [], more: 0, repaired: 0 };
  if (!made) return { ...told, state: 'late' };
  const { table, entries } = made;
  const damaged: Finding[] = [];
  for (let i = 0; i < table.size; i++)
    if (isDamagedItem(table.item(i), 0)) damaged.push({ ref: table.ref(i), difference: 'damaged' });
  const differences = damaged.slice(0, limits.verifyDifferencesMax);
  const more = damaged.length - differences.length;
  return { ...told, state: 'compared', channels: table.size, entries, differences, more };
}

/** The next bound of the same length. */
function boundAfter(bound: string): string {
  const next = (BigInt(`0x${bound}`) + 1n).toString(16);
  return next.length > bound.length ? ringEnd : next.padStart(bound.length, '0');
}
