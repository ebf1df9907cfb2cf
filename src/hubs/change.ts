/** A change of a hub's settings, as it is written down: one entry each, so that settings replicate and audit like anything
 *  else. What comes from outside and what comes from the log is checked by the same code. */
import { utf8, utf8Text } from '../base/bytes.js';
import { parseChannelName } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import { isNestedWithin } from '../protocol/json-text.js';
import type { RuleSet } from '../channels/rules.js';
import { type HubOptions, checkHubOption, checkRuleSet } from './checks.js';
import { type Provider, checkProvider } from './provider.js';
import { type Service, checkService } from './services.js';

/** A hub's settings as one value: the file that is exported and imported. */
export interface SettingsDocument {
  readonly hub?: HubOptions;
  readonly rules?: Readonly<Record<string, Partial<RuleSet>>>;
  /** Rule sets of namespaces and of single channels, by name. */
  readonly namespaces?: Readonly<Record<string, string>>;
  readonly channels?: Readonly<Record<string, string>>;
  /** What is known of single channels, by name: JSON that the nodes make nothing of. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly providers?: Readonly<Record<string, Provider>>;
  /** What clients may call, by name. */
  readonly services?: Readonly<Record<string, Service>>;
  /** By user: what authenticated before that time (Unix milliseconds) no longer counts. */
  readonly revoked?: Readonly<Record<string, number>>;
}

export const sections = [
  'hub',
  'rules',
  'namespaces',
  'channels',
  'metadata',
  'providers',
  'services',
  'revoked',
] as const;
export type Section = (typeof sections)[number];

export type Change =
  | { readonly type: 'put'; readonly section: Section; readonly name: string; readonly value: unknown }
  | { readonly type: 'remove'; readonly section: Section; readonly name: string }
  /** Nothing of before counts. */
  | { readonly type: 'replace'; readonly document: SettingsDocument };

const namePattern = /^[A-Za-z0-9._~@+=-]+$/;

export function isSection(text: string): text is Section {
  return (sections as readonly string[]).includes(text);
}

/** The value as it is kept, or a sentence. */
export function checkSetting(section: Section, name: string, value: unknown): Result<unknown, string> {
  const named = checkName(section, name);
  if (!named.ok) return named;
  switch (section) {
    case 'hub':
      return checkHubOption(name, value);
    case 'rules':
      return checkRuleSet(value);
    case 'namespaces':
    case 'channels':
      return typeof value === 'string' &&
        namePattern.test(value) &&
        value.length <= limits.settingNameBytesMax
        ? ok(value)
        : err('The value is the name of a rule set.');
    case 'metadata':
      return checkMetadata(value);
    case 'providers':
      return checkProvider(value);
    case 'services':
      return checkService(value);
    case 'revoked':
      return Number.isSafeInteger(value) && (value as number) >= 0
        ? ok(value)
        : err('The value is a time in Unix milliseconds.');
  }
}

function checkMetadata(value: unknown): Result<unknown, string> {
  const bytes = utf8(JSON.stringify(value) ?? '');
  const isSmall = bytes.length <= limits.metadataBytesMax && isNestedWithin(limits.metadataDepthMax, bytes);
  return isObject(value) && isSmall
    ? ok(value)
    : err(
        `Metadata is an object of at most ${limits.metadataBytesMax} bytes and ${limits.metadataDepthMax} levels.`,
      );
}

function checkName(section: Section, name: string): Result<string, string> {
  if (section === 'channels' || section === 'metadata') return parseChannelName(name);
  // A user is whatever an authentication provider says it is.
  const isName = section === 'revoked' ? name.length > 0 : namePattern.test(name);
  return isName && name.length <= limits.settingNameBytesMax
    ? ok(name)
    : err(`A name in "${section}" has 1 to ${limits.settingNameBytesMax} of A-Z, a-z, 0-9 and ._~@+=-.`);
}

/** All of a document, as an import brings it. */
export function checkDocument(value: unknown): Result<SettingsDocument, string> {
  if (!isObject(value)) return err('Settings are an object of sections.');
  for (const [section, items] of Object.entries(value)) {
    if (!isSection(section)) return err(`There is no section "${section.slice(0, 32)}" in settings.`);
    if (!isObject(items)) return err(`"${section}" is an object of settings by name.`);
    const entries = Object.entries(items);
    if (entries.length > mostOf(section)) return err(`"${section}" has at most ${mostOf(section)} settings.`);
    for (const [name, item] of entries) {
      const checked = checkSetting(section, name, item);
      if (!checked.ok) return err(`${section}.${name.slice(0, 64)}: ${checked.error}`);
    }
  }
  return ok(value);
}

export function mostOf(section: Section): number {
  if (section === 'providers') return limits.providersPerHubMax;
  if (section === 'metadata') return limits.channelMetadataMax;
  return section === 'services' ? limits.servicesPerHubMax : limits.settingsPerSectionMax;
}

/** As the payload of an entry. */
export function encodeChange(change: Change): { readonly event: string; readonly payload: Uint8Array } {
  const { type, ...rest } = change;
  return { event: type, payload: utf8(JSON.stringify(rest)) };
}

/** What an entry says; a sentence for one that is void: written by a later version, or by nobody of us. */
export function decodeChange(event: string | undefined, payload: Uint8Array): Result<Change, string> {
  let value: unknown;
  try {
    value = JSON.parse(utf8Text(payload));
  } catch {
    return err('The entry is not JSON.');
  }
  if (!isObject(value)) return err('The entry is no object.');
  if (event === 'replace') {
    const document = checkDocument(value['document']);
    return document.ok ? ok({ type: 'replace', document: document.value }) : document;
  }
  const { section, name } = value;
  if (typeof section !== 'string' || !isSection(section) || typeof name !== 'string')
    return err('The entry names no setting.');
  if (event === 'remove') return ok({ type: 'remove', section, name });
  if (event !== 'put') return err('The entry is no change of settings.');
  const checked = checkSetting(section, name, value['value']);
  return checked.ok ? ok({ type: 'put', section, name, value: checked.value }) : checked;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
