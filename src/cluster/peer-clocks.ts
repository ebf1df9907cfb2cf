/** What the wall clocks of other nodes say, from the times in their packets: a clock that was set is followed only where
 *  others show the same. A packet is always late, so of some packets the one that shows the most tells best. */
import { limits } from '../base/limits.js';

interface Sample {
  /** The other wall clock less this machine's monotonic one. */
  readonly offsetMs: number;
  readonly atMs: number;
}

const samplesMax = 8;
const samplesKnownMs = 60_000;

export class PeerClocks {
  /** By the address a packet came from; who was heard last is last. */
  readonly #samples = new Map<string, Sample[]>();

  heard(address: string, unixMs: number, monotonicMs: number): void {
    const samples = this.#samples.get(address) ?? [];
    this.#samples.delete(address);
    this.#samples.set(address, samples);
    samples.push({ offsetMs: unixMs - monotonicMs, atMs: monotonicMs });
    if (samples.length > samplesMax) samples.shift();
    if (this.#samples.size <= limits.peerClocksMax) return;
    const [oldest] = this.#samples.keys();
    this.#samples.delete(oldest!);
  }

  /** Whether most of those heard lately have about this time; `undefined` where nobody was. */
  agree(unixMs: number, monotonicMs: number): boolean | undefined {
    let heard = 0;
    let agreeing = 0;
    for (const samples of this.#samples.values()) {
      const fresh = samples.filter(({ atMs }) => monotonicMs - atMs <= samplesKnownMs);
      if (fresh.length === 0) continue;
      heard++;
      const offsetMs = Math.max(...fresh.map((sample) => sample.offsetMs));
      if (Math.abs(offsetMs + monotonicMs - unixMs) <= limits.clockOffsetMsMax) agreeing++;
    }
    return heard === 0 ? undefined : 2 * agreeing > heard;
  }
}
