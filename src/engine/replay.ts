/** Reads the log for subscriptions that are not live yet, at the pace of their connection, and hands them over to
 *  fan-out at the exact position reached. One pump a session, so a thousand resumed channels share one queue. */
import { limits } from '../base/limits.js';
import { planted } from '../base/planted.js';
import { kindOf } from '../channels/kinds.js';
import { encodeCursor } from '../log/cursor.js';
import { RecordWalk, recordKind } from '../log/record-layout.js';
import type { LogReader } from '../log/reader.js';
import { encodeDeliveryFrame } from '../protocol/server-encoder.js';
import type { GapReason } from '../protocol/messages.js';
import type { Session } from '../sessions/session.js';
import type { Subscription } from '../sessions/subscription.js';
import type { ActiveChannel } from './active-channel.js';
import { RemoteUnavailableError } from './cluster/followed-channel.js';
import { reasonOf } from './missing.js';
import type { ChannelTable } from './channel-table.js';
import type { MissingRange, ReadResult } from './ports.js';

export interface ReplayHost {
  flushSoon(session: Session): void;
  failed(session: Session, error: unknown): void;
  /** Calls `kick` again after a while. */
  retryLater(session: Session): void;
  /** Sends the document as whoever has all before `position` has it; false where it cannot be read now. */
  rebase(session: Session, channel: ActiveChannel, position: number): Promise<boolean>;
  /** Sends what is unread in a notification channel now. */
  info(session: Session, subscription: Subscription<Session>): void;
}

type EntriesStep = Extract<ReturnType<LogReader['next']>, { type: 'entries' }>;

export class Replay {
  readonly #running = new Set<Session>();

  constructor(
    readonly channels: ChannelTable,
    readonly host: ReplayHost,
  ) {}

  /** Starts or goes on with a session's replays; does nothing while one runs or the connection is full. */
  kick(session: Session): void {
    if (session.closed || !session.hasReplay || this.#running.has(session)) return;
    this.#running.add(session);
    void this.#run(session)
      .catch((error: unknown) => this.host.failed(session, error))
      .finally(() => {
        this.#running.delete(session);
        // The network may have drained while the last read was under way.
        if (session.hasReplay && !session.closed && !session.isBehind() && session.outbox.isEmpty)
          this.kick(session);
      });
  }

  async #run(session: Session): Promise<void> {
    while (session.hasReplay && !session.closed) {
      session.hasReplay = false;
      for (const subscription of session.subscriptions.values()) {
        const isReplaying = subscription.state.state === 'replaying';
        if (!isReplaying && !subscription.isInfoDue) continue;
        if (session.isBehind()) {
          session.hasReplay = true;
          return;
        }
        if (subscription.isInfoDue) this.host.info(session, subscription);
        if (isReplaying && !(await this.#step(session, subscription))) session.hasReplay = true;
        if (session.closed) return;
      }
    }
  }

  /** `undefined` where no home of a channel that is followed elsewhere can be reached now. */
  async #read(session: Session, channel: ActiveChannel, step: EntriesStep): Promise<ReadResult | undefined> {
    try {
      return await this.channels.logs.read(channel.ref, [step], limits.replayChunkBytes);
    } catch (error) {
      if (!(error instanceof RemoteUnavailableError)) throw error;
      this.host.retryLater(session);
      return undefined;
    }
  }

  /** Once it has nothing beyond the order: what it has is then a version of the document. False where that must wait. */
  async #rebase(
    session: Session,
    channel: ActiveChannel,
    subscription: Subscription<Session>,
    reader: LogReader,
  ): Promise<boolean> {
    // Settles what it has beyond.
    const isAtEnd = reader.isAtEnd(channel.log);
    if (reader.isBeyond) return !isAtEnd;
    // Of a place that was trimmed meanwhile nothing can be told: the gap comes first.
    if (!isAtEnd && reader.next(channel.log, 1).type === 'gap') return true;
    if (!(await this.host.rebase(session, channel, reader.position))) {
      this.host.retryLater(session);
      return false;
    }
    subscription.isRebaseDue = false;
    return true;
  }

  /** One chunk of one subscription; true once it is live or ended. */
  async #step(session: Session, subscription: Subscription<Session>): Promise<boolean> {
    const channel = this.channels.use({ hub: session.hub, channel: subscription.channel });
    if (!channel.isLoaded) await this.channels.ready(channel);
    const { state } = subscription;
    if (state.state !== 'replaying') return true;
    const { log } = channel;
    if (subscription.isRebaseDue && !(await this.#rebase(session, channel, subscription, state.reader)))
      return true;
    if (subscription.state !== state || session.closed) return subscription.state.state !== 'replaying';
    if (goesLive(channel, subscription)) return true;
    const { step, isProvisional } = nextStep(channel, state.reader);
    // A reader that has something beyond the order is told when there is more.
    if (step.type === 'end') return subscription.goLiveIfAtEnd(log) || state.reader.isBeyond;
    if (step.type === 'gap') {
      state.reader.advance(step);
      sendGap(session, channel, step.reason, step.ranges, state.reader);
      this.host.flushSoon(session);
      return goesLive(channel, subscription);
    }
    const read = await this.#read(session, channel, step);
    if (!read) return true;
    // Unsubscribed, or trimmed away, while the disk was read.
    if (subscription.state !== state || session.closed) return subscription.state.state !== 'replaying';
    deliverRead(session, channel, state.reader, { step, isProvisional }, read);
    // What was had of several writers may be in another order in the end, with nothing late to say so.
    const isDoubtful = step.late || (isProvisional && state.reader.writersBeyond > 1);
    if (isDoubtful && hasPatch(channel, read)) subscription.isRebaseDue = true;
    if (planted('live-before-end')) subscription.state = { state: 'live', from: log.endPosition };
    this.host.flushSoon(session);
    return goesLive(channel, subscription);
  }
}

/** Whether there is nothing left to read, neither in the order nor beyond it. */
export function goesLive({ log, tip }: ActiveChannel, subscription: Subscription<Session>): boolean {
  return tip === undefined && subscription.goLiveIfAtEnd(log);
}

interface NextStep<Step = ReturnType<LogReader['next']>> {
  readonly step: Step;
  /** Not in the order yet: delivered at a lower level. */
  readonly isProvisional: boolean;
}

function nextStep({ log, tip }: ActiveChannel, reader: LogReader): NextStep {
  const step = reader.next(log, limits.replayEntriesMax);
  if (step.type !== 'end' || !tip) return { step, isProvisional: false };
  return { step: reader.nextProvisional(log, tip, limits.replayEntriesMax), isProvisional: true };
}

function hasPatch({ ref }: ActiveChannel, { slices }: ReadResult): boolean {
  if (kindOf(ref.channel) !== 'document') return false;
  return slices.some(({ records }) => {
    for (const walk = new RecordWalk(records); walk.next();)
      if (recordKind(records, walk.bodyStart, walk.end) === 'patch') return true;
    return false;
  });
}

/** Sends what was read in order of seq, and a gap where something could not be. */
function deliverRead(
  session: Session,
  channel: ActiveChannel,
  reader: LogReader,
  { step, isProvisional }: NextStep<EntriesStep>,
  read: ReadResult,
): void {
  const { log, ref } = channel;
  const had = (firstSeq: number, count: number): void => {
    if (isProvisional) reader.took(step.writer, firstSeq + count - 1);
    else reader.advance({ ...step, firstSeq, count });
  };
  const parts = [...read.slices, ...read.missing].sort((a, b) => firstSeqOf(a) - firstSeqOf(b));
  for (const part of parts) {
    if ('records' in part) {
      had(part.firstSeq, part.count);
      const cursor = encodeCursor(ref, reader.heads(log));
      const bytes = encodeDeliveryFrame(session.encoding, {
        channel: ref.channel,
        writer: part.writer,
        round: part.round,
        late: step.late && !planted('late-unmarked'),
        records: part.records,
        cursor,
      });
      session.push({ bytes, channel: ref.channel, cursor, entries: part.count });
    } else {
      had(part.fromSeq, part.toSeq - part.fromSeq + 1);
      sendGap(session, channel, reasonOf(log, part), [part], reader);
    }
  }
}

export function sendGap(
  session: Session,
  channel: ActiveChannel,
  reason: GapReason,
  ranges: readonly MissingRange[],
  reader: LogReader,
): void {
  const cursor = encodeCursor(channel.ref, reader.heads(channel.log));
  session.send(0, { type: 'gap', channel: channel.ref.channel, reason, ranges, cursor });
}

function firstSeqOf(part: ReadResult['slices'][number] | MissingRange): number {
  return 'records' in part ? part.firstSeq : part.fromSeq;
}
