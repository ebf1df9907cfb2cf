/** Values of a request that mean more than their text. */
import type { IncomingHttpHeaders } from 'node:http';
import { fromBase64, utf8 } from '../base/bytes.js';
import { type Dot, parseDot } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import { type Failure, failure } from '../protocol/errors.js';
import { HttpFailure } from './problem.js';

/** ISO time or Unix milliseconds; `undefined` for anything else. */
export function unixMsFrom(text: string): number | undefined {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  if (!/^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:?\d\d)?)?$/.test(text)) return undefined;
  // Without a zone a time is read as UTC: what a query means should not depend on where the node stands.
  const hasZone = /(Z|[+-]\d\d:?\d\d)$/.test(text.slice(10));
  const unixMs = Date.parse(hasZone || text.length === 10 ? text : `${text}Z`);
  return Number.isNaN(unixMs) ? undefined : Math.max(0, unixMs);
}

export function cursorFrom(text: string): Result<Uint8Array, Failure> {
  const bytes = fromBase64(text);
  return bytes !== undefined && bytes.length > 0 && bytes.length <= limits.cursorBytesMax
    ? ok(bytes)
    : err(failure('BAD_CURSOR'));
}

export function timeFrom(name: string, text: string): Result<number, Failure> {
  const unixMs = unixMsFrom(text);
  return unixMs === undefined
    ? err(failure('INVALID', { message: `"${name}" must be an ISO time or Unix milliseconds.` }))
    : ok(unixMs);
}

/** An ISO time, Unix milliseconds, or a cursor. Cursors begin with a version byte, so none is all digits. */
export function timeOrCursorFrom(name: string, text: string): Result<number | Uint8Array, Failure> {
  const unixMs = unixMsFrom(text);
  if (unixMs !== undefined) return ok(unixMs);
  const cursor = cursorFrom(text);
  return cursor.ok
    ? cursor
    : err(failure('INVALID', { message: `"${name}" must be an ISO time, Unix milliseconds or a cursor.` }));
}

export function idFrom(name: string, text: string): Result<Dot, Failure> {
  const dot = parseDot(text);
  return dot.ok ? dot : err(failure('INVALID', { message: `"${name}": ${dot.error}` }));
}

export function idempotencyKeyFrom(headers: IncomingHttpHeaders): Result<string | undefined, Failure> {
  const key = textHeader(headers['idempotency-key']);
  if (key === undefined || utf8(key).length <= limits.idempotencyKeyBytesMax) return ok(key);
  const message = `Idempotency-Key has more than ${limits.idempotencyKeyBytesMax} bytes.`;
  return err(failure('INVALID', { message }));
}

/** What a body is. What curl and forms say without being asked is no statement about it: it is text then. */
export function contentTypeFrom({ 'content-type': type }: IncomingHttpHeaders): string | undefined {
  return type === 'application/x-www-form-urlencoded' ? undefined : type;
}

/** Node reads header bytes as Latin-1; clients write UTF-8. */
export function textHeader(value: string | readonly string[] | undefined): string | undefined {
  if (value === undefined) return undefined;
  const text = typeof value === 'string' ? value : value.join(', ');
  const bytes = Buffer.from(text, 'latin1');
  const decoded = bytes.toString('utf8');
  return decoded.includes('\uFFFD') ? text : decoded;
}

/** For routes: the value, or the failure as the answer. */
export function need<T>(result: Result<T, Failure>): T {
  if (!result.ok) throw new HttpFailure(result.error);
  return result.value;
}

/** A value for an optional member, left out where there is none. */
export function optionally<T, U>(value: T | undefined, make: (value: T) => U): U | undefined {
  return value === undefined ? undefined : make(value);
}
