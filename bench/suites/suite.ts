/** A part of the bench: runs that are made again in each round, and what is made of their medians. */
import type { Affinity } from '../processes/affinity.js';
import type { LoadReport } from '../load/jobs.js';
import type { Column } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';

export interface BenchContext {
  /** On the disk that is measured; removed at the end. */
  readonly directory: string;
  readonly affinity: Affinity;
  readonly quick: boolean;
  readonly rounds: number;
  readonly measureMs: number;
  readonly warmUpMs: number;
  readonly payloadBytes: number;
  /** Only these cells, where given: for the guard and for looking at one thing. */
  readonly cells?: string;
  progress(text: string): void;
}

export interface Run {
  readonly cell: string;
  readonly target: string;
  /** `rows`: all samples so far. */
  readonly sample: (rows: Rows) => Promise<Sample | undefined>;
}

export interface OpenSuite {
  readonly runs: readonly Run[];
  goals(rows: Rows): Goal[];
  /** Wrong results, in words: any fails the bench. */
  problems(rows: Rows): string[];
  close(): Promise<void>;
}

export interface Suite {
  readonly name: string;
  readonly title: string;
  readonly columns: readonly Column[];
  open(context: BenchContext): Promise<OpenSuite>;
}

/** Rates and shares of what a load process reports. */
export function sampleOf(report: LoadReport): Sample {
  const { operations, seconds, loadSeconds, serverSeconds, machineSeconds, latencies } = report;
  const ours = (serverSeconds ?? 0) + loadSeconds;
  return {
    rate: operations / seconds,
    loadShare: loadSeconds / seconds,
    ...(serverSeconds !== undefined && {
      serverShare: serverSeconds / seconds,
      // Ticks are 10 ms: below some of them a quotient says nothing.
      ...(serverSeconds >= 0.05 && { perProcessorSecond: operations / serverSeconds }),
    }),
    ...(machineSeconds !== undefined && { foreignShare: Math.max(0, machineSeconds - ours) / seconds }),
    ...(latencies && { latencies }),
  };
}
