/** The home that is asked what arrived at its store. It names channels and the newest of what arrived in each, of intervals
 *  that both are homes of, a page at a time, and only what is synced: a number that power loss took would be given to
 *  something else, which nobody would ask for again. */
import { type NodeId, type WriterId, channelKey } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type Allowance, Budget } from './budgets.js';
import type { ArrivedRun, Context } from './context.js';
import type { Arrived, AskArrived } from './messages.js';
import type { Statements } from './statements.js';
import { planted } from '../base/planted.js';

/** What one peer asks for. */
interface Asking {
  /** Looked up now. */
  id: number | undefined;
  asked: AskArrived;
  readonly budget: Budget;
}

/** Counted in pages. */
const allowance: Allowance = { atOnce: () => limits.pagesAtOnceMax, perSecond: limits.pagesPerSecond };

type Named = { readonly ref: ArrivedRun['ref']; readonly have: Map<WriterId, number> };

export class Arrivals {
  readonly #context: Context;
  readonly #statements: Statements;
  readonly #asking = new Map<NodeId, Asking>();

  constructor(context: Context, statements: Statements) {
    this.#context = context;
    this.#statements = statements;
  }

  onAsk(from: NodeId, message: AskArrived, now: number): void {
    const { arrivals, storeId } = this.#context.options;
    if (!arrivals) return;
    this.#statements.heardOf(message.others);
    const newest = arrivals.newest();
    const isOurs = message.store === storeId || (message.store !== undefined && planted('any-checkpoint'));
    const asking = this.#admit(from, message, now);
    if (!asking) return;
    if (!isOurs || message.after > newest)
      return this.#answer(from, message, { through: newest, unknown: true });
    if (message.after === newest) return this.#answer(from, message, { through: newest });
    asking.id = this.#context.nextId();
    const { after } = message;
    this.#context.outbox.add({ type: 'arrived', id: asking.id, after, limit: limits.arrivedCommitsMax });
  }

  /** What was looked up: everything through that arrival is among the runs. */
  arrived(id: number, runs: readonly ArrivedRun[], through: number): void {
    for (const [peer, asking] of this.#asking) {
      if (asking.id !== id) continue;
      asking.id = undefined;
      const page = this.#pageFor(peer, runs, through);
      this.#answer(peer, asking.asked, page);
    }
  }

  /** One look-up a peer at a time, and so many in the long run. */
  #admit(from: NodeId, asked: AskArrived, now: number): Asking | undefined {
    let asking = this.#asking.get(from);
    if (!asking) this.#asking.set(from, (asking = { id: undefined, asked, budget: new Budget(allowance) }));
    if (!asking.budget.take(1, now)) {
      this.#context.alarm('ASKED_TOO_OFTEN', 'It asks again and again what arrived.', from);
      return undefined;
    }
    asking.asked = asked;
    asking.id = undefined;
    return asking;
  }

  /** In order of arrival, as far as a page goes. */
  #pageFor(peer: NodeId, runs: readonly ArrivedRun[], through: number) {
    const named = new Map<string, Named>();
    let heads = 0;
    for (const { arrival, ref, writer, firstSeq, count } of runs) {
      if (!this.#isShared(peer, ref)) continue;
      const key = channelKey(ref);
      let one = named.get(key);
      if (!one?.have.has(writer)) {
        if (heads === limits.pageHeadsMax) return { through: arrival - 1, channels: [...named.values()] };
        heads++;
      }
      if (!one) named.set(key, (one = { ref, have: new Map() }));
      one.have.set(writer, Math.max(one.have.get(writer) ?? 0, firstSeq + count - 1));
    }
    return { through, channels: [...named.values()] };
  }

  #isShared(peer: NodeId, ref: ArrivedRun['ref']): boolean {
    const { options, intervals, channels } = this.#context;
    const id = options.intervalOf?.(ref) ?? channels.get(channelKey(ref))?.interval.id;
    return id !== undefined && intervals.get(id)?.others.includes(peer) === true;
  }

  #answer(
    peer: NodeId,
    { session, after }: AskArrived,
    page: { readonly through: number; readonly unknown?: boolean; readonly channels?: Arrived['channels'] },
  ): void {
    const { through, unknown = false, channels = [] } = page;
    const statement = this.#statements.own();
    const more = !unknown && through < this.#context.options.arrivals!.newest();
    this.#context.outbox
      .to(peer)
      .other({ type: 'arrived', session, after, through, more, unknown, channels, statement });
  }
}
