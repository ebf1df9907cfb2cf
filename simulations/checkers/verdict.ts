/** The judgement over a run: readers and, where the node is stopped, its store, against what was acknowledged. */
import type { Ledger } from './ledger.js';
import type { ReaderCheck } from './reader-check.js';
import { StoreCheck } from './store-check.js';
import { type ScanTotals, StoreScan } from './store-scan.js';
import { Violations } from './violations.js';

export interface Verdict {
  readonly store:
    | { readonly totals: ScanTotals; readonly lines: number; readonly violations: Violations }
    | undefined;
}

export interface Evidence {
  readonly hub: string;
  readonly ledger: Ledger;
  readonly readers: readonly ReaderCheck[];
  /** Of a stopped node; without it only the readers are looked at. */
  readonly segmentsPath: string | undefined;
}

/** What it finds in the readers goes into the violations each of them was made with. */
export function judge({ hub, ledger, readers, segmentsPath }: Evidence): Verdict {
  if (segmentsPath === undefined) {
    for (const reader of readers) reader.finish(undefined);
    return { store: undefined };
  }
  const violations = new Violations();
  const scan = new StoreScan(segmentsPath);
  const check = new StoreCheck(ledger, violations);
  check.run(scan, hub);
  for (const reader of readers) reader.finish(check.logs);
  return { store: { totals: scan.totals, lines: check.lines.size, violations } };
}
