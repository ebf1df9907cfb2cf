/** Where a reading starts, as an application says it. */
import type { Start } from '../protocol/messages.js';
import { cursorBytes, unixMs } from './history.js';

/** `live` by default: what comes from now on. */
export type StartOption =
  | 'live'
  | 'beginning'
  /** Behind what another subscription had. */
  | { readonly cursor: string | Uint8Array }
  | { readonly since: Date | number }
  /** With the last so many entries. */
  | { readonly last: number };

/** Throws RinglogError on a cursor that is none. */
export function startOf(channel: string, option: StartOption): Start {
  if (typeof option === 'string') return { type: option };
  if ('cursor' in option) return { type: 'cursor', cursor: cursorBytes(channel, option.cursor) };
  if ('since' in option) return { type: 'since', unixMs: unixMs(option.since) };
  return { type: 'last', count: option.last };
}
