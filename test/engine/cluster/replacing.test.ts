/** Readers of a channel whose log comes from another home now. */
import { expect, test } from 'vitest';
import type { ChannelRef } from '../../../src/base/ids.js';
import { defaultRules } from '../../../src/channels/rules.js';
import { ActiveChannel } from '../../../src/engine/active-channel.js';
import { replaceLog } from '../../../src/engine/cluster/replacing.js';
import type { Delivery } from '../../../src/engine/delivery.js';
import { ChannelLog } from '../../../src/log/channel-log.js';
import { RunWriter } from '../../../src/log/run-writer.js';
import type { Session } from '../../../src/sessions/session.js';
import { Subscription } from '../../../src/sessions/subscription.js';
import { writerId } from '../../storage/support.js';

const writer = writerId(1);

/** Of three entries, and where `isGivenUp` of one behind them by which the second was given up. */
function logOf(ref: ChannelRef, isGivenUp: boolean): ChannelLog {
  const log = new ChannelLog(ref);
  const runs = new RunWriter();
  runs.begin(ref, writer, 1, 1, 0);
  for (const timestamp of [1, 2, 3]) runs.append({ timestamp, kind: 'merge' });
  if (isGivenUp) runs.append({ timestamp: 4, kind: 'gap', lost: { writer, fromSeq: 2, toSeq: 2 } });
  log.apply(runs.end());
  log.commitThrough({ writer, seq: log.have(writer) });
  return log;
}

test.each([
  ['doc:plan', true, true],
  ['doc:plan', false, false],
  ['room:1', true, false],
])('of %s, an entry given up: %s, are to be told what it is: %s', (name, isGivenUp, isDue) => {
  const ref = { hub: 'default', channel: name } as ChannelRef;
  const old = logOf(ref, false);
  const channel = new ActiveChannel(ref, defaultRules, 0);
  channel.loaded(old, writer);
  const subscription = new Subscription({} as Session, ref.channel);
  subscription.fallBehind(old, old.endPosition);
  channel.fanOut.add(subscription);
  const readOn: unknown[] = [];
  const delivery: Partial<Delivery> = { grown: () => undefined, readOn: (session) => readOn.push(session) };
  replaceLog(channel, old, logOf(ref, isGivenUp), [], delivery as Delivery);
  expect([subscription.isRebaseDue, readOn.length]).toEqual([isDue, 1]);
});
