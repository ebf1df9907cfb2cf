/** A channel's log as one request reads it. */
import type { ChannelRef, Dot } from '../base/ids.js';
import type { ChannelLog } from '../log/channel-log.js';
import type { ActiveChannel } from './active-channel.js';
import type { Fetched, Ordering } from './ordering.js';
import type { Logs } from './ports.js';

export interface Readable {
  readonly logs: Pick<Logs, 'read'>;
  readonly ref: ChannelRef;
  readonly log: ChannelLog;
}

/** With what it takes to find a reader's place. */
export interface Scan extends Readable {
  readonly logs: Logs;
  /** Brings what a reader had elsewhere and the log lacks. */
  fetch(dots: readonly Dot[]): Promise<Fetched>;
  /** Waits a moment for what is held and not known to be committed. */
  settled(): Promise<void>;
}

interface Reachable {
  readonly logs: Logs;
  readonly ordering: Pick<Ordering, 'fetch' | 'known'>;
}

/** Of a channel that is loaded. */
export function scanOf({ logs, ordering }: Reachable, channel: ActiveChannel): Scan {
  const { ref } = channel;
  return {
    logs,
    ref,
    // Of a channel followed at another node it may be replaced meanwhile.
    get log() {
      return channel.log;
    },
    fetch: (dots) => ordering.fetch(ref, dots),
    settled: async () => await ordering.known(channel),
  };
}
