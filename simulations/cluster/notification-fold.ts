/** What a channel of notifications is by its log alone: every entry is read from the first on, by the words of
 *  docs/notifications.md and without the product's fold, in which a bug would be the same at all nodes. */
import { utf8Text } from '../../src/base/bytes.js';
import { type Dot, dotText } from '../../src/base/ids.js';
import type { Entry } from '../../src/log/entry.js';
import { unixMsOf } from '../../src/log/timestamp.js';
import { allEntries } from './document-fold.js';
import { noticesChannel } from './notification-client.js';
import type { World } from './world.js';

interface Notice {
  readonly dot: Dot;
  readonly title: string;
  readonly createdMs: number;
  readonly expiresAt: number;
  state: 'unread' | 'read' | 'expired';
}

/** By entry: title and state; `undefined` where not all of the log is there, or something was taken out of it. */
export async function noticesFromLog(world: World): Promise<ReadonlyMap<string, string> | undefined> {
  const read = await allEntries(world, noticesChannel);
  const removing = ['delete', 'redact', 'trim'];
  if (!read || read.some(({ entry: { kind, lost } }) => lost !== undefined || removing.includes(kind)))
    return undefined;
  const notices = new Map<string, Notice>();
  const pasts = new Map<string, ReadonlyMap<string, number>>();
  for (const { entry } of read) {
    const past = pastOf(entry, pasts);
    const atMs = unixMsOf(entry.timestamp);
    if (entry.kind === 'notification') notices.set(dotText(entry), noticeOf(entry, atMs));
    if (entry.kind === 'read') mark(notices, entry, past);
    for (const notice of notices.values()) if (atMs >= notice.expiresAt) notice.state = 'expired';
  }
  return new Map([...notices].map(([id, { title, state }]) => [id, `${title} ${state}`]));
}

/** What the entry stands on, itself included: of each writer the newest. */
function pastOf(entry: Entry, pasts: Map<string, ReadonlyMap<string, number>>): ReadonlyMap<string, number> {
  const { writer, seq, parents = [] } = entry;
  const past = new Map<string, number>();
  for (const dot of [{ writer, seq: seq - 1 }, ...parents])
    for (const [each, through] of pasts.get(dotText(dot)) ?? [])
      past.set(each, Math.max(through, past.get(each) ?? 0));
  pasts.set(dotText(entry), past.set(writer, seq));
  return past;
}

function noticeOf(entry: Entry, createdMs: number): Notice {
  const { title, expiresAt = Infinity } = jsonOf(entry) as { title: string; expiresAt?: number };
  return { dot: entry, title, createdMs, expiresAt, state: 'unread' };
}

/** All until a time are those that whoever marked them could have seen. */
function mark(notices: ReadonlyMap<string, Notice>, entry: Entry, past: ReadonlyMap<string, number>): void {
  const { ids = [], until = -Infinity } = jsonOf(entry) as { ids?: string[]; until?: number };
  for (const [id, notice] of notices) {
    const { dot, createdMs, state } = notice;
    const isSeen = dot.seq <= (past.get(dot.writer) ?? 0);
    if (state === 'unread' && (ids.includes(id) || (createdMs <= until && isSeen))) notice.state = 'read';
  }
}

function jsonOf({ content }: Entry): unknown {
  return content ? JSON.parse(utf8Text(content.payload)) : {};
}
