/** The documents of a node, as they are told. */
import { toHex, utf8 } from '../../base/bytes.js';
import type { WriterId } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { planted } from '../../base/planted.js';
import type { RuleSet } from '../../channels/rules.js';
import { type Fold, emptyFold, foldEntry, madeOf } from '../../documents/fold.js';
import { readSnapshot, snapshotOf } from '../../documents/snapshot.js';
import { canonical, memoryOf, sizeOf } from '../../documents/value.js';
import type { DocumentInfo } from '../../protocol/messages.js';
import type { Folding } from '../folds/folding.js';
import { Folds, type FoldsHooks } from '../folds/folds.js';
import type { Hashing, Logs } from '../ports.js';

const documentFolding: Omit<Folding<Fold>, 'cacheBytes'> = {
  empty: emptyFold,
  step: (fold, entry) => {
    const step = foldEntry(fold, entry);
    if (!step.fault || !planted('voids-counted-twice')) return step;
    return { ...step, fold: { ...step.fold, voids: step.fold.voids + 1 } };
  },
  snapshotOf,
  readSnapshot,
  bytesOf: ({ document }) => sizeOf(document),
  weightOf: ({ document }) => memoryOf(document),
  madeOf,
  startsAnywhere: false,
};

export class Documents extends Folds<Fold> {
  readonly #infos = new WeakMap<Fold, DocumentInfo>();

  constructor(
    logs: Logs,
    writer: WriterId,
    readonly hashing: Hashing,
    hooks: FoldsHooks,
    cacheBytes: number = limits.documentCacheBytes,
  ) {
    super('document', { ...documentFolding, cacheBytes }, logs, writer, hooks);
  }

  /** A fold as it is told where these rules go. */
  describe(fold: Fold, rules: RuleSet): { readonly info: DocumentInfo; readonly value: Uint8Array } {
    const value = utf8(canonical(fold.document));
    return { info: withRules(this.#infoOf(fold, value), rules), value };
  }

  info(fold: Fold, rules: RuleSet): DocumentInfo {
    return withRules(this.#infos.get(fold) ?? this.#infoOf(fold, utf8(canonical(fold.document))), rules);
  }

  /** In hexadecimal. */
  hashOf(fold: Fold): string {
    return toHex((this.#infos.get(fold) ?? this.#infoOf(fold, utf8(canonical(fold.document)))).hash);
  }

  /** Many may ask for that of one fold. */
  #infoOf(fold: Fold, value: Uint8Array): DocumentInfo {
    const known = this.#infos.get(fold);
    if (known) return known;
    const { version, voids } = fold;
    const info = { version, voids, hash: this.hashing.sha256(value), size: value.length };
    this.#infos.set(fold, info);
    return info;
  }
}

function withRules(info: DocumentInfo, { createParents }: RuleSet): DocumentInfo {
  return createParents ? { ...info, createParents } : info;
}
