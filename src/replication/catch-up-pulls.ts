/** Brings named entries here, from the home that named them: a few channels at a time, each by one read after another, so
 *  that what comes never exceeds what is stored meanwhile. What an owner is sending already is not asked for again. */
import type { NodeId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Vector } from '../log/entry.js';
import { type Channel, trimOf } from './channel.js';
import type { Context } from './context.js';
import type { State } from './messages.js';
import { timing } from './timing.js';

interface Wanted {
  readonly channel: Channel;
  /** `undefined` until it is known what the peer has. */
  have: Vector | undefined;
  readonly since: number;
  /** Answers in a row without anything. */
  empties: number;
  /** What is lacking is trimmed there, and only the owner is believed about that. */
  isTrimmed: boolean;
}

interface UnderWay {
  readonly peer: NodeId;
  readonly until: number;
  isAnswered: boolean;
}

export class Pulls {
  readonly #context: Context;
  /** Called when nothing is left of what a peer named. */
  readonly #settled: (peer: NodeId, now: number) => void;
  readonly #wanted = new Map<NodeId, Map<string, Wanted>>();
  /** One a channel: two homes would send the same. */
  readonly #underWay = new Map<string, UnderWay>();
  /** To be pumped then. */
  deadline = Infinity;

  constructor(context: Context, settled: (peer: NodeId, now: number) => void) {
    this.#context = context;
    this.#settled = settled;
  }

  /** The peer has these, or all that it turns out to have; false when they are held here already. */
  want(peer: NodeId, channel: Channel, have: Vector | undefined, now: number): boolean {
    if (have && channel.holds(have)) return false;
    let wanted = this.#wanted.get(peer);
    if (!wanted) this.#wanted.set(peer, (wanted = new Map()));
    const known = wanted.get(channel.key);
    if (!known) channel.wanted++;
    this.deadline = Math.min(this.deadline, now);
    wanted.set(channel.key, {
      channel,
      have: known?.have && have ? raised(known.have, have) : have,
      since: now,
      empties: 0,
      isTrimmed: false,
    });
    return true;
  }

  leftOf(peer: NodeId): number {
    return this.#wanted.get(peer)?.size ?? 0;
  }

  /** Nothing more is asked of the peer. */
  drop(peer: NodeId): void {
    for (const { channel } of this.#wanted.get(peer)?.values() ?? []) channel.wanted--;
    this.#wanted.delete(peer);
    for (const [key, underWay] of this.#underWay) if (underWay.peer === peer) this.#underWay.delete(key);
  }

  /** Something of the channel was synced. */
  grown(channel: Channel, now: number): void {
    if (channel.wanted === 0) return;
    const underWay = this.#underWay.get(channel.key);
    if (underWay?.isAnswered) this.#underWay.delete(channel.key);
    for (const [peer, wanted] of this.#wanted) {
      const one = wanted.get(channel.key);
      if (one?.have && channel.holds(one.have)) this.#forget(peer, channel, now);
      else if (one && underWay?.isAnswered && underWay.peer === this.#sourceOf(peer, one))
        this.#pull(underWay.peer, channel, now);
    }
    this.pump(now);
  }

  onState(channel: Channel, from: NodeId, { have, runs, trim }: State, now: number): void {
    this.#learn(channel, from, have, now);
    const underWay = this.#underWay.get(channel.key);
    if (underWay?.peer !== from) return;
    underWay.isAnswered = true;
    const wanted = this.#wanted.get(from)?.get(channel.key);
    if (trim && !this.#context.believes(channel, from) && channel.log.judgeFloors(trim) === 'behind') {
      this.#underWay.delete(channel.key);
      if (wanted) wanted.isTrimmed = true;
      return;
    }
    // Floors that came with it may be all that was lacking, once they are written down.
    if (runs.length > 0 || channel.floorsDue > 0) return;
    // Who was asked in another's place is not asked again at once.
    if (!wanted) return;
    this.#underWay.delete(channel.key);
    if (++wanted.empties < limits.emptyPullsMax) return;
    // It cannot send what it named, and whoever else has it names it too.
    this.#context.alarm('NOTHING_SENT', `${channel.key}: entries are named and do not come.`, from);
    this.#forget(from, channel, now);
  }

  /** It is known from now on what the peer has of it, which may be here already. */
  #learn(channel: Channel, from: NodeId, have: Vector, now: number): void {
    const wanted = this.#wanted.get(from)?.get(channel.key);
    if (!wanted || wanted.have) return;
    wanted.have = have;
    if (!channel.holds(have)) return;
    if (this.#underWay.get(channel.key)?.peer === from) this.#underWay.delete(channel.key);
    this.#forget(from, channel, now);
  }

  /** Asks for what may be asked for now. */
  pump(now: number): void {
    this.deadline = this.#wanted.size > 0 ? now + timing.pullPollMs : Infinity;
    for (const [key, { until }] of this.#underWay) if (now >= until) this.#underWay.delete(key);
    for (const [peer, wanted] of this.#wanted) {
      for (const one of wanted.values()) {
        const { channel, since } = one;
        if (!this.#hasRoom()) return;
        if (this.#underWay.has(channel.key) || !isQuiet(channel, since, now)) continue;
        const source = this.#sourceOf(peer, one);
        if (source !== undefined) this.#pull(source, channel, now);
      }
    }
  }

  /** Who is asked for it now: who named it, or who says what is trimmed. */
  #sourceOf(peer: NodeId, { channel, isTrimmed }: Wanted): NodeId | undefined {
    const { owner } = channel.interval;
    if (!isTrimmed || owner === undefined || this.#context.believes(channel, peer)) return peer;
    return this.#context.connected.has(owner) ? owner : undefined;
  }

  #pull(peer: NodeId, channel: Channel, now: number): void {
    this.#underWay.set(channel.key, { peer, until: now + timing.pullMs, isAnswered: false });
    const { ref, interval } = channel;
    const have = channel.have();
    const terms = { limited: true, ...trimOf(channel) } as const;
    this.#context.outbox.to(peer).other({ type: 'pull', interval: interval.id, ref, have, ...terms });
  }

  /** What is asked for fits, should all of it come at once. */
  #hasRoom(): boolean {
    const { size } = this.#underWay;
    return size < limits.pullsMax && this.#context.queue.hasRoom((size + 1) * 2 * limits.peerReadBytes);
  }

  #forget(peer: NodeId, channel: Channel, now: number): void {
    const wanted = this.#wanted.get(peer);
    if (!wanted?.delete(channel.key)) return;
    channel.wanted--;
    if (wanted.size > 0) return;
    this.#wanted.delete(peer);
    this.#settled(peer, now);
  }
}

/** Nobody was asked for it or sent something of it lately; not waited for longer than a while. */
function isQuiet({ links, grownAt }: Channel, since: number, now: number): boolean {
  if (now >= since + timing.pullWaitMs) return true;
  if (now < grownAt + timing.hedgeMs) return false;
  for (const { askedUntil } of links.values()) if (now < askedUntil) return false;
  return true;
}

function raised(a: Vector, b: Vector): Vector {
  const out = new Map(a);
  for (const [writer, seq] of b) out.set(writer, Math.max(seq, out.get(writer) ?? 0));
  return out;
}
