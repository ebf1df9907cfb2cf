/** Entries and signals as an application sees them. */
import { type Dot, dotText } from '../base/ids.js';
import type { Content, Entry, EntryKind } from '../log/entry.js';
import { unixMsOf } from '../log/timestamp.js';
import { isJsonType, isTextType } from '../protocol/content-type.js';
import type { DeliveredSignal } from '../protocol/messages.js';
import { textOf } from '../protocol/wire.js';

const noBytes: Uint8Array = new Uint8Array(0);

/** What entries and signals have in common: a payload and who sent it when. */
class Received {
  readonly #content: Content | undefined;
  #data: { readonly value: unknown } | undefined;

  constructor(
    readonly channel: string,
    /** Milliseconds since 2024-01-01T00:00:00Z × 4096 + a counter: orders what one node stamped. */
    readonly timestamp: number,
    /** Absent for an anonymous publisher. */
    readonly actor: string | undefined,
    content: Content | undefined,
  ) {
    this.#content = content;
  }

  get time(): Date {
    return new Date(unixMsOf(this.timestamp));
  }

  get event(): string | undefined {
    return this.#content?.event;
  }

  /** Absent for text. */
  get contentType(): string | undefined {
    return this.#content?.contentType;
  }

  get headers(): ReadonlyMap<string, string> {
    return this.#content?.headers ?? new Map();
  }

  get signature(): Uint8Array | undefined {
    return this.#content?.signature;
  }

  /** The payload as it was published. */
  get bytes(): Uint8Array {
    return this.#content?.payload ?? noBytes;
  }

  /** The payload by its type: a string for text, a value for JSON, else (and where it is not what its type says)
   *  the bytes. */
  get data(): unknown {
    this.#data ??= { value: dataOf(this.contentType ?? '', this.bytes) };
    return this.#data.value;
  }
}

export class Message extends Received {
  readonly #entry: Entry;

  constructor(
    channel: string,
    entry: Entry,
    /** It belongs before something that was delivered already. */
    readonly late: boolean,
    /** The retained message of the channel, sent at the start of a live subscription. */
    readonly retained: boolean,
  ) {
    super(channel, entry.timestamp, entry.actor, entry.content);
    this.#entry = entry;
  }

  /** Names this entry for ever: `writer-seq`. */
  get id(): string {
    return dotText(this.#entry);
  }

  get dot(): Dot {
    return { writer: this.#entry.writer, seq: this.#entry.seq };
  }

  get kind(): EntryKind {
    return this.#entry.kind;
  }

  /** Push services tell of it: its publisher said so, or the rules of the channel do. */
  get push(): boolean {
    return this.#entry.push === true;
  }

  /** Its content was taken out, for good: there is no data. */
  get redacted(): boolean {
    return this.#entry.redacted === true;
  }

  /** The id of the message whose content this one says to be taken out: of the event `redacted` alone. */
  get redacts(): string | undefined {
    return this.#entry.redacts && dotText(this.#entry.redacts);
  }

  get idempotencyKey(): string | undefined {
    return this.#entry.idempotencyKey;
  }

  /** Everything the log has of it. */
  get entry(): Entry {
    return this.#entry;
  }
}

/** Was delivered to whoever listened, and is in no log. */
export class SignalMessage extends Received {
  constructor(signal: DeliveredSignal) {
    super(signal.channel, signal.timestamp, signal.actor, signal.content);
  }
}

/** A payload by its type. */
export function dataOf(contentType: string, bytes: Uint8Array): unknown {
  const text = isTextType(contentType) || isJsonType(contentType) ? textOf(bytes) : undefined;
  if (text === undefined) return bytes;
  if (isTextType(contentType)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return bytes;
  }
}
