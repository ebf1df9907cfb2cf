/** What a channel log is made of, as its algorithms see it. */
import type { Dot, WriterId } from '../base/ids.js';
import type { CommittedOrder } from './committed-order.js';
import type { Trim } from './entry.js';
import { SubLog } from './sub-log.js';

export interface LogParts {
  readonly subLogs: SubLogs;
  readonly order: CommittedOrder;
  /** The newest trim applied: `through` is the newest trimmed entry. */
  trim: Trim | undefined;
  /** The placed entry marked `retain` that is last in the order, unless it is trimmed. */
  retained: Dot | undefined;
}

const scannedMax = 8;

/** Sub-logs by writer. Most channels have one or a few: a list takes a fraction of a map's memory, and finds as fast. */
export class SubLogs {
  #list: SubLog[] = [];
  #byWriter: Map<WriterId, SubLog> | undefined;

  get size(): number {
    return this.#list.length;
  }

  /** In the order they were added. */
  values(): readonly SubLog[] {
    return this.#list;
  }

  get(writer: WriterId): SubLog | undefined {
    if (this.#byWriter) return this.#byWriter.get(writer);
    for (const subLog of this.#list) if (subLog.writer === writer) return subLog;
    return undefined;
  }

  /** The sub-log of a writer, an empty one if there was none. */
  obtain(writer: WriterId): SubLog {
    const known = this.get(writer);
    if (known) return known;
    const subLog = new SubLog(writer);
    this.add(subLog);
    return subLog;
  }

  /** Of a writer that has none yet. */
  add(subLog: SubLog): void {
    // A first push would make room for many.
    if (this.#list.length === 0) this.#list = [subLog];
    else this.#list.push(subLog);
    if (this.#byWriter) this.#byWriter.set(subLog.writer, subLog);
    else if (this.#list.length > scannedMax) {
      this.#byWriter = new Map(this.#list.map((each) => [each.writer, each]));
    }
  }
}
