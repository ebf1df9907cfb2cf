/** What a client is told: that it is not known, never why in a way that helps to guess; or to come back. */
import { type Failure, failure } from '../../protocol/errors.js';

export function notKnown(why: string): Failure {
  return failure('UNAUTHENTICATED', { message: `The token is not valid: ${why}.` });
}

export function unreachable(): Failure {
  const message = 'The service that knows this hub’s users does not answer. Wait, then try again.';
  return failure('UNAVAILABLE', { message, retryAfterMs: 1_000 });
}

export function tooMany(): Failure {
  const message = 'Too many clients are being authenticated at once. Wait, then try again.';
  return failure('OVERLOADED', { message, retryAfterMs: 500 });
}
