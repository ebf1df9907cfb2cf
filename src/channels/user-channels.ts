/** Channels of a user's own, `u:` and who it is: for direct messages, which all of that user's sessions get, and which wait
 *  while there are none. What stands behind another ":" is that user's too. */
import { channelSegmentFor } from '../base/ids.js';

const prefix = 'u:';

/** Where direct messages for this user go. */
export function userChannelOf(user: string): string {
  return prefix + channelSegmentFor(user);
}

/** Whether the channel is that user's own. */
export function isOwnChannel(channel: string, user: string): boolean {
  const own = userChannelOf(user);
  return channel === own || channel.startsWith(`${own}:`);
}

/** Whose it is; `undefined` where the name is nobody's. */
export function ownerOf(channel: string): string | undefined {
  const [, segment = ''] = channel.split(':');
  try {
    const user = decodeURIComponent(segment);
    return user !== '' && isOwnChannel(channel, user) ? user : undefined;
  } catch {
    return undefined;
  }
}
