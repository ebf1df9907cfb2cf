/** Who wants to know of one place in a document: told when the value there is another one, whatever else changes. */
import { find } from '../documents/apply.js';
import { Fault } from '../documents/faults.js';
import { type Pointer, readPointer } from '../documents/pointer.js';
import { type Json, canonical, isEqual } from '../documents/value.js';

export interface PathChange {
  /** What is there now; `undefined` where nothing is. */
  readonly value: unknown;
  readonly version: number;
  readonly isOwn: boolean;
}

interface Watch {
  readonly pointer: Pointer;
  readonly listener: (change: PathChange) => void;
}

export class PathWatches {
  readonly #watches = new Set<Watch>();
  readonly #report: (error: unknown) => void;

  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  /** Returns what ends it, or why the path is none. */
  add(path: string, listener: Watch['listener']): (() => void) | Fault {
    const pointer = readPointer(path);
    if (pointer instanceof Fault) return pointer;
    const watch = { pointer, listener };
    this.#watches.add(watch);
    return () => void this.#watches.delete(watch);
  }

  /** Versions share what is equal in them: mostly it is seen without a look inside. */
  changed(before: Json, after: Json, about: Omit<PathChange, 'value'>): void {
    for (const { pointer, listener } of this.#watches) {
      const [was, is] = [valueAt(before, pointer), valueAt(after, pointer)];
      if (was === is || (was !== undefined && is !== undefined && isEqual(was, is))) continue;
      try {
        listener({ value: is === undefined ? undefined : (JSON.parse(canonical(is)) as unknown), ...about });
      } catch (error) {
        this.#report(error);
      }
    }
  }
}

function valueAt(document: Json, pointer: Pointer): Json | undefined {
  const value = find(document, pointer);
  return value instanceof Fault ? undefined : value;
}
