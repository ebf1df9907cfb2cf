/** What a client may do beside what the rules allow everybody: patterns of channels, and of methods that it may call, as its
 *  authentication named them. */
import { limits } from '../base/limits.js';
import { type Result, err, ok } from '../base/result.js';
import { Patterns, checkPattern } from './patterns.js';

/** `notify`: to create notifications. */
export type Action = 'publish' | 'subscribe' | 'delete' | 'notify';
/** With what concerns no channel: `call`, a method. */
type Granted = Action | 'call';

/** As providers and tokens say it, and as clients are told. */
export interface Permissions {
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
  readonly delete?: readonly string[];
  /** Of methods. */
  readonly rpc?: readonly string[];
}

const lists = ['publish', 'subscribe', 'delete', 'rpc'] as const;
const isList = (name: string): name is (typeof lists)[number] => (lists as readonly string[]).includes(name);

export class Grants {
  readonly #patterns: Readonly<Record<Granted, Patterns>>;
  readonly #known: Readonly<Record<Granted, Known>> = {
    publish: new Known(),
    subscribe: new Known(),
    delete: new Known(),
    notify: new Known(),
    call: new Known(),
  };

  /** `permissions` have passed `checkPermissions`. */
  constructor(readonly permissions: Permissions) {
    const { publish = [], subscribe = [], delete: deletes = [], rpc = [] } = permissions;
    this.#patterns = {
      publish: new Patterns(publish),
      subscribe: new Patterns(subscribe),
      delete: new Patterns(deletes),
      // Who may publish anywhere is not meant to notify everybody: the pattern has to say so.
      notify: new Patterns(publish.filter((pattern) => pattern.startsWith('notification:'))),
      call: new Patterns(rpc),
    };
  }

  /** `name`: of a channel, or of a method. */
  allows(action: Granted, name: string): boolean {
    const known = this.#known[action];
    let allowed = known.get(name);
    if (allowed !== undefined) return allowed;
    allowed = this.#patterns[action].matches(name);
    known.set(name, allowed);
    return allowed;
  }
}

/** Channels and methods that were asked for lately: who publishes, publishes to a few. Of whoever goes round many nothing is kept for a
 *  while, since what is kept would be gone before it is asked for again. */
class Known {
  readonly #allowed = new Map<string, boolean>();
  #hits = 0;
  #unkept = 0;

  get(name: string): boolean | undefined {
    const allowed = this.#allowed.get(name);
    if (allowed !== undefined) this.#hits++;
    return allowed;
  }

  set(name: string, allowed: boolean): void {
    if (this.#unkept > 0) {
      this.#unkept--;
      return;
    }
    if (this.#allowed.size >= limits.grantedChannelsKnownMax) {
      if (this.#hits < this.#allowed.size) this.#unkept = unkeptRounds * this.#allowed.size;
      this.#allowed.clear();
      this.#hits = 0;
    }
    this.#allowed.set(name, allowed);
  }
}

const unkeptRounds = 15;

/** Checks what came from outside; the sentence says what is wrong. */
export function checkPermissions(value: unknown): Result<Permissions, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return err('Permissions are lists of channel patterns: {"publish": […], "subscribe": […]}.');
  const permissions: { [list in (typeof lists)[number]]?: string[] } = {};
  for (const [name, list] of Object.entries(value)) {
    if (!isList(name)) return err(`Permissions are "${lists.join('", "')}"; "${name.slice(0, 32)}" is none.`);
    if (!Array.isArray(list) || list.length > limits.channelPatternsMax)
      return err(`"${name}" is a list of at most ${limits.channelPatternsMax} patterns.`);
    for (const text of list as readonly unknown[]) {
      const checked = typeof text === 'string' ? checkPattern(text) : err('A pattern is a text.');
      if (!checked.ok) return checked;
    }
    permissions[name] = list as string[];
  }
  return ok(permissions);
}
