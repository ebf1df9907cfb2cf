/** How long a suspect has to speak up: long while one member accuses it, shorter with each further one.
 *
 *  Lifeguard's dynamic suspicion (Dadgar et al. 2018, §III-B): the timeout falls with the logarithm of the number of
 *  confirmations, from `maxMs` to `minMs`. */
import type { NodeId } from '../base/ids.js';
import { planted } from '../base/planted.js';
import type { MembershipParameters } from './parameters.js';

export interface SuspicionBounds {
  readonly minMs: number;
  readonly maxMs: number;
  /** Confirmations at which `minMs` is reached. */
  readonly confirmations: number;
  /** A loop that has not run for longer is stuck. */
  readonly busyMs: number;
  /** A loop that ran so long after the suspicion began had the time to speak. */
  readonly freshMs: number;
}

/** `memberCount` includes this node and the suspect. */
export function suspicionBounds(memberCount: number, parameters: MembershipParameters): SuspicionBounds {
  const { suspicionFactor, probeIntervalMs, suspicionFloorMs, suspicionMaxFactor } = parameters;
  const wanted = suspicionFactor * Math.max(1, Math.log10(memberCount)) * probeIntervalMs;
  const minMs = Math.max(suspicionFloorMs, wanted);
  // The suspect and the first accuser cannot confirm.
  const confirmations = Math.min(parameters.confirmations, Math.max(0, memberCount - 2));
  const { pulseBusyMs: busyMs, pulseFreshMs: freshMs } = parameters;
  return { minMs, maxMs: minMs * suspicionMaxFactor, confirmations, busyMs, freshMs };
}

/** From the first accusation on. */
export function suspicionTimeoutMs(confirmations: number, bounds: SuspicionBounds): number {
  const { minMs, maxMs } = bounds;
  if (confirmations >= bounds.confirmations) return minMs;
  const share = Math.log(confirmations + 1) / Math.log(bounds.confirmations + 1);
  return Math.max(minMs, maxMs - share * (maxMs - minMs));
}

export type Rhythm = Pick<MembershipParameters, 'secondLookMs' | 'pulseAskMs'>;

export class Suspicion {
  readonly #bounds: SuspicionBounds;
  readonly #accusers: NodeId[];
  readonly #askMs: number;
  #startedAt: number;
  #lookAt: number;
  #askAt: number;
  #putOffTo = Number.NEGATIVE_INFINITY;

  constructor(first: NodeId, now: number, bounds: SuspicionBounds, { secondLookMs, pulseAskMs }: Rhythm) {
    this.#bounds = bounds;
    this.#accusers = [first];
    this.#startedAt = now;
    this.#lookAt = now + secondLookMs;
    this.#askMs = pulseAskMs;
    this.#askAt = now + pulseAskMs;
  }

  get accusers(): readonly NodeId[] {
    return this.#accusers;
  }

  /** When the first accusation was heard here. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** When the suspect is dead unless it speaks. */
  get deadline(): number {
    const timeoutMs = suspicionTimeoutMs(this.#accusers.length - 1, this.#bounds);
    return Math.max(this.#startedAt + timeoutMs, this.#putOffTo);
  }

  /** The suspect's process answers beside its loop, which last ran then: it is busy, and has the shortest suspicion anew with each
   *  answer until its loop counts as stuck. One that runs and is not heard all the same is not silent for being busy. Returns
   *  whether it ran since it was suspected. */
  pulsed(ranAt: number, now: number): boolean {
    const { minMs, busyMs, freshMs } = this.#bounds;
    if (ranAt > this.#startedAt + freshMs) return true;
    const stuckAt = planted('stuck-is-alive') ? Number.POSITIVE_INFINITY : ranAt + busyMs;
    this.#putOffTo = Math.max(this.#putOffTo, Math.min(now + minMs, stuckAt));
    return ranAt > this.#startedAt;
  }

  /** When to see for ourselves if this is still undecided; `Infinity` once done. */
  get lookAt(): number {
    return this.#lookAt;
  }

  /** When to ask for the suspect's pulse. */
  get askAt(): number {
    return this.#askAt;
  }

  /** The nearer the end, the sooner again: questions and answers may be lost. */
  asked(now: number): void {
    const quarterMs = (this.deadline - now) / 4;
    this.#askAt = now + Math.min(this.#askMs, Math.max(this.#askMs / 4, quarterMs));
  }

  looked(): void {
    this.#lookAt = Number.POSITIVE_INFINITY;
  }

  /** Whether this is an accuser not counted yet. Beyond the useful number none is: it need not be told on either. */
  accuse(accuser: NodeId): boolean {
    if (this.#accusers.length > this.#bounds.confirmations || this.#accusers.includes(accuser)) return false;
    this.#accusers.push(accuser);
    return true;
  }

  /** Gives the suspect the time back in which we could not hear it. */
  extend(byMs: number): void {
    this.#startedAt += byMs;
    this.#lookAt += byMs;
    this.#askAt += byMs;
    this.#putOffTo += byMs;
  }
}
