/** What example programs have in common: arguments, Ctrl-C, tables. */

/** A mistake in what the program was given. */
export class InputError extends Error {}

/** Runs to the exit status: 2 with the usage for wrong arguments, 130 after Ctrl-C. */
export async function runExample(
  name: string,
  usage: string,
  run: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const interrupt = new AbortController();
  for (const each of ['SIGINT', 'SIGTERM'] as const) process.once(each, () => interrupt.abort());
  try {
    return await run(interrupt.signal);
  } catch (error) {
    if (interrupt.signal.aborted) return 130;
    const isUsage = (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
    if (!isUsage && !(error instanceof InputError)) throw error;
    console.error(`${name}: ${(error as Error).message}\n${usage}`);
    return 2;
  }
}

export function countOf(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InputError(`${name} is a number from 1 on`);
  return value;
}

export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
