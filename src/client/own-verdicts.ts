/** What the order made of own changes that took effect as they were delivered and were acknowledged below quorum: they may come
 *  to stand elsewhere, and be void there. Looked up when the document is told anew. */
import { planted } from '../base/planted.js';
import type { Fault } from '../documents/faults.js';
import { type Fold, foldEntry } from '../documents/fold.js';
import type { Client } from './client.js';
import { type OwnChange, isLost, isWithin } from './own-changes.js';
import type { GapNotice } from './reading.js';

/** What the document is at a place of the order. */
export interface Told {
  readonly fold: Fold;
  readonly cursor: string;
}

/** More than so many changes are not looked through. */
const changesMax = 16_384;
const pageEntries = 1_000;

/** Why each of them came to nothing; `undefined` where nobody has it any more. */
export type Verdicts = ReadonlyMap<OwnChange, Fault | undefined>;

interface Between {
  readonly voids: Map<OwnChange, Fault | undefined>;
  /** Neither in effect nor void there. */
  readonly unseen: readonly OwnChange[];
}

/** So many are remembered. */
const doubtfulMax = 1_000;

export class OwnVerdicts {
  readonly #client: Client;
  readonly #channel: string;
  readonly #voided: (voids: Verdicts) => void;
  #told: Told | undefined;
  #doubtful: OwnChange[] = [];

  /** `voided` is told of those that came to nothing. */
  constructor(client: Client, channel: string, voided: (voids: Verdicts) => void) {
    this.#client = client;
    this.#channel = channel;
    this.#voided = voided;
  }

  /** The order has it, as far as it was delivered; of what was acknowledged at quorum for good. */
  taken(own: OwnChange): void {
    own.isTaken = true;
    if (!isDoubtful(own)) return;
    this.#doubtful.push(own);
    if (this.#doubtful.length > doubtfulMax) this.#doubtful.shift();
  }

  /** Of those that took effect, what lies in these ranges: it is nothing any more. */
  lost(ranges: GapNotice['ranges']): Verdicts {
    const lost = this.#doubtful.filter(({ dot }) => isWithin(dot, ranges));
    this.#doubtful = this.#doubtful.filter((own) => !lost.includes(own));
    return new Map(lost.map((own) => [own, undefined]));
  }

  /** The document is told anew: what of these and of those on their way lies in between is known now. */
  judge(told: Told, onTheirWay: readonly OwnChange[]): void {
    const from = this.#told;
    this.#told = told;
    const doubtful = [...this.#doubtful, ...onTheirWay.filter(isDoubtful)];
    this.#doubtful = [];
    if (!from || doubtful.length === 0) return;
    this.#judged(from, told.fold, doubtful).then(
      (voids) => {
        if (!planted('voids-untold')) this.#voided(voids);
        if (planted('voids-told-twice')) this.#voided(voids);
      },
      // It may not be read any more, or the client is closed: nobody says.
      () => undefined,
    );
  }

  /** What is told may be of a place before some of them. Those come, or went with the only disk that had them: nobody may know
   *  that they were there but who asks for them. */
  async #judged(from: Told, to: Fold, doubtful: readonly OwnChange[]): Promise<Verdicts> {
    const [client, channel] = [this.#client, this.#channel];
    const byKey = new Map(doubtful.map((own) => [own.key, own]));
    const { voids, unseen } = await voidsBetween(client, channel, from, to, byKey);
    for (const own of unseen) {
      if (!own.isTaken) continue;
      // Where nobody says, what is known of the others is told all the same.
      if (await isLost(client, channel, own).catch(() => false)) voids.set(own, undefined);
      else if (own.isBehind !== true && this.#doubtful.length < doubtfulMax) {
        own.isBehind = true;
        this.#doubtful.unshift(own);
      }
    }
    return voids;
  }
}

function isDoubtful({ level }: OwnChange): boolean {
  return level !== undefined && level !== 'quorum';
}

/** Of these changes those that came to nothing where the order has them, between one place and a later one. Where retention
 *  has removed what is between, or it is too much, nothing is known. */
async function voidsBetween(
  client: Client,
  channel: string,
  from: Told,
  to: Fold,
  byKey: ReadonlyMap<string, OwnChange>,
): Promise<Between> {
  const voids = new Map<OwnChange, Fault | undefined>();
  const effects = new Set<OwnChange>();
  if (countOf(to) - countOf(from.fold) > changesMax) return { voids, unseen: [] };
  const history = client.history(channel, { cursor: from.cursor, limit: pageEntries });
  let { fold } = from;
  while (history.more && countOf(fold) < countOf(to)) {
    const { entries, gaps } = await history.page();
    for (const { reason, ranges } of gaps) {
      // What no home can read is passed over, by who folds it there too.
      if (reason !== 'lost' && reason !== 'damaged') return { voids: new Map(), unseen: [] };
      for (const own of byKey.values()) if (isWithin(own.dot, ranges)) voids.set(own, undefined);
    }
    for (const { idempotencyKey: key, entry } of entries) {
      if (countOf(fold) === countOf(to)) break;
      const step = foldEntry(fold, entry);
      ({ fold } = step);
      const own = key === undefined ? undefined : byKey.get(key);
      if (!own || entry.kind !== 'patch') continue;
      // Two owners may have written it: where either took effect, it did.
      if (!step.fault) effects.add(own);
      else if (!voids.has(own)) voids.set(own, step.fault);
    }
  }
  for (const own of effects) voids.delete(own);
  return { voids, unseen: [...byKey.values()].filter((own) => !effects.has(own) && !voids.has(own)) };
}

function countOf({ version, voids }: Fold): number {
  return version + voids;
}
