/** What nodes say to each other about claims and appends. Every message travels in a frame that names the ring version it
 *  was made under and the store of its sender, since what a store has said is void once the store is another.
 *  All are safe to lose, repeat and reorder. The wire form: wire-encoder.ts, wire-decoder.ts, proto/peer.proto. */
import type { ChannelRef, Dot, StoreId, WriterId } from '../base/ids.js';
import type { LostRange, Trim, Vector } from '../log/entry.js';
import type { Claim } from './claim.js';
import type { Reconcile, Reconciled } from './reconcile-messages.js';

/** Opaque here: the ring gives names to its intervals. */
export type IntervalId = string;

export interface Frame {
  readonly storeId: StoreId;
  readonly ringVersion: number;
  readonly messages: readonly PeerMessage[];
}

export interface IntervalClaim {
  readonly interval: IntervalId;
  readonly claim: Claim;
}

/** Would you grant these? Changes nothing. */
export interface Ask {
  readonly type: 'ask';
  readonly claims: readonly IntervalClaim[];
}

export interface Asked {
  readonly type: 'asked';
  /** Without `promise` the answer is yes, else it names what stands above the claim. */
  readonly answers: readonly (IntervalClaim & { readonly promise?: Claim })[];
}

/** Grant these. */
export interface Claiming {
  readonly type: 'claim';
  readonly claims: readonly IntervalClaim[];
}

/** These are promised and synced, behind everything received before. */
export interface Granted {
  readonly type: 'granted';
  readonly claims: readonly IntervalClaim[];
}

/** A claim was refused, since these are promised. */
export interface Fenced {
  readonly type: 'fenced';
  readonly promises: readonly IntervalClaim[];
}

/** The ring version of a frame is older than that of this one: nothing in it was done. */
export interface StaleRing {
  readonly type: 'staleRing';
}

/** The newest trim in force at the sender: what lies at or below its floors is not to be had there, and what is sent stands
 *  on it. Comes before the entries of the same message. */
export interface WithTrim {
  readonly trim?: Trim;
}

/** What the log of the sender gave up and the other lacks: what is sent may stand on it, and the entry that says so may
 *  stand behind that. */
export interface WithGivenUp {
  readonly givenUp?: readonly LostRange[];
}

/** Entries of one channel under a claim, in an order in which they can be taken. */
export interface Append extends WithTrim, WithGivenUp {
  readonly type: 'append';
  readonly interval: IntervalId;
  readonly claim: Claim;
  readonly ref: ChannelRef;
  /** Runs in their stored form. */
  readonly runs: readonly Uint8Array[];
  /** The newest entry known to be committed. */
  readonly committed?: Dot;
}

/** Held and synced, with everything before it, while `claim` was promised. */
export interface Acks {
  readonly type: 'ack';
  readonly interval: IntervalId;
  readonly claim: Claim;
  /** Of the claim's writer, cumulative. */
  readonly channels: readonly { readonly ref: ChannelRef; readonly seq: number }[];
}

/** An append did not follow what is held. */
export interface Refused extends WithTrim {
  readonly type: 'refused';
  readonly interval: IntervalId;
  readonly ref: ChannelRef;
  readonly have: Vector;
}

/** Tell what is held of a channel and send what `have` lacks. With `claim`: only while that claim is promised. */
export interface Pull extends WithTrim {
  readonly type: 'pull';
  readonly interval: IntervalId;
  readonly ref: ChannelRef;
  readonly have: Vector;
  readonly claim?: Claim;
  /** One read's worth is enough for now: whoever was away asks for more when that is stored. */
  readonly limited?: true;
}

/** What was held when a pull was answered, and some of what the other lacked. The pull is answered once the other holds
 *  all of `have`: parts may get lost. A home that does not count yet says so of appends too, without a claim and without runs. */
export interface State extends WithTrim, WithGivenUp {
  readonly type: 'state';
  readonly interval: IntervalId;
  readonly ref: ChannelRef;
  readonly have: Vector;
  readonly runs: readonly Uint8Array[];
  readonly committed?: Dot;
  /** That of the pull. */
  readonly claim?: Claim;
}

/** My store is not what it was: what did you promise, and which channels are there? */
export interface Recover {
  readonly type: 'recover';
  readonly interval: IntervalId;
  /** Random, so that an answer belongs to this store and this start. */
  readonly session: number;
}

export interface Recovery {
  readonly type: 'recovery';
  readonly interval: IntervalId;
  readonly session: number;
  /** Its sender's store is not what it was either: it gives nothing back. */
  readonly recovering: boolean;
  /** A change of the ring brings it in: it forgot nothing, and lacks what was committed before it came. */
  readonly incoming?: boolean;
  readonly promise?: Claim;
  readonly channels: readonly { readonly ref: ChannelRef; readonly have: Vector }[];
  /** Parts of one answer: 0 up to `parts` − 1. */
  readonly part: number;
  readonly parts: number;
}

/** Which of these are held? A reader has them. */
export interface Find {
  readonly type: 'find';
  readonly interval: IntervalId;
  readonly ref: ChannelRef;
  /** Random, so that an answer belongs to this question. */
  readonly session: number;
  /** For each writer the newest entry looked for. */
  readonly wanted: Vector;
}

/** What is held of the writers in question, synced, with everything received before it. */
export interface Found {
  readonly type: 'found';
  readonly interval: IntervalId;
  readonly ref: ChannelRef;
  readonly session: number;
  readonly have: Vector;
  /** Its sender's store is not what it was: what it lacks proves nothing. */
  readonly recovering: boolean;
}

/** What a home says of its own store, each time it is asked what arrived there. Sealed by itself: others keep it, and remind
 *  it of it when a later statement does not go on from there. */
export interface Statement {
  readonly storeId: StoreId;
  /** How many commits are durable there. */
  readonly commits: number;
  /** This start's writer. */
  readonly writer: WriterId;
  /** Another start of this very store, of which it was told and knows nothing. */
  readonly other?: WriterId;
  /** 16 bytes as hex digits. */
  readonly seal: string;
}

/** What arrived at your store after this? */
export interface AskArrived {
  readonly type: 'askArrived';
  /** Comes back; rises with every question of this start. */
  readonly session: number;
  /** The store that the arrival is one of; absent when none is known. */
  readonly store?: StoreId;
  readonly after: number;
  /** Where several starts of the node that is asked were heard lately: those. */
  readonly others: readonly WriterId[];
}

/** What arrived, as far as it lies in intervals of which the other is a home. */
export interface Arrived {
  readonly type: 'arrived';
  readonly session: number;
  readonly after: number;
  /** Everything through this arrival is named, unless it was trimmed or cannot be read any more. */
  readonly through: number;
  readonly more: boolean;
  /** The arrival asked about is none of this store: nothing is named, and everything is to be compared. */
  readonly unknown: boolean;
  /** For each channel and writer the newest of what arrived. */
  readonly channels: readonly { readonly ref: ChannelRef; readonly have: Vector }[];
  readonly statement: Statement;
}

/** You once said this. */
export interface Reminded {
  readonly type: 'reminded';
  readonly statement: Statement;
}

/** These cannot be read here: who can? */
export interface Mend {
  readonly type: 'mend';
  readonly interval: IntervalId;
  readonly ref: ChannelRef;
  /** Random, so that an answer belongs to this question. */
  readonly session: number;
  readonly writer: WriterId;
  readonly firstSeq: number;
  readonly count: number;
}

/** All that can be read of them, from the first that was asked for through `through`: of what is not among the runs this
 *  home has nothing whole. */
export interface Mended {
  readonly type: 'mended';
  readonly interval: IntervalId;
  readonly ref: ChannelRef;
  readonly session: number;
  readonly through: number;
  /** Nothing at or below it is kept. */
  readonly floor: number;
  /** Its sender's store is not what it was: what it lacks proves nothing. */
  readonly recovering: boolean;
  readonly runs: readonly Uint8Array[];
}

export type PeerMessage =
  | Ask
  | Asked
  | Claiming
  | Granted
  | Fenced
  | StaleRing
  | Append
  | Acks
  | Refused
  | Pull
  | State
  | Recover
  | Recovery
  | Find
  | Found
  | AskArrived
  | Arrived
  | Reminded
  | Reconcile
  | Reconciled
  | Mend
  | Mended;

/** Every channel whose log must be open before the message is received. */
export function channelsOf(message: PeerMessage): readonly ChannelRef[] {
  if ('ref' in message) return [message.ref];
  if (message.type === 'arrived') return [];
  return 'channels' in message ? message.channels.map(({ ref }) => ref) : [];
}
