/** One channel that this node follows at another one, whatever the number of its sessions that use it. */
import type { ChannelRef, Dot, NodeId, WriterId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { planted } from '../../base/planted.js';
import type { Mirror } from './mirror.js';

/** Nobody serves the channel now: to be tried again later. */
export class RemoteUnavailableError extends Error {
  override readonly name = 'RemoteUnavailableError';
}

interface Waiter {
  readonly by: number;
  readonly resolve: () => void;
  readonly reject: (error: RemoteUnavailableError) => void;
}

export class FollowedChannel {
  users = 0;
  /** Set once a home has sent the log, and replaced when another one does. */
  mirror: Mirror | undefined;
  /** Of the follow under way; 0 while none is. */
  id = 0;
  home: NodeId | undefined;
  /** The home has answered. */
  isOpen = false;
  /** Some home has. */
  wasOpen = false;
  /** Asked in vain since the last pause. */
  readonly tried = new Set<NodeId>();
  /** Named by a node that does not serve the channel. */
  hint: NodeId | undefined;
  pauseMs = 0;
  /** When an answer must be there, or when the next one is asked. */
  nextAt = Infinity;
  /** When it is let go, while nobody uses it. */
  idleAt = Infinity;
  /** What readers that came with a cursor have; forgotten once it is committed. */
  readonly #had = new Map<WriterId, number>();
  #waiters: Waiter[] = [];

  constructor(
    readonly ref: ChannelRef,
    readonly what: 'log' | 'signals',
  ) {}

  pause(now: number): void {
    this.pauseMs = Math.min(limits.followPauseMsMax, Math.max(limits.followPauseMs, 2 * this.pauseMs));
    this.nextAt = now + this.pauseMs;
    this.tried.clear();
  }

  asks(id: number, home: NodeId, now: number): void {
    this.id = id;
    this.home = home;
    this.nextAt = now + (this.mirror ? limits.followCoverMs : limits.followAnswerMs);
  }

  /** It is followed nowhere. */
  closed(): void {
    this.id = 0;
    this.isOpen = false;
    this.nextAt = Infinity;
  }

  /** The home answered. */
  opened(): void {
    this.isOpen = true;
    this.wasOpen = true;
    this.tried.clear();
    this.hint = undefined;
    this.pauseMs = 0;
    this.nextAt = Infinity;
  }

  /** What the log must hold that a home sends. */
  covers(): readonly Dot[] {
    if (planted('follow-uncovered')) return [];
    const { mirror } = this;
    for (const [writer, seq] of this.#had) {
      if (mirror && mirror.log.committedSeq(writer) >= seq) this.#had.delete(writer);
    }
    const had = Array.from(this.#had, ([writer, seq]) => ({ writer, seq }));
    return mirror ? [...mirror.covers(), ...had] : had;
  }

  /** Readers have these, and they are held. */
  mustCover(dots: readonly Dot[]): void {
    for (const { writer, seq } of dots) this.#had.set(writer, Math.max(seq, this.#had.get(writer) ?? 0));
  }

  /** No home has these any more, or readers that had them are gone: they are not asked for again. */
  loses(dots: readonly Dot[]): void {
    for (const { writer, seq } of dots) if ((this.#had.get(writer) ?? 0) <= seq) this.#had.delete(writer);
  }

  /** Settled once a home answers; rejects after `by`. */
  untilOpen(by: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ by, resolve, reject });
    });
  }

  get deadline(): number {
    let next = Math.min(this.nextAt, this.idleAt);
    for (const { by } of this.#waiters) next = Math.min(next, by);
    return next;
  }

  wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { resolve } of waiters) resolve();
  }

  /** Rejects those who waited long enough. */
  giveUp(now: number): void {
    const waiters = this.#waiters;
    this.#waiters = waiters.filter(({ by }) => by > now);
    for (const { by, reject } of waiters) {
      if (by <= now) reject(new RemoteUnavailableError(`no home serves ${this.ref.channel} now`));
    }
  }
}
