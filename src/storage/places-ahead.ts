/** Places looked up and not read yet, for readers that go on where they stopped: most replays take the index's rows in
 *  order, a few at a time, and looking them up costs more than reading the runs. Rows of written runs do not change;
 *  where compaction moved them the reader finds its segment gone, and asks the index again. */
import type { RunPlace } from './index-rows.js';
import type { SubLog } from './slots.js';

/** Readers remembered at once, over all channels. */
const readersMax = 64;

interface Ahead {
  readonly subLog: SubLog;
  readonly places: readonly RunPlace[];
}

export class PlacesAhead {
  /** By what comes next, the longest unused first. */
  readonly #ahead = new Map<string, Ahead>();

  /** Takes what is known from `seq` on. */
  take(subLog: SubLog, seq: number): readonly RunPlace[] | undefined {
    const name = nameOf(subLog, seq);
    const ahead = this.#ahead.get(name);
    if (!ahead) return undefined;
    this.#ahead.delete(name);
    return ahead.subLog === subLog ? ahead.places : undefined;
  }

  clear(): void {
    this.#ahead.clear();
  }

  /** Keeps the rest of a lookup: `seq` is what its reader will ask for. */
  keep(subLog: SubLog, seq: number, places: readonly RunPlace[]): void {
    if (places.length === 0) return;
    this.#ahead.set(nameOf(subLog, seq), { subLog, places });
    if (this.#ahead.size <= readersMax) return;
    const [oldest] = this.#ahead.keys();
    this.#ahead.delete(oldest!);
  }
}

/** Writers are unique, so most names are; that another channel has the same is what `take` looks at. */
function nameOf({ writer }: SubLog, seq: number): string {
  return `${writer}-${seq}`;
}
