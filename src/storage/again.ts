/** Runs found at start whose entries are held already: they were stored again because they could not be read, and what is
 *  written last is whole. They wait until everything else is taken in. */
import type { ChannelLog, Refusal } from '../log/channel-log.js';
import type { RunSummary } from '../log/run.js';
import type { StoredAt } from './applier.js';
import type { CommitKind } from './commit-format.js';
import { Mending, type MendingParts } from './mending.js';

export class Again {
  readonly #options: MendingParts;
  /** Of one and the same the last takes its place. */
  readonly #runs: { readonly run: RunSummary; readonly at: StoredAt }[] = [];

  constructor(options: MendingParts) {
    this.#options = options;
  }

  /** Whether the run, which its log refused, is one of these. Nothing else is written twice; compaction, which may leave a
   *  run in two places, also brings one of these behind others of its writer. */
  take(
    log: ChannelLog,
    run: RunSummary,
    at: StoredAt,
    { kind, refusal }: { readonly kind: CommitKind; readonly refusal: Refusal },
  ): boolean {
    const { writer, firstSeq, count } = run;
    const toSeq = firstSeq + count - 1;
    if (refusal.type === 'overlap' && kind === 'written')
      log.lose({ writer, fromSeq: refusal.expected.seq, toSeq });
    else if (refusal.type !== 'duplicate' || (kind === 'rewritten' && !fillsHole(log, run))) return false;
    this.#runs.push({ run, at });
    return true;
  }

  async mend(): Promise<void> {
    const { index } = this.#options;
    for (const { run, at } of this.#runs) {
      await index.flushAll();
      const slot = await index.slots.use(run.ref);
      (await Mending.plan(this.#options, slot, run))?.apply(at);
      index.slots.release(run.ref);
    }
  }
}

function fillsHole(log: ChannelLog, { writer, firstSeq, count }: RunSummary): boolean {
  return log
    .holes()
    .some((hole) => hole.writer === writer && hole.fromSeq < firstSeq + count && hole.toSeq >= firstSeq);
}
