/** Checks of values that settings hold. Each gives the value as it is kept, or a sentence that says what is wrong. */
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import type { RuleSet } from '../channels/rules.js';

/** What a hub and its users may ask of one node. */
export interface HubQuotas {
  /** Of all its clients together. */
  readonly messagesPerSecondMax?: number;
  /** Of all sessions of one user. */
  readonly userMessagesPerSecondMax?: number;
  readonly sessionsMax?: number;
  /** Channels that were not there, of all who write. */
  readonly channelsPerSecondMax?: number;
  /** In all channels that the node holds. */
  readonly bytesMax?: number;
}

/** What concerns a hub as a whole. */
export interface HubOptions extends HubQuotas {
  /** The rule set of channels that have none of their own. */
  readonly rules?: string;
  /** Clients without a token are served, where the node serves any. */
  readonly anonymous?: boolean;
  /** Users make groups; left out: they do. */
  readonly groups?: boolean;
}

export type Check = (value: unknown) => string | undefined;

const flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'is true or false');
export const between =
  (least: number, most: number): Check =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
      ? undefined
      : `is a whole number from ${least} to ${most}`;
const name: Check = (value) =>
  typeof value === 'string' && value.length > 0 && value.length <= limits.settingNameBytesMax
    ? undefined
    : 'is the name of a rule set';

const retentionChecks: Readonly<Record<string, Check>> = {
  maxAgeMs: between(1, Number.MAX_SAFE_INTEGER),
  maxCount: between(1, Number.MAX_SAFE_INTEGER),
  maxBytes: between(1, Number.MAX_SAFE_INTEGER),
};

const ruleChecks: Readonly<Record<keyof RuleSet, Check>> = {
  public: flag,
  allowAnonymous: flag,
  clientPublish: flag,
  store: flag,
  retain: flag,
  push: flag,
  createParents: flag,
  retainMs: between(1, Number.MAX_SAFE_INTEGER),
  ack: (value) =>
    value === 'memory' || value === 'owner' || value === 'quorum'
      ? undefined
      : 'is "memory", "owner" or "quorum"',
  degrade: flag,
  retention: (value) => problemOf(value, retentionChecks),
  liveHistory: between(0, limits.liveHistoryEntriesMax),
  messageBytesMax: between(1, limits.messageBytesMax),
  messagesPerSecondMax: between(1, limits.quotaMax),
  presence: flag,
  occupancy: flag,
  list: flag,
  receipts: flag,
  signed: flag,
  userChannel: flag,
};

const hubChecks: Readonly<Record<keyof HubOptions, Check>> = {
  rules: name,
  anonymous: flag,
  groups: flag,
  messagesPerSecondMax: between(1, limits.quotaMax),
  userMessagesPerSecondMax: between(1, limits.quotaMax),
  sessionsMax: between(1, limits.quotaMax),
  channelsPerSecondMax: between(1, limits.quotaMax),
  bytesMax: between(1, Number.MAX_SAFE_INTEGER),
};

/** Where it leads is checked when it is used: names may lead elsewhere by then. */
export const address: Check = (value) =>
  typeof value === 'string' &&
  value.length <= limits.settingTextBytesMax &&
  /^https?:\/\/[^\s@]+$/.test(value)
    ? undefined
    : 'is a URL that begins with https:// or http://, without a user';

const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

/** Of requests to a service. */
export const requestHeaders: Check = (value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is an object';
  const all = Object.entries(value);
  const isRight = ([header, content]: [string, unknown]) =>
    headerName.test(header) && typeof content === 'string' && /^[\x20-\x7e]{0,1024}$/.test(content);
  return all.length <= 16 && all.every(isRight) ? undefined : 'holds at most 16 headers, names and texts';
};

export function checkRuleSet(value: unknown): Result<Partial<RuleSet>, string> {
  const problem = problemOf(value, ruleChecks);
  return problem === undefined ? ok(value as Partial<RuleSet>) : err(`A rule set ${problem}.`);
}

export function checkHubOption(option: string, value: unknown): Result<unknown, string> {
  if (!Object.hasOwn(hubChecks, option))
    return err(`There is no option "${option}" of hubs; there are ${Object.keys(hubChecks).join(', ')}.`);
  const problem = hubChecks[option as keyof HubOptions](value);
  return problem === undefined ? ok(value) : err(`"${option}" ${problem}.`);
}

/** `undefined` for an object whose every member is known and right. */
export function problemOf(value: unknown, checks: Readonly<Record<string, Check>>): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is an object';
  for (const [member, item] of Object.entries(value)) {
    if (!Object.hasOwn(checks, member)) return `has no "${member.slice(0, 32)}"`;
    const problem = checks[member]!(item);
    if (problem !== undefined) return `has a "${member}" that ${problem}`;
  }
  return undefined;
}
