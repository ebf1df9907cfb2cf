/** What sessions and administrators ask of presence, and what the rules let them see: whoever may subscribe to a channel may
 *  see who is in it, where its rules say that this is kept. */
import { type ChannelRef, parseChannelName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import { refusal } from '../../channels/permissions.js';
import { kindOf } from '../../channels/kinds.js';
import type { ChannelRules, RuleSet } from '../../channels/rules.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type {
  Member,
  OccupancyMessage,
  PresenceMessage,
  PresenceRequest,
  PresenceUpdateMessage,
  ServerMessage,
} from '../../protocol/messages.js';
import type { Session } from '../../sessions/session.js';
import type { Subscription } from '../../sessions/subscription.js';
import type { PresencePage } from '../api.js';
import { RemoteUnavailableError } from '../cluster/followed-channel.js';
import { type Among, neighboursOf } from './neighbours.js';
import { Presence, type PresenceOptions } from './presence.js';
import type { Watching } from './watches.js';

export interface PresenceServiceParts {
  readonly presence: Presence;
  readonly wallMs: () => number;
  rulesOf(ref: ChannelRef): ChannelRules | Failure;
}

/** Whether the rule keeps it; who is there shows how many are. */
const kept = {
  members: (rules: RuleSet) => rules.presence,
  occupancy: (rules: RuleSet) => rules.presence || rules.occupancy,
} as const;

/** `among`: of a node among others, which tells what it hears. */
export function startPresence(
  options: PresenceOptions,
  rulesOf: PresenceServiceParts['rulesOf'],
  among: Among | undefined,
): PresenceService {
  const presence = new Presence(options, among && neighboursOf(among));
  if (among) among.presence = presence;
  return new PresenceService({ presence, wallMs: () => options.clock.wallMs(), rulesOf });
}

export class PresenceService {
  readonly #parts: PresenceServiceParts;

  constructor(parts: PresenceServiceParts) {
    this.#parts = parts;
  }

  // Connections.

  /** The subscription is open, or what goes for it or its client is another. */
  entered(subscription: Subscription<Session>): void {
    const { presence } = this.#parts;
    const { session, channel, presence: said } = subscription;
    const ref = { hub: session.hub, channel };
    const rules = this.#rulesOf(ref);
    if ('code' in rules || !kept.occupancy(rules)) return presence.leave(ref, session.id);
    if (!rules.presence) return presence.count(ref, session.id);
    const before = presence.member(ref, session.id);
    const { actor } = session.principal;
    if (before && (before.user ?? '') === actor && before.metadata === said) return;
    presence.enter(ref, {
      session: session.id,
      ...(actor === '' ? {} : { user: actor }),
      ...(said === undefined ? {} : { metadata: said }),
      since: before?.since ?? Math.floor(this.#parts.wallMs()),
    });
  }

  left({ session, channel }: Subscription<Session>): void {
    if (!session.isMoved) this.gone({ hub: session.hub, channel }, session.id);
  }

  gone(ref: ChannelRef, session: string): void {
    this.#parts.presence.leave(ref, session);
  }

  /** The session has ended. */
  ended(session: Session): void {
    for (const ref of this.#parts.presence.watches.watchedBy(session)) {
      this.#unwatch(session, ref, 'members');
      this.#unwatch(session, ref, 'occupancy');
    }
  }

  stop(): void {
    this.#parts.presence.stop();
  }

  /** What goes in its hub, or for its client, is another. */
  recheck(session: Session): void {
    for (const subscription of session.subscriptions.values())
      if (subscription.state.state !== 'opening') this.entered(subscription);
    const { watches } = this.#parts.presence;
    for (const ref of watches.watchedBy(session)) {
      for (const what of ['members', 'occupancy'] as const) {
        if (!watches.isWatching(session, ref, what)) continue;
        const refused = this.#refusal(session, ref, what);
        if (!refused) continue;
        session.fail(0, { ...refused, channel: ref.channel });
        this.#unwatch(session, ref, what);
      }
    }
  }

  // Requests.

  request(session: Session, requestId: number, message: PresenceRequest): void {
    const name = parseChannelName(message.channel);
    if (!name.ok) {
      session.requestDone();
      const details = { channel: message.channel, message: name.error };
      return session.fail(requestId, failure('BAD_NAME', details));
    }
    const ref = { hub: session.hub, channel: name.value };
    if (message.type !== 'presenceUpdate') return void this.#answer(session, requestId, ref, message);
    session.requestDone();
    const updated = this.#update(session, ref, message);
    if (updated.ok) session.answer(requestId, updated.value);
    else session.fail(requestId, updated.error);
  }

  /** For whoever may read the channel. */
  async page(
    ref: ChannelRef,
    after: string,
    limit: number = limits.presencePageMax,
  ): Promise<Result<PresencePage, Failure>> {
    const rules = this.#rulesOf(ref);
    if ('code' in rules) return err(rules);
    if (!kept.members(rules)) return err(failure('NO_PRESENCE', { channel: ref.channel }));
    return await this.#read(ref, false, () => ok(this.#pageOf(ref, after, limit)));
  }

  async occupancy(ref: ChannelRef): Promise<Result<number, Failure>> {
    const rules = this.#rulesOf(ref);
    if ('code' in rules) return err(rules);
    if (!kept.occupancy(rules)) return err(failure('NO_PRESENCE', { channel: ref.channel }));
    return await this.#read(ref, true, () => ok(this.#countOf(ref)));
  }

  async #answer(
    session: Session,
    requestId: number,
    ref: ChannelRef,
    message: PresenceMessage | OccupancyMessage,
  ): Promise<void> {
    const what: Watching = message.type === 'presence' ? 'members' : 'occupancy';
    const refused = this.#refusal(session, ref, what) ?? this.#tooMany(session, ref, message.follow);
    const answer = refused
      ? err(refused)
      : await this.#read(ref, what === 'occupancy', (): Result<ServerMessage, Failure> => {
          // Rights may have changed meanwhile, and the session may have ended.
          const late = session.closed ? undefined : this.#refusal(session, ref, what);
          if (late) return err(late);
          if (!session.closed) this.#follow(session, ref, what, message.follow);
          return ok(this.#stateOf(ref, message));
        });
    session.requestDone();
    if (answer.ok) session.answer(requestId, answer.value);
    else session.fail(requestId, answer.error);
  }

  #stateOf(ref: ChannelRef, message: PresenceMessage | OccupancyMessage): ServerMessage {
    const { channel } = ref;
    if (message.type === 'occupancy') return { type: 'occupancy', channel, count: this.#countOf(ref) };
    const page = this.#pageOf(ref, message.after ?? '', message.limit ?? limits.presencePageMax);
    return { type: 'presence', channel, ...page };
  }

  #update(
    session: Session,
    ref: ChannelRef,
    { metadata }: PresenceUpdateMessage,
  ): Result<ServerMessage, Failure> {
    const { channel } = ref;
    const refused = this.#refusal(session, ref, 'members');
    if (refused) return err(refused);
    const subscription = session.subscriptions.get(channel);
    if (!subscription) return err(failure('NOT_SUBSCRIBED', { channel }));
    subscription.presence = metadata;
    // Not open yet: it enters with this.
    if (subscription.state.state !== 'opening') this.entered(subscription);
    const member: Member | undefined = this.#parts.presence.member(ref, session.id);
    if (!member && subscription.state.state !== 'opening') {
      const message = 'As many clients are named as may be. This one is counted only.';
      return err(failure('TOO_MANY', { channel, message }));
    }
    this.#parts.presence.settle();
    const count = this.#parts.presence.readings.get(ref)?.count ?? 0;
    return ok({ type: 'presence', channel, members: member ? [member] : [], count, more: false });
  }

  // What is known.

  /** Runs `read` once it is known here, in one turn. */
  async #read<T>(
    ref: ChannelRef,
    isCount: boolean,
    read: () => Result<T, Failure>,
  ): Promise<Result<T, Failure>> {
    const { readings } = this.#parts.presence;
    readings.use(ref, isCount);
    try {
      if (!readings.isReady(ref)) await readings.ready(ref);
      this.#parts.presence.settle();
      return read();
    } catch (error) {
      if (!(error instanceof RemoteUnavailableError)) throw error;
      return err(failure('UNAVAILABLE', { channel: ref.channel, retryAfterMs: 1000 }));
    } finally {
      readings.release(ref, isCount);
    }
  }

  #pageOf(ref: ChannelRef, after: string, limit: number): PresencePage {
    const set = this.#parts.presence.readings.get(ref);
    const page = set?.page(after, limit) ?? { members: [], more: false };
    return { ...page, count: set?.count ?? 0 };
  }

  #countOf(ref: ChannelRef): number {
    return this.#parts.presence.readings.get(ref)?.count ?? 0;
  }

  #follow(session: Session, ref: ChannelRef, what: Watching, follow: boolean | undefined): void {
    const { watches, readings } = this.#parts.presence;
    if (follow === false) this.#unwatch(session, ref, what);
    if (follow !== true || watches.isWatching(session, ref, what)) return;
    readings.use(ref, what === 'occupancy');
    watches.watch(session, ref, what);
  }

  #unwatch(session: Session, ref: ChannelRef, what: Watching): void {
    const { watches, readings } = this.#parts.presence;
    if (!watches.isWatching(session, ref, what)) return;
    watches.unwatch(session, ref, what);
    readings.release(ref, what === 'occupancy');
  }

  #tooMany(session: Session, { channel }: ChannelRef, follow: boolean | undefined): Failure | undefined {
    const { watches } = this.#parts.presence;
    if (follow !== true || watches.countOf(session) < limits.subscriptionsPerSessionMax) return undefined;
    return failure('TOO_MANY', { channel, message: 'Stop following who is in another channel first.' });
  }

  #refusal(session: Session, ref: ChannelRef, what: Watching): Failure | undefined {
    const rules = this.#rulesOf(ref);
    if ('code' in rules) return rules;
    const refused = refusal(session.principal, 'subscribe', ref.channel, rules);
    return refused ?? (kept[what](rules) ? undefined : failure('NO_PRESENCE', { channel: ref.channel }));
  }

  /** Of the system's own channels nothing of this is kept, whatever a rule set says. */
  #rulesOf(ref: ChannelRef): ChannelRules | Failure {
    const rules = this.#parts.rulesOf(ref);
    const isKept = 'code' in rules || kindOf(ref.channel) !== 'system';
    return isKept ? rules : { ...rules, presence: false, occupancy: false };
  }
}
