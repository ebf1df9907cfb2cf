/** The directories of hubs as this node knows them: each a fold over its `$users`, followed while somebody uses the hub. */
import type { HubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import type { DirectoryProvider } from '../../hubs/provider.js';
import type { HubView } from '../../hubs/settings.js';
import { usersRef } from '../../hubs/system-channels.js';
import { Users } from '../../people/users.js';
import { type Failure, failure } from '../../protocol/errors.js';
import { HubFolds } from '../hubs/hub-folds.js';
import type { SystemFold, SystemFoldHost } from '../hubs/system-fold.js';

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
  readonly #folds: HubFolds<Users>;

  constructor(readonly host: DirectoriesHost) {
    this.#folds = new HubFolds(host, {
      refOf: usersRef,
      empty: () => new Users(),
      changed: (hub) => host.changed(hub),
      recheckMs: limits.accountsRecheckMs,
    });
  }

  stop(): void {
    this.#folds.stop();
  }

  /** Lets directories go that nobody uses. */
  tick(used: ReadonlySet<HubName>): void {
    this.#folds.tick(used);
  }

  /** As far as it is known. */
  known(hub: HubName): Users | undefined {
    return this.#folds.known(hub);
  }

  acceptLosses(hub: HubName, actor: string): Promise<Result<boolean, Failure>> {
    return this.#folds.acceptLosses(hub, actor);
  }

  async of(hub: HubName): Promise<Result<Directory, Failure>> {
    return providerIn(this.host.viewOf(hub)) ? this.whole(hub) : noDirectory();
  }

  /** Also of a hub without people of its own: the keys that sign its tokens are there. */
  async whole(hub: HubName): Promise<Result<Directory, Failure>> {
    const fold = this.#folds.use(hub);
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
