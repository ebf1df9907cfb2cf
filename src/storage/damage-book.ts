/** Which runs were found damaged and are not repaired yet. Bounded: what does not fit is found again by the next reading. */
import { channelKey } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { DamagedRun } from '../engine/ports.js';

export class DamageBook {
  /** Those handed out last come last. */
  readonly #runs = new Map<string, DamagedRun>();

  add(run: DamagedRun): void {
    if (this.#runs.size < limits.damagedRunsMax) this.#runs.set(nameOf(run), run);
  }

  /** At most so many; others the next time. */
  take(limit: number): readonly DamagedRun[] {
    const taken = [...this.#runs.values()].slice(0, limit);
    for (const run of taken) {
      this.#runs.delete(nameOf(run));
      this.#runs.set(nameOf(run), run);
    }
    return taken;
  }

  /** What begins in these entries is repaired, or gone. */
  forget({ ref, writer, firstSeq, count }: DamagedRun): void {
    if (this.#runs.size === 0) return;
    for (const [name, run] of this.#runs) {
      const isInside = run.firstSeq >= firstSeq && run.firstSeq < firstSeq + count;
      if (run.writer === writer && isInside && channelKey(run.ref) === channelKey(ref))
        this.#runs.delete(name);
    }
  }
}

function nameOf({ ref, writer, firstSeq }: DamagedRun): string {
  return `${channelKey(ref)} ${writer}-${firstSeq}`;
}
