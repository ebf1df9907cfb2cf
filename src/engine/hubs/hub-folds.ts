/** Folds of one kind, one a hub: each followed while somebody uses the hub. */
import type { ChannelRef, HubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import type { Fold } from '../../hubs/fold.js';
import { lossesAccepted } from '../../people/losses.js';
import { type Failure, failure } from '../../protocol/errors.js';
import { SystemFold, type SystemFoldHost } from './system-fold.js';

export interface HubFoldsKind<F extends Fold> {
  refOf(hub: HubName): ChannelRef;
  /** State before the first entry. */
  empty(): F;
  /** It is another: what was done by it is looked at anew, after `recheckMs` and no more often; left out: with every change. */
  changed(hub: HubName): void;
  readonly recheckMs?: number;
  /** Whether anybody is to be looked at; left out: always. */
  isDue?(hub: HubName, state: F): boolean;
}

export class HubFolds<F extends Fold> {
  readonly #folds = new Map<HubName, { readonly fold: SystemFold<F>; usedMs: number }>();
  readonly #rechecking = new Set<HubName>();

  constructor(
    readonly host: SystemFoldHost,
    readonly kind: HubFoldsKind<F>,
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
      const { kind } = this;
      const fold = new SystemFold(
        kind.refOf(hub),
        this.host,
        () => kind.empty(),
        () => this.#recheckSoon(hub),
      );
      each = { fold, usedMs: 0 };
      this.#folds.set(hub, each);
      fold.start();
    }
    each.usedMs = this.#nowMs();
    return each.fold;
  }

  /** From now on it goes without what nobody has any more; whether there was anything of the kind. */
  async acceptLosses(hub: HubName, actor: string): Promise<Result<boolean, Failure>> {
    const fold = this.use(hub);
    await fold.ready();
    if (!fold.state) return err(failure('UNAVAILABLE', { retryAfterMs: 1_000 }));
    if (fold.state.isWhole !== false) return ok(false);
    const outcome = await fold.change(lossesAccepted, actor);
    return outcome.ok ? ok(!outcome.value.isVoid) : outcome;
  }

  /** Not for every change: looking costs a step for each session. And who changed something is answered first. */
  #recheckSoon(hub: HubName): void {
    const { recheckMs } = this.kind;
    if (recheckMs === undefined) return this.kind.changed(hub);
    const state = this.known(hub);
    if (this.#rechecking.has(hub) || (state && this.kind.isDue?.(hub, state) === false)) return;
    this.#rechecking.add(hub);
    this.host.ports.timers.after(recheckMs, () => {
      this.#rechecking.delete(hub);
      this.kind.changed(hub);
    });
  }

  #nowMs(): number {
    return this.host.ports.clock.monotonicMs();
  }
}
