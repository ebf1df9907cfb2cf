/** Sessions that came back with their keys. */
import type { Checker } from './evidence.js';

/** S1: a key restores at most once, wherever it is offered. */
export const keysCountOnce: Checker = function* ({ record }) {
  const seen = new Map<string, string>();
  for (const { key, client } of record.restores) {
    if (seen.has(key)) yield `a key of ${client} restored a session twice`;
    seen.set(key, client);
  }
};

/** S2: a session comes back with what was said to be kept, or with what its client has made of it since. */
export const whatWasKeptComesBack: Checker = function* ({ record }) {
  for (const { client, channels, allowed } of record.restores) {
    const now = channels.toSorted().join();
    if (!allowed || allowed.some((state) => state.toSorted().join() === now)) continue;
    const known = allowed.map((state) => `[${state.join()}]`).join(' ');
    yield `${client} got back [${channels.join()}], which is none of ${known}`;
  }
};

/** By how much a wall clock may be ahead before a session is too old in the time of the log. */
const leadMsMax = 600_000;

/** S3: once nothing goes wrong any more every session is kept, and comes back. Where a clock was far ahead it may be too old,
 *  and where disks were damaged what was kept may be lost. */
export const keptSessionsComeBack: Checker = function* ({ record }) {
  const mayBeGone = record.rotten.size > 0 || [...record.leads.values()].some((lead) => lead > leadMsMax);
  if (mayBeGone) return;
  for (const { client, outcome } of record.lastRestores)
    if (outcome !== 'restored') yield `the session of ${client} is ${outcome}`;
};
