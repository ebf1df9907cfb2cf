/** Proof on demand: this node and another home both read what they hold from disk, now, and compare it. What only grows
 *  meanwhile is looked at again before it is said to differ. */
import { type ChannelRef, type NodeId, channelKey } from '../../base/ids.js';
import { utf8, toHex } from '../../base/bytes.js';
import { limits } from '../../base/limits.js';
import { channelPosition, intervalIdOf } from '../../cluster/ring-position.js';
import { idBytes } from '../../replication/reconcile-items.js';
import { type RingRange, ringEnd } from '../../replication/reconcile-messages.js';
import type { Finding } from '../../replication/reconcile-ranges.js';
import type { SessionState } from '../../replication/reconcile-session.js';
import type { VerifiedPeer, VerifyOptions, VerifyReport } from '../api.js';
import type { Comparing } from './comparing.js';
import { type TablePorts, makeTable } from './scrub-tables.js';

export interface VerifyingParts extends TablePorts {
  readonly comparing: Comparing;
  isLinked(peer: NodeId): boolean;
  arcsWith(peer: NodeId): readonly RingRange[];
  isStopped(): boolean;
}

const fullSpeed = { share: 1, bytesPerSecond: Infinity };
/** Arcs in one comparison: its first question names them all. */
const arcsAtOnce = limits.reconcileFirstRanges;

interface Run {
  readonly findings: Map<string, Finding>;
  more: number;
  channels: number;
  entries: number;
  state: SessionState;
}

export class Verifying {
  readonly #parts: VerifyingParts;

  constructor(parts: VerifyingParts) {
    this.#parts = parts;
  }

  async run(peers: readonly NodeId[], { progress }: VerifyOptions): Promise<VerifyReport> {
    const told: VerifiedPeer[] = [];
    for (const peer of peers) {
      const arcs = this.#parts.arcsWith(peer);
      let [channels, entries, more] = [0, 0, 0];
      let state: VerifiedPeer['state'] = this.#parts.isLinked(peer) ? 'compared' : 'unreachable';
      const findings: Finding[] = [];
      for (let i = 0; i < arcs.length && state === 'compared'; i += arcsAtOnce) {
        const run = await this.#compare(peer, arcs.slice(i, i + arcsAtOnce), (now) => {
          progress?.({ peer, channels: channels + now.channels, entries: entries + now.entries });
        });
        channels += run.channels;
        entries += run.entries;
        more += run.more;
        for (const finding of await this.#settled(peer, [...run.findings.values()])) {
          if (findings.length < limits.verifyDifferencesMax) findings.push(finding);
          else more++;
        }
        if (run.state !== 'done') state = 'interrupted';
      }
      told.push({ peer, state, channels, entries, differences: findings, more });
    }
    const isEqual = told.every(
      ({ state, differences, more }) => state === 'compared' && differences.length + more === 0,
    );
    return { isEqual, peers: told };
  }

  /** What still differs of these channels once both have read them anew. */
  async again(peer: NodeId, refs: readonly ChannelRef[]): Promise<readonly Finding[]> {
    const arcs = refs.map((ref) => this.#arcOf(ref)).sort((a, b) => (a.from < b.from ? -1 : 1));
    const { findings } = await this.#compare(peer, arcs);
    return [...findings.values()];
  }

  /** Those that differ by what they hold may have been compared at two moments. */
  async #settled(peer: NodeId, findings: readonly Finding[]): Promise<readonly Finding[]> {
    let moving = findings.filter(({ difference }) => difference === 'heads' || difference === 'content');
    const settled = findings.filter((finding) => !moving.includes(finding));
    for (let tries = 0; moving.length > 0 && tries < limits.verifyTriesMax; tries++) {
      await new Promise<void>((resolve) => {
        this.#parts.timers.after(limits.verifyPauseMs, resolve);
      });
      const still: Finding[] = [];
      for (let i = 0; i < moving.length; i += arcsAtOnce) {
        const refs = moving.slice(i, i + arcsAtOnce).map(({ ref }) => ref);
        still.push(...(await this.again(peer, refs)));
      }
      moving = still;
    }
    return [...settled, ...moving];
  }

  async #compare(
    peer: NodeId,
    arcs: readonly RingRange[],
    progress?: (now: { readonly channels: number; readonly entries: number }) => void,
  ): Promise<Run> {
    const run: Run = { findings: new Map(), more: 0, channels: 0, entries: 0, state: 'silent' };
    const made = await makeTable(this.#parts, {
      arcs,
      notBefore: Math.floor(this.#parts.clock.wallMs()),
      pace: fullSpeed,
      isStopped: () => this.#parts.isStopped(),
      progress: (channels, entries) => progress?.({ channels, entries }),
    });
    if (!made || !this.#parts.isLinked(peer)) return run;
    const { table } = made;
    run.channels = table.size;
    run.entries = made.entries;
    progress?.(run);
    const { state, more } = await this.#parts.comparing.run(
      peer,
      { purpose: 'prove', table, arcs },
      (findings) => {
        for (const finding of findings) {
          if (run.findings.size < limits.verifyDifferencesMax)
            run.findings.set(channelKey(finding.ref), finding);
          else run.more++;
        }
      },
    );
    run.state = state;
    run.more += more;
    return run;
  }

  /** The part of the ring where nothing but the channel lies. */
  #arcOf(ref: ChannelRef): RingRange {
    const position = intervalIdOf(channelPosition(ref));
    const id = toHex(this.#parts.sha256(utf8(channelKey(ref))).subarray(0, idBytes));
    const from = position + id;
    return { from, to: boundAfter(from) };
  }
}

/** The next bound of the same length. */
function boundAfter(bound: string): string {
  const next = (BigInt(`0x${bound}`) + 1n).toString(16);
  return next.length > bound.length ? ringEnd : next.padStart(bound.length, '0');
}
