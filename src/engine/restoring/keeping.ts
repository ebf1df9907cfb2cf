/** Writes what is kept of one session whenever it is another: at once where it was at rest, else gathered. What is durable is
 *  told to the client, which so knows what it would get back. */
import { limits } from '../../base/limits.js';
import {
  type KeptIdentity,
  type KeptSession,
  type KeptSessions,
  type KeptSubscription,
  type SessionChange,
  encodeSessionChange,
} from '../../hubs/kept-sessions.js';
import type { Outcome } from '../../hubs/fold.js';
import { failure } from '../../protocol/errors.js';
import type { Session } from '../../sessions/session.js';
import type { SystemFold } from '../hubs/system-fold.js';
import type { Principal } from '../api.js';
import type { EnginePorts } from '../ports.js';
import { keptIdentityOf } from './identity.js';

export interface KeepingHost {
  readonly ports: Pick<EnginePorts, 'timers' | 'clock'>;
  /** It is not kept any more. */
  forgotten(keeping: Keeping): void;
  /** It was restored by another connection. */
  overtaken(keeping: Keeping): void;
}

interface Content {
  readonly identity: KeptIdentity;
  readonly subscriptions: readonly KeptSubscription[];
  readonly leftOut: number;
}

/** What is answered once the first is durable. */
interface First {
  readonly requestId: number;
  readonly key: Uint8Array;
}

export class Keeping {
  readonly id: string;
  renewAtMs = Infinity;
  readonly #told = new Set<string>();
  #revision = 0;
  #lastMs = 0;
  /** What was written last, as text. */
  #written = '';
  #first: First | undefined;
  #isDirty = false;
  #isPlanned = false;
  #isOver = false;
  #isWriting = false;

  /** `key`: hash of the one that restores it. `restored`: what came back. */
  constructor(
    readonly host: KeepingHost,
    readonly fold: SystemFold<KeptSessions>,
    readonly session: Session,
    readonly key: string,
    begun: First | KeptSession,
  ) {
    this.id = session.id;
    if ('requestId' in begun) {
      this.#first = begun;
      return;
    }
    this.epoch = begun.epoch;
    this.#lastMs = begun.atMs;
    for (const [channel] of begun.subscriptions) this.#told.add(channel);
    // A key is used by an entry that does not say what it restored: whoever reads the log once the last that did is trimmed would
    // know nothing of a session that comes back again and again.
    if (begun.atMs - begun.wholeAtMs < limits.sessionRenewMs) this.#written = textOf(begun);
    this.#renewLater();
  }

  readonly epoch: number = 0;

  /** Something of it may be another: looked at once this turn is over. */
  changed(): void {
    if (this.#isPlanned || this.#isOver) return;
    this.#isPlanned = true;
    this.host.ports.timers.soon(() => {
      this.#isPlanned = false;
      this.#isDirty = true;
      void this.#write();
    });
  }

  /** Written anew, though it is the same. */
  renew(): void {
    this.#written = '';
    this.renewAtMs = Infinity;
    this.changed();
  }

  stop(): void {
    this.#isOver = true;
  }

  /** The client will not come back. What is on its way still does not bring it back. */
  async end(): Promise<void> {
    this.stop();
    const { id, epoch } = this;
    await this.#change({ type: 'end', id, epoch });
  }

  async #write(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    while (this.#isDirty && !this.#isOver) {
      this.#isDirty = false;
      const pauseMs = await this.#writeOnce();
      if (pauseMs > 0) await new Promise<void>((resolve) => this.host.ports.timers.after(pauseMs, resolve));
    }
    this.#isWriting = false;
  }

  /** Resolves with how long to wait before the next. */
  async #writeOnce(): Promise<number> {
    const content = this.#content();
    if (!content) return this.#cannot();
    const text = textOf(content);
    if (text === this.#written) return 0;
    const { id, epoch, key } = this;
    const { identity, subscriptions } = content;
    const revision = ++this.#revision;
    const last = this.#lastMs;
    const outcome = await this.#change({
      type: 'keep',
      id,
      epoch,
      revision,
      key,
      last,
      identity,
      subscriptions,
    });
    if (this.#isOver) return 0;
    if (outcome === undefined) return this.#failed();
    if (outcome.isVoid) return this.#refused(outcome.reason);
    this.#lastMs = this.fold.state?.find(id)?.atMs ?? last;
    this.#written = text;
    this.#renewLater();
    this.#tell(content);
    return limits.keptPauseMs;
  }

  /** `undefined` where it could not be written, or nobody knows. */
  async #change(change: SessionChange): Promise<Outcome | undefined> {
    if (!(await this.fold.ready())) return undefined;
    const outcome = await this.fold.change(encodeSessionChange(change), '');
    return outcome.ok ? outcome.value : undefined;
  }

  #failed(): number {
    if (this.#first) {
      this.session.fail(this.#first.requestId, failure('UNAVAILABLE', { retryAfterMs: limits.keptRetryMs }));
      this.#forget();
      return 0;
    }
    this.#isDirty = true;
    return limits.keptRetryMs;
  }

  #refused(reason: string): number {
    const known = this.fold.state?.find(this.id);
    if (known && known.epoch > this.epoch) this.host.overtaken(this);
    else if (this.#first) {
      this.session.fail(this.#first.requestId, failure('TOO_MANY', { message: reason }));
      this.#forget();
    } else if (!known) {
      this.#tell({ subscriptions: [], leftOut: this.session.subscriptions.size });
      this.#forget();
    } else {
      // Tried again with the next change; until then it is as it was.
      this.#renewLater();
    }
    return limits.keptRetryMs;
  }

  /** It has become an administrator's. */
  #cannot(): number {
    this.#tell({ subscriptions: [], leftOut: this.session.subscriptions.size });
    this.#forget();
    void this.end();
    return 0;
  }

  #forget(): void {
    this.stop();
    this.host.forgotten(this);
  }

  #renewLater(): void {
    this.renewAtMs = this.host.ports.clock.monotonicMs() + limits.sessionRenewMs;
  }

  #content(): Content | undefined {
    const { principal, subscriptions: all } = this.session;
    const identity = keptIdentityOf(principal as Principal);
    if (!identity) return undefined;
    const subscriptions: KeptSubscription[] = [];
    let bytes = 0;
    let leftOut = 0;
    for (const { channel, presence, state, isAutomatic } of all.values()) {
      if (isAutomatic) continue;
      // What came back is kept while it is being opened.
      if (state.state === 'opening' && !this.#told.has(channel)) continue;
      bytes += channel.length + 3 * (presence?.length ?? 0);
      const isTooMuch = subscriptions.length >= limits.keptSubscriptionsMax || bytes > limits.keptBytesMax;
      if (isTooMuch) leftOut++;
      else subscriptions.push(presence === undefined ? [channel] : [channel, presence]);
    }
    return { identity, subscriptions, leftOut };
  }

  #tell({ subscriptions, leftOut }: Pick<Content, 'subscriptions' | 'leftOut'>): void {
    const kept = new Set(subscriptions.map(([channel]) => channel));
    const added = [...kept].filter((channel) => !this.#told.has(channel));
    const dropped = [...this.#told].filter((channel) => !kept.has(channel));
    const first = this.#first;
    this.#first = undefined;
    if (!first && added.length === 0 && dropped.length === 0) return;
    for (const channel of added) this.#told.add(channel);
    for (const channel of dropped) this.#told.delete(channel);
    this.session.send(first?.requestId ?? 0, {
      type: 'sessionKept',
      ...(first ? { key: first.key } : undefined),
      added,
      dropped,
      leftOut,
      forMs: limits.sessionKeptMs - limits.sessionRenewMs,
    });
  }
}

function textOf({ identity, subscriptions }: Pick<Content, 'identity' | 'subscriptions'>): string {
  return JSON.stringify([identity, subscriptions]);
}
