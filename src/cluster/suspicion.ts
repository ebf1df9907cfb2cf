/** How long a suspect has to speak up: long while one member accuses it, shorter with each further one.
 *
 *  Lifeguard's dynamic suspicion (Dadgar et al. 2018, §III-B): the timeout falls with the logarithm of the number of
 *  confirmations, from `maxMs` to `minMs`. */
import type { NodeId } from '../base/ids.js';
import type { MembershipParameters } from './parameters.js';

export interface SuspicionBounds {
  readonly minMs: number;
  readonly maxMs: number;
  /** Confirmations at which `minMs` is reached. */
  readonly confirmations: number;
}

/** `memberCount` includes this node and the suspect. */
export function suspicionBounds(memberCount: number, parameters: MembershipParameters): SuspicionBounds {
  const { suspicionFactor, probeIntervalMs, suspicionFloorMs, suspicionMaxFactor } = parameters;
  const wanted = suspicionFactor * Math.max(1, Math.log10(memberCount)) * probeIntervalMs;
  const minMs = Math.max(suspicionFloorMs, wanted);
  // The suspect and the first accuser cannot confirm.
  const confirmations = Math.min(parameters.confirmations, Math.max(0, memberCount - 2));
  return { minMs, maxMs: minMs * suspicionMaxFactor, confirmations };
}

/** From the first accusation on. */
export function suspicionTimeoutMs(confirmations: number, bounds: SuspicionBounds): number {
  const { minMs, maxMs } = bounds;
  if (confirmations >= bounds.confirmations) return minMs;
  const share = Math.log(confirmations + 1) / Math.log(bounds.confirmations + 1);
  return Math.max(minMs, maxMs - share * (maxMs - minMs));
}

export class Suspicion {
  readonly #bounds: SuspicionBounds;
  readonly #accusers: NodeId[];
  #startedAt: number;
  #lookAt: number;

  constructor(first: NodeId, now: number, bounds: SuspicionBounds, secondLookMs = Number.POSITIVE_INFINITY) {
    this.#bounds = bounds;
    this.#accusers = [first];
    this.#startedAt = now;
    this.#lookAt = now + secondLookMs;
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
    return this.#startedAt + suspicionTimeoutMs(this.#accusers.length - 1, this.#bounds);
  }

  /** When to see for ourselves if this is still undecided; `Infinity` once done. */
  get lookAt(): number {
    return this.#lookAt;
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
  }
}
