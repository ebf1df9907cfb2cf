/** Runs found at start whose entries are held already: they were stored again because they could not be read, and what is
 *  written last is whole. They wait until everything else is taken in. */
import { channelKey } from '../base/ids.js';
import type { ChannelLog, Refusal } from '../log/channel-log.js';
import type { RunSummary } from '../log/run.js';
import type { StoredAt } from './applier.js';
import type { CommitKind } from './commit-format.js';
import { type MendingParts, planMendings } from './mending.js';

interface FoundAgain {
  readonly run: RunSummary;
  readonly at: StoredAt;
}

export class Again {
  readonly #options: MendingParts;
  /** Of one and the same the last takes its place. */
  readonly #runs: FoundAgain[] = [];

  constructor(options: MendingParts) {
    this.#options = options;
  }

  /** Something is taken in and still read from where it was. */
  get isWaiting(): boolean {
    return this.#runs.length > 0;
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
    const channels = new Map<string, FoundAgain[]>();
    for (const found of this.#runs) {
      const key = channelKey(found.run.ref);
      channels.set(key, [...(channels.get(key) ?? []), found]);
    }
    for (const found of channels.values()) {
      const slot = await index.slots.use(found[0]!.run.ref);
      for (const layer of layersOf(found)) {
        await index.flushAll();
        const mendings = await planMendings(
          this.#options,
          layer.map(({ run }) => ({ slot, run })),
        );
        for (const [i, { at }] of layer.entries()) mendings[i]?.apply(at);
      }
      index.slots.release(slot.ref);
    }
  }
}

/** What was stored again twice is dealt with in that order, and the parts of one run together. */
function layersOf(runs: readonly FoundAgain[]): FoundAgain[][] {
  const layers: FoundAgain[][] = [[]];
  for (const found of runs) {
    if (layers.at(-1)!.some((each) => overlap(each.run, found.run))) layers.push([]);
    layers.at(-1)!.push(found);
  }
  return layers;
}

function overlap(a: RunSummary, b: RunSummary): boolean {
  return a.writer === b.writer && a.firstSeq < b.firstSeq + b.count && b.firstSeq < a.firstSeq + a.count;
}

function fillsHole(log: ChannelLog, { writer, firstSeq, count }: RunSummary): boolean {
  return log
    .holes()
    .some((hole) => hole.writer === writer && hole.fromSeq < firstSeq + count && hole.toSeq >= firstSeq);
}
