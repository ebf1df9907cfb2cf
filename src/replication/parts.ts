/** The parts of a replica, and which of them deals with what. */
import { unreachable } from '../base/assert.js';
import { type Dot, type NodeId, dotText } from '../base/ids.js';
import type { Vector } from '../log/entry.js';
import { rises } from '../log/trims.js';
import { Asks } from './asks.js';
import { Arrivals } from './catch-up-answers.js';
import { CatchUp } from './catch-up.js';
import { type Channel, trimOf } from './channel.js';
import { Claims } from './claims.js';
import type { DueFloors, Duty, RefusedRun } from './commit-queue.js';
import { Context, type ReplicaOptions } from './context.js';
import { Fetching } from './fetching.js';
import { Homes } from './homes.js';
import type { IntervalId, Mended, PeerMessage, Pull, WithTrim } from './messages.js';
import { Offering } from './offering.js';
import { Outcomes } from './outcomes.js';
import { Owning } from './owning.js';
import { PeerStores } from './peer-stores.js';
import { Recovering } from './recovering.js';
import { Repairing } from './repairing.js';
import { Statements } from './statements.js';
import { Transfer } from './transfer.js';

export interface Parts {
  readonly context: Context;
  readonly asks: Asks;
  readonly claims: Claims;
  readonly transfer: Transfer;
  readonly outcomes: Outcomes;
  readonly owning: Owning;
  readonly homes: Homes;
  readonly recovering: Recovering;
  readonly fetching: Fetching;
  readonly offering: Offering;
  readonly stores: PeerStores;
  readonly statements: Statements;
  readonly catchUp: CatchUp;
  readonly arrivals: Arrivals;
  readonly repairing: Repairing;
}

export function makeParts(options: ReplicaOptions): Parts {
  const context = new Context(options);
  const asks = new Asks(context);
  const transfer = new Transfer(context, asks);
  const outcomes = new Outcomes(context);
  const owning = new Owning(context, transfer, outcomes);
  const repairing = new Repairing(context, transfer);
  outcomes.copiesOf = (channel, seq) => owning.copies(channel, seq);
  const stores = new PeerStores(context);
  const statements = new Statements(context, stores);
  const catchUp = new CatchUp(context, statements, stores);
  return {
    context,
    asks,
    claims: new Claims(context),
    transfer,
    outcomes,
    owning,
    homes: new Homes(
      context,
      asks,
      (channel, from, dot) => owning.learn(channel, from, dot),
      (channel, to) => transfer.tellHave(channel, to),
    ),
    recovering: new Recovering(context, transfer, repairing),
    fetching: new Fetching(context, transfer),
    offering: new Offering(context, transfer),
    stores,
    statements,
    catchUp,
    arrivals: new Arrivals(context, statements),
    repairing,
  };
}

/** Nothing is on its way to the peer any more. */
export function away(parts: Parts, peer: NodeId, now: number): void {
  const { context, catchUp, transfer, recovering, outcomes } = parts;
  context.connected.delete(peer);
  catchUp.disconnected(peer);
  transfer.drop(peer);
  recovering.disconnected(peer);
  context.awayFor(peer, now);
  for (const channel of context.dueChannels.items()) outcomes.settle(channel, now);
}

/** A message of the present ring version. */
export function receiveMessage(parts: Parts, from: NodeId, message: PeerMessage, now: number): void {
  const { claims, transfer, owning, homes, recovering, fetching, repairing } = parts;
  switch (message.type) {
    case 'ask':
      for (const claim of message.claims) claims.onAsk(from, claim);
      return;
    case 'asked':
      for (const answer of message.answers) claims.onAsked(from, answer, now);
      return;
    case 'claim':
      for (const claim of message.claims) claims.onClaim(from, claim, now);
      return;
    case 'granted':
      for (const claim of message.claims) claims.onGranted(from, claim);
      return;
    case 'fenced':
      for (const promise of message.promises) claims.onFenced(from, promise, now);
      return;
    case 'staleRing':
      return;
    case 'append':
      return homes.onAppend(from, message, now);
    case 'ack':
      return owning.onAcks(from, message, now);
    case 'refused':
      return withChannel(parts, from, message, (channel) => {
        parts.context.takeFloors(channel, from, message.trim);
        transfer.onRefused(channel, from, message, now);
      });
    case 'pull':
      return withChannel(parts, from, message, (channel) => {
        parts.context.takeFloors(channel, from, message.trim);
        transfer.onPull(channel, from, message, now);
        if (isOpenedFor(parts, channel, message)) owning.open(channel, now);
      });
    case 'state':
      return withChannel(parts, from, message, (channel) => {
        parts.context.takeGone(channel, from, message);
        parts.context.take(channel, from, message.runs);
        owning.hear(channel, from, message.committed);
        owning.onState(channel, from, message, now);
        parts.catchUp.onState(channel, from, message, now);
      });
    case 'recover':
      return recovering.onRecover(from, message, now);
    case 'recovery':
      return recovering.onRecovery(from, message, now);
    case 'find':
      return withChannel(parts, from, message, (channel) => fetching.onFind(channel, from, message, now));
    case 'found':
      return withChannel(parts, from, message, (channel) => fetching.onFound(channel, from, message, now));
    case 'askArrived':
      return parts.arrivals.onAsk(from, message, now);
    case 'arrived':
      return parts.catchUp.onArrived(from, message, now);
    case 'reminded':
      return parts.statements.onReminded(from, message.statement);
    case 'reconcile':
    case 'reconciled':
      return parts.context.outbox.add({ type: 'compared', from, message });
    case 'mend':
      return withChannel(parts, from, message, (channel) => repairing.onMend(channel, from, message, now));
    case 'mended':
      return withChannel(parts, from, message, (channel) => mended(parts, channel, from, message, now));
    default:
      unreachable(message);
  }
}

function mended(parts: Parts, channel: Channel, from: NodeId, message: Mended, now: number): void {
  parts.repairing.onMended(channel, from, message, now);
  parts.recovering.mended(channel.interval);
}

/** What was to be done once a commit is synced. */
export function discharge(parts: Parts, duty: Duty, now: number): void {
  const { claims, transfer, homes, recovering, fetching, repairing } = parts;
  switch (duty.type) {
    case 'note':
      duty.interval.durable = duty.note.promise;
      if (duty.ends) recovering.noted(duty.interval, duty.ends, now);
      return claims.noted(duty.interval);
    case 'grant':
      return claims.grant(duty.interval, duty.to, duty.claim);
    case 'ack':
      return homes.ack(duty);
    case 'state':
      return transfer.answer(duty.channel, duty.to, duty.pull, now);
    case 'giveBack':
      return recovering.giveBack(duty.interval, duty.to, duty.session);
    case 'found':
      return fetching.answer(duty.channel, duty.to, duty.find);
    case 'keep':
      if (duty.checkpoint) parts.catchUp.noted(duty.peer, duty.checkpoint);
      return;
    case 'mend':
      return repairing.answer(duty.channel, duty.to, duty.mend, now);
    case 'adopt':
      return parts.context.outbox.add({ type: 'adopted', id: duty.id, have: duty.channel.have() });
    default:
      unreachable(duty);
  }
}

/** A run did not fit: its sender learns what is held, or somebody is told that something is wrong. */
export function tellRefused({ context }: Parts, { channel, from, refusal }: RefusedRun): void {
  const { ref, interval, key } = channel;
  if (refusal.type === 'conflict') {
    context.alarm(
      'DOT_CONFLICT',
      `${key} ${dotText(refusal.dot)}: another entry is held under this name.`,
      from,
    );
  } else if (refusal.type === 'timestamp') {
    context.alarm(
      'WRITER_TIME',
      `${key} ${dotText(refusal.dot)}: its time is not above the one before.`,
      from,
    );
  } else {
    if (refusal.type === 'parents' && interval.others.includes(from)) nameMissing(channel, refusal.missing);
    const { id } = interval;
    context.outbox
      .to(from)
      .other({ type: 'refused', interval: id, ref, have: channel.have(), ...trimOf(channel) });
  }
}

/** They exist, or existed: who cannot read one of them is not alone in saying so. */
function nameMissing(channel: Channel, dots: readonly Dot[]): void {
  const named = (channel.named ??= new Map());
  for (const { writer, seq } of dots) {
    if (named.size < namedMax || named.has(writer)) named.set(writer, Math.max(seq, named.get(writer) ?? 0));
  }
}

/** Writers of missing parents in one channel: further ones once those are there. */
const namedMax = 64;

/** Where both hold a trim and only one of them knows that it is committed, an owner finds out by opening the channel. */
function haveOtherFloors({ log }: Channel, { trim }: WithTrim): boolean {
  const [here, there] = [log.trim?.floors ?? none, trim?.floors ?? none];
  return rises(here, there) || rises(there, here);
}

const none: Vector = new Map();

/** Floors that somebody told cannot come of a trim. */
export function tellConflict({ context }: Parts, { channel, trim, from = context.self }: DueFloors): void {
  const { key } = channel;
  context.alarm('TRIM_CONFLICT', `${key}: ${dotText(trim.through)} is trimmed by no trim of it.`, from);
}

function withChannel(
  { context }: Parts,
  from: NodeId,
  message: { readonly interval: IntervalId; readonly ref: Channel['ref'] },
  use: (channel: Channel) => void,
): void {
  const interval = context.intervals.get(message.interval);
  const channel = interval && context.channelFor(from, interval, message.ref);
  if (channel) use(channel);
}

/** What a home asks for takes an owner that has looked at the channel. */
function isOpenedFor({ owning }: Parts, channel: Channel, pull: Pull): boolean {
  return !pull.limited && (haveOtherFloors(channel, pull) || owning.isUnsure(channel, pull));
}
