/** Own changes of a document that have no outcome yet: how they are kept until they have one, also by the application over a
 *  restart of its own, and how it is found out of what may have been written long ago. */
import { failure } from '../protocol/errors.js';
import type { Client } from './client.js';
import type { PatchOperation, PatchOptions } from './documents.js';
import { RinglogError, serverError } from './error.js';
import type { Message } from './message.js';
import type { Found } from './publish-item.js';
import type { Keep } from './publish-request.js';
import type { Published } from './published.js';
import type { Subscription } from './subscription.js';

type Conditions = Pick<PatchOptions, 'ifVersion' | 'ifHash' | 'level' | 'degrade'>;

/** Plain data: for JSON, or any other store. */
export interface QueuedChange extends Conditions {
  readonly key: string;
  readonly operations: readonly PatchOperation[];
  /** A cursor: it is behind that place, if it is in the log. */
  readonly from?: string;
}

/** In the order in which they were made. */
export interface QueuedChanges {
  readonly channel: string;
  /** Keys are known of one publisher. */
  readonly publisherId: string;
  readonly changes: readonly QueuedChange[];
}

export interface QueueHost {
  change(operations: readonly PatchOperation[], options: PatchOptions): Promise<Published>;
  refused(error: RinglogError): void;
}

/** An own change: `dot` once it is acknowledged. */
interface Made {
  readonly dot?: object | undefined;
  readonly queued?: (() => QueuedChange) | undefined;
}

interface Kept {
  readonly keep?: Keep;
  readonly queued?: () => QueuedChange;
}

/** Entries that are looked through for what became of changes. */
const lookedEntriesMax = 100_000;
const pageEntries = 1_000;

export class ChangeQueue {
  readonly #client: Client;
  readonly #channel: string;
  readonly #subscription: Subscription;
  readonly #host: QueueHost;
  /** To be looked for, and not shown yet. */
  #restoring: readonly QueuedChange[] = [];

  /** What is kept is kept as long as the subscription is open. */
  constructor(client: Client, subscription: Subscription, host: QueueHost) {
    this.#client = client;
    this.#channel = subscription.channel;
    this.#subscription = subscription;
    this.#host = host;
    subscription.on('closed', () => client.letGo(this.#channel));
  }

  /** Those of them that have no outcome. */
  queued(own: readonly Made[]): QueuedChanges {
    const made = own.flatMap(({ dot, queued }) => (dot || !queued ? [] : [queued()]));
    const { publisherId } = this.#client;
    return { channel: this.#channel, publisherId, changes: [...this.#restoring, ...made] };
  }

  /** One that is made now, as `text` has it. One with a time of its own ends by that. */
  kept(key: string, text: string, options: PatchOptions): Kept {
    if (options.timeoutMs !== undefined) return {};
    const { cursor: from } = this.#subscription;
    const keep = { look: async () => (await this.#look([key], from))(key) };
    return { keep, queued: () => queuedOf(key, text, options, from) };
  }

  /** Makes those changes again that the log has not; resolves with how many. */
  async restore({ channel, publisherId, changes }: QueuedChanges): Promise<number> {
    if (channel !== this.#channel || publisherId !== this.#client.publisherId) {
      const message = `These are changes of ${channel} by the publisher ${publisherId}.`;
      throw serverError(failure('INVALID', { channel: this.#channel, message }));
    }
    if (changes.length === 0) return 0;
    this.#restoring = [...this.#restoring, ...changes];
    const keys = changes.map(({ key }) => key);
    const foundOf = await this.#look(keys, changes[0]!.from);
    this.#restoring = this.#restoring.filter((change) => !changes.includes(change));
    return changes.filter((change) => this.#restored(change, foundOf(change.key))).length;
  }

  #restored(change: QueuedChange, found: Found): boolean {
    if (found instanceof RinglogError) this.#host.refused(found);
    if (found !== 'unwritten') return false;
    try {
      // Whoever holds the document is told when it is refused.
      const { key: idempotencyKey, operations } = change;
      this.#host.change(operations, { ...conditionsOf(change), idempotencyKey }).catch(() => undefined);
      return true;
    } catch (error) {
      if (!(error instanceof RinglogError)) throw error;
      this.#host.refused(error);
      return false;
    }
  }

  /** What became of them, by what the log has behind the place: asked until somebody answers. */
  async #look(keys: readonly string[], from: string | undefined): Promise<(key: string) => Found> {
    if (from === undefined) return () => this.#unknowable();
    for (;;) {
      try {
        return await this.#read(new Set(keys), from);
      } catch (error) {
        const code = error instanceof RinglogError ? error.code : undefined;
        if (code !== 'TIMEOUT') return () => this.#unknowable(error);
      }
    }
  }

  async #read(keys: ReadonlySet<string>, from: string): Promise<(key: string) => Found> {
    const history = this.#client.history(this.#channel, { cursor: from, limit: pageEntries });
    const found = new Map<string, Message>();
    let isWhole = true;
    for (let looked = 0; isWhole && history.more;) {
      const { entries, gaps } = await history.page();
      looked += entries.length;
      isWhole = gaps.length === 0 && looked < lookedEntriesMax;
      for (const message of entries) {
        const { idempotencyKey: key = '', entry } = message;
        if (keys.has(key) && entry.publisher?.id === this.#client.publisherId) found.set(key, message);
      }
    }
    return (key) => {
      const message = found.get(key);
      if (message) return ackOf(message);
      return isWhole ? 'unwritten' : this.#unknowable();
    };
  }

  #unknowable(because?: unknown): RinglogError {
    const reason = because instanceof Error ? ` ${because.message}` : '';
    return new RinglogError({
      code: 'INDETERMINATE',
      outcome: 'indeterminate',
      message: `It may have been written before, and the log does not say.${reason}`,
      channel: this.#channel,
    });
  }
}

/** No more than what whoever reads it knows. */
function ackOf({ dot, timestamp }: Message): Found {
  return { type: 'ack', dot, timestamp, level: 'owner', copies: 1, count: 1, duplicate: true };
}

/** As it was given: another text under its key would be another change. */
function queuedOf(key: string, text: string, options: PatchOptions, from: string | undefined): QueuedChange {
  const operations = JSON.parse(text) as PatchOperation[];
  return { key, operations, ...conditionsOf(options), ...(from !== undefined && { from }) };
}

function conditionsOf({ ifVersion, ifHash, level, degrade }: Conditions): Conditions {
  return {
    ...(ifVersion !== undefined && { ifVersion }),
    ...(ifHash !== undefined && { ifHash }),
    ...(level !== undefined && { level }),
    ...(degrade !== undefined && { degrade }),
  };
}
