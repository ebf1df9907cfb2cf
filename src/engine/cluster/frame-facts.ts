/** What a driver sees in what goes into its replica, and comes out. */
import type { Effect } from '../../replication/effects.js';
import type { PeerMessage } from '../../replication/messages.js';
import type { Fetched } from '../ordering.js';

/** What is held of all channels is compared: few of them are used soon. */
export function isPassing({ type }: PeerMessage): boolean {
  return type === 'recovery';
}

/** Those that a message may give another owner. */
export function intervalsIn(message: PeerMessage): readonly string[] {
  switch (message.type) {
    case 'claim':
      return message.claims.map(({ interval }) => interval);
    case 'append':
    case 'pull':
      return [message.interval];
    default:
      return [];
  }
}

export function fetchedOf({ missing, certain }: Extract<Effect, { type: 'fetched' }>): Fetched {
  if (missing.length === 0) return { type: 'held' };
  return certain ? { type: 'lost', dots: missing } : { type: 'unknown' };
}
