/** Takes a publish in: names, rights, limits; then it waits for a commit, goes out at once as a signal, or goes to the node
 *  that orders its channel. */
import {
  type ChannelName,
  type ChannelRef,
  type Dot,
  type HubName,
  isSystemChannel,
  parseChannelName,
} from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type Result, err } from '../base/result.js';
import { planted } from '../base/planted.js';
import type { Action } from '../channels/grants.js';
import { kindOf } from '../channels/kinds.js';
import { refusal } from '../channels/permissions.js';
import { type ChannelRules, defaultRules } from '../channels/rules.js';
import { systemRulesOf } from '../hubs/system-channels.js';
import { contentHash } from '../log/entry-wire.js';
import type { Keep } from '../log/retention.js';
import { keyScope } from '../log/run-layout.js';
import { timestampFromUnixMs } from '../log/timestamp.js';
import { type Failure, failure } from '../protocol/errors.js';
import type { Level, PublishMessage, PublishedKind } from '../protocol/messages.js';
import type { Reached } from '../sessions/ack-range.js';
import { ActiveChannel } from './active-channel.js';
import type { Principal, PublishAccepted } from './api.js';
import { BatchOrigin } from './batch-origin.js';
import type { Core } from './core.js';
import { type Judged, judgedOf, misplaced } from './judged.js';
import type { Away, Taker } from './cluster/neighbours.js';
import type { ForwardedPublish } from './cluster/peer-messages.js';
import { type ForcedTrim, type PendingPublish, type PublishOrigin, nothingWritten } from './pending.js';
import { type PublishingHubs, unknownHubs } from './publishing-hubs.js';
import { Retention } from './retention.js';

export interface PublishRequest {
  readonly origin: PublishOrigin;
  readonly requestId: number;
  readonly hub: HubName;
  readonly principal: Principal;
  readonly publisher?: { readonly id: string; readonly epoch: number } | undefined;
  readonly message: PublishMessage;
}

/** A channel in memory, or one that is not and need not be. */
interface Place {
  readonly ref: ChannelRef;
  readonly rules: ChannelRules;
}

export class Publishing implements Taker {
  readonly counters = { published: 0, signals: 0, refused: 0 };
  readonly #retention: Retention;

  constructor(
    readonly core: Core,
    readonly rulesOf: (hub: HubName, channel: ChannelName) => ChannelRules | undefined,
    readonly away?: Away,
    readonly hubs: PublishingHubs = unknownHubs,
  ) {
    this.#retention = new Retention(core);
  }

  publish(request: PublishRequest): void {
    const place = this.#place(request.hub, request.message.channel);
    if ('code' in place) return this.#refuse(request, place);
    const denied = deniedOf(request, place.rules);
    const unreachable = denied ?? this.#unknownRecipient(place.ref);
    if (unreachable) return this.#refuse(request, unreachable);
    const ruled = isOfNotifications(request.message) ? undefined : this.#ruledOut(request, place);
    if (ruled) return this.#refuse(request, ruled);
    this.#take(request, place);
  }

  #take(request: PublishRequest, place: Place): void {
    const { at } = this.core.ordering.acting(place.ref);
    if (at === 'nowhere') {
      return this.#refuse(request, failure('UNAVAILABLE', { channel: place.ref.channel, retryAfterMs: 500 }));
    }
    const { kind, content } = request.message;
    const judged = kind && judgedOf(kind, place.ref.channel, content, place.rules.createParents);
    if (judged && 'outcome' in judged) return this.#refuse(request, judged);
    const level = levelOf(request.message, place.rules);
    if (level === 'memory') this.counters.signals++;
    else this.counters.published++;
    // Publishes of a channel do not overtake each other on two ways. What waits here may be other nodes' alone.
    const isHeld = this.away?.holds(place.ref) === true && !planted('here-overtakes');
    const isWaiting = place instanceof ActiveChannel && (place.pending.length > 0 || place.isCut);
    if (this.away && (isHeld || (at === 'peer' && !isWaiting)))
      return this.away.forward(pendingOf(request, place.rules, level, judged), place.ref);
    const full = this.#fullOf(place, request.message.content.length, level);
    if (full) return this.#refuse(request, full);
    const channel = place instanceof ActiveChannel ? place : this.core.channels.use(place.ref);
    if (level !== 'memory') return this.#append(channel, pendingOf(request, place.rules, level, judged));
    const { origin, requestId, principal, message } = request;
    this.#signal(channel, origin, requestId, principal.actor, message.content);
  }

  /** What the node itself writes: into a system channel, or that time has passed. */
  system(
    ref: ChannelRef,
    content: Uint8Array,
    actor: string,
    origin: PublishOrigin,
    kind?: PublishedKind,
  ): void {
    if (this.hubs.isDeleted(ref.hub)) return origin.publishFailed(0, this.hubs.missing(ref.hub));
    const message: PublishMessage = { type: 'publish', channel: ref.channel, content, kind };
    const principal: Principal = { actor, authenticated: true, admin: true };
    this.#take(
      { origin, requestId: 0, hub: ref.hub, principal, message },
      { ref, rules: systemRulesOf(ref.channel) },
    );
  }

  /** Resolves once the channel is deleted. Whoever asks may do so. */
  deleted(ref: ChannelRef, actor: string): Promise<Result<PublishAccepted, Failure>> {
    return this.#removed(ref, actor, { deletes: true });
  }

  /** Resolves once the content of an entry is taken out. Whoever asks may do so, and it has one. */
  redacted(ref: ChannelRef, actor: string, of: Dot): Promise<Result<PublishAccepted, Failure>> {
    return this.#removed(ref, actor, { redacts: of });
  }

  #removed(ref: ChannelRef, actor: string, removing: Removing): Promise<Result<PublishAccepted, Failure>> {
    return new Promise((resolve) => {
      const settled = ([result]: Result<PublishAccepted, Failure>[]): void => resolve(result!);
      this.#remove(ref, removalOf(0, actor, new BatchOrigin(1, settled), removing));
    });
  }

  /** Goes to where the channel is written: also on a full disk, which it may be for. */
  #remove(ref: ChannelRef, pending: PendingPublish): void {
    const { at } = this.core.ordering.acting(ref);
    const { channel } = ref;
    const { origin } = pending;
    if (at === 'nowhere')
      return origin.publishFailed(0, failure('UNAVAILABLE', { channel, retryAfterMs: 500 }));
    if (this.away && (at === 'peer' || this.away.holds(ref))) return this.away.forward(pending, ref);
    if (!this.core.committer.hasRoom(0))
      return origin.publishFailed(0, failure('OVERLOADED', { channel, retryAfterMs: 100 }));
    this.#append(this.core.channels.use(ref), pending);
  }

  /** A trim that an operator forces, wherever that is written: resolves once it is committed; without an id where nothing
   *  had to go. Works on a full disk, which it is for. */
  trimmed(ref: ChannelRef, keep: Keep, actor: string): Promise<Result<PublishAccepted, Failure>> {
    const { channel } = ref;
    // What the system keeps there is not what fills a disk.
    if (isSystemChannel(channel)) return Promise.resolve(err(failure('DENIED', { channel })));
    return this.#removed(ref, actor, { forces: { keep, position: 0 } });
  }

  /** A publish that another node let in and sent here. */
  forwarded(item: ForwardedPublish, origin: PublishOrigin): void {
    const { ref, content, level, publisher, idempotencyKey } = item;
    const removing = removingOf(item);
    if (removing)
      return this.#append(this.core.channels.use(ref), removalOf(item.id, item.actor, origin, removing));
    const judged = item.kind && judgedOf(item.kind, ref.channel, content, item.createParents === true);
    const wrong = judged && 'outcome' in judged ? judged : misplaced(item.kind, ref.channel);
    if (wrong) return origin.publishFailed(item.id, wrong);
    if (this.hubs.isDeleted(ref.hub)) return origin.publishFailed(item.id, this.hubs.missing(ref.hub));
    // The other node let it in; this one may not have heard of the hub yet.
    const rules = this.rulesOf(ref.hub, ref.channel) ?? defaultRules;
    const place = this.core.channels.find(ref.hub, ref.channel) ?? { ref, rules };
    const full = this.#fullOf(place, content.length, level);
    if (full) return origin.publishFailed(item.id, full);
    const channel = place instanceof ActiveChannel ? place : this.core.channels.use(ref);
    if (level === 'memory') return this.#signal(channel, origin, item.id, item.actor, content);
    this.#append(channel, {
      kind: 'publish',
      judged: judged as Judged | undefined,
      origin,
      requestId: item.id,
      content,
      actor: item.actor,
      publisher,
      idempotencyKey,
      retain: item.retain,
      push: item.push,
      level,
      degrade: item.degrade,
      scope: keyScope(item.actor, publisher),
      contentHash: idempotencyKey === undefined ? 0 : contentHash(content),
      dot: undefined,
      timestamp: 0,
      duplicate: false,
    });
  }

  here(pending: PendingPublish, ref: ChannelRef): void {
    const { origin, requestId, actor, content, level } = pending;
    const channel = this.core.channels.use(ref);
    if (level === 'memory') this.#signal(channel, origin, requestId, actor, content);
    else this.#append(channel, pending);
  }

  /** A direct message is for somebody. */
  #unknownRecipient(ref: ChannelRef): Failure | undefined {
    const kind = kindOf(ref.channel);
    return kind === 'user' || kind === 'group' ? this.hubs.recipient(ref) : undefined;
  }

  /** What the rules want of whatever somebody says. */
  #ruledOut({ principal, message }: PublishRequest, { ref, rules }: Place): Failure | undefined {
    const unsigned = rules.signed ? this.hubs.unsigned(ref, principal, message) : undefined;
    if (unsigned) return unsigned;
    const { messagesPerSecondMax: most } = rules;
    return most ? this.hubs.tooMany(ref, principal, most) : undefined;
  }

  #refuse({ origin, requestId }: PublishRequest, error: Failure): void {
    this.counters.refused++;
    origin.publishFailed(requestId, error);
  }

  /** The channel, from memory where it is there: no parsing then. */
  #place(hub: HubName, channel: string): Place | Failure {
    const active = this.core.channels.find(hub, channel);
    if (active) return active;
    const name = parseChannelName(channel);
    if (!name.ok) return failure('BAD_NAME', { channel, message: name.error });
    const rules = this.rulesOf(hub, name.value);
    if (!rules) return this.hubs.missing(hub);
    if (isSystemChannel(channel)) return failure('DENIED', { channel });
    return { ref: { hub, channel: name.value }, rules };
  }

  /** Whether this node can take more. */
  #fullOf(place: Place, bytes: number, level: Level): Failure | undefined {
    const { channel } = place.ref;
    const { channels, store, committer } = this.core;
    if (!(place instanceof ActiveChannel) && channels.isFull)
      return failure('OVERLOADED', { channel, retryAfterMs: limits.channelIdleMs });
    if (level === 'memory') return undefined;
    if (store.space() !== 'ok') return failure('DISK_FULL', { channel, retryAfterMs: 10_000 });
    return committer.hasRoom(bytes) ? undefined : failure('OVERLOADED', { channel, retryAfterMs: 100 });
  }

  #append(channel: ActiveChannel, pending: PendingPublish): void {
    this.core.committer.admit(pending);
    if (channel.isLoaded && !pending.forces) this.#submit(channel, pending);
    else void this.#appendOnceLoaded(channel, pending);
  }

  async #appendOnceLoaded(channel: ActiveChannel, pending: PendingPublish): Promise<void> {
    try {
      await this.core.channels.ready(channel);
      if (!pending.forces || (await this.#isPlaced(channel, pending, pending.forces)))
        this.#submit(channel, pending);
    } catch {
      this.core.committer.forget(pending);
      pending.origin.publishFailed(pending.requestId, failure('UNAVAILABLE', { retryAfterMs: 1000 }));
    }
  }

  /** Here it is known whether the channel is new. Nothing of it is asked of other homes before it may begin. */
  #submit(channel: ActiveChannel, pending: PendingPublish): void {
    const { committer, ordering } = this.core;
    const { ref } = channel;
    const isNew = channel.isUnwritten && !isSystemChannel(ref.channel) && ordering.acting(ref).at !== 'peer';
    const tooMany = isNew ? this.hubs.tooManyNew(ref) : undefined;
    if (!tooMany) return committer.submit(channel, pending);
    committer.forget(pending);
    this.counters.refused++;
    pending.origin.publishFailed(pending.requestId, tooMany);
  }

  /** Whether a forced trim is to be written; else it has its answer. */
  async #isPlaced(channel: ActiveChannel, pending: PendingPublish, forced: ForcedTrim): Promise<boolean> {
    const { committer, ordering } = this.core;
    // Where another node acts it goes there.
    if (ordering.acting(channel.ref).at === 'peer') return true;
    const position = await this.#retention.forcedPosition(channel, forced.keep);
    forced.position = position ?? 0;
    if (position !== undefined && position > channel.log.firstPosition) return true;
    committer.forget(pending);
    const { origin, requestId } = pending;
    if (position !== undefined) origin.publishAccepted(pending, nothingWritten);
    else {
      const message =
        'This cannot be trimmed now: there is no quorum, another trim is on its way, or a snapshot of the document is. Nothing was removed.';
      origin.publishFailed(requestId, failure('UNAVAILABLE', { retryAfterMs: 1000, message }));
    }
    return false;
  }

  /** A signal is acknowledged when it was handed to whoever listens: it is kept nowhere else. */
  #signal(
    channel: ActiveChannel,
    origin: PublishOrigin,
    requestId: number,
    actor: string,
    content: Uint8Array,
  ): void {
    const timestamp = timestampFromUnixMs(Math.floor(this.core.physicalMs()));
    const signal = { timestamp, content, ...(actor === '' ? {} : { actor }) };
    this.core.delivery.signal(channel, signal);
    this.away?.signal(channel.ref, signal);
    origin.publishAccepted({ requestId, dot: undefined, timestamp, duplicate: false }, heard);
  }
}

/** What the ack of a signal claims. */
const heard: Reached = { level: 'memory', copies: 1 };

function levelOf(message: PublishMessage, rules: ChannelRules): Level {
  if (message.kind) return message.level ?? (rules.ack === 'memory' ? 'owner' : rules.ack);
  return message.store === false || !rules.store ? 'memory' : (message.level ?? rules.ack);
}

function actionOf({ kind }: PublishMessage): Action {
  return kind === 'notification' ? 'notify' : kind === 'read' ? 'subscribe' : 'publish';
}

/** Of the rules of a notification channel only those count that say who may read it, and how entries are kept. */
function isOfNotifications({ kind }: PublishMessage): boolean {
  return kind === 'notification' || kind === 'read';
}

/** What the rules of the channel and the message itself do not allow, wherever it is written. */
function deniedOf(
  { message, principal, publisher }: PublishRequest,
  rules: ChannelRules,
): Failure | undefined {
  const { channel, content, kind } = message;
  const denied = refusal(principal, actionOf(message), channel, rules);
  if (denied) return denied;
  const hasOwnLimit = isOfNotifications(message);
  if (content.length > rules.messageBytesMax && !hasOwnLimit) {
    return failure('TOO_LARGE', {
      channel,
      message: `A message here has at most ${rules.messageBytesMax} bytes; this one has ${content.length}.`,
    });
  }
  const wrong = misplaced(kind, channel);
  if (wrong) return wrong;
  const unstored = (!rules.store && !hasOwnLimit) || message.store === false;
  if (kind !== undefined && (unstored || message.level === 'memory'))
    return failure('INVALID', { channel, message: 'Patches and notifications are always stored.' });
  if (unstored && message.level !== undefined && message.level !== 'memory') {
    const text = 'A publish that is not stored can only be acknowledged at level "memory".';
    return failure('INVALID', { channel, message: text });
  }
  if (message.publisherSeq !== undefined && !publisher && !unstored && message.level !== 'memory') {
    const text = 'A publish has a number only after Auth named the publisher.';
    return failure('INVALID', { channel, message: text });
  }
  return undefined;
}

function pendingOf(
  { origin, requestId, principal, publisher, message }: PublishRequest,
  rules: ChannelRules,
  level: Level,
  judged: Judged | undefined,
): PendingPublish {
  const stored = publisher && storedPublisher(publisher, message);
  return {
    kind: 'publish',
    judged,
    origin,
    requestId,
    content: message.content,
    actor: principal.actor,
    publisher: stored,
    idempotencyKey: message.idempotencyKey,
    // The document is what is retained of patches.
    retain: !judged && (message.retain ?? rules.retain),
    push: message.push ?? (!judged && rules.push),
    level,
    degrade: message.degrade ?? rules.degrade,
    scope: keyScope(principal.actor, stored),
    contentHash: message.idempotencyKey === undefined ? 0 : contentHash(message.content),
    dot: undefined,
    timestamp: 0,
    duplicate: false,
  };
}

/** All that a channel holds, the content of one entry, or what an operator does not keep. */
type Removing = Pick<PendingPublish, 'deletes' | 'redacts' | 'forces'>;

function removingOf({ isDelete, redacts, keep }: ForwardedPublish): Removing | undefined {
  if (isDelete) return { deletes: true };
  if (redacts) return { redacts };
  return keep && { forces: { keep, position: 0 } };
}

/** Acknowledged once it is committed, or not at all. */
function removalOf(
  requestId: number,
  actor: string,
  origin: PublishOrigin,
  removing: Removing,
): PendingPublish {
  return {
    kind: 'publish',
    ...removing,
    origin,
    requestId,
    content: noContent,
    actor,
    publisher: undefined,
    idempotencyKey: undefined,
    retain: false,
    push: false,
    level: 'quorum',
    degrade: false,
    scope: keyScope(actor, undefined),
    contentHash: 0,
    dot: undefined,
    timestamp: 0,
    duplicate: false,
  };
}

const noContent = new Uint8Array(0);

/** What the entry will say of its publisher. A key is known within its publisher, at every owner and after every start:
 *  what it belongs to has to be in the log, also of a publish without a number. */
function storedPublisher(
  publisher: NonNullable<PublishRequest['publisher']>,
  { idempotencyKey, publisherSeq, ackedThrough }: PublishMessage,
): PendingPublish['publisher'] {
  if (publisherSeq === undefined && idempotencyKey === undefined) return undefined;
  return { ...publisher, seq: publisherSeq ?? 0, ackedThrough: ackedThrough ?? 0 };
}
