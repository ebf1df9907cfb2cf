/** How a command ends (docs/operations.md lists the same numbers). */
import { type ErrorCode, type Outcome, errorCatalogue } from '../protocol/errors.js';

export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  denied: 4,
  /** The node cannot take it now, or what became of it is not known. */
  unavailable: 5,
  interrupted: 130,
} as const;

/** Ends a command with a sentence for people; further lines may say what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  constructor(
    readonly exitCode: number,
    message: string,
  ) {
    super(message);
  }
}

/** The exit code of a refusal of the catalogue. */
export function exitCodeOfRefusal(code: ErrorCode, outcome: Outcome = errorCatalogue[code].outcome): number {
  const { status } = errorCatalogue[code];
  if (outcome === 'indeterminate') return exitCodes.unavailable;
  if (code === 'BAD_NAME') return exitCodes.usage;
  if (status === 401 || status === 403) return exitCodes.denied;
  const mayHelpLater = status === 408 || status === 429 || (status >= 500 && code !== 'UNSUPPORTED');
  return mayHelpLater ? exitCodes.unavailable : exitCodes.failed;
}
