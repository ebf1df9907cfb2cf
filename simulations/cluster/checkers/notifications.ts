/** What is made of a channel of notifications, once nothing goes wrong any more. */
import type { Checker } from './evidence.js';

/** N1: every node has the same. */
export const notificationsAreEqual: Checker = function* ({ record }) {
  for (const { nodes } of record.notifications) {
    const [first] = nodes;
    for (const [node, what] of nodes)
      if (what !== first![1]) yield `${node} says ${what}, and ${first![0]} ${first![1]}`;
  }
};

/** N1: after all were stopped they are what they were, but for those that expired meanwhile. */
export const notificationsOutlive: Checker = function* ({ record }) {
  const [before, after] = record.notifications;
  if (!before || !after) return;
  const left = new Set(after.listed.keys());
  for (const [entry, said] of before.listed) {
    const now = after.listed.get(entry);
    left.delete(entry);
    if (now !== said && now?.endsWith(' expired') !== true) yield `${entry} was ${said} and is ${now}`;
  }
  if (left.size > 0) yield `${[...left].join(', ')} is new`;
};

/** N2: who follows was told how many are unread by now. */
export const unreadIsTold: Checker = function* ({ record }) {
  for (const { clients, count } of record.notifications)
    for (const [client, told] of clients)
      if (told !== count) yield `${client} was told ${told}, not ${count}`;
};

/** N5: they are what the log comes to by the words of the documentation. What has expired there may have done so since. */
export const notificationsAreTheLog: Checker = function* ({ record }) {
  for (const { listed, folded } of record.notifications)
    for (const [entry, what] of folded ?? [])
      if (!what.endsWith(' expired') && listed.get(entry) !== what)
        yield `${entry} is ${listed.get(entry) ?? 'not there'}, and by the log ${what}`;
};

/** N4: what has expired is soon said to have, where somebody follows the channel. */
export const expiredIsSaid: Checker = function* ({ record }) {
  for (const { overdue } of record.notifications)
    for (const entry of overdue) yield `${entry} has expired, and nobody says so`;
};

/** N1, N3: what was acknowledged is there, under its own title; what was refused is not; what was marked is read. What two
 *  owners wrote under one key is there twice (C6). */
export const noticesAreKept: Checker = function* ({ record, isTrimming }) {
  const [seen] = record.notifications;
  if (!seen) return;
  const titles = new Set([...seen.listed.values()].map((said) => said.split(' ')[0]!));
  for (const { id, outcome, entry } of record.notices) {
    if (outcome === 'open') yield `notification ${id} never got an answer`;
    if (outcome === 'rejected' && titles.has(`${id}`)) yield `notification ${id} was refused and is there`;
    if (outcome !== 'acked' || isTrimming) continue;
    if (!seen.listed.get(entry ?? '')?.startsWith(`${id} `))
      yield `notification ${id} was acknowledged and is not there`;
  }
  for (const entry of record.read)
    if (seen.listed.get(entry)?.endsWith(' unread')) yield `${entry} was marked as read and is unread`;
};
