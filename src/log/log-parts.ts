/** What a channel log is made of, as its algorithms see it. */
import type { Dot, WriterId } from '../base/ids.js';
import { ByWriter } from './by-writer.js';
import type { CommittedOrder } from './committed-order.js';
import type { Deletion, Trim } from './entry.js';
import { SubLog } from './sub-log.js';

/** A trim that is stored and has not taken effect. */
export interface HeldTrim {
  readonly dot: Dot;
  readonly trim: Trim;
}

/** What is of an older generation is learned as it comes in. */
export interface KnownDeletion extends Deletion {
  readonly old: Map<WriterId, number>;
}

/** An entry that is redacted. */
export interface Redaction extends Dot {
  /** The entries that say so: seldom more than one. */
  readonly by: readonly Dot[];
  /** Its content is not on the disk any more. */
  readonly isErased: boolean;
}

export interface LogParts {
  readonly subLogs: SubLogs;
  readonly order: CommittedOrder;
  /** The newest trim applied: `through` is the newest trimmed entry. */
  trim: Trim | undefined;
  /** Held, and not in force yet; in order of arrival. */
  trims: HeldTrim[];
  /** The newest that is committed, as long as it is remembered. */
  deletion: KnownDeletion | undefined;
  /** The placed entry marked `retain` that is last in the order, unless it is trimmed. */
  retained: Dot | undefined;
  /** Of what is held; in order of arrival. Nearly always empty. */
  redactions: readonly Redaction[];
}

/** How many are held above the floors, those of an older generation left out. */
export function entriesOf({ subLogs }: LogParts): number {
  let entries = 0;
  for (const subLog of subLogs.values()) entries += subLog.seq - subLog.goneThrough;
  return entries;
}

/** Sub-logs by writer. */
export class SubLogs extends ByWriter<SubLog> {
  /** The sub-log of a writer, an empty one if there was none. */
  obtain(writer: WriterId): SubLog {
    const known = this.get(writer);
    if (known) return known;
    const subLog = new SubLog(writer);
    this.add(subLog);
    return subLog;
  }
}
