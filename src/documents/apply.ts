/** Applies a patch to a document: all operations or none. Own names only are ever looked at, by comparing texts, so no
 *  name is special. After every operation the document is within its bounds, which costs no look at it. */
import { documentLimits as limits } from '../base/document-limits.js';
import { Fault } from './faults.js';
import type { Operation, Patch } from './patch.js';
import { type Pointer, indexOf, pointerText } from './pointer.js';
import {
  Dict,
  type Json,
  List,
  Text,
  bytesMember,
  depthOf,
  isEqual,
  partsPair,
  sizeOf,
  spliceText,
} from './value.js';

/** The document after the patch, or why it stays as it is; the fault names the operation. With `createParents`, members that are
 *  missing on the way to where something is added, copied or moved to are made, as objects. */
export function applyPatch(document: Json, patch: Patch, createParents = false): Json | Fault {
  let current = document;
  for (const [index, operation] of patch.entries()) {
    const next = applyOne(current, operation, createParents);
    if (next instanceof Fault) return next.at(index);
    if (sizeOf(next) > limits.documentBytesMax)
      return new Fault('too-large', `A document has at most ${limits.documentBytesMax} bytes.`, index);
    if (depthOf(next) > limits.documentDepthMax)
      return new Fault('depth', `A document nests at most ${limits.documentDepthMax} levels.`, index);
    current = next;
  }
  return current;
}

function applyOne(document: Json, operation: Operation, createParents: boolean): Json | Fault {
  const { op, path } = operation;
  switch (op) {
    case 'add':
      return add(document, path, operation.value, createParents);
    case 'remove':
      return remove(document, path);
    case 'replace':
      return replace(document, path, operation.value);
    case 'test': {
      const value = find(document, path);
      if (value instanceof Fault || isEqual(value, operation.value))
        return value instanceof Fault ? value : document;
      return new Fault('test-failed', `The value at ${shown(path)} is another one.`);
    }
    case 'copy': {
      const value = find(document, operation.from);
      return value instanceof Fault ? value : add(document, path, value, createParents);
    }
    case 'move':
      return move(document, operation.from, path, createParents);
    case 'splice':
      return splice(document, operation);
  }
}

/** The value there. */
export function find(document: Json, path: Pointer): Json | Fault {
  let value = document;
  for (const token of path) {
    const child = childOf(value, token);
    if (child instanceof Fault) return child;
    value = child;
  }
  return value;
}

function childOf(value: Json, token: string): Json | Fault {
  if (value instanceof Dict) return value.get(token) ?? (value.has(token) ? null : missing(token));
  if (!(value instanceof List)) return missing(token);
  const index = indexOf(token);
  if (index === undefined) return new Fault('index', `${JSON.stringify(token)} is no index of an array.`);
  return index < value.length ? value.at(index) : missing(token);
}

/** Changes the container that the pointer's last token is in. */
function alter(
  value: Json,
  path: Pointer,
  depth: number,
  change: (container: Json, token: string) => Json | Fault,
  createParents = false,
): Json | Fault {
  const token = path[depth]!;
  if (depth === path.length - 1) return change(value, token);
  const isMade = createParents && value instanceof Dict && !value.has(token) && token !== bytesMember;
  const child = isMade ? Dict.empty : childOf(value, token);
  if (child instanceof Fault) return child;
  const altered = alter(child, path, depth + 1, change, createParents);
  if (altered instanceof Fault || altered === child) return altered instanceof Fault ? altered : value;
  return value instanceof Dict ? value.with(token, altered) : (value as List).with(Number(token), altered);
}

function add(document: Json, path: Pointer, value: Json, createParents: boolean): Json | Fault {
  if (path.length === 0) return value;
  const put = (container: Json, token: string): Json | Fault => {
    if (container instanceof Dict)
      return token === bytesMember
        ? new Fault('bytes', `"${bytesMember}" is no name for a member: bytes are added as a value.`)
        : container.with(token, value);
    if (!(container instanceof List)) return missing(token);
    const index = token === '-' ? container.length : indexOf(token);
    if (index === undefined) return new Fault('index', `${JSON.stringify(token)} is no index of an array.`);
    return index <= container.length ? container.insert(index, value) : missing(token);
  };
  return alter(document, path, 0, put, createParents);
}

function remove(document: Json, path: Pointer): Json | Fault {
  if (path.length === 0)
    return new Fault('root', 'The whole document cannot be removed or moved; replace it.');
  return alter(document, path, 0, (container, token) => {
    const child = childOf(container, token);
    if (child instanceof Fault) return child;
    return container instanceof Dict ? container.without(token) : (container as List).remove(Number(token));
  });
}

function replace(document: Json, path: Pointer, value: Json): Json | Fault {
  if (path.length === 0) return value;
  return alter(document, path, 0, (container, token) => {
    const child = childOf(container, token);
    if (child instanceof Fault) return child;
    return container instanceof Dict
      ? container.with(token, value)
      : (container as List).with(Number(token), value);
  });
}

function move(document: Json, from: Pointer, path: Pointer, createParents: boolean): Json | Fault {
  const value = find(document, from);
  if (value instanceof Fault) return value;
  const isInside = path.length > from.length && from.every((token, i) => token === path[i]);
  if (isInside) return new Fault('into-itself', `${shown(from)} cannot be moved into itself.`);
  if (path.length === from.length && from.every((token, i) => token === path[i])) return document;
  const rest = remove(document, from);
  return rest instanceof Fault ? rest : add(rest, path, value, createParents);
}

function splice(document: Json, operation: Extract<Operation, { op: 'splice' }>): Json | Fault {
  const { path, at, remove: removed, insert } = operation;
  const change = (text: Json): Json | Fault => {
    if (typeof text !== 'string' && !(text instanceof Text))
      return new Fault('type', `${shown(path)} is no text.`);
    if (at + removed > text.length)
      return new Fault('range', `The text at ${shown(path)} has ${text.length} units.`);
    if (partsPair(text, at) || partsPair(text, at + removed))
      return new Fault('surrogate', 'A splice must not part a surrogate pair.');
    return spliceText(text, at, removed, insert);
  };
  if (path.length === 0) return change(document);
  return alter(document, path, 0, (container, token) => {
    const text = childOf(container, token);
    const changed = text instanceof Fault ? text : change(text);
    if (changed instanceof Fault) return changed;
    return container instanceof Dict
      ? container.with(token, changed)
      : (container as List).with(Number(token), changed);
  });
}

function missing(token: string): Fault {
  return new Fault('not-found', `There is nothing at ${JSON.stringify(token)}.`);
}

function shown(path: Pointer): string {
  return path.length === 0 ? 'the root' : JSON.stringify(pointerText(path));
}
