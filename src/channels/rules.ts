/** Rules: named sets of values; channel, namespace and hub each may refer to one, and the most specific wins. */
import { namespaceOf } from '../base/ids.js';
import { limits } from '../base/limits.js';
import type { Level } from '../protocol/messages.js';

export interface RetentionRule {
  readonly maxAgeMs?: number;
  readonly maxCount?: number;
  readonly maxBytes?: number;
}

export interface RuleSet {
  /** Anyone who may connect may subscribe and read history. */
  readonly public: boolean;
  /** Clients without a token are served. */
  readonly allowAnonymous: boolean;
  readonly clientPublish: boolean;
  /** `false`: every publish is a signal. */
  readonly store: boolean;
  /** Publishes become the channel's retained message unless their `retain` extra says otherwise. */
  readonly retain: boolean;
  /** Publishes are marked for push services unless their `push` extra says otherwise. */
  readonly push: boolean;
  /** Patches of a document make the objects that are missing on the way to where they put something. */
  readonly createParents: boolean;
  /** How long after it was published the retained message is given to those who come; left out: as long as it is there. */
  readonly retainMs?: number;
  /** The level a publish is acknowledged at unless it asks for another. */
  readonly ack: Level;
  /** A minority side may go on with `owner`. */
  readonly degrade: boolean;
  readonly retention: RetentionRule;
  /** Signals kept for late joiners: how many. */
  readonly liveHistory: number;
  readonly messageBytesMax: number;
  /** What its clients publish a second at one node; left out: what they may elsewhere. */
  readonly messagesPerSecondMax?: number;
  /** Whoever may subscribe sees who is subscribed, and is told of joins and leaves. */
  readonly presence: boolean;
  /** The same for how many are. */
  readonly occupancy: boolean;
  /** Users that may subscribe find the channel in lists. Of the namespaces `u` and `g`: they find all users and groups too. */
  readonly list: boolean;
  /** Of channels of users and groups: up to where each reader has received and read is kept, and seen by who reads or writes there. */
  readonly receipts: boolean;
  /** What is published carries a signature by the key of its author's account. */
  readonly signed: boolean;
  /** Of a user's own channel: its sessions are subscribed to it by themselves. */
  readonly userChannel: boolean;
}

/** Who is in a group; `undefined` while that is not known here. */
export interface Members {
  has(user: string): boolean | undefined;
}

/** What goes for one channel. */
export interface ChannelRules extends RuleSet {
  /** Where it is a group's. */
  readonly members?: Members;
}

export const defaultRules: RuleSet = {
  public: true,
  allowAnonymous: true,
  clientPublish: true,
  store: true,
  retain: false,
  push: false,
  createParents: false,
  ack: 'quorum',
  degrade: true,
  retention: {},
  liveHistory: 0,
  messageBytesMax: limits.messageBytesMax,
  presence: false,
  occupancy: false,
  list: false,
  receipts: false,
  signed: false,
  userChannel: false,
};

/** Of the receipts of a channel: what goes for the channel, but for what is kept of them. */
export function receiptRules(rules: RuleSet): RuleSet {
  return {
    ...rules,
    store: true,
    retain: false,
    push: false,
    createParents: false,
    degrade: false,
    retention: { maxCount: limits.receiptEntriesKept },
    presence: false,
    occupancy: false,
    list: false,
  };
}

/** Of channels whose rule set is gone: what it allowed is not known. */
export const closedRules: RuleSet = {
  ...defaultRules,
  public: false,
  allowAnonymous: false,
  clientPublish: false,
};

/** Names of rule sets for a hub, its namespaces and single channels. */
export interface HubRules {
  readonly rules?: string;
  readonly namespaces?: Readonly<Record<string, string>>;
  readonly channels?: Readonly<Record<string, string>>;
}

export interface RuleConfig {
  readonly sets: Readonly<Record<string, Partial<RuleSet>>>;
  /** Hubs that exist, with their references. */
  readonly hubs: Readonly<Record<string, HubRules>>;
}

/** The rules of one channel; `undefined` when there is no such hub. A set's missing values are the defaults; where the set
 *  itself is missing only administrators may do anything. */
export function rulesFor(config: RuleConfig, hub: string, channel: string): RuleSet | undefined {
  return rulesOf(config, hub, namespaceOf(channel), channel);
}

/** Of the channels of a namespace that have none of their own. */
export function namespaceRules(config: RuleConfig, hub: string, namespace: string): RuleSet | undefined {
  return rulesOf(config, hub, namespace);
}

function rulesOf(
  config: RuleConfig,
  hub: string,
  namespace: string | undefined,
  channel?: string,
): RuleSet | undefined {
  if (!Object.hasOwn(config.hubs, hub)) return undefined;
  const references = config.hubs[hub]!;
  const name =
    (channel === undefined ? undefined : own(references.channels, channel)) ??
    (namespace === undefined ? undefined : own(references.namespaces, namespace)) ??
    references.rules;
  if (name === undefined) return defaultRules;
  const set = own(config.sets, name);
  return set ? { ...defaultRules, ...set } : closedRules;
}

/** Every name of a set that is referred to and not defined, for the configuration check. */
export function undefinedSets(config: RuleConfig): string[] {
  const missing = new Set<string>();
  for (const hub of Object.values(config.hubs)) {
    const names = [hub.rules, ...Object.values(hub.namespaces ?? {}), ...Object.values(hub.channels ?? {})];
    for (const name of names) if (name !== undefined && !Object.hasOwn(config.sets, name)) missing.add(name);
  }
  return [...missing];
}

/** Whether any channel may have something to be trimmed. */
export function hasRetention(config: RuleConfig): boolean {
  return Object.values(config.sets).some(
    ({ retention, receipts }) =>
      receipts === true || (retention !== undefined && Object.keys(retention).length > 0),
  );
}

function own<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record && Object.hasOwn(record, key) ? record[key] : undefined;
}
