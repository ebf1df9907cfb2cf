/** When the next SIGKILL comes: chosen by chance, repeated by the seed. */
import type { Random } from '../../src/base/random.js';

export type Moment =
  /** After so many acks of this life: in the middle of commits. */
  | { readonly type: 'acks'; readonly count: number }
  /** So long after the node began to serve: also while clients are coming back. */
  | { readonly type: 'serving'; readonly ms: number }
  /** So long after the process began, ready or not: in the middle of recovery. */
  | { readonly type: 'starting'; readonly ms: number };

export function nextMoment(random: Random): Moment {
  const chance = random.next();
  if (chance < 0.6) return { type: 'acks', count: 1 + Math.floor(1_200 * random.next()) };
  if (chance < 0.8) return { type: 'serving', ms: Math.floor(300 * random.next()) };
  return { type: 'starting', ms: 50 + Math.floor(500 * random.next()) };
}

export function momentText(moment: Moment): string {
  return moment.type === 'acks'
    ? `after ${moment.count} acks`
    : `${moment.ms} ms after it ${moment.type === 'serving' ? 'served' : 'started'}`;
}
