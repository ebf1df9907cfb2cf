/** Times and places as people type them: an ISO time, Unix milliseconds, how long ago, or a cursor. */
import { InvalidArgumentError } from 'commander';
import type { StartOption } from '../client/index.js';

const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** "10m" becomes the Unix milliseconds of ten minutes ago; anything else is the node's to understand. */
export function timeArgument(text: string, nowMs: number): string {
  const match = /^(\d+(?:\.\d+)?)\s*([smhd])(?:\s+ago)?$/.exec(text.trim());
  if (!match) return text;
  return String(Math.max(0, Math.round(nowMs - Number(match[1]) * unitsMs[match[2]!]!)));
}

/** Where a subscription begins. */
export function startFrom(text: string): StartOption {
  if (text === 'live' || text === 'beginning') return text;
  const time = timeArgument(text, Date.now());
  if (/^\d+$/.test(time)) return { since: Number(time) };
  if (/^\d{4}-\d\d-\d\d/.test(text)) {
    const unixMs = Date.parse(
      /(Z|[+-]\d\d:?\d\d)$/.test(text.slice(10)) || text.length === 10 ? text : `${text}Z`,
    );
    if (Number.isNaN(unixMs)) throw new InvalidArgumentError('This is no time.');
    return { since: unixMs };
  }
  return { cursor: text };
}
