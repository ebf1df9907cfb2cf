/** What a publish came to. */
import { type Dot, dotText } from '../base/ids.js';
import { unixMsOf } from '../log/timestamp.js';
import type { Ack, Level } from '../protocol/messages.js';

export interface Published {
  /** `writer-seq`; absent for a signal. */
  readonly id: string | undefined;
  readonly dot: Dot | undefined;
  readonly timestamp: number;
  readonly time: Date;
  /** The level reached, and how many copies there are. */
  readonly level: Level;
  readonly copies: number;
  /** The idempotency key was taken before: this is what became of the first. */
  readonly duplicate: boolean;
  /** Of a patch: the document's version behind it. */
  readonly version?: number | undefined;
}

export function publishedOf({ dot, timestamp, level, copies, duplicate, version }: Ack): Published {
  const id = dot && dotText(dot);
  const time = new Date(unixMsOf(timestamp));
  return { id, dot, timestamp, time, level, copies, duplicate, ...(version && { version }) };
}
