/** Under what a node may stamp in a channel: its claim, none, or nothing as long as that is not known. */
import { planted } from '../base/planted.js';
import type { Channel } from './channel.js';
import type { Parts } from './parts.js';
import type { Stamping } from './replica-terms.js';
import { timing } from './timing.js';

export function stampingOf({ context, owning }: Parts, channel: Channel, now: number): Stamping {
  owning.open(channel, now);
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
  const isOpening = opening !== undefined && now < opening.since + timing.claimMs;
  const isReclaimed = !held && interval.wanted && interval.reclaimBy !== undefined;
  if (interval.attempt || isOpening || isReclaimed) return { as: 'wait' };
  const round = planted('degraded-round') ? (interval.promise?.round ?? 0) : 0;
  return { as: 'degraded', round: round as 0, parents: log.parentsFor(writer, false) };
}
