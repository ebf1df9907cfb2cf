/** Latencies as counts in buckets that grow by about 3 %: millions of them in a few kilobytes, with nothing to sort. */

/** What is told of them, in milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly p10Ms: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const bucketsPerDoubling = 24;
const smallestMs = 0.001;
const bucketCount = bucketsPerDoubling * 27;

export class Latencies {
  readonly #counts = new Float64Array(bucketCount);
  #count = 0;
  #maxMs = 0;

  add(ms: number, count = 1): void {
    const place = ms <= smallestMs ? 0 : Math.floor(Math.log2(ms / smallestMs) * bucketsPerDoubling);
    this.#counts[Math.min(place, bucketCount - 1)]! += count;
    this.#count += count;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#maxMs = 0;
  }

  /** Undefined when there are none. */
  summary(): LatencySummary | undefined {
    if (this.#count === 0) return undefined;
    return {
      count: this.#count,
      p10Ms: this.#at(0.1),
      p50Ms: this.#at(0.5),
      p90Ms: this.#at(0.9),
      p99Ms: this.#at(0.99),
      maxMs: this.#maxMs,
    };
  }

  #at(part: number): number {
    let below = this.#count * part;
    for (let place = 0; place < bucketCount; place++) {
      below -= this.#counts[place]!;
      if (below <= 0) return Math.min(this.#maxMs, smallestMs * 2 ** ((place + 0.5) / bucketsPerDoubling));
    }
    return this.#maxMs;
  }
}
