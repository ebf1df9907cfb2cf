/** One channel that another node follows here, and what is due to it at the end of this turn. */
import type { ChannelRef, Dot, NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { Signal } from '../../protocol/messages.js';
import type { Followed } from './peer-messages.js';

/** A node that follows, as long as one link to it stands. */
export class FollowingPeer {
  readonly followers = new Map<number, Follower>();
  /** Bytes sent to it, or about to be, and those it said it has taken in. */
  sent = 0;
  took = 0;
  /** Being answered. */
  questions = 0;
  isGone = false;

  constructor(readonly id: NodeId) {}

  get backlog(): number {
    return this.sent - this.took;
  }
}

export class Follower {
  // Due at the end of this turn.
  runs: Uint8Array[] = [];
  committed: Dot | undefined;
  tip: Dot | undefined;
  signals: Signal[] = [];
  bytes = 0;

  isEnded = false;
  /** The channel's log is kept in memory for it. */
  isHeld = false;

  constructor(
    readonly peer: FollowingPeer,
    readonly id: number,
    readonly ref: ChannelRef,
    readonly what: 'log' | 'signals',
  ) {}

  /** What is due, in messages that fit a letter; then nothing is. */
  take(): Followed[] {
    const { id, runs, committed, tip, signals } = this;
    const messages: Followed[] = [];
    // Runs first: what is said of entries follows them.
    for (const part of parts(runs, (run) => run.length)) {
      messages.push({ type: 'followed', id, runs: part, signals: [] });
    }
    for (const part of parts(signals, ({ content }) => content.length)) {
      messages.push({ type: 'followed', id, runs: [], signals: part });
    }
    const [first = { type: 'followed', id, runs: [], signals: [] } as Followed] = messages;
    const said = { ...(committed ? { committed } : {}), ...(tip ? { tip } : {}) };
    this.drop();
    if (messages.length <= 1) return [{ ...first, ...said }];
    if (committed || tip) messages.push({ type: 'followed', id, runs: [], ...said, signals: [] });
    return messages;
  }

  /** Forgets what is due; gives its bytes. */
  drop(): number {
    const { bytes } = this;
    this.runs = [];
    this.committed = undefined;
    this.tip = undefined;
    this.signals = [];
    this.bytes = 0;
    return bytes;
  }
}

/** Cut so that each part has about as many bytes and elements as a letter should at most have. */
function parts<T>(all: readonly T[], bytesOf: (each: T) => number): T[][] {
  const out: T[][] = [];
  let bytes = 0;
  for (const each of all) {
    const last = out.at(-1);
    if (!last || bytes >= limits.peerLetterBytes || last.length >= limits.forwardedBatchMax) {
      out.push([each]);
      bytes = 0;
    } else last.push(each);
    bytes += bytesOf(each);
  }
  return out;
}

/** As both sides count what is followed. */
export function followedBytes(runs: readonly Uint8Array[], signals: readonly Signal[]): number {
  let bytes = 0;
  for (const run of runs) bytes += run.length;
  for (const { content } of signals) bytes += content.length;
  return bytes;
}
