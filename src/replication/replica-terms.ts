/** What a replica and the engine that runs it say to each other beside effects: see replica.ts. */
import type { Dot } from '../base/ids.js';
import type { IntervalNote } from './claim.js';
import type { AcceptedRun } from './commit-queue.js';

/** How an entry may be stamped in a channel now. */
export type Stamping =
  /** A claim is under way, or its owner is hearing from the homes: wait for `ready` or a later turn. */
  | { readonly as: 'wait' }
  /** Without a claim: `owner` is what an ack may say. Only where the publish allows it, else it is unavailable. */
  | { readonly as: 'degraded'; readonly round: 0; readonly parents: readonly Dot[] | undefined }
  | { readonly as: 'owner'; readonly round: number; readonly parents: readonly Dot[] | undefined };

/** Consecutive entries of a stamped run that somebody waits for. */
export interface AwaitedRange extends AwaitTerms {
  readonly firstSeq: number;
  readonly lastSeq: number;
}

/** Which ack is asked for, and whether a lower one will do. */
export interface AwaitTerms {
  readonly level: 'owner' | 'quorum';
  readonly degrade: boolean;
}

/** What goes into the next commit beside what is stamped here. */
export interface CommitPart {
  readonly token: number;
  /** In this order. */
  readonly runs: readonly AcceptedRun[];
  /** Behind all others: entries that are held, to be stored again. */
  readonly repairs: readonly AcceptedRun[];
  readonly notes: ReadonlyMap<string, Uint8Array>;
}

/** How an interval starts: what its note says, or `new` where the ring just made it, or `recovering` where there should be a
 *  note and is none, or what the store has may not be all it had. */
export type IntervalStart = IntervalNote | 'new' | 'recovering';
