/** Channels in which the system keeps what it knows: which, how they are written, and what their entries are called. */
import { type ChannelName, isSystemChannel, systemHub } from '../base/ids.js';
import type { ChannelRef, HubName } from '../base/ids.js';
import { type RuleSet, defaultRules } from '../channels/rules.js';
import type { EntryKind } from '../log/entry.js';

/** Which hubs there are beside those of the configuration. */
export const catalogRef: ChannelRef = { hub: systemHub, channel: '$hubs' as ChannelName };

export function settingsRef(hub: HubName): ChannelRef {
  return { hub, channel: '$settings' as ChannelName };
}

/** Decisions must be the same for all who read them: never written on a minority side, never trimmed. */
export const systemRules: RuleSet = {
  ...defaultRules,
  public: false,
  allowAnonymous: false,
  clientPublish: false,
  degrade: false,
};

/** What kind of entry a message of this channel is. */
export function entryKindOf(channel: string): EntryKind {
  if (!isSystemChannel(channel)) return 'publish';
  return channel === '$users' ? 'member' : 'settings';
}
