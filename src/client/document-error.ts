/** Why a document's change is refused, as an application is told. */
import type { Fault } from '../documents/faults.js';
import { RinglogError } from './error.js';
import { type OwnChange, idOf } from './own-changes.js';

/** `own`: it was acknowledged. */
export function errorOf(
  channel: string,
  { code: reason, message, operation }: Fault,
  own?: OwnChange,
): RinglogError {
  const details = { channel, reason, ...(operation === undefined ? undefined : { operation }) };
  const id = own && idOf(own);
  return new RinglogError({ code: 'PATCH_FAILED', outcome: 'rejected', message, ...details, id });
}
