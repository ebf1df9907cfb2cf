/** A few replicas that hear each other at once and sync when told: for stories, not for chance. */
import type { ChannelRef, NodeId, StoreId, WriterId } from '../../src/base/ids.js';
import { seededRandom } from '../../src/base/random.js';
import { ChannelLog } from '../../src/log/channel-log.js';
import { encodeContent } from '../../src/log/content-wire.js';
import type { RunSummary } from '../../src/log/run.js';
import { verifyRun } from '../../src/log/run-reader.js';
import { RunWriter } from '../../src/log/run-writer.js';
import type { Allowance } from '../../src/replication/budgets.js';
import type { Effect } from '../../src/replication/effects.js';
import type { Frame, PeerMessage } from '../../src/replication/messages.js';
import { homeSet } from '../../src/replication/quorum.js';
import type { StoredSlice } from '../../src/replication/stored-slice.js';
import { type IntervalStart, Replica, type StoreFacts } from '../../src/replication/replica.js';

export const ref = { hub: 'h', channel: 'c' } as ChannelRef;
const content = encodeContent({ payload: new Uint8Array([1]) });

export function nodeId(name: string): NodeId {
  return `${name.charCodeAt(0).toString(16)}`.padStart(32, '0') as NodeId;
}

export class Home {
  readonly log = new ChannelLog(ref);
  readonly replica: Replica;
  readonly writer: WriterId;
  readonly sent: { readonly to: NodeId; readonly frame: Frame }[] = [];
  readonly effects: Effect[] = [];
  #token: number | undefined;
  #own: RunSummary[] = [];
  #received: readonly RunSummary[] = [];
  now = 10_000;

  constructor(
    readonly name: string,
    homes: string,
    start: IntervalStart = 'new',
    arrivals?: StoreFacts,
    given?: Allowance,
  ) {
    this.writer = `${name.charCodeAt(0).toString(16)}`.repeat(12) as WriterId;
    this.replica = new Replica({
      self: nodeId(name),
      storeId: '0'.repeat(32) as StoreId,
      writer: this.writer,
      random: seededRandom(1),
      logOf: () => this.log,
      ...(given ? { given } : {}),
      ...(arrivals ? { arrivals, intervalOf: () => 'i' } : {}),
    });
    this.replica.ringVersion = 1;
    this.replica.addInterval('i', [homeSet(homes.split('').map(nodeId))], start, this.now);
    this.sync();
    // What is left of a lost store has no holes: there is nothing left.
    for (const effect of this.effects) if (effect.type === 'list') this.replica.listed(effect.id, []);
    this.sync();
  }

  /** A frame from `from` with the present ring version. */
  hear(from: string, ...messages: PeerMessage[]): void {
    this.replica.receive(
      nodeId(from),
      { storeId: 'f'.repeat(32) as StoreId, ringVersion: 1, messages },
      this.now,
    );
    this.drain();
  }

  drain(): void {
    for (const effect of this.replica.takeEffects()) {
      if (effect.type === 'send') this.sent.push(effect);
      else this.effects.push(effect);
    }
  }

  /** Messages sent since the last time, to anybody. */
  said(): PeerMessage[] {
    return this.sent.splice(0).flatMap(({ frame }) => frame.messages);
  }

  begin(stamp = false): Uint8Array | undefined {
    const part = this.replica.cut();
    this.#token = part.token;
    this.#received = part.runs.map(({ run }) => run);
    if (!stamp) return undefined;
    this.replica.touch('i', ref, this.now);
    const stamping = this.replica.stamping(ref, this.now);
    if (stamping.as === 'wait') return undefined;
    const own = this.log.writer(this.writer);
    const out = new RunWriter();
    const seq = (own?.seq ?? 0) + 1;
    out.begin(ref, this.writer, stamping.round, seq, own?.lastChecksum ?? 0);
    out.append({ timestamp: this.now + seq, kind: 'publish', parents: stamping.parents, content });
    const run = out.end();
    const bytes = out.bytes().slice();
    const awaited = [{ firstSeq: seq, lastSeq: seq, level: 'quorum' as const, degrade: true }];
    this.replica.stamped(ref, run, bytes, awaited, this.now);
    this.#own.push(run);
    this.drain();
    return bytes;
  }

  /** The store is done with the commit, and the replica does not know yet. */
  stored(): void {
    for (const run of [...this.#own.splice(0), ...this.#received]) this.log.apply(run);
    this.#received = [];
  }

  finish(): void {
    this.stored();
    this.replica.synced(this.#token!, this.now);
    this.drain();
  }

  sync(): void {
    this.begin();
    this.finish();
  }
}

/** a, owner of the interval by the grant of b, while c is silent. */
export function ownerOfThree(given?: Allowance): Home {
  const home = new Home('a', 'abc', 'new', undefined, given);
  home.replica.connected(nodeId('b'), home.now);
  home.replica.want('i', true, home.now);
  const own = { interval: 'i', claim: { round: 1, writer: home.writer } };
  home.hear('b', { type: 'asked', answers: [own] });
  home.sync();
  home.hear('b', { type: 'granted', claims: [own] });
  return home;
}

/** What b answers to such an owner that opens the channel. */
export function openingState(home: Home): PeerMessage {
  const claim = { round: 1, writer: home.writer };
  return { type: 'state', interval: 'i', ref, have: new Map(), runs: [], claim };
}

/** A run of `writer` as a peer would send it. */
export function runOf(
  writer: WriterId,
  round: number,
  firstSeq: number,
  previous = 0,
): { bytes: Uint8Array; last: number } {
  const out = new RunWriter();
  out.begin(ref, writer, round, firstSeq, previous);
  out.append({ timestamp: 1_000 + firstSeq, kind: 'publish', content });
  const run = out.end();
  return { bytes: out.bytes().slice(), last: run.lastChecksum };
}

/** The entries of such a run, as a store reads them. */
export function sliceOf(bytes: Uint8Array): StoredSlice {
  const verified = verifyRun(bytes, 0, bytes.length);
  if (!verified.ok) throw new Error(verified.error);
  const { writer, round, firstSeq, count, headerBytes } = verified.value;
  return { writer, round, firstSeq, count, records: bytes.subarray(headerBytes) };
}
