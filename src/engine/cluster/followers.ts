/** Nodes that follow channels here: logs that this node is a home of, and signals where it is the owner. Each gets the
 *  log as it is and then, gathered once a turn, whatever is new. A node that takes in less than it is sent is sent no
 *  more: its follow ends, and it comes back with what it has. */
import { ChannelMap } from '../../base/channel-map.js';
import type { ChannelRef, Dot, NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { ChannelLog } from '../../log/channel-log.js';
import type { Timestamp, Vector } from '../../log/entry.js';
import type { RunSummary } from '../../log/run.js';
import type { Signal } from '../../protocol/messages.js';
import { Follower, FollowingPeer, followedBytes } from './follower.js';
import type { MissingDots } from './following.js';
import type { Neighbours } from './neighbours.js';
import type { Fetched } from '../ordering.js';
import type { Cover, Follow, PeerMessage, Read, Since, Took, Unfollow } from './peer-messages.js';
import { withReason } from '../missing.js';
import type { MissingRange, ReadRange, ReadResult, Timers } from '../ports.js';

export interface FollowersHooks {
  /** The log of a channel that this node is a home of, in memory until it is released as often. */
  open(ref: ChannelRef): Promise<ChannelLog>;
  release(ref: ChannelRef): void;
  /** Brings entries here that a follower has. */
  fetch(ref: ChannelRef, dots: readonly Dot[]): Promise<Fetched>;
  read(ref: ChannelRef, ranges: readonly ReadRange[], bytesMax: number): Promise<ReadResult>;
  seqsSince(ref: ChannelRef, timestamp: Timestamp): Promise<Vector>;
  /** For late joiners. */
  keptSignals(ref: ChannelRef): readonly Signal[];
  /** What is delivered here before it is committed. */
  tip(ref: ChannelRef): Dot | undefined;
}

/** What `Followers` is sent. */
export type FollowersMessage = Follow | Unfollow | Took | Read | Since | Cover;

export class Followers {
  readonly #neighbours: Neighbours;
  readonly #timers: Timers;
  readonly #hooks: FollowersHooks;
  readonly #peers = new Map<NodeId, FollowingPeer>();
  readonly #channels = new ChannelMap<Set<Follower>>();
  readonly #due = new Set<Follower>();
  #stopped = false;

  constructor(neighbours: Neighbours, timers: Timers, hooks: FollowersHooks) {
    this.#neighbours = neighbours;
    this.#timers = timers;
    this.#hooks = hooks;
  }

  /** Somebody follows the channel. */
  has(ref: ChannelRef): boolean {
    return this.#channels.has(ref);
  }

  received(peer: NodeId, message: FollowersMessage): void {
    const from = this.#peer(peer);
    switch (message.type) {
      case 'follow':
        return this.#follow(from, message);
      case 'unfollow': {
        const follower = from.followers.get(message.id);
        if (follower) this.#remove(follower);
        return;
      }
      case 'took':
        from.took = Math.min(message.bytes, from.sent);
        return;
      default:
        void this.#answer(from, message);
    }
  }

  unlinked(peer: NodeId): void {
    const from = this.#peers.get(peer);
    this.#peers.delete(peer);
    if (!from) return;
    from.isGone = true;
    for (const follower of from.followers.values()) this.#remove(follower);
  }

  // What happens here. After it is in the log: who gets the log from then on has it.

  /** `run` is durable and in the log; what of `bytes` is its own is copied if it is needed. */
  synced(ref: ChannelRef, { offset, headerBytes, recordBytes }: RunSummary, bytes: Uint8Array): void {
    const followers = this.#channels.get(ref);
    if (!followers) return;
    const run = bytes.slice(offset, offset + headerBytes + recordBytes);
    for (const follower of followers) {
      if (follower.what === 'log' && this.#owe(follower, run.length)) follower.runs.push(run);
    }
  }

  /** Everything through `dot` is committed. */
  committed(ref: ChannelRef, dot: Dot): void {
    const followers = this.#channels.get(ref);
    if (!followers) return;
    for (const follower of followers) {
      if (follower.what === 'log' && this.#owe(follower, 0)) follower.committed = dot;
    }
  }

  /** `dot` and its past are delivered here before they are committed. */
  tip(ref: ChannelRef, dot: Dot): void {
    const followers = this.#channels.get(ref);
    if (!followers) return;
    for (const follower of followers) {
      if (follower.what === 'log' && this.#owe(follower, 0)) follower.tip = dot;
    }
  }

  /** Published here, at the owner. */
  signal(ref: ChannelRef, signal: Signal): void {
    const followers = this.#channels.get(ref);
    if (!followers) return;
    const kept = { ...signal, content: signal.content.slice() };
    for (const follower of followers) {
      if (this.#owe(follower, kept.content.length)) follower.signals.push(kept);
    }
  }

  /** Heard from the owner. They go on to those only who follow the log: two homes of which each takes the other for the
   *  owner would send them to and fro for ever. */
  relay(ref: ChannelRef, signals: readonly Signal[]): void {
    const followers = this.#channels.get(ref);
    if (!followers) return;
    for (const follower of followers) {
      if (follower.what === 'log' && this.#owe(follower, followedBytes([], signals))) {
        follower.signals.push(...signals);
      }
    }
  }

  /** This node is not the owner any more, or not a home: ends the follows that it does not serve now. */
  changed(ref: ChannelRef): void {
    for (const follower of this.#channels.get(ref) ?? []) if (!this.#serves(follower)) this.#end(follower);
  }

  /** The same for all channels. */
  allChanged(): void {
    for (const followers of this.#channels.values()) {
      for (const follower of followers) if (!this.#serves(follower)) this.#end(follower);
    }
  }

  /** The logs are void, since the store failed or the node stops. */
  endAll(): void {
    for (const { followers } of this.#peers.values()) {
      for (const follower of followers.values()) this.#end(follower);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.endAll();
  }

  // Follows.

  #peer(id: NodeId): FollowingPeer {
    let peer = this.#peers.get(id);
    if (!peer) this.#peers.set(id, (peer = new FollowingPeer(id)));
    return peer;
  }

  #serves({ what, ref }: Pick<Follower, 'what' | 'ref'>): boolean {
    if (this.#stopped) return false;
    return what === 'log' ? this.#neighbours.isHome(ref) : this.#neighbours.acting(ref).at === 'here';
  }

  #follow(peer: FollowingPeer, message: Follow): void {
    const { id, ref, what, covers } = message;
    if (peer.followers.has(id)) return;
    const follower = new Follower(peer, id, ref, what);
    const isSlow = peer.backlog > limits.followerBytesMax / 2;
    if (!this.#serves(follower) || isSlow || peer.followers.size >= limits.followsMax) {
      return this.#tellEnd(follower);
    }
    peer.followers.set(id, follower);
    if (what === 'signals') this.#begin(follower, undefined, nothing);
    else void this.#openFor(follower, covers).catch(() => this.#end(follower));
  }

  async #openFor(follower: Follower, covers: readonly Dot[]): Promise<void> {
    const { ref } = follower;
    const log = await this.#hooks.open(ref);
    if (follower.isEnded) return this.#hooks.release(ref);
    follower.isHeld = true;
    const { lost, unknown } = await this.#bring(ref, log, covers);
    if (follower.isEnded) return;
    const isShort = lacking(log, covers).some((dot) => !names(lost, dot) && !names(unknown, dot));
    if (isShort || !this.#serves(follower)) this.#end(follower);
    else this.#begin(follower, log, { lost, unknown });
  }

  /** In one turn: the log as it is, and the follower among those who hear what is new. */
  #begin(follower: Follower, log: ChannelLog | undefined, missing: MissingDots): void {
    const { ref, id, peer } = follower;
    const followers = this.#channels.get(ref);
    if (followers) followers.add(follower);
    else this.#channels.set(ref, new Set([follower]));
    const signals = this.#hooks.keptSignals(ref);
    const state = log ? { log: log.encode() } : {};
    this.#neighbours.tell(peer.id, { type: 'following', id, ...state, ...missing, signals });
    const tip = log && this.#hooks.tip(ref);
    if (tip && this.#owe(follower, 0)) follower.tip = tip;
  }

  #end(follower: Follower): void {
    if (follower.isEnded) return;
    this.#remove(follower);
    this.#tellEnd(follower);
  }

  #tellEnd({ peer, id, ref }: Follower): void {
    if (peer.isGone) return;
    const acting = this.#neighbours.acting(ref);
    const moved = acting.at === 'peer' ? acting.peer : undefined;
    this.#neighbours.tell(peer.id, { type: 'followEnded', id, moved });
  }

  #remove(follower: Follower): void {
    const { ref, id, peer } = follower;
    follower.isEnded = true;
    peer.followers.delete(id);
    peer.sent -= follower.drop();
    this.#due.delete(follower);
    const followers = this.#channels.get(ref);
    followers?.delete(follower);
    if (followers?.size === 0) this.#channels.delete(ref);
    if (follower.isHeld) this.#hooks.release(ref);
  }

  /** Something is to be sent at the end of this turn. False when that would be too much: then the follow has ended. */
  #owe(follower: Follower, bytes: number): boolean {
    const { peer } = follower;
    if (peer.backlog + bytes > limits.followerBytesMax) {
      this.#end(follower);
      return false;
    }
    peer.sent += bytes;
    follower.bytes += bytes;
    if (this.#due.size === 0) this.#timers.soon(() => this.#tell());
    this.#due.add(follower);
    return true;
  }

  #tell(): void {
    for (const follower of this.#due) {
      for (const message of follower.take()) this.#neighbours.tell(follower.peer.id, message);
    }
    this.#due.clear();
  }

  /** Brings `dots` here; gives those that are not to be had. */
  async #bring(ref: ChannelRef, log: ChannelLog, dots: readonly Dot[]): Promise<MissingDots> {
    const missing = lacking(log, dots);
    if (missing.length === 0) return nothing;
    const fetched = await this.#hooks.fetch(ref, missing);
    if (fetched.type === 'lost') return { lost: fetched.dots, unknown: [] };
    return fetched.type === 'held' ? nothing : { lost: [], unknown: lacking(log, missing) };
  }

  // Questions.

  async #answer(peer: FollowingPeer, question: Read | Since | Cover): Promise<void> {
    const { id, ref } = question;
    let answer: PeerMessage = { type: 'declined', id };
    if (peer.questions < limits.peerQuestionsTakenMax && this.#serves({ what: 'log', ref })) {
      peer.questions++;
      try {
        answer = await this.#answerTo(question);
      } catch {
        // The store has failed, or other homes did not answer: another one may do better.
      }
      peer.questions--;
    }
    if (peer.isGone) return;
    // What was fetched for the question goes before its answer.
    this.#tell();
    this.#neighbours.tell(peer.id, answer);
  }

  async #withReasons(ref: ChannelRef, missing: readonly MissingRange[]): Promise<readonly MissingRange[]> {
    if (missing.length === 0) return missing;
    const log = await this.#hooks.open(ref);
    try {
      return missing.map((range) => withReason(log, range));
    } finally {
      this.#hooks.release(ref);
    }
  }

  async #answerTo(question: Read | Since | Cover): Promise<PeerMessage> {
    const { id, ref } = question;
    switch (question.type) {
      case 'read': {
        const bytesMax = Math.min(question.bytesMax, limits.peerReadBytes);
        const { slices, missing } = await this.#hooks.read(ref, question.ranges, bytesMax);
        return { type: 'readAnswer', id, slices, missing: await this.#withReasons(ref, missing) };
      }
      case 'since':
        return { type: 'sinceAnswer', id, vector: await this.#hooks.seqsSince(ref, question.timestamp) };
      case 'cover': {
        const log = await this.#hooks.open(ref);
        try {
          // Of what is neither held nor lost then nobody knows.
          const { lost } = await this.#bring(ref, log, question.dots);
          return { type: 'covered', id, lost };
        } finally {
          this.#hooks.release(ref);
        }
      }
    }
  }
}

const nothing: MissingDots = { lost: [], unknown: [] };

function lacking(log: ChannelLog, dots: readonly Dot[]): readonly Dot[] {
  return dots.filter(({ writer, seq }) => log.have(writer) < seq);
}

function names(dots: readonly Dot[], { writer, seq }: Dot): boolean {
  return dots.some((dot) => dot.writer === writer && dot.seq === seq);
}
