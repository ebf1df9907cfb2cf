/** What a client has surfaced, by the lines in it, and which of that it still knows. */
import type { ClusterRecord } from '../record.js';

/** Of publishes without a number a client knows the last so many: docs/guarantees.md. */
const keysKnown = 4_096;

export class Lines {
  readonly #record: Pick<ClusterRecord, 'of'>;
  /** How many entries surfaced before it. */
  readonly #at = new Map<number, number>();
  #count = 0;

  constructor(record: Pick<ClusterRecord, 'of'>) {
    this.#record = record;
  }

  add(line: number): void {
    if (line > 0) this.#at.set(line, this.#count);
    this.#count++;
  }

  /** `known`: it must not surface again; `old`: it may. */
  seen(line: number): 'never' | 'known' | 'old' {
    const at = this.#at.get(line);
    if (at === undefined) return 'never';
    return this.#count - at > keysKnown && this.#record.of(line)?.isNumbered === false ? 'old' : 'known';
  }

  clear(): void {
    this.#at.clear();
  }
}
