/** What a search did, as the lines a ledger of searches keeps: without them a passing search says nothing. */
import { type FaultKind, faultKinds } from './faults.js';
import type { RunResult } from './run-seed.js';
import { type Steered, nothingSteered } from './steered.js';

type Counts = { -readonly [Key in keyof Steered]: number };

const nothing: Counts = {
  ...nothingSteered,
  evenHomes: 0,
  otherHomeCount: 0,
  trimsAndRings: 0,
  forcedAndRings: 0,
};

export class Totals {
  seeds = 0;
  #simulatedMs = 0;
  #published = 0;
  #acked = 0;
  #delivered = 0;
  readonly #fired = new Map<FaultKind, { total: number; busy: number; seeds: number }>();
  readonly #steered: Counts = { ...nothing };
  /** Seeds that had each. */
  readonly #steeredSeeds: Counts = { ...nothing };

  /** Seeds in which a fault fell into a claim or a commit. */
  #struckSeeds = 0;

  add({ simulatedMs, published, acked, delivered, fired, steered }: RunResult): void {
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
    for (const key of Object.keys(nothingSteered) as (keyof Steered)[]) {
      this.#steered[key] += Number(steered[key]);
      if (steered[key]) this.#steeredSeeds[key]++;
    }
    if (steered.faultsInClaims || steered.faultsInCommits) this.#struckSeeds++;
  }

  lines(wallMs: number): string[] {
    const hours = this.#simulatedMs / 3_600_000;
    const speed = this.#simulatedMs / wallMs;
    const faults = faultKinds.flatMap((kind) => {
      const sum = this.#fired.get(kind);
      return sum ? [`${kind} ${sum.total} (${sum.busy} with a publish open, ${sum.seeds} seeds)`] : [];
    });
    const { twoClaims, twoClaimsThenLoss, regainedWithTail } = this.#steered;
    const { faultsInClaims, faultsInCommits, evenHomes, trimsAndRings, forcedAndRings } = this.#steeredSeeds;
    const { otherHomeCount } = this.#steeredSeeds;
    return [
      `cluster: ${this.seeds} seeds, ${hours.toFixed(1)} simulated hours, ${speed.toFixed(0)} times real time; ${this.#published} publishes, ${percent(this.#acked, this.#published)} acked, ${this.#delivered} deliveries`,
      `cluster: faults: ${faults.join(', ')}`,
      `cluster: seeds with a fault during a claim ${percent(faultsInClaims, this.seeds)}, during a commit ${percent(faultsInCommits, this.seeds)}, during either ${percent(this.#struckSeeds, this.seeds)}, with an even number of homes ${percent(evenHomes, this.seeds)}; ${twoClaims} times two live claims, ${twoClaimsThenLoss} of them with a third home's disk lost, ${regainedWithTail} regained claims with an unacked tail`,
      `cluster: seeds with a trim in force and a change of the ring ${percent(trimsAndRings, this.seeds)}, with one that was forced ${percent(forcedAndRings, this.seeds)}; in which the number of homes changed ${percent(otherHomeCount, this.seeds)}`,
    ];
  }
}

function percent(part: number, whole: number): string {
  return `${(whole === 0 ? 0 : (100 * part) / whole).toFixed(1)} %`;
}
