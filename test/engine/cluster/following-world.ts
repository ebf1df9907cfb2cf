/** Homes that store a channel and serve it, and nodes that follow it for readers of their own. The homes' stores are
 *  lists of runs; everything between the nodes is the real thing. */
import type { Dot, WriterId } from '../../../src/base/ids.js';
import { Followers } from '../../../src/engine/cluster/followers.js';
import { RemoteLogs } from '../../../src/engine/cluster/following.js';
import type { Fetched } from '../../../src/engine/ordering.js';
import { type PeerMessage } from '../../../src/engine/cluster/peer-messages.js';
import type { ReadRange, ReadResult, RecordSlice } from '../../../src/engine/ports.js';
import { ChannelLog } from '../../../src/log/channel-log.js';
import { encodeContent, iterateRecords } from '../../../src/log/entry-wire.js';
import type { Vector } from '../../../src/log/entry.js';
import { verifyRun } from '../../../src/log/run-reader.js';
import { RunWriter } from '../../../src/log/run-writer.js';
import type { Signal } from '../../../src/protocol/messages.js';
import { Edge, dispatch, room } from './following-edge.js';
import { type PeerNode, PeerWorld } from './peer-world.js';

const payload = encodeContent({ payload: new Uint8Array(20) });

export class FollowingWorld {
  readonly peers = new PeerWorld();
  readonly homes: Home[];
  readonly edge: Edge;

  constructor(homes = 2) {
    this.homes = Array.from({ length: homes }, (_, i) => new Home(this, this.peers.node(`${i + 1}`), i + 1));
    this.edge = new Edge(this, this.peers.node('e'));
    this.peers.linkAll();
    for (const node of this.peers.nodes.values())
      node.homes.set(
        '*',
        this.homes.map(({ peer }) => peer.self),
      );
    this.acts(this.homes[0]);
  }

  acts(home: Home | undefined): void {
    for (const node of this.peers.nodes.values()) node.believe(home?.peer);
  }

  run<T>(task: Promise<T>): Promise<T> {
    return this.peers.clock.until(task);
  }

  pass(ms: number): Promise<void> {
    return this.peers.pass(ms);
  }

  count(type: PeerMessage['type']): number {
    return this.peers.told.filter(({ message }) => message.type === type).length;
  }
}

export class Home {
  log = new ChannelLog(room);
  readonly followers: Followers;
  readonly remote: RemoteLogs;
  readonly signals: Signal[] = [];
  readonly kept: Signal[] = [];
  runs: { readonly bytes: Uint8Array; readonly slice: RecordSlice }[] = [];
  held = 0;
  tip: Dot | undefined;
  round = 1;
  openMs = 1;
  readMs = 1;
  reads = 0;
  tellsNobody = false;
  /** Reads fail. */
  isBroken = false;
  /** What others have that a follower wants, or what is lost. */
  fetch: (dots: readonly Dot[]) => Promise<Fetched> = (dots) => Promise.resolve({ type: 'lost', dots });
  #last = 0;

  constructor(
    readonly world: FollowingWorld,
    readonly peer: PeerNode,
    readonly number: number,
  ) {
    const { clock } = world.peers;
    this.followers = new Followers(peer, clock, {
      open: async () => {
        this.held++;
        await clock.sleep(this.openMs);
        return this.log;
      },
      release: () => void this.held--,
      fetch: (_, dots) => this.fetch(dots),
      read: (_, ranges, bytesMax) => this.#read(ranges, bytesMax),
      seqsSince: (_, timestamp) => Promise.resolve(this.#seqsSince(timestamp)),
      keptSignals: () => this.kept,
      tip: () => this.tip,
    });
    this.remote = new RemoteLogs(
      { neighbours: peer, clock, timers: clock },
      {
        ...silent,
        signals: (ref, signals) => {
          this.signals.push(...signals);
          this.followers.relay(ref, signals);
        },
      },
    );
    peer.handler = {
      received: (from, message) => dispatch(message, this.followers, this.remote, from),
      unlinked: (from) => {
        this.followers.unlinked(from);
        this.remote.unlinked(from);
      },
    };
  }

  get writer(): WriterId {
    return `${this.number}`.repeat(24) as WriterId;
  }

  /** Stores entries of its own writer, not committed yet; gives the last one. */
  write(count = 1, trimAt?: number, bytes = 0): Dot {
    const { log, writer } = this;
    const own = log.writer(writer);
    const out = new RunWriter();
    out.begin(room, writer, this.round, (own?.seq ?? 0) + 1, own?.lastChecksum ?? 0);
    const parents = log.parentsFor(writer, own?.round !== this.round);
    const trim = trimAt === undefined ? undefined : log.trimAt(trimAt);
    const content = bytes > 0 ? encodeContent({ payload: new Uint8Array(bytes) }) : payload;
    let seq = 0;
    for (let i = 0; i < count; i++) {
      this.#last = Math.max(this.#last, log.lastTimestamp) + 10;
      const due = i === 0 && parents ? { parents } : {};
      seq = out.append(
        trim
          ? { timestamp: this.#last, kind: 'trim', trim, ...due }
          : { timestamp: this.#last, kind: 'publish', content, ...due },
      );
    }
    out.end();
    this.store(out.bytes());
    return { writer, seq };
  }

  /** A run is synced here. */
  store(run: Uint8Array): void {
    const bytes = run.slice();
    const verified = verifyRun(bytes, 0, bytes.length);
    if (!verified.ok) throw new Error(verified.error);
    const { writer, round, firstSeq, count, headerBytes } = verified.value;
    if (!this.log.accepts(verified.value).ok) return;
    this.log.apply(verified.value);
    this.runs.push({
      bytes,
      slice: { writer, round, firstSeq, count, records: bytes.subarray(headerBytes) },
    });
    if (!this.tellsNobody) this.followers.synced(room, verified.value, bytes);
  }

  /** Whether it holds these; what it does not is lost. */
  lacking(wanted: readonly Dot[]): Fetched {
    const dots = wanted.filter(({ writer, seq }) => this.log.have(writer) < seq);
    return dots.length === 0 ? { type: 'held' } : { type: 'lost', dots };
  }

  commit(dot: Dot): void {
    this.log.commitThrough(dot);
    this.followers.committed(room, dot);
  }

  publish(count = 1): Dot {
    const dot = this.write(count);
    this.commit(dot);
    return dot;
  }

  tell(dot: Dot): void {
    this.tip = dot;
    this.followers.tip(room, dot);
  }

  trimTo(position: number): void {
    const trim = this.log.trimAt(position)!;
    this.commit(this.write(1, position));
    this.log.applyTrim(trim, 0);
  }

  /** What the other home has and this one lacks. */
  copyFrom(other: Home): void {
    for (const { bytes } of other.runs) this.store(bytes);
    if (other.log.committed) this.commit(other.log.committed);
  }

  async #read(ranges: readonly ReadRange[], bytesMax: number): Promise<ReadResult> {
    this.reads++;
    await this.world.peers.clock.sleep(this.readMs);
    if (this.isBroken) throw new Error('the disk is broken');
    const slices: RecordSlice[] = [];
    const missing: { writer: WriterId; fromSeq: number; toSeq: number }[] = [];
    let bytes = 0;
    for (const { writer, firstSeq, count } of ranges) {
      for (let seq = firstSeq; seq < firstSeq + count && bytes < bytesMax; seq++) {
        const run = this.runs.find(
          ({ slice }) =>
            slice.writer === writer && slice.firstSeq <= seq && seq < slice.firstSeq + slice.count,
        );
        if (!run || seq <= (this.log.floors.get(writer) ?? 0))
          missing.push({ writer, fromSeq: seq, toSeq: seq });
        else slices.push(oneOf(run.slice, seq));
        bytes += slices.at(-1)?.records.length ?? 0;
      }
    }
    return { slices, missing };
  }

  #seqsSince(timestamp: number): Vector {
    const vector = new Map<WriterId, number>();
    for (const { bytes } of this.runs) {
      const run = verifyRun(bytes, 0, bytes.length);
      if (!run.ok || run.value.lastTimestamp < timestamp || vector.has(run.value.writer)) continue;
      const { writer, firstSeq, firstTimestamp } = run.value;
      vector.set(writer, firstSeq + Math.max(0, Math.ceil((timestamp - firstTimestamp) / 10)));
    }
    return vector;
  }
}

const silent = {
  committed: () => undefined,
  tip: () => undefined,
  signals: () => undefined,
  keptSignals: () => undefined,
  replaced: () => undefined,
  flush: () => undefined,
};

/** A slice of one entry. */
function oneOf(slice: RecordSlice, seq: number): RecordSlice {
  const record = [...iterateRecords(slice.records)][seq - slice.firstSeq]!;
  return { ...slice, firstSeq: seq, count: 1, records: slice.records.subarray(record.start, record.end) };
}
