/** Documents as an application reads and changes them. */
import { toBase64Url, utf8Text } from '../base/bytes.js';
import { channelNameFor } from '../base/ids.js';
import type { DocumentGetMessage, DocumentState, Level } from '../protocol/messages.js';
import { cursorBytes, unixMs } from './history.js';

/** JSON Patch (RFC 6902), and `splice`, which changes a part of a text: positions in UTF-16 units. */
export type PatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move' | 'copy'; readonly from: string; readonly path: string }
  | {
      readonly op: 'splice';
      readonly path: string;
      readonly at: number;
      readonly remove?: number;
      readonly insert?: string;
    };

export interface PatchOptions {
  /** Only where the document is at that version, else VERSION_MISMATCH. */
  readonly ifVersion?: number;
  /** Only where its hash begins so (8 to 64 hexadecimal digits), else VERSION_MISMATCH. What both sides of a partition call one
   *  version may be two documents. */
  readonly ifHash?: string;
  readonly level?: Exclude<Level, 'memory'>;
  readonly degrade?: boolean;
  /** Makes this change the same as another one with the same key; by default each has its own. */
  readonly idempotencyKey?: string;
  readonly timeoutMs?: number;
}

export interface DocumentOptions {
  /** As it was for a reader with this cursor, or before anything stamped from this time on (Unix milliseconds). */
  readonly at?: string | Uint8Array | Date | number;
  /** How long it may take, interruptions included. */
  readonly timeoutMs?: number;
}

/** Of a patch that is for one document alone. */
export function conditionHeaders(
  ifVersion: number | undefined,
  ifHash: string | undefined,
): { readonly headers?: Record<string, string> } {
  const headers = {
    ...(ifVersion !== undefined && { 'if-version': String(ifVersion) }),
    ...(ifHash !== undefined && { 'if-hash': ifHash }),
  };
  return Object.keys(headers).length > 0 ? { headers } : {};
}

/** Throws RinglogError on text that is no cursor. */
export function documentQuestion(channel: string, at: DocumentOptions['at']): DocumentGetMessage {
  const question = { type: 'documentGet', channel: channelNameFor(channel) } as const;
  if (at === undefined) return question;
  return typeof at === 'number' || at instanceof Date
    ? // Zero is not written: it would ask for the document as it is now.
      { ...question, atUnixMs: Math.max(1, unixMs(at)) }
    : { ...question, cursor: cursorBytes(channel, at) };
}

/** A document at one version. */
export class DocumentSnapshot {
  readonly #state: DocumentState;
  #value: { readonly value: unknown } | undefined;

  constructor(state: DocumentState) {
    this.#state = state;
  }

  get channel(): string {
    return this.#state.channel;
  }

  /** How many patches took effect. */
  get version(): number {
    return this.#state.info.version;
  }

  /** How many did not, where the order has them. */
  get voids(): number {
    return this.#state.info.voids;
  }

  /** By the rules of the channel, patches make the objects that are missing on the way to where they put something. */
  get createParents(): boolean {
    return this.#state.info.createParents === true;
  }

  /** Of `text`, in bytes. */
  get size(): number {
    return this.#state.value.length;
  }

  /** SHA-256 of `text`. */
  get hash(): Uint8Array {
    return this.#state.info.hash;
  }

  /** Subscribe from here to get what changes it. */
  get cursor(): string {
    return toBase64Url(this.#state.cursor);
  }

  /** Canonical JSON. */
  get text(): string {
    return utf8Text(this.#state.value);
  }

  get value(): unknown {
    this.#value ??= { value: JSON.parse(this.text) };
    return this.#value.value;
  }
}
