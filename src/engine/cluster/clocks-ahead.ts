/** Tells of nodes whose clocks are far ahead, by what they stamped: their entries are stored, ordered and delivered like any,
 *  and this node's clock does not follow. Somebody has to set theirs right: decision 80. */
import type { WriterId } from '../../base/ids.js';
import type { RunSummary } from '../../log/run.js';
import { timestampText, unixMsOf } from '../../log/timestamp.js';
import type { Observer } from '../ports.js';

/** A start goes on from a bound that lies up to 3 s ahead, which is nobody's mistake. */
const toldMs = 5_000;
/** Of so many it is remembered how often they were ahead. */
const writersMax = 256;

export class ClocksAhead {
  readonly #observer: Observer;
  /** Runs of each writer that were ahead; who was heard last is last. */
  readonly #runs = new Map<WriterId, number>();

  constructor(observer: Observer) {
    this.#observer = observer;
  }

  /** A run was stamped further ahead than a clock follows. Of one writer fewer and fewer are told: the first, the second, the
   *  fourth and so on. */
  found({ ref, writer, lastTimestamp }: RunSummary, physicalMs: number): void {
    const aheadMs = unixMsOf(lastTimestamp) - physicalMs;
    if (aheadMs < toldMs) return;
    const runs = (this.#runs.get(writer) ?? 0) + 1;
    this.#runs.delete(writer);
    this.#runs.set(writer, runs);
    if (this.#runs.size > writersMax) {
      const [oldest] = this.#runs.keys();
      this.#runs.delete(oldest!);
    }
    if ((runs & (runs - 1)) !== 0) return;
    const message = `Writer ${writer} stamped an entry of ${ref.hub}/${ref.channel} ${timestampText(lastTimestamp)}, ${Math.round(aheadMs / 1_000)} s ahead of the clock of this machine. Set the clock of its machine right, or of this one; the entry is kept and delivered.`;
    this.#observer.observe({ type: 'alarm', code: 'CLOCK_AHEAD', message });
  }
}
