/** How a command ends (docs/operations.md lists the same numbers). */
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

/** The exit code of an error of the catalogue, by its HTTP status. */
export function exitCodeOfStatus(status: number, outcome?: string): number {
  if (status === 401 || status === 403) return exitCodes.denied;
  if (outcome === 'indeterminate' || status === 429 || status >= 500) return exitCodes.unavailable;
  return exitCodes.failed;
}
