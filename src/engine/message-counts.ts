/** Where the newest so many messages of a channel begin, for retention by count. What owners write to go on is no message, so it
 *  takes none's place. Of a channel that has as many entries every one is read once for that, and about once more when it goes. */
import type { ChannelLog } from '../log/channel-log.js';
import type { EntryKind } from '../log/entry.js';
import { recordKind } from '../log/record-layout.js';
import { LogReader } from '../log/reader.js';
import { isAboveCount } from '../log/retention.js';
import { scanForward } from './history.js';
import type { Readable } from './scan.js';

/** So many messages lie at positions [from, through). */
interface Counted {
  readonly maxCount: number;
  readonly from: number;
  readonly through: number;
  readonly messages: number;
}

const ownersKinds: ReadonlySet<EntryKind | undefined> = new Set<EntryKind>([
  'trim',
  'merge',
  'gap',
  'snapshot',
  'delete',
  'redact',
]);

export class MessageCounts {
  readonly #known = new WeakMap<ChannelLog, Counted>();

  /** Position of the oldest message to be kept. */
  async keptFrom(at: Readable, maxCount: number): Promise<number> {
    const known = this.#counted(at.log, maxCount);
    // There are no more messages than entries.
    const most = known.messages + at.log.endPosition - known.through;
    if (!isAboveCount(maxCount, most)) return known.from;
    const counted = await passOver(at, await countOn(at, known));
    this.#known.set(at.log, counted);
    return counted.from;
  }

  #counted(log: ChannelLog, maxCount: number): Counted {
    const first = Math.max(log.firstPosition, log.generation.start);
    const known = this.#known.get(log);
    return known && known.maxCount === maxCount && known.from >= first
      ? known
      : { maxCount, from: first, through: first, messages: 0 };
  }
}

/** Through the end of the order. */
async function countOn(at: Readable, known: Counted): Promise<Counted> {
  const reader = LogReader.atPosition(at.log, known.through);
  let { messages } = known;
  for await (const _ of messagesBehind(at, reader)) messages++;
  return { ...known, messages, through: reader.position };
}

/** Past the oldest, where there are more than are to be kept. */
async function passOver(at: Readable, counted: Counted): Promise<Counted> {
  const { maxCount, from, through, messages } = counted;
  if (!isAboveCount(maxCount, messages)) return counted;
  let excess = messages - maxCount;
  if (maxCount > 0)
    for await (const position of messagesBehind(at, LogReader.atPosition(at.log, from)))
      if (excess-- === 0) return { ...counted, from: position, messages: maxCount };
  return { ...counted, from: through, messages: 0 };
}

/** Positions of messages; what is lost or given up is none. */
async function* messagesBehind(at: Readable, reader: LogReader): AsyncGenerator<number> {
  for await (const item of scanForward(at, reader)) {
    if (item.type !== 'record') continue;
    const { slice, seq, bodyStart, end } = item;
    const isMessage = !ownersKinds.has(recordKind(slice.records, bodyStart, end));
    if (isMessage && !at.log.isGivenUp(slice.writer, seq, seq)) yield reader.position - 1;
  }
}
