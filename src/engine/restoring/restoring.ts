/** Keeps the sessions that ask for it, so that they can be restored at any node, and restores them. What is kept stands in the
 *  `$sessions` of their hub; see docs/sessions.md and docs/decisions/0070-*. */
import type { ChannelName, ChannelRef, HubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import { type KeptSession, KeptSessions, encodeSessionChange } from '../../hubs/kept-sessions.js';
import { sessionsRef } from '../../hubs/system-channels.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type {
  ChannelCursor,
  SessionRestoreMessage,
  Start,
  SubscribeChannel,
  SubscribedChannel,
} from '../../protocol/messages.js';
import type { Session, WantedSubscription } from '../../sessions/session.js';
import { addWanted } from '../../sessions/wanted.js';
import type { Principal } from '../api.js';
import { HubFolds } from '../hubs/hub-folds.js';
import type { SystemFold, SystemFoldHost } from '../hubs/system-fold.js';
import type { EnginePorts } from '../ports.js';
import { keptIdentityOf, principalOf } from './identity.js';
import { Keeping, type KeepingHost } from './keeping.js';
import { hashOf, idOf, newKey } from './keys.js';

export interface RestoringHost extends SystemFoldHost {
  readonly ports: Pick<EnginePorts, 'timers' | 'clock' | 'observer' | 'random' | 'hashing'>;
  /** Whether who it was still counts; waits until that can be said. */
  isCurrent(hub: HubName, principal: Principal): Promise<boolean>;
  /** Resolves once it can be said what goes for the channel, or that takes too long. */
  ready(ref: ChannelRef): Promise<void>;
  /** The session is in that channel no longer. */
  left(ref: ChannelRef, session: string): void;
}

/** What a key gave back. */
interface Restored {
  readonly kept: KeptSession;
  readonly principal: Principal;
  /** The next key. */
  readonly key: Uint8Array;
}

/** Opens subscriptions, and hands out how that went before anything is delivered. */
export type Opener = (
  wanted: readonly WantedSubscription[],
  answer: (results: readonly SubscribedChannel[]) => void,
) => Promise<void>;

export class Restoring implements KeepingHost {
  readonly #folds: HubFolds<KeptSessions>;
  readonly #keepings = new Map<Session, Keeping>();
  readonly #byId = new Map<string, Keeping>();
  readonly #waiting = new Set<() => void>();
  #open = 0;

  constructor(readonly host: RestoringHost) {
    this.#folds = new HubFolds(host, {
      refOf: sessionsRef,
      empty: () => new KeptSessions(),
      changed: (hub) => this.#changed(hub),
    });
  }

  get ports(): RestoringHost['ports'] {
    return this.host.ports;
  }

  stop(): void {
    this.#folds.stop();
  }

  tick(): void {
    const hubs = new Set<HubName>();
    const nowMs = this.ports.clock.monotonicMs();
    for (const [{ hub }, keeping] of this.#keepings) {
      hubs.add(hub);
      if (nowMs >= keeping.renewAtMs) keeping.renew();
    }
    this.#folds.tick(hubs);
  }

  // Sessions of this node.

  keep(session: Session, requestId: number): void {
    const refused = this.#refusal(session);
    if (refused) return session.fail(requestId, refused);
    const key = newKey(this.ports, session.id);
    this.#begin(session, key, { requestId, key }).changed();
  }

  /** Its subscriptions, or who it is, may be others. */
  changed(session: Session): void {
    this.#keepings.get(session)?.changed();
  }

  /** `code`: why its connection was closed; left out where it was lost. */
  ended(session: Session, code: number | undefined): void {
    const keeping = this.#keepings.get(session);
    if (!keeping) return;
    this.forgotten(keeping);
    const isFinal = code === 1000 || (code !== undefined && code >= 4400 && code < 4500 && code !== 4409);
    if (isFinal) void keeping.end();
    else keeping.stop();
  }

  forgotten(keeping: Keeping): void {
    const { session, id } = keeping;
    this.#keepings.delete(session);
    if (this.#byId.get(placeOf(session.hub, id)) === keeping) this.#byId.delete(placeOf(session.hub, id));
  }

  /** Another connection has the session. It ends here a moment later, so that nobody sees it gone in between. */
  overtaken(keeping: Keeping): void {
    keeping.stop();
    const end = () => keeping.session.failAndClose('RESTORED_ELSEWHERE');
    this.ports.timers.after(limits.handOverMs, end);
  }

  // Restoring.

  /** Uses the key: whoever else offers it, anywhere, is refused from then on. Then the session is the one that it is of. */
  async restore(
    session: Session,
    requestId: number,
    { key, cursors }: Pick<SessionRestoreMessage, 'cursors'> & { readonly key: Uint8Array },
    open: Opener,
  ): Promise<void> {
    const restored = await this.#use(session, key);
    if (session.closed) return;
    if (!restored.ok) return session.fail(requestId, restored.error);
    const { kept, principal, key: next } = restored.value;
    const left = this.#replace(session.hub, kept.id);
    session.id = kept.id;
    const keeping = this.#begin(session, next, kept);
    session.restored(principal);
    const wanted = addWanted<Session>(session, channelsOf(kept, cursors));
    await open(wanted, (results) =>
      session.send(requestId, { type: 'sessionRestored', sessionId: session.id, key: next, results }),
    );
    for (const channel of left)
      if (!session.subscriptions.has(channel)) this.host.left({ hub: session.hub, channel }, kept.id);
    // Some of it may be lost: a right, or a channel that nobody serves.
    keeping.changed();
  }

  /** Ends the connection of this node that had the session, unseen by others; returns its channels. */
  #replace(hub: HubName, id: string): ChannelName[] {
    const before = this.#byId.get(placeOf(hub, id))?.session;
    if (!before) return [];
    const channels = [...before.subscriptions.values()].map(({ channel }) => channel);
    before.isMoved = true;
    before.failAndClose('RESTORED_ELSEWHERE');
    return channels;
  }

  async #use(session: Session, key: Uint8Array): Promise<Result<Restored, Failure>> {
    const refused = this.#refusal(session);
    if (refused) return err(refused);
    if (this.#open >= limits.restoresMax) return err(failure('OVERLOADED', { retryAfterMs: 500 }));
    this.#open++;
    try {
      return await this.#inTime(this.#restore(session, key));
    } finally {
      this.#open--;
    }
  }

  #begin(session: Session, key: Uint8Array, begun: ConstructorParameters<typeof Keeping>[4]): Keeping {
    const { hub, id } = session;
    const keeping = new Keeping(this, this.#folds.use(hub), session, hashOf(this.ports, hub, key), begun);
    this.#keepings.set(session, keeping);
    this.#byId.set(placeOf(hub, id), keeping);
    return keeping;
  }

  #refusal(session: Session): Failure | undefined {
    if (this.#keepings.has(session)) return failure('INVALID', { message: 'This session is kept already.' });
    if (keptIdentityOf(session.principal as Principal)) return undefined;
    return failure('UNSUPPORTED', { message: 'Sessions of administrators are not kept.' });
  }

  async #restore(session: Session, key: Uint8Array): Promise<Result<Restored, Failure>> {
    const { hub } = session;
    const id = idOf(key);
    if (id === undefined) return notRestored();
    const used = hashOf(this.ports, hub, key);
    const fold = this.#folds.use(hub);
    if (!(await fold.ready())) return notNow();
    const known = await this.#heard(fold, id, used);
    if (!known) return notRestored();
    const principal = await this.#principalOf(session, known);
    if (!principal) return notRestored(strangers);
    // Before the key is used: what is not known yet would be refused, and kept no more.
    for (const [channel] of known.subscriptions)
      await this.host.ready({ hub, channel: channel as ChannelName });
    const next = newKey(this.ports, id);
    const hash = hashOf(this.ports, hub, next);
    const change = encodeSessionChange({ type: 'restore', id, used, next: hash });
    const untilMs = this.ports.clock.monotonicMs() + limits.restoreWrittenMs;
    let outcome = await fold.change(change, '');
    // What was surely not written may be once somebody orders the log again.
    while (!outcome.ok && outcome.error.outcome === 'rejected' && this.ports.clock.monotonicMs() < untilMs) {
      await this.#news(limits.keptPauseMs);
      outcome = await fold.change(change, '');
    }
    if (!outcome.ok) return notNow();
    const kept = fold.state?.find(id);
    if (outcome.value.isVoid || kept?.key !== hash) return notRestored();
    return ok({ kept, principal, key: next });
  }

  /** What the key would restore, as far as this node knows; nothing is written for keys that nobody ever had. */
  async #heard(fold: SystemFold<KeptSessions>, id: string, used: string): Promise<KeptSession | undefined> {
    const untilMs = this.ports.clock.monotonicMs() + limits.restoreHeardMs;
    for (;;) {
      const known = fold.state?.find(id);
      if (known?.key === used) return known;
      const leftMs = untilMs - this.ports.clock.monotonicMs();
      if (leftMs <= 0) return undefined;
      await this.#news(leftMs);
    }
  }

  #news(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      const cancel = this.ports.timers.after(withinMs, wake);
      this.#waiting.add(wake);
    });
  }

  /** Who the session will be; whoever has shown a token is who that says, and gets no other's session. */
  async #principalOf(session: Session, { identity }: KeptSession): Promise<Principal | undefined> {
    const shown = session.principal as Principal;
    if (shown.authenticated) return shown.actor === identity.user ? shown : undefined;
    const before = principalOf(session.hub, identity);
    if (!before.authenticated) return session.admitted ? before : undefined;
    return (await this.host.isCurrent(session.hub, before)) ? before : undefined;
  }

  /** What comes too late has used the key, and gives nobody anything. */
  #inTime<T>(result: Promise<Result<T, Failure>>): Promise<Result<T, Failure>> {
    return new Promise((resolve, reject) => {
      const cancel = this.ports.timers.after(limits.restoreWaitMs, () => resolve(notNow()));
      result.then(resolve, reject).finally(cancel);
    });
  }

  /** Whoever was restored by another connection is here no longer. */
  #changed(hub: HubName): void {
    const state = this.#folds.known(hub);
    for (const id of state?.takeRestored() ?? []) {
      const keeping = this.#byId.get(placeOf(hub, id));
      const known = state?.find(id);
      if (keeping && (!known || known.epoch > keeping.epoch)) this.overtaken(keeping);
    }
    for (const wake of this.#waiting) wake();
  }
}

const strangers = 'The key is of somebody else, or of somebody who is not known any more: authenticate.';

function placeOf(hub: HubName, id: string): string {
  return `${hub}/${id}`;
}

function channelsOf({ subscriptions }: KeptSession, cursors: readonly ChannelCursor[]): SubscribeChannel[] {
  const places = new Map(cursors.map(({ channel, cursor }) => [channel, cursor]));
  return subscriptions.map(([channel, presence]) => {
    const cursor = places.get(channel);
    const start: Start = cursor ? { type: 'cursor', cursor } : { type: 'live' };
    return presence === undefined ? { channel, start } : { channel, start, presence };
  });
}

function notRestored(message?: string): Result<never, Failure> {
  return err(failure('NOT_RESTORED', message === undefined ? {} : { message }));
}

function notNow(): Result<never, Failure> {
  return err(failure('UNAVAILABLE', { retryAfterMs: 1_000, outcome: 'indeterminate' }));
}
