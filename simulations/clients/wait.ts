/** Waiting for something to become true, never for time to pass. */
import { setTimeout as pause } from 'node:timers/promises';

export interface WaitOptions {
  /** For the message when it does not come: "ten readers caught up". */
  readonly what: string;
  readonly limitMs: number;
  /** While this number grows the limit starts anew: slow is not stuck. */
  readonly progress?: () => number;
  readonly signal?: AbortSignal | undefined;
}

const pollMs = 5;

/** Rejects when the limit passes without progress, and when the signal is given. */
export async function waitUntil(condition: () => boolean, options: WaitOptions): Promise<void> {
  const { what, limitMs, progress, signal } = options;
  let before = progress?.() ?? 0;
  let deadline = performance.now() + limitMs;
  while (!condition()) {
    signal?.throwIfAborted();
    const now = progress?.() ?? 0;
    if (now > before) [before, deadline] = [now, performance.now() + limitMs];
    if (performance.now() > deadline) throw new Error(`waited ${limitMs / 1000} s in vain: ${what}`);
    await pause(pollMs);
  }
}
