/** Own changes of a document that the order does not have yet, as far as this client has it, and what they come to on top of it. */
import { editsOf } from '../documents/edits.js';
import { type Fold, foldChange } from '../documents/fold.js';
import type { Json } from '../documents/value.js';
import type { OwnChange } from './own-changes.js';
import { type Shown, between } from './undo-history.js';

/** What the order gives, and what came while the document is being fetched, own changes among it. */
export interface Order {
  readonly base: Fold;
  readonly meanwhile: { readonly fold: Fold; readonly keys: ReadonlySet<string> } | undefined;
  readonly createParents: boolean;
}

export class OnTheirWay {
  readonly #changes: OwnChange[] = [];
  /** They wait until there is none. */
  readonly #waiting: (() => void)[] = [];

  get all(): readonly OwnChange[] {
    return this.#changes;
  }

  add(own: OwnChange): void {
    this.#changes.push(own);
  }

  /** The order has it now, or it came to nothing. */
  settled(key: string | undefined): OwnChange | undefined {
    const at = key === undefined ? -1 : this.#changes.findIndex((own) => own.key === key);
    const own = at >= 0 ? this.#changes.splice(at, 1)[0] : undefined;
    if (this.#changes.length === 0) this.end();
    return own;
  }

  /** Resolves when there is none. */
  none(): Promise<void> {
    return this.#changes.length === 0
      ? Promise.resolve()
      : new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Nobody waits any longer. */
  end(): void {
    for (const told of this.#waiting.splice(0)) told();
  }

  /** On top of the order; one that does not apply now is left out, and judged by the server. */
  replayed(order: Order, each?: (before: Json, own: OwnChange) => void): Json {
    const { meanwhile, createParents } = order;
    let fold = meanwhile?.fold ?? order.base;
    for (const own of this.#changes) {
      if (meanwhile?.keys.has(own.key)) continue;
      const next = foldChange(fold, { patch: own.patch, ifVersion: undefined, createParents });
      if (next.fault) continue;
      each?.(fold.document, own);
      ({ fold } = next);
    }
    return fold.document;
  }

  /** The same, edit by edit. */
  shown(order: Order): Shown[] {
    const { base, meanwhile, createParents } = order;
    const shown: Shown[] = meanwhile ? [{ edits: between(base.document, meanwhile.fold.document) }] : [];
    this.replayed(order, (before, of) => shown.push({ edits: editsOf(before, of.patch, createParents), of }));
    return shown;
  }
}
