/** What nodes tell each other of who is in a channel: the node that holds a connection tells the channel's homes, and a
 *  home tells nodes whose clients ask. Nothing of it is stored. */
import type { ChannelRef } from '../base/ids.js';
import type { Member } from '../protocol/messages.js';

export interface VersionedMember {
  readonly member: Member;
  /** Counts all changes at the node that holds the connection, since its process began. */
  readonly version: number;
}

/** What is new in one channel. */
export interface ToldChannel {
  readonly ref: ChannelRef;
  readonly joins: readonly VersionedMember[];
  /** Sessions. */
  readonly leaves: readonly string[];
  /** Present beside those that are named. */
  readonly others: number;
  /** The receiver is no home of it any more: whatever was told of it goes. */
  readonly isGone: boolean;
}

/** One of a numbered stream to a home. A stream begins with every link, with all there is. */
export interface PresenceTold {
  readonly type: 'presence';
  /** The process that holds the connections: 16 hex digits. */
  readonly boot: string;
  /** Rises with every stream of that process. */
  readonly stream: number;
  /** 1, 2, 3 … within the stream. */
  readonly number: number;
  /** All there was when the stream began has been told. */
  readonly isWhole: boolean;
  readonly channels: readonly ToldChannel[];
}

/** Begin anew: what came does not go on from what was there. */
export interface PresenceAsked {
  readonly type: 'askPresence';
}

/** Tell me who is in this channel from now on, or only how many. */
export interface PresenceFollow {
  readonly type: 'followPresence';
  /** Of the asking node, never used again by this process. */
  readonly id: number;
  readonly ref: ChannelRef;
  readonly isCount: boolean;
}

export interface PresenceUnfollow {
  readonly type: 'unfollowPresence';
  readonly id: number;
}

export interface PresenceFollowed {
  readonly type: 'presenceFollowed';
  readonly id: number;
  /** Takes the place of what was told before, once it is whole. */
  readonly begins: boolean;
  readonly isWhole: boolean;
  readonly joins: readonly Member[];
  /** Sessions. */
  readonly leaves: readonly string[];
  /** All that are present, named or not. */
  readonly count: number;
}

/** Ask somebody else: this node is no home of it, or does not know yet itself. */
export interface PresenceEnded {
  readonly type: 'presenceEnded';
  readonly id: number;
}

export type PresenceMessage =
  | PresenceTold
  | PresenceAsked
  | PresenceFollow
  | PresenceUnfollow
  | PresenceFollowed
  | PresenceEnded;

const types: ReadonlySet<string> = new Set<PresenceMessage['type']>([
  'presence',
  'askPresence',
  'followPresence',
  'unfollowPresence',
  'presenceFollowed',
  'presenceEnded',
]);

export function isPresenceMessage<M extends { readonly type: string }>(
  message: M | PresenceMessage,
): message is PresenceMessage {
  return types.has(message.type);
}
