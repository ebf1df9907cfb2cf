/** What a document is by its log alone: every entry is read and applied from the first on, without a node's fold and without
 *  any snapshot, in none of which a bug would be seen while all nodes have it. */
import { type Fold, emptyFold, foldEntry } from '../../src/documents/fold.js';
import { canonical } from '../../src/documents/value.js';
import type { Dot } from '../../src/base/ids.js';
import type { Entry, LostRange } from '../../src/log/entry.js';
import { sharedChannel } from './document-client.js';
import { answerOf } from './coming-together.js';
import type { World } from './world.js';

/** As `said` tells a document; `undefined` where not all of the log is there, or more than patches shaped it. */
export async function foldedFromLog(
  world: World,
  said: (fold: Fold, value: string) => string,
): Promise<string | undefined> {
  const entries = await allEntries(world, sharedChannel);
  if (!entries) return undefined;
  const lost = entries.flatMap(({ entry }) => entry.lost ?? []);
  let fold = emptyFold;
  for (const { entry } of entries) {
    if (entry.kind === 'delete' || entry.kind === 'redact') return undefined;
    // What was given up is no change, also where a copy can be read.
    if (!isWithin(lost, entry)) ({ fold } = foldEntry(fold, entry));
  }
  return said(fold, canonical(fold.document));
}

type Read = readonly { readonly entry: Entry }[];

/** Of a channel, in the order of its log; `undefined` where not all of it is there. */
export async function allEntries(world: World, channel: string): Promise<Read | undefined> {
  const node = world.members().find(({ state }) => state === 'up');
  if (!node || world.plan.retention) return undefined;
  const read: { readonly entry: Entry }[] = [];
  let since: Uint8Array | undefined;
  for (let more = true; more;) {
    const query = since === undefined ? {} : { since };
    const page = await answerOf(world, node, (engine) => engine.queryLog('default', channel, query));
    // Those that nobody has any more are named by an entry.
    if (!page.ok || page.value.gaps.some(({ reason }) => reason !== 'lost')) return undefined;
    read.push(...page.value.entries);
    ({ cursor: since, more } = page.value);
  }
  return read;
}

function isWithin(ranges: readonly LostRange[], { writer, seq }: Dot): boolean {
  return ranges.some((range) => range.writer === writer && range.fromSeq <= seq && seq <= range.toSeq);
}
