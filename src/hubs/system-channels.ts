/** Channels in which the system keeps what it knows: which, how they are written, and what their entries are called. */
import { type ChannelName, isSystemChannel, systemHub } from '../base/ids.js';
import type { ChannelRef, HubName } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type RuleSet, defaultRules } from '../channels/rules.js';
import type { EntryKind } from '../log/entry.js';

/** Which hubs there are beside those of the configuration. */
export const catalogRef: ChannelRef = { hub: systemHub, channel: '$hubs' as ChannelName };

export function settingsRef(hub: HubName): ChannelRef {
  return { hub, channel: '$settings' as ChannelName };
}

export function usersRef(hub: HubName): ChannelRef {
  return { hub, channel: '$users' as ChannelName };
}

export function groupsRef(hub: HubName): ChannelRef {
  return { hub, channel: '$groups' as ChannelName };
}

/** The key that what is known of a person is sealed under: the newest entry alone stays, once it says that the key is destroyed. */
export function personKeyRef(hub: HubName, id: string): ChannelRef {
  return { hub, channel: `${personKeyPrefix}${id}` as ChannelName };
}

const personKeyPrefix = '$keys:';

export function isPersonKey(channel: string): boolean {
  return channel.startsWith(personKeyPrefix);
}

/** The id of the person, of such a channel. */
export function personOfKey(channel: string): string {
  return channel.slice(personKeyPrefix.length);
}

/** What is kept of sessions so that they can be restored. */
export function sessionsRef(hub: HubName): ChannelRef {
  return { hub, channel: sessionsChannel };
}

const sessionsChannel = '$sessions' as ChannelName;

/** Decisions must be the same for all who read them: never written on a minority side, never trimmed. */
export const systemRules: RuleSet = {
  ...defaultRules,
  public: false,
  allowAnonymous: false,
  clientPublish: false,
  degrade: false,
};

const personKeyRules: RuleSet = { ...systemRules, retention: { maxCount: 1 } };

const sessionsRules: RuleSet = { ...systemRules, retention: { maxAgeMs: limits.sessionLogMs } };

/** Of sessions, also where a hub has no settings: a key that is used twice is a stranger let in. */
export function hasOwnRules(channel: string): boolean {
  return channel === sessionsChannel;
}

export function systemRulesOf(channel: string): RuleSet {
  if (channel === sessionsChannel) return sessionsRules;
  return isPersonKey(channel) ? personKeyRules : systemRules;
}

/** What kind of entry a message of this channel is. */
export function entryKindOf(channel: string): EntryKind {
  if (!isSystemChannel(channel)) return 'publish';
  const isOfPeople = channel === '$users' || channel === '$groups' || isPersonKey(channel);
  return isOfPeople || channel === sessionsChannel ? 'member' : 'settings';
}
