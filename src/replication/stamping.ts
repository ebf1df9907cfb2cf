/** Under what a node may stamp in a channel: its claim, none, or nothing as long as that is not known. */
import { planted } from '../base/planted.js';
import type { Channel } from './channel.js';
import type { Context } from './context.js';
import type { Interval } from './interval.js';
import type { Parts } from './parts.js';
import type { Stamping } from './replica-terms.js';
import { timing } from './timing.js';

export function stampingOf({ context, owning }: Parts, channel: Channel, now: number): Stamping {
  owning.open(channel, now, 'urgent');
  const { interval, log, opening } = channel;
  const { writer } = context;
  const { held } = interval;
  if (held && interval.check) {
    channel.waitsForCheck = true;
    return { as: 'wait' };
  }
  if (held && context.owns(channel)) {
    const own = log.writer(writer);
    const isOpening = own === undefined || log.roundOf({ writer, seq: own.seq }) !== held.claim.round;
    return { as: 'owner', round: held.claim.round, parents: log.parentsFor(writer, isOpening) };
  }
  const isOpening = opening !== undefined && now < opening.since + openingMs(context, interval);
  const isExpected =
    !held && interval.wanted && interval.claimBy !== undefined && context.reaches(interval.sets);
  if (interval.attempt || isOpening || isExpected) return { as: 'wait' };
  const round = planted('degraded-round') ? (interval.promise?.round ?? 0) : 0;
  return { as: 'degraded', round: round as 0, parents: log.parentsFor(writer, false) };
}

/** Homes that are there are waited for as long as an ack is: of very many channels at once they say late what they hold. */
function openingMs(context: Context, { sets }: Interval): number {
  return context.reaches(sets) ? timing.publishMs : timing.claimMs;
}
