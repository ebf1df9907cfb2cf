/** One session's view of one channel: opening → replaying ⇄ live → ended. History and live deliveries meet without a
 *  seam because `live` begins at the very position up to which the log was read, in the same turn. */
import type { ChannelName } from '../base/ids.js';
import type { Dot } from '../base/ids.js';
import { kindOf } from '../channels/kinds.js';
import type { ChannelLog } from '../log/channel-log.js';
import { LogReader } from '../log/reader.js';
import type { Failure } from '../protocol/errors.js';
import type { Subscriber } from './subscriber.js';

export type SubscriptionState =
  /** The channel's log is being loaded and the start looked up. */
  | { readonly state: 'opening' }
  /** Read from the log at the reader's own pace. */
  | { readonly state: 'replaying'; readonly reader: LogReader }
  /** Fed by fan-out; has everything before `from` already. */
  | { readonly state: 'live'; readonly from: number }
  | { readonly state: 'ended' };

export class Subscription<S extends Subscriber = Subscriber> {
  state: SubscriptionState = { state: 'opening' };
  /** Place in the channel's list of subscribers, so that leaving costs O(1). */
  slot = -1;
  /** Of a document: a patch was delivered late, or was given up since, so what its reader made of it is none of its versions. */
  isRebaseDue = false;
  /** Of a notification channel: what is unread has changed while the reader was behind. */
  isInfoDue = false;
  /** Nobody asked for it: whoever does begins where it says. */
  isAutomatic = false;
  /** Why it was ended, where its client has lost the right to it. */
  refused: Failure | undefined;
  /** What others see of its client in the channel, as JSON. */
  presence: string | undefined;

  constructor(
    readonly session: S,
    readonly channel: ChannelName,
  ) {}

  replayFrom(reader: LogReader): void {
    this.state = { state: 'replaying', reader };
  }

  /** Goes live where replay ended; true when there is nothing left to replay. Who has something beyond the end of the order
   *  stays a reader until the order has it too. */
  goLiveIfAtEnd(log: ChannelLog): boolean {
    if (this.state.state !== 'replaying' || !this.state.reader.isAtEnd(log)) return false;
    if (this.state.reader.tellsGivenUp() && kindOf(this.channel) === 'document') this.isRebaseDue = true;
    if (this.state.reader.isBeyond || this.isRebaseDue) return false;
    this.state = { state: 'live', from: log.endPosition };
    return true;
  }

  /** The reader is behind: from `position` on it reads the log itself. */
  fallBehind(log: ChannelLog, position: number): void {
    this.state = { state: 'replaying', reader: LogReader.atPosition(log, position) };
  }

  end(): void {
    this.state = { state: 'ended' };
  }

  /** Heads of what was handed to the connection so far. */
  heads(log: ChannelLog): readonly Dot[] {
    switch (this.state.state) {
      case 'replaying':
        return this.state.reader.heads(log);
      case 'live':
        return log.headsAt(log.endPosition);
      case 'opening':
      case 'ended':
        return [];
    }
  }
}
