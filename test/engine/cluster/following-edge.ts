/** A node that follows a channel for readers of its own. */
import type { ChannelName, ChannelRef, Dot, HubName, NodeId } from '../../../src/base/ids.js';
import { dotText } from '../../../src/base/ids.js';
import type { Followers, FollowersMessage } from '../../../src/engine/cluster/followers.js';
import {
  type FollowingMessage,
  RemoteLogs,
  RemoteUnavailableError,
} from '../../../src/engine/cluster/following.js';
import type { Piece } from '../../../src/engine/kept-runs.js';
import { type PeerMessage, isRingMessage } from '../../../src/engine/cluster/peer-messages.js';
import type { RecordSlice } from '../../../src/engine/ports.js';
import type { ChannelLog } from '../../../src/log/channel-log.js';
import { iterateRecords } from '../../../src/log/entry-wire.js';
import { LogReader } from '../../../src/log/reader.js';
import type { Signal } from '../../../src/protocol/messages.js';
import type { FollowingWorld } from './following-world.js';
import type { PeerNode } from './peer-world.js';

export const room: ChannelRef = { hub: 'default' as HubName, channel: 'room' as ChannelName };

/** Splits what comes between the two sides, as the engine does. */
export function dispatch(
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
    case 'verify':
    case 'verified':
    case 'listAsked':
    case 'listed':
    case 'presence':
    case 'askPresence':
    case 'followPresence':
    case 'unfollowPresence':
    case 'presenceFollowed':
    case 'presenceEnded':
      return;
    default:
      return remote.received(from, message satisfies FollowingMessage);
  }
}

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
