/** Opens the channels of a Subscribe request, finds where each subscription starts, and answers with a cursor a channel.
 *  A thousand resumed channels are one request, loaded side by side. */
import type { ChannelRef } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { ok } from '../base/result.js';
import { planted } from '../base/planted.js';
import { kindOf } from '../channels/kinds.js';
import { refusal } from '../channels/permissions.js';
import type { ChannelRules } from '../channels/rules.js';
import type { Fold } from '../documents/fold.js';
import { encodeCursor } from '../log/cursor.js';
import type { ChannelLog } from '../log/channel-log.js';
import { LogReader } from '../log/reader.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { Gap, NotificationInfo, Start, SubscribedChannel, ToldDocument } from '../protocol/messages.js';
import type { Session, WantedSubscription } from '../sessions/session.js';
import type { Subscription } from '../sessions/subscription.js';
import { type ActiveChannel, isAllCommitted } from './active-channel.js';
import type { Core } from './core.js';
import { signalFrame } from './delivery.js';
import { FoldUnreadableError } from './folds/log-fold.js';
import { RemoteUnavailableError } from './cluster/followed-channel.js';
import { infoFrame, isSame } from './notifications/notifications.js';
import { retainedSlice } from './retained.js';
import { goesLive } from './replay.js';
import { scanOf } from './scan.js';
import { startPosition } from './start-position.js';

interface Opened {
  readonly result: SubscribedChannel;
  readonly channel: ActiveChannel;
  readonly subscription: Subscription<Session>;
  readonly reader: LogReader;
  /** That the reader is a place of. */
  readonly log: ChannelLog;
  readonly resumed: boolean;
  readonly lost: Gap | undefined;
}

/** What goes for a channel, or why nothing can be said of it. */
export type RulesOf = (ref: ChannelRef) => ChannelRules | Failure;

/** Ends what the session has no right to any more, and tells it. */
export function cutRefused(session: Session, rulesOf: RulesOf): void {
  const { hub, principal } = session;
  for (const subscription of session.subscriptions.values()) {
    const { channel } = subscription;
    const rules = rulesOf({ hub, channel });
    const refused = 'code' in rules ? rules : refusal(principal, 'subscribe', channel, rules);
    if (refused) session.cut(subscription, refused);
  }
}

type Outcome = Opened | { readonly result: SubscribedChannel };

export async function openSubscriptions(
  core: Core,
  rulesOf: RulesOf,
  session: Session,
  wanted: readonly WantedSubscription[],
  answer: (results: readonly SubscribedChannel[]) => void,
  opened: (subscription: Subscription<Session>) => void,
): Promise<void> {
  const outcomes: Outcome[] = [];
  for (let i = 0; i < wanted.length; i += limits.parallelOpensMax) {
    const chunk = wanted.slice(i, i + limits.parallelOpensMax);
    outcomes.push(...(await Promise.all(chunk.map((want) => openOne(core, rulesOf, session, want)))));
  }
  if (session.closed) return;
  // The answer goes out before anything is delivered: entries may have been committed while channels were opened, and
  // they are read from the log then.
  answer(outcomes.map(resultOf));
  for (const outcome of outcomes) {
    if (!('reader' in outcome)) continue;
    // Those of this turn are in the live history already.
    core.delivery.handOutSignalsOf(outcome.channel);
    begin(session, outcome);
    if (outcome.subscription.state.state !== 'ended') opened(outcome.subscription);
  }
}

/** What ended while it was opened is not subscribed to: who lost the right to it meanwhile is told so, and nothing of what was
 *  found in the channel. */
function resultOf(outcome: Outcome): SubscribedChannel {
  const isOpen = !('reader' in outcome) || outcome.subscription.state.state !== 'ended';
  return isOpen ? outcome.result : resultOfEnded(outcome.subscription);
}

/** Without a reason it was the client who ended it. */
function resultOfEnded({ channel, refused }: Subscription<Session>): SubscribedChannel {
  return { channel, error: refused ?? failure('NOT_SUBSCRIBED', { channel }) };
}

function begin(
  session: Session,
  { channel, subscription, reader, log, resumed, lost, result }: Opened,
): void {
  if (subscription.state.state !== 'opening') return;
  // The log may have been replaced while other channels were opened.
  const moved = channel.log === log ? ok(reader) : LogReader.atCursor(channel.log, reader.heads(log));
  if (!moved.ok) return session.failAndClose('UNAVAILABLE');
  if (lost && !planted('gap-untold')) session.send(0, lost);
  const { signals } = channel;
  // Signals have no place in the log: whoever resumes has had them, or missed them for good.
  if (signals && !signals.isEmpty && !resumed)
    session.push(signalFrame(channel, signals.signals, session.encoding));
  subscription.replayFrom(moved.value);
  // What it made of that, the order may have otherwise.
  const isDoubtful = moved.value.isBeyond || (resumed && moved.value.coversGivenUp(channel.log));
  if (isDoubtful && kindOf(channel.ref.channel) === 'document') subscription.isRebaseDue = true;
  if (!goesLive(channel, subscription)) session.hasReplay = true;
  const { told } = channel;
  // It may have changed while other channels were opened.
  if (told && !(result.notifications && isSame(told, result.notifications))) {
    session.push(infoFrame(channel, told, session.encoding));
  }
}

async function openOne(
  core: Core,
  rulesOf: RulesOf,
  session: Session,
  want: WantedSubscription,
): Promise<Outcome> {
  if ('error' in want) return { result: { channel: want.channel, error: want.error } };
  const { subscription } = want;
  // It ended while others of its request were opened, and would stay among the channel's listeners for ever.
  if (subscription.state.state === 'ended') return { result: resultOfEnded(subscription) };
  const ref = { hub: session.hub, channel: subscription.channel };
  const refuse = (error: Failure): Outcome => {
    session.drop(subscription);
    return { result: { channel: want.channel, error } };
  };
  const rules = rulesOf(ref);
  const refused = 'code' in rules ? rules : refusal(session.principal, 'subscribe', ref.channel, rules);
  if (refused) return refuse(refused);
  if (core.channels.isFull && !core.channels.find(ref.hub, ref.channel)) {
    return refuse(failure('OVERLOADED', { channel: ref.channel, retryAfterMs: limits.channelIdleMs }));
  }
  try {
    return await openAt(core, want, refuse);
  } catch (error) {
    // No home of the channel can be reached now; the session's other channels are not concerned.
    if (error instanceof RemoteUnavailableError)
      return refuse(failure('UNAVAILABLE', { channel: ref.channel, retryAfterMs: 1000 }));
    throw error;
  }
}

/** Of a document, where it can be read. */
async function documentAt(
  core: Core,
  channel: ActiveChannel,
  position: number,
): Promise<ToldDocument | undefined> {
  const { ref, log } = channel;
  if (kindOf(ref.channel) !== 'document') return undefined;
  try {
    const fold = await core.documents.before(channel, position);
    return channel.log === log ? told(core, channel, fold, position) : undefined;
  } catch (error) {
    if (error instanceof FoldUnreadableError) return undefined;
    throw error;
  }
}

/** Where it is in memory: whoever resumes waits for nothing that is read for others. */
function documentNow(core: Core, channel: ActiveChannel): ToldDocument | undefined {
  const now = isAllCommitted(channel) ? core.documents.inMemory(channel) : undefined;
  return now && told(core, channel, now.fold, now.position);
}

function told(core: Core, channel: ActiveChannel, fold: Fold, position: number): ToldDocument {
  const cursor = encodeCursor(channel.ref, channel.log.headsAt(position));
  return { ...core.documents.info(fold, channel.rules), cursor };
}

/** Of a notification channel, where it can be read: whoever is there already was told the same, or is now. */
async function countAt(
  { notifications }: Core,
  channel: ActiveChannel,
): Promise<NotificationInfo | undefined> {
  if (kindOf(channel.ref.channel) !== 'notification') return undefined;
  try {
    const info = await notifications.info(channel);
    if (info) notifications.noticed(channel, info);
    return info;
  } catch (error) {
    if (!(error instanceof FoldUnreadableError)) throw error;
    // Told once it can be read.
    notifications.changed(channel);
    return undefined;
  }
}

async function openAt(
  core: Core,
  want: Extract<WantedSubscription, { start: Start }>,
  refuse: (error: Failure) => Outcome,
): Promise<Outcome> {
  const { subscription, start } = want;
  const ref = { hub: subscription.session.hub, channel: subscription.channel };
  const channel = core.channels.use(ref);
  if (!channel.hasListeners) core.side?.listen(ref);
  channel.fanOut.add(subscription);
  await core.channels.readable(channel);
  const scan = scanOf(core, channel);
  let { log } = channel;
  let position = await startPosition(scan, start);
  // Found in a log that another home's has replaced meanwhile, it is no place in that one.
  for (; channel.log !== log; position = await startPosition(scan, start)) log = channel.log;
  if (!position.ok) return refuse(position.error);
  const { reader, lost } = position.value;
  const retained = start.type === 'live' ? await retainedSlice(core, channel) : undefined;
  const cursor = encodeCursor(ref, reader.heads(log));
  const notifications = await countAt(core, channel);
  // A live one begins with what it is told; who resumes, or reads from before, learns how far there is to go.
  const isLive = start.type === 'live';
  const document = isLive ? await documentAt(core, channel, reader.position) : documentNow(core, channel);
  return {
    result: {
      channel: want.channel,
      cursor,
      ...(retained ? { retained } : {}),
      ...(document ? { document } : {}),
      ...(notifications ? { notifications } : {}),
    },
    channel,
    subscription,
    reader,
    log,
    resumed: start.type === 'cursor',
    lost,
  };
}
