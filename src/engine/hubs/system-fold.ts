/** State folded from a system channel, kept as long as it is wanted. It reads as any client does, by a session of its own, and so
 *  follows the channel wherever its homes are. Whatever ends that session, it goes on from its cursor: a home that does not know yet
 *  that all of it is committed would else be taken for one that has nothing, and what was known forgotten. Where the cursor is of
 *  no use it reads everything anew, and serves what it knew until it has. */
import { type ChannelRef, type Dot, dotText } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import type { Fold, Outcome } from '../../hubs/fold.js';
import { advanceHeads, decodeCursor, encodeCursor } from '../../log/cursor.js';
import { encodeContent } from '../../log/entry-wire.js';
import { unixMsOf } from '../../log/timestamp.js';
import { encodeClientFrame } from '../../protocol/client-encoder.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type {
  DeliveredEntry,
  Gap,
  OutgoingMessage,
  PublishedKind,
  ServerEvent,
  Start,
  SubscribedEvent,
} from '../../protocol/messages.js';
import { decodeServerFrame } from '../../protocol/server-decoder.js';
import type { Accepted } from '../../sessions/ack-range.js';
import type { Session } from '../../sessions/session.js';
import type { OutFrame, SessionSink } from '../api.js';
import type { PublishOrigin } from '../pending.js';
import type { EnginePorts } from '../ports.js';

export interface SystemFoldHost {
  readonly ports: Pick<EnginePorts, 'timers' | 'clock' | 'observer' | 'tallies'>;
  /** A session that may read everything; `undefined` while the node does not serve. */
  open(ref: ChannelRef, sink: SessionSink): Session | undefined;
  /** Of these entries, or of the newest ones that are held, those that are not known to be committed. */
  uncommitted(ref: ChannelRef, among?: readonly Dot[]): readonly Dot[];
  /** Into the log of a system channel, by the ordinary way. */
  publish(
    ref: ChannelRef,
    content: Uint8Array,
    actor: string,
    origin: PublishOrigin,
    kind?: PublishedKind,
  ): void;
}

export interface Change {
  readonly event: string;
  readonly payload: Uint8Array;
}

export class SystemFold<F extends Fold> {
  #state: F | undefined;
  /** What is being read, until all that was there is in it. */
  #reading: F | undefined;
  /** It is read because the channel was deleted: what that took away is none of it. */
  #isOfNew = false;
  #hasRead = false;
  /** Held here as all was read that is committed, and not known to be: what they say counts, or not. */
  #doubtful: readonly Dot[] | undefined;
  /** Where what is folded so far ends; `undefined` where that is not known, or does not count. */
  #heads: readonly Dot[] | undefined;
  #session: Session | undefined;
  #isStopped = false;
  #cancelRetry: (() => void) | undefined;
  readonly #waiting = new Set<() => void>();
  /** By message id, the oldest first: an answer may come behind what it is waited for. */
  readonly #outcomes = new Map<string, Outcome>();
  readonly #awaited = new Map<string, (outcome: Outcome) => void>();

  constructor(
    readonly ref: ChannelRef,
    readonly host: SystemFoldHost,
    /** State before the first entry. */
    readonly empty: () => F,
    /** The state is another: called once for many entries that come together. */
    readonly changed: () => void,
  ) {}

  /** `undefined` until all that was there has been read once. */
  get state(): F | undefined {
    return this.#state;
  }

  start(): void {
    if (this.#isStopped || this.#session) return;
    const session = this.host.open(this.ref, this.#sink());
    if (!session) return this.#retry();
    this.#session = session;
    const start = this.#start;
    if (start.type === 'beginning') {
      this.#reading = this.empty();
      this.#hasRead = false;
      this.#heads = undefined;
      this.#doubtful = undefined;
    }
    this.#send(session, { type: 'subscribe', channels: [{ channel: this.ref.channel, start }] });
  }

  get #start(): Start {
    const isCurrent = this.#state !== undefined && this.#reading === undefined;
    // More would not fit a cursor, and what it leaves out is delivered again.
    if (!isCurrent || !this.#heads || this.#heads.length > limits.foldHeadsMax) return { type: 'beginning' };
    return { type: 'cursor', cursor: encodeCursor(this.ref, this.#heads) };
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelRetry?.();
    const session = this.#session;
    this.#session = undefined;
    session?.end(1000, 'not needed');
    this.#wake();
  }

  /** Resolves once there is a state; false where none came in time. */
  async ready(): Promise<boolean> {
    if (this.#state) return true;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      const cancel = this.host.ports.timers.after(limits.hubReadyMs, wake);
      this.#waiting.add(wake);
    });
    return this.#state !== undefined;
  }

  /** Writes a change, and resolves with what became of it once the state here has it. */
  async change({ event, payload }: Change, actor: string): Promise<Result<Outcome, Failure>> {
    const content = encodeContent({ event, contentType: 'application/json', payload });
    const written = await writeSystem(this.host, this.ref, content, actor);
    return written.ok ? this.#outcomeOf(dotText(written.value)) : written;
  }

  async #outcomeOf(id: string): Promise<Result<Outcome, Failure>> {
    const known = this.#outcomes.get(id);
    if (known) return ok(known);
    return new Promise((resolve) => {
      const cancel = this.host.ports.timers.after(limits.foldWaitMs, () => {
        this.#awaited.delete(id);
        resolve(err(failure('INDETERMINATE')));
      });
      this.#awaited.set(id, (outcome) => {
        cancel();
        resolve(ok(outcome));
      });
    });
  }

  #send(session: Session, message: OutgoingMessage): void {
    const frame = encodeClientFrame('protobuf', [{ requestId: 1, message }]);
    session.receive(frame, this.host.ports.clock.monotonicMs());
  }

  // What the session delivers.

  #sink(): SessionSink {
    let isOpen = true;
    return {
      bufferedBytes: 0,
      write: (frames) => {
        if (isOpen && !this.#isStopped) this.#received(frames);
      },
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        this.#session = undefined;
        this.#retry();
      },
    };
  }

  #retry(): void {
    if (this.#isStopped) return;
    this.#cancelRetry?.();
    this.#cancelRetry = this.host.ports.timers.after(limits.foldRetryMs, () => this.start());
  }

  #received(frames: readonly OutFrame[]): void {
    let isChanged = false;
    for (const { bytes } of frames) {
      const events = decodeServerFrame('protobuf', bytes, this.ref.hub);
      if (!events.ok) return this.#anew('what was read is damaged');
      for (const { event } of events.value) if (this.#event(event)) isChanged = true;
      if (!this.#session) return;
    }
    if (isChanged && !this.#reading) this.changed();
    this.#settle();
  }

  /** What was read is what goes, once it is all that is held here: a home that starts does not know yet what of it is committed, and
   *  one that reaches no others does not come to know. */
  #settle(): void {
    if (!this.#reading || this.#session?.subscriptions.get(this.ref.channel)?.state.state !== 'live') return;
    this.#doubtful = this.host.uncommitted(this.ref, this.#doubtful);
    if (this.#doubtful.length > 0) return this.#settleLater();
    this.#state = this.#reading;
    this.#reading = undefined;
    this.#isOfNew = false;
    this.changed();
    this.#wake();
  }

  /** What becomes committed is delivered, what turns out to be lost is not. */
  #settleLater(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = this.host.ports.timers.after(limits.foldRetryMs, () => this.#settle());
  }

  /** Whether the state may be another now. */
  #event(event: ServerEvent): boolean {
    switch (event.type) {
      case 'delivery':
        // Never at level `quorum`; should it be, the order is another than what was folded.
        if (event.entries.some(({ late }) => late)) {
          this.#anew('entries came late');
          return false;
        }
        for (const { entry } of event.entries) this.#apply(entry);
        return true;
      case 'gap':
        return this.#gap(event);
      case 'subscribe':
        this.#subscribed(event.results[0]);
        return false;
      case 'error':
        this.#again();
        return false;
      case 'ping':
        if (this.#session) this.#send(this.#session, { type: 'pong' });
        return false;
      default:
        return false;
    }
  }

  #subscribed({ error, cursor }: Partial<SubscribedEvent> = {}): void {
    if (error?.code === 'BAD_CURSOR') this.#anew(error.message);
    else if (error) this.#again();
    else this.#heads ??= cursor && this.#headsAt(cursor);
  }

  #headsAt(cursor: Uint8Array): readonly Dot[] | undefined {
    const heads = decodeCursor(this.ref, cursor);
    return heads.ok ? heads.value : undefined;
  }

  #gap({ reason, cursor }: Gap): boolean {
    if (reason === 'deleted') return this.#deleted();
    // Of what is folded: the rest is folded without it.
    if (reason === 'lost' && !this.#reading) {
      this.#anew('entries that were read are lost');
      return false;
    }
    this.#heads = this.#headsAt(cursor);
    if (reason === 'trimmed' && this.#reads?.isOfTrimmed === true) return false;
    this.#tell(`Entries of ${this.ref.hub} ${this.ref.channel} are gone (${reason}).`);
    this.#reads?.lacks();
    return true;
  }

  /** What was folded may be of a channel that is no more: nothing is known before the new one is read from its beginning. */
  #deleted(): boolean {
    if (this.#reading && (this.#isOfNew || !this.#hasRead)) return false;
    this.#isOfNew = true;
    this.#state = undefined;
    this.#anew();
    return false;
  }

  get #reads(): F | undefined {
    return this.#reading ?? this.#state;
  }

  #apply(entry: DeliveredEntry['entry']): void {
    const { content, timestamp, actor, writer, seq, parents } = entry;
    const state = this.#reads;
    this.#heads &&= advanceHeads(this.#heads, { writer, seq }, parents);
    // Merges and trims keep the log in order and change nothing.
    if (!content || !state) return;
    this.#hasRead = true;
    const { event, payload } = content;
    const outcome = state.apply({ event, payload, unixMs: unixMsOf(timestamp), actor });
    const id = dotText({ writer, seq });
    this.#outcomes.set(id, outcome);
    if (this.#outcomes.size > limits.foldOutcomesMax)
      this.#outcomes.delete(this.#outcomes.keys().next().value!);
    this.#awaited.get(id)?.(outcome);
    this.#awaited.delete(id);
  }

  /** Ends the session, and reads everything from the beginning a little later. */
  #anew(why?: string): void {
    this.#heads = undefined;
    this.#again(why);
  }

  /** Ends the session, and begins another one a little later. */
  #again(why?: string): void {
    if (why !== undefined) this.#tell(`${this.ref.hub} ${this.ref.channel}: ${why}.`);
    const session = this.#session;
    this.#session = undefined;
    session?.end(1000, 'again');
    this.#retry();
  }

  #tell(message: string): void {
    this.host.ports.observer.observe({ type: 'alarm', code: 'SYSTEM_CHANNEL', message });
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}

/** Resolves once it is durable. */
export function writeSystem(
  host: Pick<SystemFoldHost, 'publish'>,
  ref: ChannelRef,
  content: Uint8Array,
  actor: string,
  kind?: PublishedKind,
): Promise<Result<Dot, Failure>> {
  return new Promise((resolve) => host.publish(ref, content, actor, new Answer(resolve), kind));
}

class Answer implements PublishOrigin {
  constructor(readonly settled: (result: Result<Dot, Failure>) => void) {}

  publishAccepted({ dot }: Accepted): void {
    this.settled(dot ? ok(dot) : err(failure('INTERNAL')));
  }

  publishFailed(_requestId: number, error: Failure): void {
    this.settled(err(error));
  }
}
