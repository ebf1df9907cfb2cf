/** What entries say that takes effect once they are committed: trims, and redactions. */
import type { LostRange } from './entry.js';
import type { LogParts } from './log-parts.js';
import { forgetRedactions, forgetRedactionsBy, takeRedactions } from './redactions.js';
import type { RunSummary } from './run.js';
import { forgetTrims, forgetTrimsOf, holdTrims } from './trims.js';

/** Entries came in. */
export function holdEffects(parts: LogParts, run: Pick<RunSummary, 'writer' | 'marked'>): void {
  holdTrims(parts, run);
  takeRedactions(parts, run);
}

/** Floors have risen: forgets what has nothing left to remove. */
export function forgetEffects(parts: LogParts): void {
  forgetTrims(parts);
  forgetRedactions(parts);
}

/** Entries are given up. */
export function forgetEffectsOf(parts: LogParts, range: LostRange): void {
  forgetTrimsOf(parts, range);
  forgetRedactionsBy(parts, range);
}
