/** What is made of a document that several change at once, once nothing goes wrong any more. */
import type { Checker } from './evidence.js';

/** F2: every node says the same of it, and after all were stopped still does. */
export const documentsAreEqual: Checker = function* ({ record }) {
  const said = record.documents.flatMap(({ nodes }) => [...nodes]);
  const [first] = said;
  for (const [node, what] of said)
    if (what !== first![1]) yield `${node} says ${what}, ${first![0]} ${first![1]}`;
};

/** F2: that is what its log comes to, read from the first entry on without any snapshot. */
export const documentsAreFolds: Checker = function* ({ record }) {
  for (const { nodes, folded } of record.documents)
    for (const [node, what] of nodes)
      if (folded !== undefined && what !== folded) yield `${node} says ${what}, its log comes to ${folded}`;
};

/** F4: whoever applied each patch it was delivered, and took each rebase for what it said, has it. */
export const followersHaveIt: Checker = function* ({ record }) {
  for (const { clients, document } of record.documents)
    for (const [client, held] of clients)
      if (held !== document) yield `${client} has ${held}, not ${document}`;
};

/** F1, F3: a change takes effect once; one that was acknowledged at quorum does, or is listed as void; a refused one is nowhere. */
export const changesCountOnce: Checker = function* ({ record }) {
  const [seen] = record.documents;
  if (!seen) return;
  const { log, voids } = seen;
  const made = new Set(log);
  if (made.size < log.length) yield 'a change took effect twice';
  for (const { id, by, outcome, told, entry } of record.changes) {
    if (outcome === 'open') yield `change ${id} of ${by} never got an answer`;
    if (outcome === 'rejected' && made.has(id))
      yield `change ${id} of ${by} was refused (${told}) and took effect`;
    if (outcome !== 'acked' || told !== 'quorum' || made.has(id)) continue;
    if (voids && !voids.has(entry ?? ''))
      yield `change ${id} of ${by} was acknowledged, and is neither in effect nor void`;
  }
};

/** F3: of a change that was acknowledged and came to nothing its author is told so, once, unless it gave the document up before. What is
 *  lost may turn up. */
export const authorsAreTold: Checker = function* ({ record }) {
  const [seen] = record.documents;
  if (!seen?.voids) return;
  const made = new Set(seen.log);
  for (const { id, by, outcome, entry, after, voidsTold = 0 } of record.changes) {
    if (outcome !== 'acked' || after === undefined) continue;
    if (voidsTold > 1) yield `change ${id} of ${by} is void, and ${by} was told so ${voidsTold} times`;
    const became = seen.voids.has(entry ?? '') ? 'void' : 'gone';
    if (!made.has(id) && after === 'nothing')
      yield `change ${id} of ${by} is ${became}, and ${by} was not told`;
    if (made.has(id) && after === 'void')
      yield `change ${id} of ${by} took effect, and ${by} was told that it is void`;
  }
};
