/** Edits of one document that were made beside each other, moved past one another: indexes and positions are shifted by what
 *  the other put in or took out before them. Where both touch the same, nothing is moved: who asks is told that it cannot be. */
import { type Edit, isPrefix } from './edits.js';
import type { Pointer } from './pointer.js';

/** `mine` as it is behind `theirs`, and the other way round; `undefined` where they touch the same. Both begin at the same
 *  document. Of two that are put in at one place mine comes behind. */
export function movedPast<M extends Edit, T extends Edit>(
  mine: readonly M[],
  theirs: readonly T[],
): { readonly mine: M[]; readonly theirs: T[] } | undefined {
  const moved: M[] = [];
  let others: readonly T[] = theirs;
  for (let edit of mine) {
    const next: T[] = [];
    for (const other of others) {
      const [ahead, behind] = [shifted(edit, other, true), shifted(other, edit, false)];
      if (!ahead || !behind) return undefined;
      edit = ahead;
      next.push(behind);
    }
    moved.push(edit);
    others = next;
  }
  return { mine: moved, theirs: [...others] };
}

function shifted<E extends Edit>(edit: E, over: Edit, isBehind: boolean): E | undefined {
  if (touches(edit, over) || touches(over, edit)) return undefined;
  if (over.kind === 'put') return edit;
  if (over.kind === 'text') {
    if (edit.kind !== 'text' || !isSame(edit.path, over.path)) return edit;
    const at = positionPast(edit, over, isBehind);
    return at === undefined ? undefined : { ...edit, at };
  }
  const { kind, path: list, at: place } = over;
  const by = kind === 'insert' ? 1 : -1;
  if (isSame(edit.path, list) && (edit.kind === 'insert' || edit.kind === 'delete')) {
    const isPast = edit.at > place || (edit.at === place && isPushed(edit.kind, kind, isBehind));
    return isPast ? { ...edit, at: edit.at + by } : edit;
  }
  if (edit.path.length <= list.length || !isPrefix(list, edit.path)) return edit;
  const index = Number(edit.path[list.length]);
  if (index < place) return edit;
  const path = [...edit.path];
  path[list.length] = String(index + by);
  return { ...edit, path };
}

/** Both at one index. */
function isPushed(kind: 'insert' | 'delete', other: 'insert' | 'delete', isBehind: boolean): boolean {
  return other === 'insert' && (kind === 'delete' || isBehind);
}

type TextEdit = Extract<Edit, { kind: 'text' }>;

function positionPast(edit: TextEdit, over: TextEdit, isBehind: boolean): number | undefined {
  const by = over.inserted.length - over.removed;
  const isTie = edit.at === over.at && edit.removed === 0 && over.removed === 0;
  if (isTie) return isBehind ? edit.at + by : edit.at;
  if (over.at + over.removed <= edit.at) return edit.at + by;
  return edit.at + edit.removed <= over.at ? edit.at : undefined;
}

/** What `edit` sets or takes out is what `other` changes, or has that in it. */
function touches(edit: Edit, other: Edit): boolean {
  if (edit.kind === 'insert' || edit.kind === 'text') return false;
  const target = edit.kind === 'delete' ? [...edit.path, String(edit.at)] : edit.path;
  // An insert is no change of the item that is at its index.
  if (other.kind === 'delete') return isPrefix(target, [...other.path, String(other.at)]);
  return isPrefix(target, other.path);
}

function isSame(a: Pointer, b: Pointer): boolean {
  return a.length === b.length && isPrefix(a, b);
}
