/** A part of the bench: runs that are made again in each round, and what is made of their medians. */
import type { Affinity } from '../processes/affinity.js';
import type { Column } from '../report/columns.js';
import type { Goal } from '../report/goal.js';
import type { Rows } from '../report/rows.js';
import type { Sample } from '../report/sample.js';

export interface BenchContext {
  /** On the disk that is measured; removed at the end. */
  readonly directory: string;
  readonly affinity: Affinity;
  readonly quick: boolean;
  readonly full: boolean;
  readonly rounds: number;
  readonly measureMs: number;
  readonly warmUpMs: number;
  readonly payloadBytes: number;
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
