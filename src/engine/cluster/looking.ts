/** An empty node that is to join others serves nobody before it has: what it acknowledged alone would be in a ring of its own,
 *  and a reader that comes with a cursor would be told that all of it is lost. It asks at all addresses it is given at once, and
 *  chooses a ring when all have answered: nodes that met one after the other would form rings of those that met first. */
import { limits } from '../../base/limits.js';
import type { EnginePorts } from '../ports.js';

export interface LookingParts {
  /** The node may be one that is to join others. */
  readonly isMeant: boolean;
  /** It holds nothing itself: without others there is nothing to serve. */
  readonly isPatient: boolean;
  /** In its own ring, or in none. */
  readonly isAlone: () => boolean;
  /** Another node is there, in whatever ring. */
  readonly isAnybodyThere: () => boolean;
  /** Resolves when somebody at that address answered, or nobody did in time. */
  readonly meet: (address: string) => Promise<unknown>;
  /** Answers are waited for; then, whoever answered had the time to say which ring it is in. */
  readonly meeting: (isUnderWay: boolean) => void;
  /** Once everything taken in so far is written. */
  readonly holdsNothing: () => Promise<boolean>;
  /** Its ring cannot be given up. */
  readonly held: () => void;
}

export class Looking {
  readonly #ports: Pick<EnginePorts, 'clock' | 'timers'>;
  readonly #parts: LookingParts;
  readonly #asked = new Set<string>();
  #waitsFor = 0;
  #isOver: boolean;
  /** When somebody was there last, and how long after that nobody is waited for. */
  #sinceMs: number;
  #patienceMs: number = limits.lookForOthersMs;

  constructor(ports: Pick<EnginePorts, 'clock' | 'timers'>, parts: LookingParts) {
    this.#ports = ports;
    this.#parts = parts;
    this.#isOver = !parts.isMeant;
    this.#sinceMs = ports.clock.monotonicMs();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether the node can give up its ring; entries that are held here are said to be, and served. */
  async holdsNothing(): Promise<boolean> {
    const isEmpty = await this.#parts.holdsNothing();
    if (isEmpty) return true;
    this.#isOver = true;
    this.#parts.held();
    return false;
  }

  /** Whoever finds this node alone learns whether it can give up its ring, before any ring is chosen. */
  tell(): void {
    // It may stop meanwhile.
    if (this.#parts.isAlone()) void this.holdsNothing().catch(() => undefined);
  }

  look(): void {
    if (this.#isOver) return;
    const now = this.#ports.clock.monotonicMs();
    if (this.#parts.isAnybodyThere()) {
      this.#sinceMs = now;
      this.#patienceMs = limits.waitForOthersMs;
    }
    const isEnough = !this.#parts.isPatient && now - this.#sinceMs >= this.#patienceMs;
    this.#isOver = !this.#parts.isAlone() || isEnough;
    if (!this.#isOver) this.#ports.timers.after(limits.lookEveryMs, () => this.look());
  }

  /** Addresses at which others may be. */
  ask(addresses: readonly string[]): void {
    if (this.#isOver) return;
    for (const address of addresses) {
      // Once each: some are heard of again and again.
      if (this.#asked.has(address) || this.#asked.size >= limits.knownAddressesMax) continue;
      this.#asked.add(address);
      void this.#ask(address);
    }
  }

  async #ask(address: string): Promise<void> {
    if (this.#waitsFor++ === 0) this.#parts.meeting(true);
    await this.#parts.meet(address);
    this.#ports.timers.after(limits.tellRingMs, () => {
      if (--this.#waitsFor === 0) this.#parts.meeting(false);
    });
  }
}
