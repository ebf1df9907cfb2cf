/** One measurement. */
import type { LatencySummary } from '../../src/cli/bench/latencies.js';

export interface Sample {
  /** Operations a second; absent where the row is of something else. */
  readonly rate?: number;
  readonly perProcessorSecond?: number;
  /** Parts of one processor. */
  readonly serverShare?: number;
  readonly loadShare?: number;
  readonly foreignShare?: number;
  readonly latencies?: LatencySummary;
  /** Further numbers by name. */
  readonly values?: Readonly<Record<string, number>>;
}
