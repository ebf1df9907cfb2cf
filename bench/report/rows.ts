/** All samples by suite, cell and target, and their medians. */
import type { Sample } from './sample.js';

export interface Row {
  readonly cell: string;
  readonly target: string;
  readonly samples: Sample[];
}

export class Rows {
  readonly #rows = new Map<string, Row>();

  add(cell: string, target: string, sample: Sample): void {
    const key = `${cell}\n${target}`;
    const row = this.#rows.get(key) ?? { cell, target, samples: [] };
    row.samples.push(sample);
    this.#rows.set(key, row);
  }

  get all(): readonly Row[] {
    return [...this.#rows.values()];
  }

  samples(cell: string, target: string): readonly Sample[] {
    return this.#rows.get(`${cell}\n${target}`)?.samples ?? [];
  }

  /** Undefined where no sample has it. */
  median(cell: string, target: string, value: (sample: Sample) => number | undefined): number | undefined {
    return median(this.samples(cell, target).flatMap((sample) => value(sample) ?? []));
  }

  rate(cell: string, target: string): number | undefined {
    return this.median(cell, target, (sample) => sample.rate);
  }

  perProcessorSecond(cell: string, target: string): number | undefined {
    return this.median(cell, target, (sample) => sample.perProcessorSecond);
  }

  p50Ms(cell: string, target: string): number | undefined {
    return this.median(cell, target, (sample) => sample.latencies?.p50Ms);
  }
}

export function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
