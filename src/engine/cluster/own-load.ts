/** How busy this node is, as it tells the others: the share of the time for which its loop had work. What is told is told to everybody, so
 *  it follows in steps of a tenth, and not often. */
import type { EnginePorts } from '../ports.js';

const lookMs = 10_000;
/** Thousandths. */
const step = 100;

export class OwnLoad {
  readonly #ports: Pick<EnginePorts, 'busyShare' | 'timers'>;
  readonly #say: (load: number) => void;
  #told = 0;
  #cancel: (() => void) | undefined;

  constructor(ports: Pick<EnginePorts, 'busyShare' | 'timers'>, say: (load: number) => void) {
    this.#ports = ports;
    this.#say = say;
  }

  /** In thousandths, as it was told last. */
  get told(): number {
    return this.#told;
  }

  /** From now on, where the machine can say. */
  start(): void {
    if (this.#ports.busyShare) this.#cancel = this.#ports.timers.after(lookMs, () => this.#look());
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #look(): void {
    const share = Math.min(1, Math.max(0, this.#ports.busyShare?.() ?? 0));
    const load = 1_000 * share;
    // A whole step from what was told: at the edge between two it does not go to and fro.
    if (Math.abs(load - this.#told) >= step) {
      this.#told = step * Math.round(load / step);
      this.#say(this.#told);
    }
    this.start();
  }
}
