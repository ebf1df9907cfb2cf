/** How long a load runs, and what is read at both ends of the part that counts. */
import type { LatencySummary } from './latencies.js';

export interface Duration {
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Called where the part that counts begins and where it ends: processor times are read here. */
  readonly onEdge?: (edge: 'begin' | 'end') => void;
  readonly signal?: AbortSignal;
}

export interface LoadResult {
  /** In the part that counts. */
  readonly operations: number;
  readonly seconds: number;
  /** With warm-up and the end, when everything under way was waited for. */
  readonly operationsInAll: number;
  readonly latencies?: LatencySummary;
}

/** How long answers may take once nothing more is sent. */
export const drainLimitMs = 60_000;

export interface Counted {
  readonly operations: number;
  readonly seconds: number;
}

/** Warms up, counts, and returns what was counted; rejects when the load fails meanwhile. */
export async function measure(
  { warmUpMs, measureMs, onEdge, signal }: Duration,
  load: { readonly failed: Promise<never>; count(): number; begin(): void },
): Promise<Counted> {
  await pause(warmUpMs, load.failed, signal);
  onEdge?.('begin');
  load.begin();
  const before = load.count();
  const begun = performance.now();
  await pause(measureMs, load.failed, signal);
  const seconds = (performance.now() - begun) / 1_000;
  const operations = load.count() - before;
  onEdge?.('end');
  return { operations, seconds };
}

async function pause(ms: number, failed: Promise<never>, signal: AbortSignal | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let stop = () => {};
  const over = new Promise<void>((resolve, reject) => {
    timer = setTimeout(resolve, ms);
    stop = () => reject(new Error('interrupted'));
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, { once: true });
  });
  try {
    await Promise.race([over, failed]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}
