/** The directories of hubs as this node knows them: each a fold over its `$users`, followed while somebody uses the hub. */
import type { HubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import type { DirectoryProvider } from '../../hubs/provider.js';
import type { HubView } from '../../hubs/settings.js';
import { usersRef } from '../../hubs/system-channels.js';
import { Users } from '../../people/users.js';
import { type Failure, failure } from '../../protocol/errors.js';
import { SystemFold, type SystemFoldHost } from '../hubs/system-fold.js';

export interface DirectoriesHost extends SystemFoldHost {
  viewOf(hub: HubName): HubView | undefined;
  /** Somebody's account is another: whoever is there by it is looked at anew. */
  changed(hub: HubName): void;
}

/** `users`: as they are now; read anew after every wait. */
export interface Directory {
  readonly hub: HubName;
  readonly fold: SystemFold<Users>;
  readonly users: Users;
}

export class Directories {
  readonly #folds = new Map<HubName, { readonly fold: SystemFold<Users>; usedMs: number }>();
  readonly #rechecking = new Set<HubName>();

  constructor(readonly host: DirectoriesHost) {}

  stop(): void {
    for (const { fold } of this.#folds.values()) fold.stop();
    this.#folds.clear();
  }

  /** Lets directories go that nobody uses. */
  tick(used: ReadonlySet<HubName>): void {
    const nowMs = this.#nowMs();
    for (const [hub, each] of this.#folds) {
      if (used.has(hub)) each.usedMs = nowMs;
      if (nowMs - each.usedMs < limits.hubIdleMs) continue;
      this.#folds.delete(hub);
      each.fold.stop();
    }
  }

  /** As far as it is known. */
  known(hub: HubName): Users | undefined {
    return this.#folds.get(hub)?.fold.state;
  }

  async of(hub: HubName): Promise<Result<Directory, Failure>> {
    if (!providerIn(this.host.viewOf(hub))) return noDirectory();
    const { fold } = this.#use(hub);
    await fold.ready();
    const users = fold.state;
    return users?.isWhole === true
      ? ok({
          hub,
          fold,
          get users() {
            return fold.state ?? users;
          },
        })
      : err(
          failure('UNAVAILABLE', {
            message: 'The people of this hub are not known yet.',
            retryAfterMs: 1_000,
          }),
        );
  }

  #use(hub: HubName) {
    let each = this.#folds.get(hub);
    if (!each) {
      const fold = new SystemFold(
        usersRef(hub),
        this.host,
        () => new Users(),
        () => this.#recheckSoon(hub),
      );
      each = { fold, usedMs: 0 };
      this.#folds.set(hub, each);
      fold.start();
    }
    each.usedMs = this.#nowMs();
    return each;
  }

  /** Not for every account: looking costs a step for each session. And who ended its own account is answered first. */
  #recheckSoon(hub: HubName): void {
    if (this.#rechecking.has(hub)) return;
    this.#rechecking.add(hub);
    this.host.ports.timers.after(limits.accountsRecheckMs, () => {
      this.#rechecking.delete(hub);
      this.host.changed(hub);
    });
  }

  #nowMs(): number {
    return this.host.ports.clock.monotonicMs();
  }
}

export function noDirectory(): Result<never, Failure> {
  return err(failure('UNSUPPORTED', { message: 'This hub has no directory of people.' }));
}

export function providerIn(
  view: HubView | undefined,
): { readonly name: string; readonly directory: DirectoryProvider } | undefined {
  for (const [name, provider] of view?.providers ?? [])
    if (provider.type === 'directory') return { name, directory: provider };
  return undefined;
}
