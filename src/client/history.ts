/** Stored entries of a channel, page by page or one by one. */
import { fromBase64, toBase64Url } from '../base/bytes.js';
import { type Dot, parseDot } from '../base/ids.js';
import type { HistoryMessage, ServerEvent } from '../protocol/messages.js';
import { failure } from '../protocol/errors.js';
import { ownError, serverError } from './error.js';
import { Message } from './message.js';
import { type GapNotice, badCursor } from './reading.js';

export interface HistoryOptions {
  /** After this place; with `newest` first, before it. */
  readonly cursor?: string | Uint8Array;
  /** From here, inclusive. */
  readonly since?: Date | number;
  /** To here, exclusive. */
  readonly until?: Date | number;
  /** `oldest` by default. */
  readonly first?: 'oldest' | 'newest';
  /** Entries a page. */
  readonly limit?: number;
  /** What a publish came to, or its id: pages come from a node that has it by then, or not at all (UNAVAILABLE, which is
   *  asked again until `timeoutMs`). So one reads what one wrote, at any node. */
  readonly including?: string | { readonly id: string | undefined };
  /** How long one page may take, interruptions included. */
  readonly timeoutMs?: number;
  /** Told of missing entries while iterating; without it they are an error. */
  readonly onGap?: (gap: GapNotice) => void;
}

export interface HistoryPage {
  readonly entries: readonly Message[];
  readonly gaps: readonly GapNotice[];
  /** Goes on from here, here or in another process. */
  readonly cursor: string;
  readonly more: boolean;
}

type HistoryEvent = Extract<ServerEvent, { type: 'history' }>;

export class History implements AsyncIterable<Message> {
  readonly #request: HistoryMessage;
  readonly #onGap: ((gap: GapNotice) => void) | undefined;
  readonly #ask: (message: HistoryMessage) => Promise<HistoryEvent>;
  #cursor: Uint8Array | undefined;
  #more = true;

  constructor(
    channel: string,
    options: HistoryOptions,
    ask: (message: HistoryMessage) => Promise<HistoryEvent>,
  ) {
    const { cursor, since, until, limit, first, including } = options;
    this.#ask = ask;
    this.#onGap = options.onGap;
    this.#cursor = cursor === undefined ? undefined : cursorBytes(channel, cursor);
    this.#request = {
      type: 'history',
      channel,
      backward: first === 'newest',
      ...(since === undefined ? undefined : { sinceUnixMs: unixMs(since) }),
      ...(until === undefined ? undefined : { untilUnixMs: unixMs(until) }),
      ...(limit === undefined ? undefined : { limit }),
      ...includingOf(channel, including),
    };
  }

  /** False once the last page was read. */
  get more(): boolean {
    return this.#more;
  }

  /** The next page. */
  async page(): Promise<HistoryPage> {
    const cursor = this.#cursor && { cursor: this.#cursor };
    const { channel, entries, gaps, cursor: next, more } = await this.#ask({ ...this.#request, ...cursor });
    this.#cursor = next;
    this.#more = more;
    return {
      entries: entries.flatMap(({ entry, late }) =>
        (entry.content ?? entry.redacted) ? [new Message(channel, entry, late, false)] : [],
      ),
      gaps: gaps.map(({ reason, ranges }) => ({ channel, reason, ranges })),
      cursor: toBase64Url(next),
      more,
    };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined> {
    while (this.#more) {
      const { entries, gaps } = await this.page();
      for (const gap of gaps) {
        if (!this.#onGap) throw ownError('GAP', 'rejected', gap.channel);
        this.#onGap(gap);
      }
      yield* entries;
    }
  }
}

/** A signal has no id, and is in no log. */
function includingOf(channel: string, including: HistoryOptions['including']): { readonly including?: Dot } {
  const id = typeof including === 'object' ? including.id : including;
  if (id === undefined) return {};
  const dot = parseDot(id);
  if (!dot.ok) throw serverError(failure('INVALID', { channel, message: `"including": ${dot.error}` }));
  return { including: dot.value };
}

export function unixMs(time: Date | number): number {
  return Math.max(0, Math.floor(typeof time === 'number' ? time : time.getTime()));
}

/** Throws RinglogError on text that is no cursor. */
export function cursorBytes(channel: string, cursor: string | Uint8Array): Uint8Array {
  const bytes = typeof cursor === 'string' ? fromBase64(cursor) : cursor;
  if (bytes === undefined) throw badCursor(channel);
  return bytes;
}
