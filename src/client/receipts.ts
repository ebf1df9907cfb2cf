/** Who has received and read what, in the channels of users and groups; a part of `ringlog/people`.
 *
 *      const receipts = await receiptsOf(client).follow(groupChannel('team'));
 *      receipts.on('receipt', ({ user, read }) => …);
 *      receipts.of(published).read; // users
 *
 *      await receiptsOf(client).read(message); // as a reader
 */
import type { Client } from './client.js';
import type { DirectoryOptions } from './options.js';
import { Emitter, type Listener } from './emitter.js';
import type { RinglogError } from './error.js';
import { SharedDocument } from './shared-document.js';

/** Timestamps of the log: a reader has received, or read, all that is stamped no later. */
export interface Receipt {
  readonly received: number;
  readonly read?: number;
}

export interface ReceiptEvents {
  /** Of a reader: as it is now. */
  readonly receipt: Receipt & { readonly user: string };
  /** The end, for a reason. */
  readonly error: RinglogError;
}

/** An entry, as it was published or delivered. */
interface Stamped {
  readonly timestamp: number;
}

export function receiptsOf(client: Client, options: DirectoryOptions = {}): Receipts {
  return new Receipts(client, options);
}

/** Every method rejects with RinglogError. */
class Receipts {
  readonly #client: Client;
  readonly #timeoutMs: number | undefined;

  constructor(client: Client, { timeoutMs }: DirectoryOptions) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
  }

  /** The message has come, and all before it. */
  async received({ channel, timestamp }: Stamped & { readonly channel: string }): Promise<void> {
    await this.#mark({ channel, received: timestamp });
  }

  /** The message was read, and all before it. */
  async read({ channel, timestamp }: Stamped & { readonly channel: string }): Promise<void> {
    await this.#mark({ channel, read: timestamp });
  }

  /** For whoever reads the channel, or writes to it. */
  async follow(channel: string): Promise<ChannelReceipts> {
    const document = await SharedDocument.open<Document>(this.#client, `receipts:${channel}`);
    return new ChannelReceipts(this.#client, document);
  }

  async #mark(mark: object): Promise<void> {
    await this.#client.askDirectory('receipts/mark', mark, this.#timeoutMs);
  }
}

type Document = Readonly<Record<string, Receipt>> | null;

class ChannelReceipts {
  readonly #document: SharedDocument<Document>;
  readonly #events: Emitter<ReceiptEvents>;
  #before: Document;

  constructor(client: Client, document: SharedDocument<Document>) {
    this.#document = document;
    this.#events = new Emitter((error) => client.platform.report(error));
    this.#before = document.value;
    document.on('change', () => this.#changed());
    document.on('error', (error) => this.#events.emit('error', error));
  }

  /** By reader. */
  get all(): ReadonlyMap<string, Receipt> {
    return new Map(Object.entries(this.#before ?? {}));
  }

  /** Readers that have received it, and that have read it. */
  of({ timestamp }: Stamped): { readonly received: readonly string[]; readonly read: readonly string[] } {
    const all = [...this.all];
    return {
      received: all.filter(([, { received }]) => received >= timestamp).map(([user]) => user),
      read: all.filter(([, { read = 0 }]) => read >= timestamp).map(([user]) => user),
    };
  }

  on<K extends keyof ReceiptEvents>(name: K, listener: Listener<ReceiptEvents[K]>): () => void {
    return this.#events.on(name, listener);
  }

  close(): void {
    this.#document.close();
  }

  #changed(): void {
    const before = this.#before ?? {};
    this.#before = this.#document.value;
    for (const [user, receipt] of Object.entries(this.#before ?? {})) {
      const known = Object.hasOwn(before, user) ? before[user]! : undefined;
      if (known?.received !== receipt.received || known.read !== receipt.read)
        this.#events.emit('receipt', { user, ...receipt });
    }
  }
}
