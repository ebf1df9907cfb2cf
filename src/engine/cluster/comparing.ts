/** Comparisons that this node began: runs their sessions (replication/reconcile-session.ts) over the links until they end. */
import type { NodeId } from '../../base/ids.js';
import type { Finding } from '../../replication/reconcile-ranges.js';
import type { Reconcile, Reconciled } from '../../replication/reconcile-messages.js';
import {
  ReconcileSession,
  type SessionOptions,
  type SessionState,
} from '../../replication/reconcile-session.js';
import type { Clock, Random, Timers } from '../ports.js';

export interface ComparingPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  say(peer: NodeId, message: Reconcile): void;
}

interface Running {
  readonly peer: NodeId;
  readonly session: ReconcileSession;
  readonly endsAt: number;
  found(findings: readonly Finding[]): void;
  ended(state: SessionState): void;
  cancelTimer: (() => void) | undefined;
}

export interface Ended {
  readonly state: SessionState;
  /** Differences that were not named. */
  readonly more: number;
  /** What arrived at the peer through it was compared, where all was. */
  readonly arrival: number;
}

export class Comparing {
  readonly #ports: ComparingPorts;
  readonly #running = new Map<number, Running>();

  constructor(ports: ComparingPorts) {
    this.#ports = ports;
  }

  /** Resolves when it has ended, however it did; `found` is called as differences are found. `timeMs`: it ends as silent after
   *  so long. */
  async run(
    peer: NodeId,
    { timeMs = Infinity, ...options }: Omit<SessionOptions, 'session'> & { readonly timeMs?: number },
    found: Running['found'],
  ): Promise<Ended> {
    const endsAt = this.#ports.clock.monotonicMs() + timeMs;
    const id = Math.floor(this.#ports.random.next() * Number.MAX_SAFE_INTEGER);
    const session = new ReconcileSession({ ...options, session: id });
    const state = await new Promise<SessionState>((ended) => {
      const running: Running = { peer, session, endsAt, found, ended, cancelTimer: undefined };
      this.#running.set(id, running);
      this.#goOn(running);
    });
    return { state, more: session.more, arrival: session.arrival };
  }

  received(from: NodeId, message: Reconciled): void {
    const running = this.#running.get(message.session);
    if (running?.peer !== from) return;
    const findings = running.session.answered(message, this.#ports.clock.monotonicMs());
    if (findings.length > 0) running.found(findings);
    this.#goOn(running);
  }

  /** The link is gone: nothing that was asked is answered any more. */
  unlinked(peer: NodeId): void {
    for (const running of this.#running.values()) if (running.peer === peer) this.#end(running, 'silent');
  }

  /** Whoever waits is told that it ended. */
  stop(): void {
    for (const running of this.#running.values()) this.#end(running, 'silent');
  }

  #goOn(running: Running): void {
    const { session, peer, endsAt } = running;
    running.cancelTimer?.();
    const { clock, timers } = this.#ports;
    if (session.state === 'going' && clock.monotonicMs() >= endsAt) return this.#end(running, 'silent');
    for (const question of session.questions(clock.monotonicMs())) this.#ports.say(peer, question);
    if (session.state !== 'going') return this.#end(running, session.state);
    const waitMs = Math.max(0, Math.min(session.deadline, endsAt) - clock.monotonicMs());
    running.cancelTimer = timers.after(waitMs, () => this.#goOn(running));
  }

  #end(running: Running, state: SessionState): void {
    running.cancelTimer?.();
    this.#running.delete(running.session.session);
    running.ended(state);
  }
}
