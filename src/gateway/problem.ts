/** Failures over HTTP: problem details (RFC 9457) with the catalogue's code. Never a stack, never what was asked. */
import { STATUS_CODES } from 'node:http';
import { type ErrorCode, type Failure, errorCatalogue, failure } from '../protocol/errors.js';

export const problemType = 'application/problem+json';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly outcome: 'rejected' | 'indeterminate';
  readonly retryAfterMs?: number;
  readonly channel?: string;
  readonly operation?: number;
  readonly reason?: string;
  readonly requestId?: string;
}

export function problemOf(error: Failure, requestId?: string): Problem {
  const { status } = errorCatalogue[error.code];
  return {
    type: `urn:ringlog:error:${error.code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: error.message,
    code: error.code,
    outcome: error.outcome,
    ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
    ...(error.channel !== undefined && { channel: error.channel }),
    ...(error.operation !== undefined && { operation: error.operation }),
    ...(error.reason !== undefined && { reason: error.reason }),
    ...(requestId !== undefined && { requestId }),
  };
}

/** Headers that go with it. */
export function problemHeaders(error: Failure): Record<string, string> {
  return {
    'content-type': problemType,
    ...(error.retryAfterMs !== undefined && {
      'retry-after': String(Math.max(1, Math.ceil(error.retryAfterMs / 1_000))),
    }),
    ...(error.code === 'UNAUTHENTICATED' && { 'www-authenticate': 'Bearer realm="ringlog"' }),
  };
}

/** Thrown by a route, answered by the error handler. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

/** What a route, the framework or its validation threw, as a failure; `unexpected` is what must be logged. */
export function failureOf(error: unknown): { failure: Failure; unexpected: boolean } {
  if (error instanceof HttpFailure) return { failure: error.failure, unexpected: false };
  const { statusCode, code, message, validation } = error as {
    statusCode?: number;
    code?: string;
    message?: string;
    validation?: unknown;
  };
  if (validation !== undefined) {
    return {
      failure: failure('INVALID', message === undefined ? {} : { message: `${message}.` }),
      unexpected: false,
    };
  }
  if (statusCode === 413) return { failure: failure('TOO_LARGE'), unexpected: false };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    const sentence =
      code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE' ? 'This Content-Type is not taken here.' : undefined;
    return {
      failure: failure('INVALID', { message: sentence ?? 'The request cannot be read.' }),
      unexpected: false,
    };
  }
  if (statusCode === 503) return { failure: failure('SHUTTING_DOWN'), unexpected: false };
  return { failure: failure('INTERNAL'), unexpected: true };
}

/** A whole answer for a connection that has no response object: upgrades and what is not HTTP. */
export function rawProblem(error: Failure, status: number = errorCatalogue[error.code].status): string {
  const body = JSON.stringify({ ...problemOf(error), status, title: STATUS_CODES[status] ?? 'Error' });
  const headers = {
    ...problemHeaders(error),
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}
