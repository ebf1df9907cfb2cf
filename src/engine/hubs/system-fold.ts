/** State folded from a system channel, kept as long as it is wanted. It reads as any client does, by a session of its own, and so
 *  follows the channel wherever its homes are; whatever ends that session, it begins again, and serves what it knew until
 *  it has read everything anew. */
import { type ChannelRef, type Dot, dotText } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import type { Fold, Outcome } from '../../hubs/fold.js';
import { encodeContent } from '../../log/entry-wire.js';
import { unixMsOf } from '../../log/timestamp.js';
import { encodeClientFrame } from '../../protocol/client-encoder.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { DeliveredEntry, OutgoingMessage, PublishedKind, ServerEvent } from '../../protocol/messages.js';
import { decodeServerFrame } from '../../protocol/server-decoder.js';
import type { Accepted } from '../../sessions/ack-range.js';
import type { Session } from '../../sessions/session.js';
import type { OutFrame, SessionSink } from '../api.js';
import type { PublishOrigin } from '../pending.js';
import type { EnginePorts } from '../ports.js';

export interface SystemFoldHost {
  readonly ports: Pick<EnginePorts, 'timers' | 'clock' | 'observer'>;
  /** A session that may read everything; `undefined` while the node does not serve. */
  open(ref: ChannelRef, sink: SessionSink): Session | undefined;
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
    this.#reading = this.empty();
    this.#hasRead = false;
    const { channel } = this.ref;
    this.#send(session, { type: 'subscribe', channels: [{ channel, start: { type: 'beginning' } }] });
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
      if (!events.ok) return this.#again('what was read is damaged');
      for (const { event } of events.value) if (this.#event(event)) isChanged = true;
      if (!this.#session) return;
    }
    const isCurrent = this.#session?.subscriptions.get(this.ref.channel)?.state.state === 'live';
    if (this.#reading && isCurrent) {
      this.#state = this.#reading;
      this.#reading = undefined;
      this.#isOfNew = false;
      isChanged = true;
    }
    if (isChanged && !this.#reading) this.changed();
    if (this.#state) this.#wake();
  }

  /** Whether the state may be another now. */
  #event(event: ServerEvent): boolean {
    switch (event.type) {
      case 'delivery':
        // Never at level `quorum`; should it be, the order is another than what was folded.
        if (event.entries.some(({ late }) => late)) {
          this.#again('entries came late');
          return false;
        }
        for (const { entry } of event.entries) this.#apply(entry);
        return true;
      case 'gap':
        if (event.reason === 'deleted') return this.#deleted();
        if (event.reason === 'trimmed' && this.#reads?.isOfTrimmed === true) return false;
        this.#tell(`Entries of ${this.ref.hub} ${this.ref.channel} are gone (${event.reason}).`);
        this.#reads?.lacks();
        return true;
      case 'subscribe':
        if (event.results.some(({ error }) => error)) this.#again();
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

  /** What was folded may be of a channel that is no more: nothing is known before the new one is read from its beginning. */
  #deleted(): boolean {
    if (this.#reading && (this.#isOfNew || !this.#hasRead)) return false;
    this.#isOfNew = true;
    this.#state = undefined;
    this.#again();
    return false;
  }

  get #reads(): F | undefined {
    return this.#reading ?? this.#state;
  }

  #apply(entry: DeliveredEntry['entry']): void {
    const { content, timestamp, actor, writer, seq } = entry;
    const state = this.#reads;
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

  /** Ends the session, and reads everything anew a little later. */
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
