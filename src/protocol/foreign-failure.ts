/** Errors of a server that may be newer than this code. */
import { type Failure, type Outcome, failure, isErrorCode } from './errors.js';

/** A code that is not in the catalogue becomes the general one of its outcome; its own name stays in the sentence. */
export function foreignFailure(error: {
  readonly code: string;
  readonly outcome: Outcome;
  readonly message: string;
  readonly retryAfterMs?: number;
  readonly channel?: string;
  readonly operation?: number;
  readonly reason?: string;
}): Failure {
  const { code, ...details } = error;
  if (isErrorCode(code)) return failure(code, details);
  const message = `${code}: ${error.message}`;
  return failure(error.outcome === 'indeterminate' ? 'INDETERMINATE' : 'INVALID', { ...details, message });
}
