/** Sessions by hub: what goes for one hub changes without a look at those of all others. */
import type { HubName } from '../base/ids.js';

export class SessionSet<S extends { readonly hub: HubName }> {
  readonly #hubs = new Map<HubName, Set<S>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Those that somebody is in. */
  get hubs(): ReadonlySet<HubName> {
    return new Set(this.#hubs.keys());
  }

  has(session: S): boolean {
    return this.#hubs.get(session.hub)?.has(session) === true;
  }

  add(session: S): void {
    let sessions = this.#hubs.get(session.hub);
    if (!sessions) this.#hubs.set(session.hub, (sessions = new Set()));
    const before = sessions.size;
    sessions.add(session);
    this.#size += sessions.size - before;
  }

  /** False where it was none of them. */
  delete(session: S): boolean {
    const sessions = this.#hubs.get(session.hub);
    if (!sessions?.delete(session)) return false;
    this.#size--;
    if (sessions.size === 0) this.#hubs.delete(session.hub);
    return true;
  }

  of(hub: HubName): Iterable<S> {
    return this.#hubs.get(hub) ?? [];
  }

  *[Symbol.iterator](): IterableIterator<S> {
    for (const sessions of this.#hubs.values()) yield* sessions;
  }
}
