/** Homes that store a channel and serve it, and nodes that follow it for readers of their own. The homes' stores are
 *  lists of runs; everything between the nodes is the real thing. */
import type { ChannelName, ChannelRef, Dot, HubName, NodeId, WriterId } from '../../../src/base/ids.js';
import { dotText } from '../../../src/base/ids.js';
import { Followers, type FollowersMessage } from '../../../src/engine/cluster/followers.js';
import {
  type FollowingMessage,
  RemoteLogs,
  RemoteUnavailableError,
} from '../../../src/engine/cluster/following.js';
import type { Piece } from '../../../src/engine/kept-runs.js';
import type { Fetched } from '../../../src/engine/ordering.js';
import { type PeerMessage, isRingMessage } from '../../../src/engine/cluster/peer-messages.js';
import type { ReadRange, ReadResult, RecordSlice } from '../../../src/engine/ports.js';
import { ChannelLog } from '../../../src/log/channel-log.js';
import { encodeContent, iterateRecords } from '../../../src/log/entry-wire.js';
import type { Vector } from '../../../src/log/entry.js';
import { LogReader } from '../../../src/log/reader.js';
import { verifyRun } from '../../../src/log/run-reader.js';
import { RunWriter } from '../../../src/log/run-writer.js';
import type { Signal } from '../../../src/protocol/messages.js';
import { type PeerNode, PeerWorld } from './peer-world.js';

export const room: ChannelRef = { hub: 'default' as HubName, channel: 'room' as ChannelName };
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

/** Splits what comes between the two sides, as the engine does. */
function dispatch(
  message: PeerMessage,
  followers: Followers | undefined,
  remote: RemoteLogs,
  from: NodeId,
): void {
  if (isRingMessage(message)) return;
  switch (message.type) {
    case 'follow':
    case 'unfollow':
    case 'took':
    case 'read':
    case 'since':
    case 'cover':
      return followers?.received(from, message satisfies FollowersMessage);
    case 'replication':
    case 'publish':
    case 'published':
    case 'orphan':
    case 'adopted':
      return;
    default:
      return remote.received(from, message satisfies FollowingMessage);
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

/** A node that is no home, with one reader a channel. */
export class Edge {
  readonly remote: RemoteLogs;
  readonly signals: Signal[] = [];
  readonly kept: Signal[] = [];
  readonly lost: Dot[] = [];
  readonly unknown: Dot[] = [];
  replaced = 0;
  /** Committed entries that had to be read from the home. */
  unread = 0;
  reader: Reader | undefined;

  constructor(
    readonly world: FollowingWorld,
    readonly peer: PeerNode,
  ) {
    const { clock } = world.peers;
    this.remote = new RemoteLogs(
      { neighbours: peer, clock, timers: clock },
      {
        committed: (_, log, position, pieces) => {
          if (!pieces) this.unread += log.endPosition - position;
          this.reader?.committed(log, position, pieces);
        },
        tip: (_, log, dot) => this.reader?.provisional(log, dot),
        signals: (_, signals) => void this.signals.push(...signals),
        keptSignals: (_, signals) => void this.kept.push(...signals),
        replaced: (_, old, log, { lost, unknown }) => {
          this.replaced++;
          this.lost.push(...lost);
          this.unknown.push(...unknown);
          this.reader?.replaced(old, log);
        },
        flush: () => undefined,
      },
    );
    peer.handler = {
      received: (from, message) => dispatch(message, undefined, this.remote, from),
      unlinked: (from) => this.remote.unlinked(from),
    };
  }

  /** Opens the channel and reads it from its beginning. */
  async read(): Promise<Reader> {
    const log = await this.remote.open(room);
    this.reader = new Reader(this.remote, log);
    this.reader.kick(log);
    return this.reader;
  }
}

/** Reads as a session does: what is committed, and provisional entries where it is told to. */
export class Reader {
  readonly had: string[] = [];
  readonly gaps: string[] = [];
  readonly faults: string[] = [];
  #log: ChannelLog;
  #reader: LogReader;
  #isReading = false;
  #tip: Dot | undefined;

  constructor(
    readonly remote: RemoteLogs,
    log: ChannelLog,
  ) {
    this.#log = log;
    this.#reader = LogReader.atPosition(log, 0);
  }

  get heads(): readonly Dot[] {
    return this.#reader.heads(this.#log);
  }

  /** As a live reader gets it where it is at the end; else it reads the log. */
  committed(log: ChannelLog, position: number, pieces: readonly Piece[] | undefined): void {
    if (log !== this.#log) this.faults.push('told of a log that was replaced');
    const isLive = !this.#isReading && this.#reader.position === position && this.#tip === undefined;
    if (!pieces || !isLive) return this.kick(log);
    for (const { writer, count, records } of pieces) {
      const step = this.#reader.next(log, count);
      if (step.type !== 'entries' || step.writer !== writer || step.count !== count) {
        this.faults.push('a piece that is not due');
        return;
      }
      const first = iterateRecords(records).next().value?.seq;
      if (first !== step.firstSeq) this.faults.push('records of another entry');
      this.#took([{ writer, firstSeq: step.firstSeq, count, round: 0, records }]);
      this.#reader.advance(step);
    }
  }

  provisional(log: ChannelLog, tip: Dot): void {
    this.#tip = tip;
    this.kick(log);
  }

  kick(log: ChannelLog): void {
    if (log !== this.#log) this.faults.push('told of a log that was replaced');
    if (this.#isReading) return;
    this.#isReading = true;
    void this.#readOn();
  }

  replaced(old: ChannelLog, log: ChannelLog): void {
    const heads = this.#reader.heads(old);
    const held = heads.filter(({ writer, seq }) => log.have(writer) >= seq);
    const gone = heads.filter(({ writer, seq }) => log.have(writer) < seq);
    this.gaps.push(...gone.map((dot) => `lost ${dot.seq}`));
    const left = gone.filter(({ writer }) => log.have(writer) > 0);
    const reader = LogReader.atCursor(log, [
      ...held,
      ...left.map(({ writer }) => ({ writer, seq: log.have(writer) })),
    ]);
    if (!reader.ok) throw new Error('heads that are held');
    this.#reader = reader.value;
    this.#log = log;
    this.kick(log);
  }

  async #readOn(): Promise<void> {
    try {
      for (;;) {
        const [log, reader] = [this.#log, this.#reader];
        const step = this.#next(log, reader);
        if (step.type === 'end') break;
        if (step.type === 'gap') {
          this.gaps.push(step.ranges.map(({ fromSeq, toSeq }) => `${fromSeq}-${toSeq}`).join());
          reader.advance(step);
          continue;
        }
        const isProvisional = reader.isAtEnd(log);
        const { slices, missing } = await this.remote.read(room, [step], 400);
        // Replaced, or committed meanwhile.
        if (reader !== this.#reader || isProvisional !== reader.isAtEnd(log)) continue;
        for (const { fromSeq, toSeq } of missing) this.gaps.push(`missing ${fromSeq}-${toSeq}`);
        for (const { firstSeq, count } of [...slices, ...missing.map(rangeOf)]) {
          if (isProvisional) reader.took(step.writer, firstSeq + count - 1);
          else reader.advance({ ...step, firstSeq, count });
        }
        this.#took(slices);
      }
    } catch (error) {
      if (!(error instanceof RemoteUnavailableError)) this.faults.push(String(error));
    }
    this.#isReading = false;
  }

  #next(log: ChannelLog, reader: LogReader) {
    const step = reader.next(log, 100);
    if (this.#tip && log.have(this.#tip.writer) < this.#tip.seq) this.#tip = undefined;
    if (this.#tip && log.positionOf(this.#tip) !== undefined) this.#tip = undefined;
    return step.type === 'end' && this.#tip ? reader.nextProvisional(log, this.#tip, 100) : step;
  }

  #took(slices: readonly RecordSlice[]): void {
    for (const { writer, firstSeq, count } of slices) {
      for (let seq = firstSeq; seq < firstSeq + count; seq++) this.had.push(short({ writer, seq }));
    }
  }
}

function rangeOf({ fromSeq, toSeq }: { fromSeq: number; toSeq: number }) {
  return { firstSeq: fromSeq, count: toSeq - fromSeq + 1 };
}

/** A slice of one entry. */
function oneOf(slice: RecordSlice, seq: number): RecordSlice {
  const record = [...iterateRecords(slice.records)][seq - slice.firstSeq]!;
  return { ...slice, firstSeq: seq, count: 1, records: slice.records.subarray(record.start, record.end) };
}

/** The writer's number and the seq. */
export function short(dot: Dot): string {
  return `${dotText(dot)[0]}.${dot.seq}`;
}

/** What a reader of the whole channel gets. */
export function order(log: ChannelLog): string[] {
  return log
    .spans(log.firstPosition, log.endPosition)
    .flatMap(({ writer, firstSeq, count }) =>
      Array.from({ length: count }, (_, i) => short({ writer, seq: firstSeq + i })),
    );
}
