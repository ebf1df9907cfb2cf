/** What a document is: the fold of its channel's entries in their order. A patch that does not apply where the order has it
 *  is void and changes nothing; everything else in the log is no change. The same entries in the same order give the same
 *  document, version and voids, whatever was known before of any other order. */
import { utf8Text } from '../base/bytes.js';
import type { Content, EntryKind } from '../log/entry.js';
import { applyPatch } from './apply.js';
import { Fault } from './faults.js';
import type { Numbers } from './json-reader.js';
import { type Patch, readPatch } from './patch.js';
import { Dict, type Json, memoryOf } from './value.js';

/** Raised when the same entries would fold to something else. Snapshots of another one are not used. */
export const foldVersion = 1;

export interface Fold {
  readonly document: Json;
  /** How many patches took effect. */
  readonly version: number;
  /** How many did not. */
  readonly voids: number;
}

/** Of a channel without entries. */
export const emptyFold: Fold = { document: Dict.empty, version: 0, voids: 0 };

/** The header of a patch that says which version it changes; it is void at any other. */
export const ifVersionHeader = 'if-version';

export interface Change {
  readonly patch: Patch;
  readonly ifVersion: number | undefined;
  /** What is missing on the way to where something is put is made. */
  readonly createParents: boolean;
}

/** What of an entry the fold goes by. */
export interface FoldedEntry {
  readonly kind: EntryKind;
  readonly content?: Content | undefined;
  readonly createParents?: boolean | undefined;
}

/** What the entry did: `fault` where it is a patch and void. */
export interface Step {
  readonly fold: Fold;
  readonly fault?: Fault;
}

export function foldEntry(fold: Fold, { kind, content, createParents }: FoldedEntry): Step {
  if (kind !== 'patch') return { fold };
  const change = content
    ? readChange(content, createParents)
    : new Fault('not-a-patch', 'The patch is missing.');
  return change instanceof Fault ? voided(fold, change) : foldChange(fold, change);
}

export function foldChange(fold: Fold, { patch, ifVersion, createParents }: Change): Step {
  if (ifVersion !== undefined && ifVersion !== fold.version)
    return voided(
      fold,
      new Fault('version', `The document is at version ${fold.version}, not ${ifVersion}.`),
    );
  const document = applyPatch(fold.document, patch, createParents);
  if (document instanceof Fault) return voided(fold, document);
  const next = { document, version: fold.version + 1, voids: fold.voids };
  made.set(next, madeOf(fold) + memoryOfPatch(patch));
  return { fold: next };
}

function voided(fold: Fold, fault: Fault): Step {
  const { document, version, voids } = fold;
  const next = { document, version, voids: voids + 1 };
  made.set(next, madeOf(fold) + opMemory);
  return { fold: next, fault };
}

/** Beside the values: what is copied on the way to the place. */
const opMemory = 1_024;

const made = new WeakMap<Fold, number>();

/** What was put into memory for it and all it was folded from, since that was read: of two of them, one folded from the other, the
 *  difference is what keeping both takes beside the earlier one, at most, and about. */
export function madeOf(fold: Fold): number {
  return made.get(fold) ?? 0;
}

function memoryOfPatch(patch: Patch): number {
  let memory = 0;
  for (const operation of patch) {
    memory += opMemory;
    if (operation.op === 'splice') memory += 2 * operation.insert.length;
    else if ('value' in operation) memory += memoryOf(operation.value);
  }
  return memory;
}

/** `numbers`: `kept` where it is let in, and is in no log yet. */
export function readChange(
  { payload, headers }: Pick<Content, 'payload' | 'headers'>,
  createParents = false,
  numbers?: Numbers,
): Change | Fault {
  const patch = readPatch(payload, numbers);
  if (patch instanceof Fault) return patch;
  const text = headers?.get(ifVersionHeader);
  if (text === undefined) return { patch, ifVersion: undefined, createParents };
  return /^(?:0|[1-9]\d{0,14})$/.test(text)
    ? { patch, ifVersion: Number(text), createParents }
    : new Fault('version', `"${ifVersionHeader}" is a version: a number.`);
}

/** The text of a patch as it stands in an entry. */
export function patchText({ payload }: Pick<Content, 'payload'>): string {
  return utf8Text(payload);
}
