/** Why a document, a pointer or a patch is refused. Codes are stable: clients act on them. */
export const faultCodes = [
  // What was sent makes no sense.
  'json',
  'duplicate-name',
  'number',
  'surrogate',
  'depth',
  'bytes',
  'not-a-patch',
  'operation',
  'pointer',
  'too-many-operations',
  // It does, and does not apply to this document.
  'not-found',
  'index',
  'test-failed',
  'into-itself',
  'root',
  'type',
  'range',
  'too-large',
  'version',
] as const;
export type FaultCode = (typeof faultCodes)[number];

export class Fault {
  constructor(
    readonly code: FaultCode,
    /** What is wrong, for people. */
    readonly message: string,
    /** Index of the operation in its patch. */
    readonly operation?: number,
  ) {}

  at(operation: number): Fault {
    return new Fault(this.code, this.message, operation);
  }
}
