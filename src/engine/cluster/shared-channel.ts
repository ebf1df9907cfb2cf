/** What a node of a cluster keeps of a channel in memory, beside what a node alone keeps. */
import type { WriterId } from '../../base/ids.js';
import type { ChannelLog } from '../../log/channel-log.js';
import { planted } from '../../base/planted.js';
import type { Outcome } from '../../replication/effects.js';
import type { IntervalId } from '../../replication/messages.js';
import { failure } from '../../protocol/errors.js';
import { KeptRuns } from '../kept-runs.js';
import { type PendingPublish, tellIndeterminate } from '../pending.js';

export class SharedChannel {
  readonly kept = new KeptRuns();
  /** Stamped here and synced, without an outcome: by rising seq. */
  #awaiting: PendingPublish[] = [];
  /** Repeats of entries that may not be committed. */
  #repeats: PendingPublish[] = [];

  constructor(public interval: IntervalId) {}

  get isAwaiting(): boolean {
    return this.#awaiting.length + this.#repeats.length > 0;
  }

  awaits(item: PendingPublish): void {
    if (item.duplicate) this.#repeats.push(item);
    else this.#awaiting.push(item);
  }

  /** Entries of a writer through `lastSeq` have an outcome. */
  settle(
    writer: WriterId,
    firstSeq: number,
    lastSeq: number,
    outcome: Outcome,
    { generation }: Pick<ChannelLog, 'generation'>,
  ): void {
    const has = ({ dot }: PendingPublish): boolean =>
      dot !== undefined && dot.writer === writer && firstSeq <= dot.seq && dot.seq <= lastSeq;
    const isInVain = ({ deletes, dot }: PendingPublish): boolean =>
      deletes === true && dot !== undefined && !generation.isEnd(dot);
    this.#awaiting = told(this.#awaiting, has, outcome, isInVain);
    if (this.#repeats.length > 0) this.#repeats = told(this.#repeats, has, outcome);
  }

  /** Nobody will know. */
  giveUp(): void {
    for (const item of [...this.#awaiting, ...this.#repeats]) tellIndeterminate(item);
    this.#awaiting = [];
    this.#repeats = [];
  }
}

/** Tells those that have it, in their order; returns the others. */
function told(
  items: PendingPublish[],
  has: (item: PendingPublish) => boolean,
  outcome: Outcome,
  /** It is committed, and of no effect. */
  isInVain: (item: PendingPublish) => boolean = () => false,
): PendingPublish[] {
  const left: PendingPublish[] = [];
  for (const item of items) {
    if (!has(item)) left.push(item);
    else if (outcome.type === 'indeterminate' || isInVain(item))
      item.origin.publishFailed(item.requestId, failure('INDETERMINATE', { retryAfterMs: 1000 }));
    else if (planted('asked-is-reached'))
      item.origin.publishAccepted(item, { ...outcome, level: item.level });
    else item.origin.publishAccepted(item, outcome);
  }
  return left;
}
