/** What a client may do beside what the rules allow everybody: patterns of channels, as its authentication named them. */
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import { Patterns, checkPattern } from './patterns.js';

/** `notify`: to create notifications. */
export type Action = 'publish' | 'subscribe' | 'delete' | 'notify';

/** As providers and tokens say it, and as clients are told. */
export interface Permissions {
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
  readonly delete?: readonly string[];
}

export class Grants {
  readonly #patterns: Readonly<Record<Action, Patterns>>;
  /** Channels that were asked for lately: who publishes, publishes to a few. */
  readonly #known: Readonly<Record<Action, Map<string, boolean>>> = {
    publish: new Map(),
    subscribe: new Map(),
    delete: new Map(),
    notify: new Map(),
  };

  /** `permissions` have passed `checkPermissions`. */
  constructor(readonly permissions: Permissions) {
    const { publish = [], subscribe = [], delete: deletes = [] } = permissions;
    this.#patterns = {
      publish: new Patterns(publish),
      subscribe: new Patterns(subscribe),
      delete: new Patterns(deletes),
      // Who may publish anywhere is not meant to notify everybody: the pattern has to say so.
      notify: new Patterns(publish.filter((pattern) => pattern.startsWith('notification:'))),
    };
  }

  allows(action: Action, channel: string): boolean {
    const known = this.#known[action];
    let allowed = known.get(channel);
    if (allowed !== undefined) return allowed;
    allowed = this.#patterns[action].matches(channel);
    if (known.size >= limits.grantedChannelsKnownMax) known.clear();
    known.set(channel, allowed);
    return allowed;
  }
}

/** Checks what came from outside; the sentence says what is wrong. */
export function checkPermissions(value: unknown): Result<Permissions, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return err('Permissions are lists of channel patterns: {"publish": […], "subscribe": […]}.');
  const permissions: { publish?: string[]; subscribe?: string[]; delete?: string[] } = {};
  for (const [name, list] of Object.entries(value)) {
    if (name !== 'publish' && name !== 'subscribe' && name !== 'delete')
      return err(`Permissions are "publish", "subscribe" and "delete"; "${name.slice(0, 32)}" is none.`);
    if (!Array.isArray(list) || list.length > limits.channelPatternsMax)
      return err(`"${name}" is a list of at most ${limits.channelPatternsMax} channel patterns.`);
    for (const text of list as readonly unknown[]) {
      const checked = typeof text === 'string' ? checkPattern(text) : err('A channel pattern is a text.');
      if (!checked.ok) return checked;
    }
    permissions[name] = list as string[];
  }
  return ok(permissions);
}
