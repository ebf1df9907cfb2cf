/** What the engine is to do. Values; a batch for everything that happened since the last one. */
import type { ChannelRef, Dot, NodeId, WriterId } from '../base/ids.js';
import type { SeqRange } from '../log/channel-log.js';
import type { LostRange, Vector } from '../log/entry.js';
import type { Claim } from './claim.js';
import type { Frame, IntervalId } from './messages.js';
import type { Reconcile, Reconciled } from './reconcile-messages.js';

/** What became of entries that were waited for. */
export type Outcome =
  | { readonly type: 'acked'; readonly level: 'owner' | 'quorum'; readonly copies: number }
  /** May appear; to be repeated with the same idempotency key only. */
  | { readonly type: 'indeterminate' };

export type AlarmCode =
  /** A run that is no run, or of another channel. */
  | 'DAMAGED_RUN'
  /** Two entries under one dot: a cloned or rolled back writer. */
  | 'DOT_CONFLICT'
  /** Timestamps of a writer that do not rise. */
  | 'WRITER_TIME'
  /** Entries in the log that cannot be read for a peer. */
  | 'UNREADABLE'
  /** A claim so high that no home can have come by it: not believed. */
  | 'CLAIM_JUMP'
  /** Two nodes use one claim. */
  | 'CLAIM_CONFLICT'
  /** A peer says what only a home of the interval may say. */
  | 'NOT_A_HOME'
  /** A channel is said to lie in an interval where it does not. */
  | 'WRONG_INTERVAL'
  /** Entries that were never stamped are acked. */
  | 'ACK_UNSENT'
  /** Something is said to be committed that contradicts what was. */
  | 'COMMIT_CONFLICT'
  /** A peer says again and again that it has entries, and sends none. */
  | 'NOTHING_SENT'
  /** A trim, or floors that are told, would leave or remove what no trim does. */
  | 'TRIM_CONFLICT'
  /** More is received than the disk takes: dropped, and sent again later. */
  | 'INTAKE_FULL'
  /** A peer asks more than an absence explains, for what arrived here or for what is held. */
  | 'ASKED_TOO_OFTEN'
  /** A node's store has forgotten what it said of itself: it was rolled back. */
  | 'STORE_ROLLED_BACK'
  /** Two processes use one store, or copies of it. */
  | 'STORE_TWICE'
  /** A peer reminds this node of what it never said. */
  | 'FALSE_REMINDER';

export type Effect =
  /** One frame for each peer. */
  | { readonly type: 'send'; readonly to: NodeId; readonly frame: Frame }
  /** Read stored ranges, then call `loaded` with this id. */
  | {
      readonly type: 'read';
      readonly id: number;
      readonly ref: ChannelRef;
      readonly ranges: readonly SeqRange[];
      readonly bytesMax: number;
      /** Nobody waits for it but a home that catches up: of several with one key and channel only the last is of use. */
      readonly catchUp?: string;
    }
  /** List the channels of an interval that have entries, open them, then call `listed` with this id. */
  | { readonly type: 'list'; readonly id: number; readonly interval: IntervalId }
  /** Compare all that both hold with a peer, by ranges, to learn what differs; then call `reconciled` with this id. */
  | { readonly type: 'reconcile'; readonly id: number; readonly peer: NodeId }
  /** Look up what arrived at the store after a number, then call `arrived` with this id. */
  | { readonly type: 'arrived'; readonly id: number; readonly after: number; readonly limit: number }
  /** Open the logs of those channels that are held here, then call `opened` with them and this id. */
  | { readonly type: 'open'; readonly id: number; readonly refs: readonly ChannelRef[] }
  /** Whoever opened them needs them no longer. */
  | { readonly type: 'close'; readonly refs: readonly ChannelRef[] }
  /** This store has forgotten what it once said: it was rolled back, or a copy of it went on. It must get another id before
   *  anything more is said; nothing is from now on. */
  | { readonly type: 'storeForgot' }
  /** Another process uses this store, or a copy of it, and was there first: this one must end. Nothing is said any more. */
  | { readonly type: 'storeTwice' }
  /** Everything through `dot` is committed: positions [from, to) of the log are new. Deliver. */
  | {
      readonly type: 'committed';
      readonly ref: ChannelRef;
      readonly dot: Dot;
      readonly from: number;
      readonly to: number;
    }
  /** Floors were taken over beyond the end of the order: who had all up to `from` lacks what follows, and it is trimmed. */
  | { readonly type: 'overtaken'; readonly ref: ChannelRef; readonly from: number }
  | {
      readonly type: 'outcome';
      readonly ref: ChannelRef;
      readonly writer: WriterId;
      readonly firstSeq: number;
      readonly lastSeq: number;
      readonly outcome: Outcome;
    }
  /** What became of a `fetch`: everything is held now, or `missing` is not. `certain`: no home has it, and none may have
   *  forgotten it; else not all answered in time. */
  | {
      readonly type: 'fetched';
      readonly id: number;
      readonly ref: ChannelRef;
      readonly missing: readonly Dot[];
      readonly certain: boolean;
    }
  /** Find out what is known of an entry that may be unreadable, then call `damaged`, unless it can be read. */
  | { readonly type: 'examine'; readonly ref: ChannelRef; readonly writer: WriterId; readonly seq: number }
  /** What was looked for elsewhere is stored again, or is in no home: who waited for it goes on. */
  | { readonly type: 'repairsChanged'; readonly ref: ChannelRef; readonly interval: IntervalId }
  /** No home can read these: stamp an entry that says so. */
  /** What was brought by who is no home, for the id `adopt` returned, is synced: what is held now. */
  | { readonly type: 'adopted'; readonly id: number; readonly have: Vector }
  | { readonly type: 'giveUp'; readonly ref: ChannelRef; readonly lost: LostRange }
  /** Publishes that waited for `stamping` may be tried again. */
  | { readonly type: 'ready'; readonly ref: ChannelRef }
  /** Stamp a merge in the next commit, unless another entry that carries the parents due comes first. */
  | { readonly type: 'merge'; readonly ref: ChannelRef }
  | { readonly type: 'claimGained'; readonly interval: IntervalId; readonly claim: Claim }
  | { readonly type: 'claimLost'; readonly interval: IntervalId; readonly claim: Claim }
  | { readonly type: 'recovered'; readonly interval: IntervalId }
  /** Everything the homes of before hold of an interval that changes was gathered: see `Replica.gathers`. */
  | { readonly type: 'gathered'; readonly interval: IntervalId }
  /** Another home compares what it holds with what is held here: answer it from the store (reconcile-ranges.ts). */
  | { readonly type: 'compared'; readonly from: NodeId; readonly message: Reconcile | Reconciled }
  /** A peer has a newer ring: fetch it. */
  | { readonly type: 'ringBehind'; readonly version: number; readonly peer: NodeId }
  | {
      readonly type: 'alarm';
      readonly code: AlarmCode;
      readonly message: string;
      readonly peer?: NodeId;
    };
