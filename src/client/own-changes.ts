/** Own changes of a document, and what becomes of those that were acknowledged and do not come: one that a node acknowledged
 *  alone goes with its disk, and nobody tells of what they never had. */
import { type Dot, dotText } from '../base/ids.js';
import type { Patch } from '../documents/patch.js';
import type { Client } from './client.js';
import { RinglogError } from './error.js';
import type { History, HistoryOptions } from './history.js';
import type { Published } from './published.js';
import type { QueuedChange } from './queued-changes.js';
import type { GapNotice } from './reading.js';
import type { Subscription } from './subscription.js';

export interface OwnChange {
  readonly key: string;
  readonly patch: Patch;
  /** It takes that one back. */
  readonly undoes?: OwnChange | undefined;
  /** One of several: whoever makes it says what becomes of it. */
  readonly isAttempt?: boolean;
  /** As it is kept; none where it has a time of its own. */
  readonly queued?: (() => QueuedChange) | undefined;
  /** One that takes it back is on its way. */
  undoneBy?: OwnChange | undefined;
  /** Once it is acknowledged. */
  dot?: Dot | undefined;
  level?: Published['level'];
  /** The order had it, as far as it was delivered. */
  isTaken?: boolean;
  /** It was not in what the document came to when that was told anew, and is not lost. */
  isBehind?: boolean;
  /** Nobody says what became of it, to whoever may not ask: it is taken as it was acknowledged. */
  isUnknowable?: boolean;
}

/** What is acknowledged comes within that, where nothing is in the way. */
const unheardMs = 2_000;

export interface UnheardHost {
  /** Those that were not delivered yet. */
  own(): readonly OwnChange[];
  /** Whether the document is being fetched. */
  isFetching(): boolean;
  /** No home has it. */
  lost(own: OwnChange): void;
  /** It is in what the document was told to be. */
  passed(own: OwnChange): void;
}

/** Asks for own changes that were acknowledged and do not come. */
export class UnheardChanges {
  readonly #client: Client;
  readonly #subscription: Subscription;
  readonly #host: UnheardHost;
  /** Ends the wait for one that was acknowledged; there while one is waited or asked for. */
  #stopWaiting: (() => void) | undefined;

  constructor(client: Client, subscription: Subscription, host: UnheardHost) {
    this.#client = client;
    this.#subscription = subscription;
    this.#host = host;
    subscription.on('closed', () => this.#stopWaiting?.());
  }

  /** One was acknowledged. */
  wait(): void {
    if (!this.#unheard || this.#stopWaiting || this.#subscription.state === 'closed') return;
    this.#stopWaiting = this.#client.platform.after(unheardMs, () => {
      void this.#look().finally(() => {
        this.#stopWaiting = undefined;
        this.wait();
      });
    });
  }

  get #unheard(): OwnChange | undefined {
    return this.#host.own().find(({ dot, isUnknowable }) => dot && !isUnknowable);
  }

  /** Asks for one after the other, up to one that the order has and that comes. */
  async #look(): Promise<void> {
    for (let own = this.#unheard; own && this.#subscription.state !== 'closed'; own = this.#unheard) {
      try {
        if (await isLost(this.#client, this.#subscription.channel, own)) this.#host.lost(own);
        else if (await this.#isPassed(own)) this.#host.passed(own);
        else if (this.#host.own().includes(own)) return;
      } catch (error) {
        if (error instanceof RinglogError && error.code === 'TIMEOUT') return;
        own.isUnknowable = true;
      }
    }
  }

  /** Whether it does not come from here on: then it is in what the document was told to be. */
  async #isPassed(own: OwnChange): Promise<boolean> {
    const { cursor } = this.#subscription;
    if (cursor === undefined || this.#host.isFetching()) return false;
    const { channel } = this.#subscription;
    const history = historyWith(this.#client, channel, own, { cursor });
    while (history.more) {
      const { entries } = await history.page();
      if (entries.some(({ idempotencyKey }) => idempotencyKey === own.key)) return false;
    }
    return true;
  }
}

/** Whether no home of the channel has it any more, as far as the one that is asked finds out. */
export async function isLost(client: Client, channel: string, own: OwnChange): Promise<boolean> {
  const { gaps } = await historyWith(client, channel, own, { first: 'newest', limit: 1 }).page();
  return gaps.some(({ reason, ranges }) => reason === 'lost' && isWithin(own.dot, ranges));
}

function historyWith(client: Client, channel: string, own: OwnChange, query: HistoryOptions): History {
  return client.history(channel, { ...query, including: { id: idOf(own) } });
}

/** As it was acknowledged. */
export function idOf({ dot }: OwnChange): string | undefined {
  return dot && dotText(dot);
}

export function isWithin(dot: Dot | undefined, ranges: GapNotice['ranges']): boolean {
  return ranges.some(
    ({ writer, fromSeq, toSeq }) => dot?.writer === writer && fromSeq <= dot.seq && dot.seq <= toSeq,
  );
}
