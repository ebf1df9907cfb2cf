/** Whether a publish is the next of its publisher, by the numbers that publishers give. */
import type { Publisher } from '../log/entry.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { ActiveChannel } from './active-channel.js';

/** `undefined` where it is. */
export function outOfOrder(channel: ActiveChannel, scope: string, publisher: Publisher): Failure | undefined {
  const verdict = channel.publishers.check({ scope, ...publisher });
  if (verdict === 'next') return undefined;
  const lastKnown = verdict === 'repeat' ? publisher.seq : verdict.outOfOrder.lastKnown;
  return failure('OUT_OF_ORDER', {
    channel: channel.ref.channel,
    message:
      lastKnown === 0
        ? 'Nothing of this publisher is known here. Send again from the first publish that was not acknowledged.'
        : `The last publish known here is number ${lastKnown}. Send again from number ${lastKnown + 1}.`,
  });
}
