/** The channels that this node serves to its sessions without being a home of them: each is followed at one home,
 *  whatever the number of sessions, and its log is mirrored here without records. Stands in for the store towards
 *  readers. When the home goes away another one is followed, which must hold all that was delivered; its log then takes
 *  the place of the old one, and readers go on from where they are. Homes that are not the owner follow it for signals. */
import type { ChannelRef, Dot, NodeId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { ChannelLog } from '../../log/channel-log.js';
import type { Timestamp, Vector } from '../../log/entry.js';
import type { Signal } from '../../protocol/messages.js';
import { followedBytes } from './follower.js';
import { type FollowedChannel, RemoteUnavailableError } from './followed-channel.js';
import { Follows, type FollowsOptions } from './follows.js';
import type { Piece } from '../kept-runs.js';
import { Mirror, isWhole } from './mirror.js';
import type { Fetched } from '../ordering.js';
import type { FollowEnded, Followed, Following } from './peer-messages.js';
import { type Answer, PeerQuestions, type Question } from './peer-questions.js';
import type { Logs, ReadRange, ReadResult } from '../ports.js';

export { RemoteUnavailableError } from './followed-channel.js';

export interface MissingDots {
  readonly lost: readonly Dot[];
  readonly unknown: readonly Dot[];
}

export interface FollowingHooks {
  /** The channel's order has grown from `position` on. Without pieces the records are to be read. */
  committed(ref: ChannelRef, log: ChannelLog, position: number, pieces: readonly Piece[] | undefined): void;
  /** The entry and its past are to be delivered before they are committed. */
  tip(ref: ChannelRef, log: ChannelLog, dot: Dot): void;
  signals(ref: ChannelRef, signals: readonly Signal[]): void;
  /** What late joiners get, as the channel is opened. */
  keptSignals(ref: ChannelRef, signals: readonly Signal[]): void;
  /** Another home serves the channel: readers find their place in `log` by the heads they had in `old`. `lost`: of what
   *  was delivered, what no home has any more. `unknown`: what may be at a home that cannot be reached; who has that
   *  cannot be served now. */
  replaced(ref: ChannelRef, old: ChannelLog, log: ChannelLog, missing: MissingDots): void;
  /** Something may be due to sessions. */
  flush(): void;
}

/** What `RemoteLogs` is sent. */
export type FollowingMessage = Following | FollowEnded | Followed | Answer;

/** Homes that are asked one question, one after the other. */
const questionTriesMax = 3;

export class RemoteLogs implements Logs {
  readonly #options: FollowsOptions;
  readonly #hooks: FollowingHooks;
  readonly #follows: Follows;
  readonly #questions: PeerQuestions;
  /** Bytes taken in over each link as it stands. */
  readonly #took = new Map<NodeId, number>();
  readonly #tookUntold = new Set<NodeId>();

  constructor(options: FollowsOptions, hooks: FollowingHooks) {
    this.#options = options;
    this.#hooks = hooks;
    this.#follows = new Follows(options);
    this.#questions = new PeerQuestions(options);
  }

  /** Channels mirrored here. */
  get size(): number {
    return this.#follows.logs.size;
  }

  // For readers, as a store.

  /** Rejects with RemoteUnavailableError when no home serves the channel for a while; then it is not to be released. */
  async open(ref: ChannelRef): Promise<ChannelLog> {
    if (this.#follows.isStopped) throw new RemoteUnavailableError('the node stops');
    const channel = this.#follows.use(this.#follows.logs, ref, 'log');
    try {
      if (!channel.mirror) await this.#follows.untilOpen(channel);
      return this.#opened(ref).mirror.log;
    } catch (error) {
      this.#follows.letGo(channel);
      throw error;
    }
  }

  peek(ref: ChannelRef): ChannelLog | undefined {
    return this.#follows.logs.get(ref)?.mirror?.log;
  }

  release(ref: ChannelRef): void {
    const channel = this.#follows.logs.get(ref);
    if (channel) this.#follows.letGo(channel);
  }

  /** As `release`, and the channel is not followed a moment longer. */
  leave(ref: ChannelRef): void {
    const channel = this.#follows.logs.get(ref);
    if (channel) this.#follows.leave(channel);
  }

  /** Makes the log hold `dots`, which a reader has from elsewhere. */
  async fetch(ref: ChannelRef, dots: readonly Dot[]): Promise<Fetched> {
    const channel = this.#opened(ref);
    const isMissing = ({ writer, seq }: Dot): boolean => channel.mirror.log.have(writer) < seq;
    let lost: readonly Dot[] = [];
    const missing = dots.filter(isMissing);
    if (missing.length > 0) {
      try {
        const answer = await this.#ask(channel, { type: 'cover', ref, dots: missing });
        if (answer.type === 'covered') lost = answer.lost;
      } catch {
        return { type: 'unknown' };
      }
    }
    // What the home fetched came before its answer.
    const left = dots.filter(isMissing);
    channel.mustCover(dots.filter((dot) => !isMissing(dot)));
    if (left.length === 0) return { type: 'held' };
    const isLost = (dot: Dot): boolean =>
      lost.some(({ writer, seq }) => writer === dot.writer && seq === dot.seq);
    return left.every(isLost) ? { type: 'lost', dots: left } : { type: 'unknown' };
  }

  async read(ref: ChannelRef, ranges: readonly ReadRange[], bytesMax: number): Promise<ReadResult> {
    const answer = await this.#ask(this.#opened(ref), { type: 'read', ref, ranges, bytesMax });
    return answer.type === 'readAnswer' ? answer : { slices: [], missing: [] };
  }

  async seqsSince(ref: ChannelRef, timestamp: Timestamp): Promise<Vector> {
    const answer = await this.#ask(this.#opened(ref), { type: 'since', ref, timestamp });
    return answer.type === 'sinceAnswer' ? answer.vector : new Map();
  }

  // For homes: signals of the owner.

  listen(ref: ChannelRef): void {
    this.#follows.use(this.#follows.listened, ref, 'signals');
  }

  unlisten(ref: ChannelRef): void {
    const channel = this.#follows.listened.get(ref);
    if (channel) this.#follows.letGo(channel);
  }

  // What happens around.

  received(peer: NodeId, message: FollowingMessage): void {
    if (this.#follows.isStopped) return;
    switch (message.type) {
      case 'following':
        return this.#following(peer, message);
      case 'followed':
        return this.#followed(peer, message);
      case 'followEnded': {
        const channel = this.#follows.find(peer, message.id);
        if (channel) this.#follows.ended(channel, message.moved);
        return;
      }
      default:
        this.#questions.answered(peer, message);
    }
  }

  unlinked(peer: NodeId): void {
    this.#took.delete(peer);
    this.#tookUntold.delete(peer);
    // Before questions are answered: who asked finds the channel without a home.
    this.#follows.unlinked(peer);
    this.#questions.unlinked(peer);
  }

  /** Who owns the channel has changed, as far as is known. */
  ownerChanged(ref: ChannelRef): void {
    const channel = this.#follows.listened.get(ref);
    if (channel) this.#follows.ownerChanged(channel);
  }

  /** Who is there or who holds what has changed. */
  homesChanged(): void {
    this.#follows.homesChanged();
  }

  stop(): void {
    this.#follows.stop();
    this.#questions.stop();
  }

  #opened(ref: ChannelRef): FollowedChannel & { mirror: Mirror } {
    const channel = this.#follows.logs.get(ref);
    if (!channel?.mirror) throw new RemoteUnavailableError(`${ref.channel} is not followed`);
    return channel as FollowedChannel & { mirror: Mirror };
  }

  // What the home says.

  #following(peer: NodeId, { id, log: state, lost, unknown, signals }: Following): void {
    const channel = this.#follows.find(peer, id);
    if (!channel || channel.isOpen) return;
    if (channel.what === 'log') {
      const log = state && ChannelLog.decode(channel.ref, state);
      if (!log?.ok || !isCovered(channel.covers(), log.value, [...lost, ...unknown]))
        return this.#follows.startOver(channel);
      this.#replace(channel, log.value, { lost, unknown });
    }
    // A home before has sent those it kept.
    if (!channel.wasOpen && signals.length > 0) this.#hooks.keptSignals(channel.ref, signals);
    this.#follows.opened(channel);
    if (channel.mirror) void this.#readTail(channel, channel.mirror);
    this.#hooks.flush();
  }

  #replace(channel: FollowedChannel, log: ChannelLog, missing: MissingDots): void {
    const old = channel.mirror;
    channel.loses([...missing.lost, ...missing.unknown]);
    channel.mirror = new Mirror(log);
    if (old) this.#hooks.replaced(channel.ref, old.log, log, missing);
  }

  /** What was not committed when the home sent its log comes without records, and may hold trims. */
  async #readTail(channel: FollowedChannel, mirror: Mirror): Promise<void> {
    const { ref } = channel;
    let ranges = mirror.tail();
    while (ranges.length > 0 && channel.mirror === mirror && channel.isOpen) {
      const question = { type: 'read', ref, ranges, bytesMax: limits.peerReadBytes } as const;
      const answer = await this.#questions.ask(channel.home!, question);
      if (!answer || !isGood(question, answer) || answer.type !== 'readAnswer') return;
      mirror.addTail(answer.slices);
      ranges = answer.slices.length === 0 ? [] : left(ranges, answer);
    }
  }

  #followed(peer: NodeId, { id, runs, committed, tip, signals }: Followed): void {
    this.#countTook(peer, runs, signals);
    const channel = this.#follows.find(peer, id);
    if (!channel?.isOpen) return;
    const { ref, mirror } = channel;
    if (mirror) {
      const news = runs.every((run) => mirror.take(run)) && (committed ? mirror.commit(committed) : nothing);
      if (!news) return this.#follows.startOver(channel);
      const { position, pieces } = news;
      if (mirror.log.endPosition > position) this.#hooks.committed(ref, mirror.log, position, pieces);
      if (tip && mirror.advance(tip)) this.#hooks.tip(ref, mirror.log, tip);
      mirror.settle();
    }
    if (signals.length > 0) this.#hooks.signals(ref, signals);
    this.#hooks.flush();
  }

  /** The home hears once a turn how much of what it sent was taken in. */
  #countTook(peer: NodeId, runs: readonly Uint8Array[], signals: readonly Signal[]): void {
    this.#took.set(peer, (this.#took.get(peer) ?? 0) + followedBytes(runs, signals));
    if (this.#tookUntold.size === 0) this.#options.timers.soon(() => this.#tellTook());
    this.#tookUntold.add(peer);
  }

  #tellTook(): void {
    for (const peer of this.#tookUntold) {
      this.#options.neighbours.tell(peer, { type: 'took', bytes: this.#took.get(peer) ?? 0 });
    }
    this.#tookUntold.clear();
  }

  /** Asks the home that is followed, and the next one where it does not answer well. */
  async #ask(channel: FollowedChannel & { mirror: Mirror }, question: Question): Promise<Answer> {
    const { channel: name } = channel.ref;
    for (let tries = 0; tries < questionTriesMax; tries++) {
      if (!channel.isOpen) await this.#follows.untilOpen(channel);
      if (question.type === 'read' && !channel.mirror.holds(question.ranges)) {
        throw new RemoteUnavailableError(`entries of ${name} are with no home now`);
      }
      const { id, home } = channel;
      const answer = await this.#questions.ask(home!, question);
      if (answer && isGood(question, answer)) return answer;
      if (this.#follows.find(home!, id) === channel) this.#follows.startOver(channel);
    }
    throw new RemoteUnavailableError(`no home answers for ${name}`);
  }
}

const nothing = { position: Infinity, pieces: [] };

function isCovered(dots: readonly Dot[], log: ChannelLog, missing: readonly Dot[]): boolean {
  const gone = new Map(missing.map(({ writer, seq }) => [writer, seq]));
  return dots.every(({ writer, seq }) => seq <= Math.max(log.have(writer), gone.get(writer) ?? 0));
}

function isGood(question: Question, answer: Answer): boolean {
  switch (question.type) {
    case 'read': {
      const { ref, ranges } = question;
      if (answer.type !== 'readAnswer') return false;
      const { slices, missing } = answer;
      return slices.length + missing.length > 0 && slices.every((slice) => isWhole(ref, slice, ranges));
    }
    case 'since':
      return answer.type === 'sinceAnswer';
    case 'cover':
      return answer.type === 'covered';
  }
}

/** What of the ranges asked for, in their order, was neither read nor missing. */
function left(ranges: readonly ReadRange[], { slices, missing }: ReadResult): ReadRange[] {
  const through = new Map<string, number>();
  for (const { writer, firstSeq, count } of slices) through.set(writer, firstSeq + count - 1);
  for (const { writer, toSeq } of missing) through.set(writer, Math.max(toSeq, through.get(writer) ?? 0));
  return ranges.flatMap(({ writer, firstSeq, count }) => {
    const from = Math.max(firstSeq, (through.get(writer) ?? 0) + 1);
    const end = firstSeq + count;
    return from < end ? [{ writer, firstSeq: from, count: end - from }] : [];
  });
}
