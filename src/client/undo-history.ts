/** Own changes that can be taken back, and what came since: the order's edits, by which what takes one back is moved. What
 *  others did stays; where they touched the same, nothing is taken back. */
import { documentLimits as limits } from '../base/document-limits.js';
import { utf8 } from '../base/bytes.js';
import { applyPatch, find } from '../documents/apply.js';
import { diff } from '../documents/diff.js';
import { type Edit, editsOf, inverseOf, operationOf, valueAt } from '../documents/edits.js';
import { Fault } from '../documents/faults.js';
import type { FoldedEntry } from '../documents/fold.js';
import { type Operation, readPatch, writePatch } from '../documents/patch.js';
import { movedPast } from '../documents/transform.js';
import { type Json, Text, isEqual, sizeOf } from '../documents/value.js';
import type { OwnChange } from './own-changes.js';

const undoMax = 100;
/** What is kept of what came since, in bytes, about; with more the oldest changes cannot be taken back any more. */
const logMax = 1_048_576;
const editBytes = 256;
/** Longer values are not sent again to be tested: such a change is held to the document's version. */
const testBytesMax = 65_536;

/** One edit of the order, or on its way; `of` an own change. */
type Logged = Edit & { readonly of?: OwnChange };

/** What takes a change back: the JSON text of a patch, and whether it holds for the version alone that is known. */
export interface Undo {
  readonly patch: string;
  readonly isAtVersion: boolean;
}

export class UndoHistory {
  /** Oldest first, also those on their way. */
  #changes: OwnChange[] = [];
  #log: Logged[] = [];
  #bytes = 0;

  /** What takes back the newest own change that is not taken back, and did something. */
  next(
    view: Json,
    steps: readonly Shown[],
    isSettled: boolean,
  ): (Undo & { readonly undoes: OwnChange }) | Fault | undefined {
    for (;;) {
      const own = this.#changes.filter(({ undoneBy }) => !undoneBy).at(-1);
      if (!own) return undefined;
      const undo = this.#undoOf(own, view, steps, isSettled);
      if (undo) return undo instanceof Fault ? undo : { ...undo, undoes: own };
      this.passedOver(own);
    }
  }

  /** Made, and on its way. */
  made(own: OwnChange): void {
    if (own.undoes) own.undoes.undoneBy = own;
    else this.#changes.push(own);
    if (this.#changes.length > undoMax) this.#changes.shift();
  }

  /** It came to nothing: what it took back can be taken back again. */
  dropped(own: OwnChange): void {
    if (own.undoes) own.undoes.undoneBy = undefined;
    this.#forget(own);
  }

  /** The order has it, nobody knows where. */
  passedOver(own: OwnChange): void {
    this.#forget(own.undoes ?? own);
  }

  /** A patch took effect; `own` where it is one. */
  took(before: Json, { content, createParents }: FoldedEntry, own: OwnChange | undefined): void {
    if (this.#changes.length === 0) return this.#clear();
    const patch = own?.patch ?? readPatch(content?.payload ?? '');
    if (!(patch instanceof Fault)) this.#append(editsOf(before, patch, createParents === true), own);
    if (own?.undoes) this.#forget(own.undoes);
  }

  /** The document is told to be another one. */
  jumped(from: Json, to: Json): void {
    if (this.#changes.length === 0) return this.#clear();
    this.#append(between(from, to), undefined);
  }

  /** What takes a change back, of the document as it is shown: `steps` are what is on its way, behind the order. `undefined`
   *  where the change did nothing that is known. */
  #undoOf(own: OwnChange, view: Json, steps: readonly Shown[], isSettled: boolean): Undo | Fault | undefined {
    let log = [...this.#log];
    for (const { edits, of } of steps) log = appended(log, edits, of);
    if (!log.some(({ of }) => of === own)) return undefined;
    const { moved } = takenBack(log, own);
    return moved ? undoPatch(view, moved.mine, isSettled) : touched();
  }

  #append(edits: readonly Edit[], own: OwnChange | undefined): void {
    this.#log = appended(this.#log, edits, own);
    this.#bytes += bytesOf(edits);
    if (this.#bytes <= logMax) return;
    this.#bytes = bytesOf(this.#log);
    while (this.#bytes > logMax && this.#changes.length > 0) this.#forget(this.#changes[0]!);
  }

  #forget(own: OwnChange): void {
    const isOldest = this.#changes[0] === own;
    this.#changes = this.#changes.filter((other) => other !== own);
    if (!isOldest) return;
    // What came before the oldest is needed no more.
    const from = this.#log.findIndex(({ of }) => of && this.#changes.includes(of));
    this.#log = from < 0 ? [] : this.#log.slice(from);
    this.#bytes = bytesOf(this.#log);
  }

  #clear(): void {
    this.#log = [];
    this.#bytes = 0;
  }
}

/** On top of the order as it is shown. */
export interface Shown {
  readonly edits: readonly Edit[];
  readonly of?: OwnChange;
}

/** What makes one document of another. */
export function between(from: Json, to: Json): Edit[] {
  const text = diff(from, to);
  const patch = text instanceof Fault ? text : readPatch(text);
  if (patch instanceof Fault) return [{ kind: 'put', path: [], before: from, after: to }];
  return editsOf(from, patch, false);
}

/** A change and the one that takes it back are nothing together: what came between is left, moved by that. */
function appended(log: Logged[], edits: readonly Edit[], own: OwnChange | undefined): Logged[] {
  if (own?.undoes && log.some(({ of }) => of === own.undoes)) {
    const { from, moved } = takenBack(log, own.undoes);
    if (moved && isSame(moved.mine, edits)) return [...log.slice(0, from), ...moved.theirs];
  }
  for (const edit of edits) log.push(own ? { ...edit, of: own } : withoutValues(edit));
  return log;
}

/** What takes back a change that is in the log, from the place it is at, and what came since without it. */
function takenBack(log: readonly Logged[], own: OwnChange) {
  const from = log.findIndex(({ of }) => of === own);
  const edits = log.filter(({ of }) => of === own);
  return { from, moved: movedPast(inverseOf(edits), log.slice(from + edits.length)) };
}

/** By its place: of others' edits no value is needed. */
function withoutValues(edit: Edit): Edit {
  switch (edit.kind) {
    case 'put':
      return { ...edit, before: undefined, after: undefined };
    case 'text':
      return { ...edit, before: '' };
    default:
      return { ...edit, value: null };
  }
}

function isSame(a: readonly Edit[], b: readonly Edit[]): boolean {
  return a.length === b.length && a.every((edit, i) => placeOf(edit) === placeOf(b[i]!));
}

function placeOf(edit: Edit): string {
  const { kind, path } = edit;
  const more = kind === 'put' ? [] : kind === 'text' ? [edit.at, edit.removed, edit.inserted] : [edit.at];
  return JSON.stringify([kind, path, ...more]);
}

function bytesOf(edits: readonly Edit[]): number {
  return edits.reduce((sum, edit) => sum + editBytes + (edit.kind === 'text' ? edit.inserted.length : 0), 0);
}

/** Each edit behind a test that what it replaces or takes out is the own value still: others may have changed it, and that is
 *  not here yet. */
function undoPatch(view: Json, edits: readonly Edit[], isSettled: boolean): Undo | Fault {
  const operations: Operation[] = [];
  let document = view;
  let isTested = true;
  for (const edit of edits) {
    if (!isOwn(document, edit)) return touched();
    const tested = testedBy(edit);
    const value = tested && find(document, tested);
    if (tested && (value instanceof Fault || value === undefined)) return touched();
    if (tested && sizeOf(value as Json) > testBytesMax) isTested = false;
    else if (tested) operations.push({ op: 'test', path: tested, value: value as Json });
    const operation = operationOf(edit);
    operations.push(operation);
    const next = applyPatch(document, [operation]);
    if (next instanceof Fault) return next;
    document = next;
  }
  const patch = writePatch(operations);
  const isWithin = utf8(patch).length <= limits.documentBytesMax / 2 && !(readPatch(patch) instanceof Fault);
  if (isTested && isWithin) return { patch, isAtVersion: false };
  if (isSettled) {
    const whole = diff(view, document);
    return whole instanceof Fault ? whole : { patch: whole, isAtVersion: true };
  }
  return new Fault('too-large', 'Too much to be taken back while own changes are on their way.');
}

/** Where the value must be as it is known; none where nothing is taken out. */
function testedBy(edit: Edit): readonly string[] | undefined {
  switch (edit.kind) {
    case 'insert':
      return undefined;
    case 'delete':
      return [...edit.path, String(edit.at)];
    case 'put':
      // That nothing is there can be told of what it would be in.
      return edit.before === undefined ? edit.path.slice(0, -1) : edit.path;
    case 'text':
      return edit.removed === 0 ? undefined : edit.path;
  }
}

/** What the edit replaces or takes out is what the own change made. */
function isOwn(document: Json, edit: Edit): boolean {
  switch (edit.kind) {
    case 'insert':
      return true;
    case 'delete':
      return isValue(valueAt(document, [...edit.path, String(edit.at)]), edit.value);
    case 'put':
      return isValue(valueAt(document, edit.path), edit.before);
    case 'text': {
      const { path, at, removed, gone } = edit;
      const value = valueAt(document, path);
      if (typeof value !== 'string' && !(value instanceof Text)) return false;
      return removed === 0 || String(value).slice(at, at + removed) === gone;
    }
  }
}

function isValue(value: Json | undefined, wanted: Json | undefined): boolean {
  return value === undefined || wanted === undefined ? value === wanted : isEqual(value, wanted);
}

function touched(): Fault {
  return new Fault('test-failed', 'Others have changed since what is to be taken back.');
}
