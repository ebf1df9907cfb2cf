/** Hands what became durable to the sessions that listen: each encoding of a frame is made once. */
import { limits } from '../base/limits.js';
import { encodeCursor } from '../log/cursor.js';
import { iterateRecords } from '../log/entry-wire.js';
import type { Encoding, Signal } from '../protocol/messages.js';
import { encodeDeliveryFrame, encodeServerFrame } from '../protocol/server-encoder.js';
import type { Session } from '../sessions/session.js';
import type { SessionFrame } from '../sessions/subscriber.js';
import type { ActiveChannel } from './active-channel.js';
import type { Piece } from './kept-runs.js';

export interface Flusher {
  /** The session has something to write, at the latest at the end of this turn. */
  touched(session: Session): void;
  /** There will be something: flush at the end of this turn. */
  planFlush(): void;
  /** The session cannot be served any more. */
  broken(session: Session, error: unknown): void;
}

export class Delivery {
  readonly counters = { deliveries: 0 };
  /** Called when the order of a channel has grown, behind its delivery. */
  grown: (channel: ActiveChannel) => void = () => undefined;
  readonly #touch: (session: Session) => void;
  /** Signals of this turn that were not handed out yet. */
  readonly #signals = new Map<ActiveChannel, SignalBatch>();

  constructor(readonly flusher: Flusher) {
    this.#touch = (session) => {
      this.counters.deliveries++;
      flusher.touched(session);
    };
  }

  /** What is new in the channel's order from `position` on, one piece behind another; records are copied into the frames.
   *  Without pieces whoever listens reads them from the log. */
  committed(channel: ActiveChannel, position: number, pieces: readonly Piece[] | undefined): void {
    channel.wakeWaiters();
    if (!channel.hasListeners) return;
    try {
      if (!pieces) {
        channel.fanOut.readLog(channel.log, position, this.#touch);
        return this.grown(channel);
      }
      let from = position;
      for (const piece of pieces) {
        const start = from;
        const make = (encoding: Encoding) => deliveryFrames(channel, piece, start, encoding);
        channel.fanOut.deliver(channel.log, start, make, this.#touch);
        from += piece.count;
      }
      this.grown(channel);
    } catch (error) {
      // The entries are durable: whoever listens comes back for them, and the node goes on.
      for (const { session } of Array.from(channel.fanOut)) this.flusher.broken(session, error);
    }
  }

  /** There is something to be delivered before it is in the order: whoever listens reads it from the log. */
  provisional(channel: ActiveChannel): void {
    channel.wakeWaiters();
    if (channel.hasListeners) channel.fanOut.readLog(channel.log, channel.log.endPosition, this.#touch);
  }

  /** The session has something to read. */
  readOn(session: Session): void {
    session.hasReplay = true;
    this.#touch(session);
  }

  signal(channel: ActiveChannel, signal: Signal): void {
    if (channel.rules.liveHistory > 0) {
      // The content is a view of a received frame: what is kept longer is copied.
      channel.keepSignals().add({ ...signal, content: signal.content.slice() });
    }
    if (!channel.hasListeners) return;
    const batch = this.#signals.get(channel);
    if (!batch) {
      this.#signals.set(channel, { signals: [signal], bytes: signal.content.length });
      this.flusher.planFlush();
      return;
    }
    batch.signals.push(signal);
    batch.bytes += signal.content.length;
    if (batch.bytes >= limits.replayChunkBytes) this.#handOut(channel, batch);
  }

  /** All signals of one channel and turn are one frame; called before every flush. */
  handOutSignals(): void {
    for (const [channel, batch] of this.#signals) this.#handOut(channel, batch);
  }

  /** Before somebody joins: what is handed out later would come to it twice. */
  handOutSignalsOf(channel: ActiveChannel): void {
    const batch = this.#signals.get(channel);
    if (batch) this.#handOut(channel, batch);
  }

  #handOut(channel: ActiveChannel, { signals }: SignalBatch): void {
    this.#signals.delete(channel);
    const make = (encoding: Encoding) => [{ ...signalFrame(channel, signals, encoding), isShared: true }];
    channel.fanOut.signal(make, this.#touch);
  }
}

interface SignalBatch {
  readonly signals: Signal[];
  bytes: number;
}

export function signalFrame(
  channel: ActiveChannel,
  signals: readonly Signal[],
  encoding: Encoding,
): SessionFrame {
  const message = { type: 'signals', channel: channel.ref.channel, signals } as const;
  return { bytes: encodeServerFrame(encoding, [{ requestId: 0, message }]) };
}

/** Frames of at most about `replayChunkBytes`, so that one large commit does not overrun a reader's queue at once. */
function deliveryFrames(
  channel: ActiveChannel,
  { writer, round, count, records }: Piece,
  position: number,
  encoding: Encoding,
): SessionFrame[] {
  const frames: SessionFrame[] = [];
  let start = 0;
  let entries = 0;
  let done = 0;
  const cut = (end: number): void => {
    done += entries;
    // In protobuf readers advance their cursor themselves.
    const cursor =
      encoding === 'json' ? encodeCursor(channel.ref, channel.log.headsAt(position + done)) : undefined;
    const slice = {
      channel: channel.ref.channel,
      writer,
      round,
      late: false,
      records: records.subarray(start, end),
      ...(cursor && { cursor }),
    };
    frames.push({
      bytes: encodeDeliveryFrame(encoding, slice),
      channel: channel.ref.channel,
      ...(cursor && { cursor }),
      entries,
      isShared: true,
    });
    start = end;
    entries = 0;
  };
  if (records.length <= limits.replayChunkBytes) {
    entries = count;
    cut(records.length);
    return frames;
  }
  for (const record of iterateRecords(records)) {
    entries++;
    if (record.end - start >= limits.replayChunkBytes) cut(record.end);
  }
  if (entries > 0) cut(records.length);
  return frames;
}
