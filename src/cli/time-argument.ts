/** Times as people type them: an ISO time, Unix milliseconds, or how long ago. */
const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** "10m" becomes the Unix milliseconds of ten minutes ago; anything else is the node's to understand. */
export function timeArgument(text: string, nowMs: number): string {
  const match = /^(\d+(?:\.\d+)?)\s*([smhd])(?:\s+ago)?$/.exec(text.trim());
  if (!match) return text;
  return String(Math.max(0, Math.round(nowMs - Number(match[1]) * unitsMs[match[2]!]!)));
}
