/** One immutable record of a channel log, as values. The bytes are in entry-wire.ts. */
import type { Dot, WriterId } from '../base/ids.js';

/** Numbers are those of `EntryKind` in proto/client.proto. */
export const entryKinds = [
  'publish',
  'patch',
  'notification',
  'read',
  'member',
  'settings',
  'trim',
  'merge',
  'gap',
  'snapshot',
  'delete',
  'redact',
] as const;
export type EntryKind = (typeof entryKinds)[number];

/** Milliseconds since 2024-01-01T00:00:00Z × 4096 + counter: a safe integer. */
export type Timestamp = number;

/** A version vector: for each writer the seq through which (inclusive) everything is meant. */
export type Vector = ReadonlyMap<WriterId, number>;

export interface Publisher {
  readonly id: string;
  readonly epoch: number;
  /** From 1 in each channel; 0 where the publish had no number: it then says whose its idempotency key is. */
  readonly seq: number;
}

export function isNumbered(publisher: Publisher | undefined): publisher is Publisher {
  return publisher !== undefined && publisher.seq > 0;
}

/** The floors and the entry they were computed from. */
export interface Trim {
  readonly through: Dot;
  readonly floors: Vector;
  /** Round of the entry `through`. */
  readonly round: number;
  /** Where it is in force: the newest deletion of the channel, as long as that is remembered. */
  readonly deletion?: Deletion | undefined;
  /** An operator forced it. Where it is in force: the newest that was. */
  readonly forced?: Forced | undefined;
}

/** What was removed although somebody may have needed it. */
export interface Forced {
  /** The newest entry of it. */
  readonly through: Dot;
  /** Position of the order behind it. */
  readonly end: number;
}

/** The end of a generation of a channel. What does not stand on the entry that ends it is of an older one. */
export interface Deletion {
  /** The entry that ends it, and is removed with it. */
  readonly through: Dot;
  /** Position of the order behind it. */
  readonly end: number;
  /** When it took effect, at the earliest. */
  readonly timestamp: Timestamp;
  /** Of each writer the seq through which entries are known to be of an older generation. */
  readonly old: Vector;
}

const contentKinds: ReadonlySet<EntryKind> = new Set<EntryKind>([
  'publish',
  'patch',
  'notification',
  'read',
  'snapshot',
]);

/** Kinds whose entries say nothing to the log itself: what is in them is for those who read it. */
export function isContentKind(kind: EntryKind): boolean {
  return contentKinds.has(kind);
}

export interface LostRange {
  readonly writer: WriterId;
  readonly fromSeq: number;
  readonly toSeq: number;
}

export interface Extras {
  readonly store?: boolean;
  readonly retain?: boolean;
  readonly push?: boolean;
}

export interface Content {
  readonly event?: string;
  readonly contentType?: string;
  readonly payload: Uint8Array;
  readonly headers?: ReadonlyMap<string, string>;
  readonly extras?: Extras;
  readonly signature?: Uint8Array;
}

export interface Entry {
  readonly writer: WriterId;
  readonly seq: number;
  readonly timestamp: Timestamp;
  readonly round: number;
  readonly kind: EntryKind;
  /** Checksum of this entry and of the same writer's entry before it (0 for the first). */
  readonly checksum: number;
  readonly previous: number;
  readonly actor?: string;
  readonly publisher?: Publisher;
  readonly idempotencyKey?: string;
  /** The primary first. */
  readonly parents?: readonly Dot[];
  readonly trim?: Trim;
  readonly lost?: LostRange;
  /** Entries of an older generation that were written beside the end of it: whoever holds them drops them. */
  readonly voids?: readonly LostRange[];
  /** The newest of these is the channel's retained message. */
  readonly retain?: boolean;
  /** Push services tell of it. */
  readonly push?: boolean;
  /** A patch that makes the objects which are missing on the way to where it puts something. */
  readonly createParents?: boolean;
  readonly content?: Content;
  /** It had a content, which was taken out. */
  readonly redacted?: boolean;
  /** The content of this one is to be taken out everywhere. */
  readonly redacts?: Dot;
}
