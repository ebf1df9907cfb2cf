/** Destroys keys of people who are gone where nobody came so far: whoever deleted the account was told of a failure, or its node died
 *  between the two steps. The owner of a key's channel does so when retention comes by, from all that is committed in `$users`;
 *  nothing is noted of that, so it goes on after whatever happens, and ends once no key is left. */
import type { ChannelRef, HubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { personOfKey } from '../../hubs/system-channels.js';
import type { Users } from '../../people/users.js';
import { queryLog } from '../log-query.js';
import type { Clock } from '../ports.js';
import type { Scan } from '../scan.js';
import type { Directories } from './directories.js';
import type { PersonKeys } from './person-keys.js';

/** The key is the first entry of its channel, or retention has removed it. */
const firstEntries = { kind: 'member', limit: 3 } as const;

export class KeyRemoval {
  readonly #underWay = new Set<string>();
  /** Those of which nothing is left. */
  readonly #done = new WeakMap<Users, Set<string>>();
  /** Hubs that nobody uses, and when their people were read for this. */
  readonly #readMs = new Map<HubName, number>();

  constructor(
    readonly directories: Directories,
    readonly keys: PersonKeys,
    readonly clock: Clock,
  ) {}

  /** At the owner of the channel; `scan`: reads it. */
  async look({ hub, channel }: ChannelRef, scan: () => Promise<Scan>): Promise<void> {
    const id = personOfKey(channel);
    const users = await this.#people(hub);
    if (!users?.isGone(id) || this.#underWay.has(id)) return;
    const done = this.#done.get(users) ?? new Set();
    this.#done.set(users, done);
    if (done.has(id) || this.#underWay.size >= limits.keysDestroyedAtOnce) return;
    const page = await queryLog(await scan(), firstEntries);
    if (!page.ok || page.value.gaps.length > 0) return;
    const events = page.value.entries.map(({ entry }) => entry.content?.event);
    const written = events.filter((event) => event === 'destroyed').length;
    // Nothing at all says nothing: a home that has just started does not know yet what of it is committed.
    const isOver = written > 0 && !events.includes('key');
    if (isOver) done.add(id);
    // Once it is written over twice retention takes it.
    if (isOver || written > 1) return;
    this.#underWay.add(id);
    void this.keys.destroy(hub, id).finally(() => this.#underWay.delete(id));
  }

  /** All of them, or nobody is known to be gone. Where nobody uses the hub they are read for this, once in a while. */
  async #people(hub: HubName): Promise<Users | undefined> {
    const known = this.directories.known(hub);
    if (known) return known.isWhole ? known : undefined;
    const nowMs = this.clock.monotonicMs();
    const readMs = this.#readMs.get(hub);
    if (readMs !== undefined && nowMs - readMs < limits.keysLookMs) return undefined;
    for (const [each, ms] of this.#readMs) if (nowMs - ms >= limits.keysLookMs) this.#readMs.delete(each);
    this.#readMs.set(hub, nowMs);
    const directory = await this.directories.whole(hub);
    return directory.ok ? directory.value.users : undefined;
  }
}
