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
}

export function publishedOf({ dot, timestamp, level, copies, duplicate }: Ack): Published {
  const id = dot && dotText(dot);
  return { id, dot, timestamp, time: new Date(unixMsOf(timestamp)), level, copies, duplicate };
}
