/** How long a suspect has to speak up: long while one member accuses it, shorter with each further one.
 *
 *  Lifeguard's dynamic suspicion (Dadgar et al. 2018, §III-B): the timeout falls with the logarithm of the number of
 *  confirmations, from `maxMs` to `minMs`. */
import type { NodeId } from '../base/ids.js';
import { planted } from '../base/planted.js';
import type { MembershipParameters } from './parameters.js';

/** What a thread beside a node's loop says of the loop, while that is silent itself. */
export interface Pulse {
  /** When it was said: by then the process was there. */
  readonly heardAt: number;
  /** When the loop had last run. */
  readonly ranAt: number;
}

export interface SuspicionBounds {
  readonly minMs: number;
  readonly maxMs: number;
  /** Confirmations at which `minMs` is reached. */
  readonly confirmations: number;
  /** A loop that has not run for longer is stuck. */
  readonly busyMs: number;
}

/** `memberCount` includes this node and the suspect. */
export function suspicionBounds(memberCount: number, parameters: MembershipParameters): SuspicionBounds {
  const { suspicionFactor, probeIntervalMs, suspicionFloorMs, suspicionMaxFactor } = parameters;
  const wanted = suspicionFactor * Math.max(1, Math.log10(memberCount)) * probeIntervalMs;
  const minMs = Math.max(suspicionFloorMs, wanted);
  // The suspect and the first accuser cannot confirm.
  const confirmations = Math.min(parameters.confirmations, Math.max(0, memberCount - 2));
  return { minMs, maxMs: minMs * suspicionMaxFactor, confirmations, busyMs: parameters.pulseBusyMs };
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

  /** When the suspect is dead unless it speaks. A process that answers beside its loop has not ended: each answer gives it the
   *  shortest suspicion anew, until the loop counts as stuck. */
  deadline(pulse: Pulse | undefined): number {
    const { minMs, busyMs } = this.#bounds;
    const deadline = this.#startedAt + suspicionTimeoutMs(this.#accusers.length - 1, this.#bounds);
    if (!pulse) return deadline;
    const stuckAt = planted('stuck-is-alive') ? Number.POSITIVE_INFINITY : pulse.ranAt + busyMs;
    return Math.max(deadline, Math.min(pulse.heardAt + minMs, stuckAt));
  }

  /** When to see for ourselves if this is still undecided; `Infinity` once done. */
  get lookAt(): number {
    return this.#lookAt;
  }

  /** When to ask for the suspect's pulse. */
  get askAt(): number {
    return this.#askAt;
  }

  asked(now: number): void {
    this.#askAt = now + this.#askMs;
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
  }
}
