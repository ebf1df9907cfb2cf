/** What a search did, as the lines a ledger of searches keeps: without them a passing search says nothing. */
import { type FaultKind, faultKinds } from './faults.js';
import type { RunResult } from './run-seed.js';

export class Totals {
  seeds = 0;
  #simulatedMs = 0;
  #published = 0;
  #acked = 0;
  #delivered = 0;
  readonly #fired = new Map<FaultKind, { total: number; busy: number; seeds: number }>();

  add({ simulatedMs, published, acked, delivered, fired }: RunResult): void {
    this.seeds++;
    this.#simulatedMs += simulatedMs;
    this.#published += published;
    this.#acked += acked;
    this.#delivered += delivered;
    for (const [kind, { total, busy }] of fired) {
      const sum = this.#fired.get(kind) ?? { total: 0, busy: 0, seeds: 0 };
      sum.total += total;
      sum.busy += busy;
      sum.seeds++;
      this.#fired.set(kind, sum);
    }
  }

  lines(wallMs: number): string[] {
    const hours = this.#simulatedMs / 3_600_000;
    const share = this.#published === 0 ? 0 : (100 * this.#acked) / this.#published;
    const speed = this.#simulatedMs / wallMs;
    const faults = faultKinds.flatMap((kind) => {
      const sum = this.#fired.get(kind);
      return sum ? [`${kind} ${sum.total} (${sum.busy} with a publish open, ${sum.seeds} seeds)`] : [];
    });
    return [
      `cluster: ${this.seeds} seeds, ${hours.toFixed(1)} simulated hours, ${speed.toFixed(0)} times real time; ${this.#published} publishes, ${share.toFixed(1)} % acked, ${this.#delivered} deliveries`,
      `cluster: faults: ${faults.join(', ')}`,
    ];
  }
}
