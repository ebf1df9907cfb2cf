/** A figure beside what it shall reach. */
export interface Goal {
  readonly name: string;
  readonly value: number;
  readonly bound: number;
  readonly sense: 'at least' | 'at most';
  readonly unit: string;
  /** The same quotient per second of processor time: steadier where other programs run. */
  readonly perProcessorSecond?: number;
}
