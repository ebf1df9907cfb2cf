/** What is wrong with a patch, as every surface tells it. */
import type { Fault, FaultCode } from '../../documents/faults.js';
import { type ErrorCode, type Failure, failure } from '../../protocol/errors.js';

/** Those that depend on what the document is; the others are wrong whatever it is. */
const conflicts: ReadonlySet<FaultCode> = new Set<FaultCode>([
  'not-found',
  'index',
  'test-failed',
  'into-itself',
  'root',
  'type',
  'range',
  'surrogate',
  'too-large',
  'depth',
  'bytes',
]);

export function faultFailure(channel: string, { code, message, operation }: Fault): Failure {
  const place = operation === undefined ? '' : `Operation ${operation}: `;
  const details = { channel, reason: code, message: `${place}${message}` };
  return failure(codeOf(code, operation), operation === undefined ? details : { ...details, operation });
}

function codeOf(code: FaultCode, operation: number | undefined): ErrorCode {
  if (code === 'version') return 'VERSION_MISMATCH';
  return operation !== undefined && conflicts.has(code) ? 'PATCH_FAILED' : 'INVALID';
}
