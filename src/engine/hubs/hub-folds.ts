/** Folds over one channel of each hub, each followed while somebody uses it. */
import type { ChannelRef, HubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import type { Fold } from '../../hubs/fold.js';
import { SystemFold, type SystemFoldHost } from './system-fold.js';

export interface HubFoldsOptions<F> {
  readonly refOf: (hub: HubName) => ChannelRef;
  readonly empty: () => F;
  readonly changed: (hub: HubName) => void;
}

export class HubFolds<F extends Fold> {
  readonly #folds = new Map<HubName, { readonly fold: SystemFold<F>; usedMs: number }>();

  constructor(
    readonly host: SystemFoldHost,
    readonly options: HubFoldsOptions<F>,
  ) {}

  stop(): void {
    for (const { fold } of this.#folds.values()) fold.stop();
    this.#folds.clear();
  }

  /** Lets those go that nobody uses. */
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
  known(hub: HubName): F | undefined {
    return this.#folds.get(hub)?.fold.state;
  }

  use(hub: HubName): SystemFold<F> {
    let each = this.#folds.get(hub);
    if (!each) {
      const { refOf, empty, changed } = this.options;
      const fold = new SystemFold(refOf(hub), this.host, empty, () => changed(hub));
      each = { fold, usedMs: 0 };
      this.#folds.set(hub, each);
      fold.start();
    }
    each.usedMs = this.#nowMs();
    return each.fold;
  }

  #nowMs(): number {
    return this.host.ports.clock.monotonicMs();
  }
}
