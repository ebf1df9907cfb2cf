/** What a channel is, by its name (`doc:`, `receipts:`, `notification:`, `u:`, `g:`, `$…`; anything else is plain). */
import { isSystemChannel, namespaceOf } from '../base/ids.js';

export type ChannelKind = 'plain' | 'document' | 'notification' | 'user' | 'group' | 'system';

export function kindOf(channel: string): ChannelKind {
  if (isSystemChannel(channel)) return 'system';
  switch (namespaceOf(channel)) {
    case 'doc':
    case 'receipts':
      return 'document';
    case 'notification':
      return 'notification';
    case 'u':
      return 'user';
    case 'g':
      return 'group';
    default:
      return 'plain';
  }
}
