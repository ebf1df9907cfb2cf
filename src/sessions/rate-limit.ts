/** Generic cell rate algorithm (ITU-T I.371): a steady rate with bursts, in one number a session. Pure: time comes in. */
export class RateLimit {
  readonly #intervalMs: number;
  readonly #burstMs: number;
  #theoreticalMs = -Infinity;

  constructor(perSecond: number, burst: number) {
    this.#intervalMs = 1000 / perSecond;
    this.#burstMs = this.#intervalMs * burst;
  }

  /** All that was taken is made up for: a new one would say the same. */
  isIdle(nowMs: number): boolean {
    return this.#theoreticalMs <= nowMs;
  }

  /** Takes one unit; returns 0 when allowed, else the milliseconds to wait (nothing is taken then). */
  take(nowMs: number): number {
    const arrival = Math.max(nowMs, this.#theoreticalMs);
    const next = arrival + this.#intervalMs;
    if (next - nowMs > this.#burstMs) return Math.ceil(next - nowMs - this.#burstMs);
    this.#theoreticalMs = next;
    return 0;
  }
}
