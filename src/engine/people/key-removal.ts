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
  /** Of hubs that nobody uses: since when their people were read for this, and who is waiting for that. */
  readonly #reads = new Map<HubName, { readonly sinceMs: number; people?: Promise<Users | undefined> }>();

  constructor(
    readonly directories: Directories,
    readonly keys: PersonKeys,
    readonly clock: Clock,
  ) {}

  /** At the owner of the channel; `scan`: reads it. */
  async look({ hub, channel }: ChannelRef, scan: () => Promise<Scan>): Promise<void> {
    const id = personOfKey(channel);
    const users = await this.#people(hub);
    if (!users?.isGone(id)) return;
    const done = this.#done.get(users) ?? new Set();
    this.#done.set(users, done);
    const isBusy = this.#underWay.has(id) || this.#underWay.size >= limits.keysDestroyedAtOnce;
    if (done.has(id) || isBusy) return;
    this.#underWay.add(id);
    try {
      const written = await timesWritten(await scan());
      if (written === 'over') done.add(id);
      // Once it is written over twice retention takes it.
      else if (written < 2) await this.keys.destroy(hub, id);
    } finally {
      this.#underWay.delete(id);
    }
  }

  /** All of them, or nobody is known to be gone. Where nobody uses the hub they are read for this, once in a while. */
  async #people(hub: HubName): Promise<Users | undefined> {
    const known = this.directories.known(hub);
    if (known) return known.isWhole ? known : undefined;
    const nowMs = this.clock.monotonicMs();
    for (const [each, { sinceMs }] of this.#reads)
      if (nowMs - sinceMs >= limits.keysLookMs) this.#reads.delete(each);
    const reading = this.#reads.get(hub);
    if (reading) return reading.people;
    const read: { readonly sinceMs: number; people?: Promise<Users | undefined> } = { sinceMs: nowMs };
    this.#reads.set(hub, read);
    read.people = this.directories.whole(hub).then((directory) => {
      delete read.people;
      return directory.ok ? directory.value.users : undefined;
    });
    return read.people;
  }
}

/** How often the key was written over, of a channel that still may have it; `over`: it is gone. */
async function timesWritten(scan: Scan): Promise<number | 'over'> {
  const page = await queryLog(scan, firstEntries);
  // What cannot be read now is looked at again.
  if (!page.ok || page.value.gaps.some(({ reason }) => reason !== 'trimmed')) return Infinity;
  const events = page.value.entries.map(({ entry }) => entry.content?.event);
  const written = events.filter((event) => event === 'destroyed').length;
  // Nothing at all says nothing: a home that has just started does not know yet what of it is committed.
  return written > 0 && !events.includes('key') ? 'over' : written;
}
