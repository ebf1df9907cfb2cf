/** Numbers for people. */

export function formatRate(value: number): string {
  if (value >= 999_500) return `${(value / 1e6).toFixed(2)}M`;
  if (value >= 9_950) return `${(value / 1e3).toFixed(0)}k`;
  return value >= 1_000 ? `${(value / 1e3).toFixed(1)}k` : value.toFixed(0);
}

export const percent = (share: number) => `${(share * 100).toFixed(0)} %`;
export const milliseconds = (ms: number) => ms.toFixed(ms < 1 ? 3 : 2);
export const seconds = (value: number) => value.toFixed(2);
export const mebibytes = (bytes: number) => (bytes / 1_048_576).toFixed(1);
export const kibibytes = (bytes: number) => (bytes / 1_024).toFixed(1);
export const plain = (value: number) => (value >= 1_000 ? formatRate(value) : value.toFixed(2));

/** The first column and the last left, what is between right. A line of one text is a heading of its own. */
export function aligned(lines: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const line of lines)
    if (line.length > 1)
      for (const [i, text] of line.entries()) widths[i] = Math.max(widths[i] ?? 0, text.length);
  return lines.map((line) =>
    line
      .map((text, i) =>
        i === 0 || i === line.length - 1 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i]!),
      )
      .join('  ')
      .trimEnd(),
  );
}
