/** What an administrator writes to go on without entries that nobody has any more: in `$users` and `$groups` one that is missing may have
 *  been anything, so nobody is known until somebody answers for that. */
import { utf8 } from '../base/bytes.js';
import type { Outcome } from '../hubs/fold.js';

export const lossesAccepted = { event: 'losses-accepted', payload: utf8('{}') };

export function areAccepted(event: string | undefined): boolean {
  return event === lossesAccepted.event;
}

export const nothingMissing: Outcome = { isVoid: true, reason: 'Nothing is missing.' };
