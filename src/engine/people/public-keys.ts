/** The public keys of people, at hand for who they sign something for: they are sealed in the log. */
import type { HubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, ok } from '../../base/result.js';
import type { Failure } from '../../protocol/errors.js';
import { type Directories, providerIn } from './directories.js';
import type { PersonKeys } from './person-keys.js';

export class PublicKeys {
  /** By hub and account; of that version of it. */
  readonly #known = new Map<string, { readonly version: number; readonly key: string | undefined }>();
  readonly #finding = new Set<string>();

  constructor(
    readonly directories: Directories,
    readonly keys: PersonKeys,
  ) {}

  /** base64url; `null` for who has none, `undefined` while that is not known here: a moment later it is. */
  known(hub: HubName, name: string): string | null | undefined {
    if (!providerIn(this.directories.host.viewOf(hub))) return null;
    const users = this.directories.known(hub);
    const user = users?.isWhole === true ? users.find(name) : undefined;
    if (users?.isWhole === true && !user?.sealed) return null;
    const known = user && this.#known.get(`${hub} ${user.id}`);
    if (known && known.version === user.version) return known.key ?? null;
    void this.#findOnce(hub, name);
    return undefined;
  }

  /** `undefined` for who has none. */
  async find(hub: HubName, name: string): Promise<Result<string | undefined, Failure>> {
    const directory = await this.directories.of(hub);
    if (!directory.ok) return directory;
    const user = directory.value.users.find(name);
    if (!user?.sealed) return ok(undefined);
    const known = this.#known.get(`${hub} ${user.id}`);
    if (known?.version === user.version) return ok(known.key);
    const person = await this.keys.open(hub, user);
    if (!person.ok) return person;
    const key = person.value.publicKey;
    if (this.#known.size >= limits.publicKeysKnownMax) this.#known.clear();
    this.#known.set(`${hub} ${user.id}`, { version: user.version, key });
    return ok(key);
  }

  /** Many may want it at once. */
  async #findOnce(hub: HubName, name: string): Promise<void> {
    const wanted = `${hub} ${name}`;
    if (this.#finding.has(wanted)) return;
    this.#finding.add(wanted);
    await this.find(hub, name).finally(() => this.#finding.delete(wanted));
  }
}
