/** JSON Patch, RFC 6902, read into operations, with `splice` beside it: it changes part of a text.
 *  `{"op":"splice","path","at","remove","insert"}`, positions in UTF-16 units, `remove` and `insert` may be left out. */
import { documentLimits as limits } from '../base/document-limits.js';
import { Fault } from './faults.js';
import { type Members, type Numbers, readItems } from './json-reader.js';
import { type Pointer, pointerText, readPointer } from './pointer.js';
import { type Json, Text, canonical } from './value.js';

export type Operation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: Pointer; readonly value: Json }
  | { readonly op: 'remove'; readonly path: Pointer }
  | { readonly op: 'move' | 'copy'; readonly from: Pointer; readonly path: Pointer }
  | {
      readonly op: 'splice';
      readonly path: Pointer;
      readonly at: number;
      readonly remove: number;
      readonly insert: string;
    };

/** Applied all or none. */
export type Patch = readonly Operation[];

/** Expects the JSON text of a patch. */
export function readPatch(bytes: Uint8Array | string, numbers: Numbers = 'as-folded'): Patch | Fault {
  const items = readItems(bytes, limits.patchOperationsMax, numbers);
  if (items instanceof Fault) return items;
  if (!items) return new Fault('not-a-patch', 'A patch is an array of operations.');
  const operations: Operation[] = [];
  for (const item of items) {
    const operation = readOperation(item);
    if (operation instanceof Fault) return operation.at(operations.length);
    operations.push(operation);
  }
  return operations;
}

/** Its JSON text. */
export function writePatch(patch: Patch): string {
  return `[${patch.map(operationText).join(',')}]`;
}

function operationText(operation: Operation): string {
  const { op, path } = operation;
  const start = `{"op":"${op}","path":${JSON.stringify(pointerText(path))}`;
  switch (op) {
    case 'remove':
      return `${start}}`;
    case 'move':
    case 'copy':
      return `${start},"from":${JSON.stringify(pointerText(operation.from))}}`;
    case 'splice': {
      const { at, remove, insert } = operation;
      return `${start},"at":${at},"remove":${remove},"insert":${JSON.stringify(insert)}}`;
    }
    default:
      return `${start},"value":${canonical(operation.value)}}`;
  }
}

function readOperation(item: Members | Json): Operation | Fault {
  if (!(item instanceof Map)) return new Fault('operation', 'An operation is an object.');
  const op = item.get('op');
  const path = pointerOf(item, 'path');
  switch (op) {
    case 'add':
    case 'replace':
    case 'test': {
      if (path instanceof Fault) return path;
      const value = item.get('value');
      return value === undefined ? new Fault('operation', `"${op}" needs a "value".`) : { op, path, value };
    }
    case 'remove':
      return path instanceof Fault ? path : { op, path };
    case 'move':
    case 'copy': {
      const from = pointerOf(item, 'from');
      if (path instanceof Fault) return path;
      return from instanceof Fault ? from : { op, from, path };
    }
    case 'splice':
      return path instanceof Fault ? path : readSplice(item, path);
    default:
      return new Fault('operation', '"op" is one of add, remove, replace, move, copy, test and splice.');
  }
}

function readSplice(item: Members, path: Pointer): Operation | Fault {
  const at = item.get('at');
  const remove = item.get('remove') ?? 0;
  const insert = stringOf(item.get('insert') ?? '');
  if (!isCount(at) || !isCount(remove) || insert === undefined)
    return new Fault(
      'operation',
      '"splice" has "at" and "remove", counts of UTF-16 units, and "insert", a text.',
    );
  return { op: 'splice', path, at, remove, insert };
}

function pointerOf(item: Members, name: 'path' | 'from'): Pointer | Fault {
  const text = stringOf(item.get(name));
  return text === undefined
    ? new Fault('operation', `An operation needs "${name}", a pointer.`)
    : readPointer(text);
}

function stringOf(value: Json | undefined): string | undefined {
  return value instanceof Text ? value.toString() : typeof value === 'string' ? value : undefined;
}

function isCount(value: Json | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
