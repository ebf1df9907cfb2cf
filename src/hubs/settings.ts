/** A hub's settings: the fold over its `$settings`. */
import { limits } from '../base/limits.js';
import type { HubRules, RuleConfig, RuleSet } from '../channels/rules.js';
import {
  type Change,
  type Section,
  type SettingsDocument,
  decodeChange,
  mostOf,
  sections,
} from './change.js';
import type { HubOptions, HubQuotas } from './checks.js';
import type { Provider } from './provider.js';
import { Services } from './services.js';
import type { Fold, FoldedEntry, Outcome } from './fold.js';

export class Settings implements Fold {
  readonly #sections = new Map<Section, Map<string, unknown>>(sections.map((name) => [name, new Map()]));
  /** All there was is known: entries that nobody has any more may have been anything. */
  isWhole = true;

  apply({ event, payload, unixMs }: FoldedEntry): Outcome {
    const change = decodeChange(event, payload);
    if (!change.ok) return { isVoid: true, reason: change.error };
    if (change.value.type === 'put' && change.value.section === 'revoked') this.#forgetRevoked(unixMs);
    return this.#change(change.value);
  }

  lacks(): void {
    this.isWhole = false;
  }

  #change(change: Change): Outcome {
    if (change.type === 'replace') {
      for (const section of sections) {
        this.#sections.set(section, new Map(Object.entries(change.document[section] ?? {})));
      }
      this.isWhole = true;
      return done;
    }
    const items = this.#sections.get(change.section)!;
    if (change.type === 'remove') {
      return items.delete(change.name) ? done : { isVoid: true, reason: 'There is no such setting.' };
    }
    const most = mostOf(change.section);
    if (items.size >= most && !items.has(change.name))
      return { isVoid: true, reason: `"${change.section}" has at most ${most} settings.` };
    items.set(change.name, change.value);
    return done;
  }

  /** What no token can be older than need not be kept. */
  #forgetRevoked(unixMs: number): void {
    const revoked = this.#sections.get('revoked')!;
    for (const [user, beforeMs] of revoked) {
      if ((beforeMs as number) < unixMs - limits.tokenLifeMsMax - limits.tokenLeewayMs) revoked.delete(user);
    }
  }

  /** Sections without settings are left out. */
  document(): SettingsDocument {
    const named = [...this.#sections].filter(([, items]) => items.size > 0);
    // Each was checked when it was put.
    return Object.fromEntries(named.map(([section, items]) => [section, Object.fromEntries(items)]));
  }
}

const done: Outcome = { isVoid: false };

/** What goes for a hub: its settings over what the configuration of the node says. */
export interface HubView {
  readonly rules: RuleConfig;
  readonly anonymous: boolean;
  /** Users make groups. */
  readonly groups: boolean;
  /** By name, in the order of names. */
  readonly providers: ReadonlyMap<string, Provider>;
  /** Of channels, by name. */
  readonly metadata: ReadonlyMap<string, unknown>;
  readonly services: Services;
  readonly revoked: ReadonlyMap<string, number>;
  readonly quotas: HubQuotas;
}

/** All that is said of a hub but what is no quota. */
function quotasIn({
  rules: _rules,
  anonymous: _anonymous,
  groups: _groups,
  ...quotas
}: HubOptions): HubQuotas {
  return quotas;
}

/** `settings` is left out for a hub that has none; `providers`: those of every hub, as far as its settings name no others. */
export function viewOf(
  hub: string,
  config: RuleConfig,
  settings?: SettingsDocument,
  providers: Readonly<Record<string, Provider>> = {},
): HubView {
  const own: HubRules = Object.hasOwn(config.hubs, hub) ? config.hubs[hub]! : {};
  const options: HubOptions = settings?.hub ?? {};
  const rules = options.rules ?? own.rules;
  const references: HubRules = {
    ...(rules === undefined ? {} : { rules }),
    namespaces: { ...own.namespaces, ...settings?.namespaces },
    channels: { ...own.channels, ...settings?.channels },
  };
  const sets: Readonly<Record<string, Partial<RuleSet>>> = { ...config.sets, ...settings?.rules };
  const named = Object.entries({ ...providers, ...settings?.providers });
  return {
    rules: { sets, hubs: { [hub]: references } },
    anonymous: options.anonymous ?? true,
    groups: options.groups ?? true,
    providers: new Map(named.sort(([a], [b]) => (a < b ? -1 : 1))),
    metadata: new Map(Object.entries(settings?.metadata ?? {})),
    services: new Services(settings?.services),
    revoked: new Map(Object.entries(settings?.revoked ?? {})),
    quotas: quotasIn(options),
  };
}
