/** What a patch did where it applied, edit by edit: where something was put in, taken out or set, and what was there. Such
 *  edits can be taken back, and moved past others (transform.ts). */
import { applyPatch, find } from './apply.js';
import { Fault } from './faults.js';
import type { Operation, Patch } from './patch.js';
import { type Pointer, indexOf } from './pointer.js';
import { type Json, List, type Text } from './value.js';

export type Edit =
  /** An item of the array at `path`. */
  | { readonly kind: 'insert' | 'delete'; readonly path: Pointer; readonly at: number; readonly value: Json }
  /** A member, an item or the root; `undefined` is none. */
  | {
      readonly kind: 'put';
      readonly path: Pointer;
      readonly before: Json | undefined;
      readonly after: Json | undefined;
    }
  /** So many units of a text, of which `before` is the whole as it was. */
  | {
      readonly kind: 'text';
      readonly path: Pointer;
      readonly at: number;
      readonly removed: number;
      readonly inserted: string;
      readonly before: string | Text;
      /** What is taken out, of one that takes another back. */
      readonly gone?: string;
    };

/** Of a patch that applies to the document. */
export function editsOf(document: Json, patch: Patch, createParents: boolean): Edit[] {
  const edits: Edit[] = [];
  let before = document;
  for (const operation of patch) {
    for (const step of stepsOf(operation, before)) {
      const after = applyPatch(before, [step], createParents);
      if (after instanceof Fault) return edits;
      if (after === before) continue;
      edits.push(editOf(step, before, after));
      before = after;
    }
  }
  return edits;
}

type Step = Exclude<Operation, { op: 'test' | 'move' | 'copy' }>;

/** What is moved is taken out, and put in elsewhere. */
function stepsOf(operation: Operation, document: Json): Step[] {
  if (operation.op === 'test') return [];
  if (operation.op !== 'move' && operation.op !== 'copy') return [operation as Step];
  const { op, from, path } = operation;
  const value = find(document, from);
  if (value instanceof Fault) return [];
  const put: Step = { op: 'add', path, value };
  if (op === 'copy') return [put];
  return isPrefix(from, path) ? [] : [{ op: 'remove', path: from }, put];
}

function editOf(step: Step, before: Json, after: Json): Edit {
  const { op, path } = step;
  if (op === 'splice') {
    const { at, remove: removed, insert: inserted } = step;
    return { kind: 'text', path, at, removed, inserted, before: find(before, path) as string | Text };
  }
  const list = path.length === 0 ? undefined : path.slice(0, -1);
  const container = list && find(before, list);
  if (list && container instanceof List && op !== 'replace') {
    const token = path.at(-1)!;
    const at = token === '-' ? container.length : indexOf(token)!;
    return op === 'add'
      ? { kind: 'insert', path: list, at, value: step.value }
      : { kind: 'delete', path: list, at, value: container.at(at) };
  }
  // The topmost that was made, where parents were.
  const made = path.findIndex((_, depth) => valueAt(before, path.slice(0, depth + 1)) === undefined);
  const place = op === 'add' && made >= 0 ? path.slice(0, made + 1) : path;
  return { kind: 'put', path: place, before: valueAt(before, place), after: valueAt(after, place) };
}

/** What takes them back, in their order. */
export function inverseOf(edits: readonly Edit[]): Edit[] {
  return edits.map(inverted).reverse();
}

function inverted(edit: Edit): Edit {
  switch (edit.kind) {
    case 'insert':
      return { ...edit, kind: 'delete' };
    case 'delete':
      return { ...edit, kind: 'insert' };
    case 'put':
      return { ...edit, before: edit.after, after: edit.before };
    case 'text': {
      const { at, removed, inserted } = edit;
      const was = String(edit.before);
      const before = was.slice(0, at) + inserted + was.slice(at + removed);
      const gone = inserted;
      return { ...edit, removed: gone.length, inserted: was.slice(at, at + removed), before, gone };
    }
  }
}

/** As an operation that does the same. */
export function operationOf(edit: Edit): Operation {
  switch (edit.kind) {
    case 'insert':
      return { op: 'add', path: [...edit.path, String(edit.at)], value: edit.value };
    case 'delete':
      return { op: 'remove', path: [...edit.path, String(edit.at)] };
    case 'put':
      return edit.after === undefined
        ? { op: 'remove', path: edit.path }
        : { op: edit.before === undefined ? 'add' : 'replace', path: edit.path, value: edit.after };
    case 'text':
      return { op: 'splice', path: edit.path, at: edit.at, remove: edit.removed, insert: edit.inserted };
  }
}

/** `undefined` where nothing is. */
export function valueAt(document: Json, path: Pointer): Json | undefined {
  const value = find(document, path);
  return value instanceof Fault ? undefined : value;
}

export function isPrefix(of: Pointer, path: Pointer): boolean {
  return of.length <= path.length && of.every((token, i) => token === path[i]);
}
