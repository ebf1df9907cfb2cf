/** What administrators do: hubs, what goes in them, their people, channels and logs. `ringlog/admin`, for Node and wherever an
 *  administrator's token is safe.
 *
 *      const acme = administrationOf({ url, token }).hub('acme');
 *      await acme.set('rules', 'members', { public: false });
 *      await acme.set('namespaces', 'room', 'members');
 *      await acme.revoke('ada');
 */
import { type HttpQuestion, askHttp } from './http.js';
import { defaults } from './options.js';

export interface AdministrationOptions {
  /** `http(s)://` of a node. */
  readonly url: string;
  /** An administrator's; as a function, asked for each time. */
  readonly token?: string | (() => string | Promise<string>);
  /** How long an answer may take: 30 s by default. */
  readonly timeoutMs?: number;
}

/** By section and name, as docs/hubs.md says what each may be. */
export interface HubSettings {
  readonly hub?: Readonly<Record<string, string | number | boolean>>;
  readonly rules?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly namespaces?: Readonly<Record<string, string>>;
  readonly channels?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly providers?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly services?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly revoked?: Readonly<Record<string, number>>;
}

export type SettingsSection = keyof HubSettings;
type Setting<S extends SettingsSection> = NonNullable<HubSettings[S]>[string];

export interface ListOptions {
  /** What comes behind this name. */
  readonly after?: string;
  readonly limit?: number;
}

export interface ChannelSizes {
  readonly channel: string;
  readonly entries: number;
  readonly bytes: number;
  readonly lastTimestamp: number;
  readonly lastTime: string;
}

export interface AdministeredLogQuery {
  /** Unix milliseconds, an ISO time, or a cursor. */
  readonly since?: number | string;
  readonly until?: number | string;
  readonly event?: string;
  readonly kind?: string;
  readonly actor?: string;
  readonly writer?: string;
  readonly order?: 'oldest' | 'newest';
  readonly limit?: number;
  /** Of the page before. */
  readonly cursor?: string;
}

export interface AdministeredLogPage {
  readonly entries: readonly {
    readonly id: string;
    readonly timestamp: number;
    readonly time: string;
    readonly kind: string;
    readonly actor?: string;
    readonly event?: string;
    readonly data?: unknown;
    readonly [more: string]: unknown;
  }[];
  readonly cursor: string;
  readonly more: boolean;
}

/** Every method rejects with RinglogError. */
export function administrationOf(options: AdministrationOptions): Administration {
  return new Administration(options);
}

type Ask = (question: Omit<HttpQuestion, 'token' | 'timeoutMs'>) => Promise<unknown>;

class Administration {
  readonly #ask: Ask;

  constructor({ url, token, timeoutMs = defaults.historyTimeoutMs }: AdministrationOptions) {
    this.#ask = async (question) => {
      const shown = typeof token === 'function' ? await token() : token;
      return askHttp(url, { ...question, token: shown, timeoutMs });
    };
  }

  async hubs(): Promise<readonly string[]> {
    const { hubs } = (await this.#ask({ method: 'GET', path: '/v1/admin/hubs' })) as { hubs: string[] };
    return hubs;
  }

  /** False where it was there. */
  async createHub(name: string): Promise<boolean> {
    const path = `/v1/admin/hubs/${encodeURIComponent(name)}`;
    return ((await this.#ask({ method: 'PUT', path })) as { created: boolean }).created;
  }

  /** For good, with all that it holds. */
  async deleteHub(name: string): Promise<void> {
    await this.#ask({ method: 'DELETE', path: `/v1/admin/hubs/${encodeURIComponent(name)}` });
  }

  /** Of the node that is asked. */
  async status(): Promise<Readonly<Record<string, unknown>>> {
    return (await this.#ask({ method: 'GET', path: '/v1/admin/status' })) as Record<string, unknown>;
  }

  hub(name: string): HubAdministration {
    return new HubAdministration(name, this.#ask);
  }
}

class HubAdministration {
  readonly #ask: Ask;
  readonly #admin: string;
  readonly #client: string;

  constructor(name: string, ask: Ask) {
    this.#ask = ask;
    this.#admin = `/v1/admin/hubs/${encodeURIComponent(name)}`;
    this.#client = `/v1/hubs/${encodeURIComponent(name)}`;
  }

  // What goes in the hub.

  /** All that was set at run time, secrets included: what `replaceSettings` takes, at any hub. */
  async settings(): Promise<HubSettings> {
    return (await this.#ask({ method: 'GET', path: `${this.#admin}/settings` })) as HubSettings;
  }

  /** Nothing of what was set before goes any more. */
  async replaceSettings(settings: HubSettings): Promise<void> {
    await this.#ask({ method: 'PUT', path: `${this.#admin}/settings`, body: settings });
  }

  async set<S extends SettingsSection>(section: S, name: string, value: Setting<S>): Promise<void> {
    await this.#ask({ method: 'PUT', path: this.#settingPath(section, name), body: value });
  }

  async unset(section: SettingsSection, name: string): Promise<void> {
    await this.#ask({ method: 'DELETE', path: this.#settingPath(section, name) });
  }

  /** What the user was issued until then no longer counts, and its sessions end; left out: until now, by the clock of the node. */
  async revoke(user: string, until?: Date | number): Promise<void> {
    const body = until === undefined ? 'now' : Number(until);
    await this.#ask({ method: 'PUT', path: this.#settingPath('revoked', user), body });
  }

  // Its people. What they ask an administrator asks for any of them, by name.

  async users(options: ListOptions = {}): Promise<{
    readonly users: readonly { readonly name: string; readonly since: string }[];
    readonly next?: string;
  }> {
    const query = { ...options };
    return (await this.#ask({ method: 'GET', path: `${this.#admin}/users`, query })) as never;
  }

  /** `register`, `profile`, `change` and so on, as docs/people.md says. */
  async user(action: string, request: object): Promise<Readonly<Record<string, unknown>>> {
    const path = `${this.#client}/users/${encodeURIComponent(action)}`;
    return (await this.#ask({ method: 'POST', path, body: request })) as Record<string, unknown>;
  }

  /** `create`, `invite`, `members` and so on, as docs/people.md says. */
  async group(action: string, request: object): Promise<Readonly<Record<string, unknown>>> {
    const path = `${this.#client}/groups/${encodeURIComponent(action)}`;
    return (await this.#ask({ method: 'POST', path, body: request })) as Record<string, unknown>;
  }

  /** With all that is known of the person. */
  async deleteUser(name: string): Promise<void> {
    await this.#ask({ method: 'DELETE', path: `${this.#admin}/users/${encodeURIComponent(name)}` });
  }

  /** Goes on without entries of people and groups that no node has any more: see docs/people.md. Answers of what something was missing. */
  async acceptLosses(): Promise<{ readonly users: boolean; readonly groups: boolean }> {
    return (await this.#ask({ method: 'POST', path: `${this.#admin}/losses/accept` })) as never;
  }

  // Its channels.

  /** Those that the node holds which is asked. */
  async channels(options: ListOptions = {}): Promise<{
    readonly channels: readonly ChannelSizes[];
    readonly next?: string;
  }> {
    const query = { ...options };
    return (await this.#ask({ method: 'GET', path: `${this.#admin}/channels`, query })) as never;
  }

  async log(channel: string, query: AdministeredLogQuery = {}): Promise<AdministeredLogPage> {
    const path = `${this.#admin}/channels/${encodeURIComponent(channel)}/log`;
    return (await this.#ask({ method: 'GET', path, query: { ...query } })) as AdministeredLogPage;
  }

  /** Who is in it. */
  async presence(
    channel: string,
    options: ListOptions = {},
  ): Promise<{
    readonly count: number;
    readonly members: readonly {
      readonly session: string;
      readonly user?: string;
      readonly since: number;
      readonly metadata?: unknown;
    }[];
    readonly next?: string;
  }> {
    const path = `${this.#client}/channels/${encodeURIComponent(channel)}/presence`;
    return (await this.#ask({ method: 'GET', path, query: { ...options } })) as never;
  }

  /** Removes all but what is to be kept, whether anybody had read it or not; false where nothing had to go. */
  async trim(
    channel: string,
    keep: { readonly entries: number } | { readonly bytes: number } | { readonly since: Date | string },
  ): Promise<boolean> {
    const path = `${this.#admin}/channels/${encodeURIComponent(channel)}/trim`;
    const since = 'since' in keep ? { since: new Date(keep.since).toISOString() } : keep;
    const body = { force: true, keep: since };
    return ((await this.#ask({ method: 'POST', path, body })) as { trimmed: boolean }).trimmed;
  }

  /** With all that it holds, at every node. */
  async deleteChannel(channel: string): Promise<void> {
    await this.#ask({
      method: 'DELETE',
      path: `${this.#client}/channels/${encodeURIComponent(channel)}`,
    });
  }

  #settingPath(section: SettingsSection, name: string): string {
    return `${this.#admin}/settings/${section}/${encodeURIComponent(name)}`;
  }
}
