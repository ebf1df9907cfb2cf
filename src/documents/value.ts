/** Values of documents: JSON, with bytes as leaves, none of which is ever changed. Long texts, arrays and objects are
 *  trees (tree.ts); members of objects lie in the order of their names, as the canonical form wants them. */
import { ownText } from './own-text.js';
import {
  type ItemShape,
  type Measure,
  type Shape,
  type Tree,
  chunkAt,
  chunksOf,
  concat,
  isLeaf,
  split,
  treeOf,
  withItem,
} from './tree.js';

export type Json = null | boolean | number | string | Text | Bytes | List | Dict;

/** Texts of at most so many UTF-16 units are plain strings; longer ones are always `Text`, which knows its bytes: beside a
 *  change in an array or object the strings of the same chunk are measured again. */
export const plainTextMax = 128;
const textChunkMax = 1_024;
const itemChunkMax = 32;
/** New chunks are not filled, so that the next edit needs no new one. */
const fill = 3 / 4;

const bytesPrefix = '{"$bytes":"';
const bytesSuffix = '"}';
/** The only member of an object that stands for bytes; no other object may have one of this name. */
export const bytesMember = '$bytes';

// Texts.

const textShape: Shape<string> = {
  chunkMax: textChunkMax,
  slice: (chunk, from, to) => chunk.slice(from, to),
  join: (a, b) => a + b,
  measure: (chunk) => ({ bytes: quotedBytes(chunk) - 2, depth: 0, memory: 2 * chunk.length }),
};

/** A long text. Chunks never end inside a surrogate pair. */
export class Text {
  constructor(readonly tree: Tree<string>) {}

  get length(): number {
    return this.tree?.length ?? 0;
  }

  toString(): string {
    let text = '';
    for (const chunk of chunksOf(this.tree)) text += chunk;
    return text;
  }
}

export function textOf(text: string): string | Text {
  if (text.length <= plainTextMax) return text;
  return new Text(treeOf(textShape, [...textChunks(text)]));
}

function* textChunks(text: string): Generator<string> {
  const size = Math.floor(textChunkMax * fill);
  for (let from = 0; from < text.length;) {
    let to = Math.min(from + size, text.length);
    if (isInsidePair(text, to)) to--;
    yield ownText(text.slice(from, to));
    from = to;
  }
}

/** Whether cutting there parts a surrogate pair. */
export function isInsidePair(text: string, at: number): boolean {
  if (at <= 0 || at >= text.length) return false;
  const [high, low] = [text.charCodeAt(at - 1), text.charCodeAt(at)];
  return high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000;
}

/** The same within a text of either form. */
export function partsPair(text: string | Text, at: number): boolean {
  if (typeof text === 'string') return isInsidePair(text, at);
  if (at <= 0 || at >= text.length) return false;
  const { chunk, start } = chunkAt(text.tree, at);
  return isInsidePair(chunk, at - start);
}

/** Expects a range inside the text that parts no pair. */
export function spliceText(text: string | Text, at: number, remove: number, insert: string): string | Text {
  const length = text.length - remove + insert.length;
  if (typeof text === 'string') return textOf(text.slice(0, at) + insert + text.slice(at + remove));
  const [before, rest] = split(textShape, text.tree, at);
  const [, after] = split(textShape, rest, remove);
  const inserted = treeOf(textShape, [...textChunks(insert)]);
  const spliced = new Text(concat(textShape, concat(textShape, before, inserted), after));
  return length <= plainTextMax ? spliced.toString() : spliced;
}

// Bytes.

export class Bytes {
  /** Base64 as RFC 4648 §4 has it, padded. */
  constructor(readonly base64: string) {}
}

// Arrays.

/** `around` is what an item has beside its value: of bytes its separator, and a member its name. */
function itemShape<T>(
  valueIn: (item: T) => Json,
  around: (item: T) => { readonly bytes: number; readonly memory: number },
): ItemShape<readonly T[]> {
  const depthIn = (chunk: readonly T[]): number =>
    chunk.reduce((deepest, item) => Math.max(deepest, depthOf(valueIn(item))), 0);
  const measured = (item: T): Measure => {
    const value = valueIn(item);
    const { bytes, memory } = around(item);
    return { bytes: bytes + sizeOf(value), depth: depthOf(value), memory: memory + memoryOf(value) };
  };
  return {
    chunkMax: itemChunkMax,
    slice: (chunk, from, to) => chunk.slice(from, to),
    join: (a, b) => [...a, ...b],
    depthIn,
    measureAt: (chunk, at) => measured(chunk[at]!),
    measure: (chunk) => {
      let [bytes, depth, memory] = [0, 0, 0];
      for (const item of chunk) {
        const each = measured(item);
        bytes += each.bytes;
        memory += each.memory;
        if (each.depth > depth) depth = each.depth;
      }
      return { bytes, depth, memory };
    },
  };
}

const listShape = itemShape<Json>(
  (item) => item,
  () => ({ bytes: 1, memory: itemMemory }),
);

export class List {
  constructor(readonly tree: Tree<readonly Json[]>) {}

  static of(items: readonly Json[]): List {
    return new List(treeOf(listShape, [...itemChunks(items)]));
  }

  get length(): number {
    return this.tree?.length ?? 0;
  }

  at(index: number): Json {
    const { chunk, start } = chunkAt(this.tree, index);
    return chunk[index - start]!;
  }

  with(index: number, item: Json): List {
    return new List(withItem(listShape, this.tree!, index, (chunk, at) => replaced(chunk, at, item)));
  }

  insert(index: number, item: Json): List {
    const [before, after] = split(listShape, this.tree, index);
    return new List(concat(listShape, concat(listShape, before, treeOf(listShape, [[item]])), after));
  }

  remove(index: number): List {
    const [before, rest] = split(listShape, this.tree, index);
    const [, after] = split(listShape, rest, 1);
    return new List(concat(listShape, before, after));
  }

  *[Symbol.iterator](): Generator<Json> {
    for (const chunk of chunksOf(this.tree)) yield* chunk;
  }
}

function* itemChunks<T>(items: readonly T[]): Generator<readonly T[]> {
  const size = Math.floor(itemChunkMax * fill);
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}

// Objects.

/** With the bytes of its name, quoted: a name may be as long as the document, and is measured once. */
type Member = readonly [name: string, value: Json, nameBytes: number];

function memberOf(name: string, value: Json): Member {
  return [ownText(name), value, quotedBytes(name)];
}

const dictShape = itemShape<Member>(
  ([, value]) => value,
  ([name, , nameBytes]) => ({ bytes: nameBytes + 2, memory: memberMemory + textMemory(name) }),
);

/** Names are data: whatever they are, nothing is inherited and nothing is reached by them. */
export class Dict {
  constructor(readonly tree: Tree<readonly Member[]>) {}

  static readonly empty = new Dict(undefined);

  /** In any order; each name once. */
  static of(members: Iterable<readonly [name: string, value: Json]>): Dict {
    const sorted = [...members].map(([name, value]) => memberOf(name, value));
    sorted.sort(([a], [b]) => (a < b ? -1 : 1));
    return new Dict(treeOf(dictShape, [...itemChunks(sorted)]));
  }

  get size(): number {
    return this.tree?.length ?? 0;
  }

  get(name: string): Json | undefined {
    return this.#member(name)?.[1];
  }

  has(name: string): boolean {
    return this.#member(name) !== undefined;
  }

  with(name: string, value: Json): Dict {
    const index = this.#rank(name);
    if (this.#isAt(index, name)) {
      const change = (chunk: readonly Member[], at: number): Member[] =>
        replaced(chunk, at, [name, value, chunk[at]![2]]);
      return new Dict(withItem(dictShape, this.tree!, index, change));
    }
    const [before, after] = split(dictShape, this.tree, index);
    const added = treeOf(dictShape, [[memberOf(name, value)]]);
    return new Dict(concat(dictShape, concat(dictShape, before, added), after));
  }

  without(name: string): Dict {
    const [before, rest] = split(dictShape, this.tree, this.#rank(name));
    const [, after] = split(dictShape, rest, 1);
    return new Dict(concat(dictShape, before, after));
  }

  *[Symbol.iterator](): Generator<Member> {
    for (const chunk of chunksOf(this.tree)) yield* chunk;
  }

  #at(index: number): Member {
    const { chunk, start } = chunkAt(this.tree, index);
    return chunk[index - start]!;
  }

  #isAt(index: number, name: string): boolean {
    return index < this.size && this.#at(index)[0] === name;
  }

  #member(name: string): Member | undefined {
    const { chunk } = this.#chunkOf(name);
    return chunk.find(([each]) => each === name);
  }

  /** How many names come before this one. */
  #rank(name: string): number {
    const { chunk, start } = this.#chunkOf(name);
    const within = chunk.findIndex(([each]) => each >= name);
    return start + (within === -1 ? chunk.length : within);
  }

  /** The one that has this name, or would. */
  #chunkOf(name: string): { readonly chunk: readonly Member[]; readonly start: number } {
    let node: Tree<readonly Member[]> = this.tree;
    let start = 0;
    while (node && !isLeaf(node)) {
      const isRight: boolean = firstName(node.right) <= name;
      if (isRight) start += node.left.length;
      node = isRight ? node.right : node.left;
    }
    return { chunk: node?.chunk ?? [], start };
  }
}

function firstName(tree: NonNullable<Dict['tree']>): string {
  return chunkAt(tree, 0).chunk[0]![0];
}

function replaced<T>(items: readonly T[], at: number, item: T): T[] {
  const copy = items.slice();
  copy[at] = item;
  return copy;
}

// What is known of any value.

/** Bytes of the canonical form. */
export function sizeOf(value: Json): number {
  if (typeof value === 'string') return quotedBytes(value);
  if (typeof value === 'number') return String(value).length;
  if (value === null || value === true) return 4;
  if (value === false) return 5;
  if (value instanceof Text) return 2 + (value.tree?.bytes ?? 0);
  if (value instanceof Bytes) return bytesPrefix.length + value.base64.length + bytesSuffix.length;
  // One separator less than there are items; the two brackets.
  return value.tree ? value.tree.bytes + 1 : 2;
}

/** How deep arrays and objects nest; 0 for what is neither. */
export function depthOf(value: Json): number {
  if (value instanceof List || value instanceof Dict) return 1 + (value.tree?.depth ?? 0);
  return value instanceof Bytes ? 1 : 0;
}

/** Bytes of memory that it takes, about, as V8 lays it out: 1 MiB of canonical form may be 1.3 MiB
 *  or 65. In MiB, what `node --expose-gc` measured (Node 20), and what this says: one text 1.2 and 2.3 (0.6 and 1.1 with two
 *  bytes for a unit), texts of 20 units 3.1 and 3.5, numbers 8.0 and 12.2, rows of four members 11.9 and 13.1, an object of numbers
 *  11.3 and 13.1, `[]` 16.1 and 16.1, `{}` 18.8 and 16.1, `{"a":1}` 32.0 and 35.3, `[1]` 44.1 and 46.1, `[[[[1]]]]` 65.5 and 66.4.
 *  What versions share counts in each. */
export function memoryOf(value: Json): number {
  if (typeof value === 'string') return textMemory(value);
  if (value instanceof Text || value instanceof List || value instanceof Dict)
    return headMemory + (value.tree?.memory ?? 0);
  if (value instanceof Bytes) return headMemory + textMemory(value.base64);
  return typeof value === 'number' ? numberMemory : 0;
}

/** Units that are not Latin take two bytes. */
function textMemory(text: string): number {
  return 24 + 2 * text.length;
}

const headMemory = 32;
/** Where a chunk has nothing but numbers none; 16 beside other values. */
const numberMemory = 8;
/** Of an item in its chunk, and of a member's pair with its place there. */
const itemMemory = 8;
const memberMemory = 80;

/** As JSON.stringify quotes it, in UTF-8; without making that. */
function quotedBytes(text: string): number {
  let bytes = text.length + 2;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x80) {
      if (code < 0x800) bytes += 1;
      else if (code < 0xd800 || code >= 0xe000) bytes += 2;
      else if (isInsidePair(text, i + 1)) {
        // Four bytes for two units.
        bytes += 2;
        i++;
      } else bytes += escapedUnit;
    } else if (code === 0x22 || code === 0x5c) bytes += 1;
    else if (code < 0x20) bytes += shortEscapes.has(code) ? 1 : escapedUnit;
  }
  return bytes;
}

/** More than the unit itself: `\u0000`. */
const escapedUnit = 5;
/** Backspace, tab, new line, form feed, return. */
const shortEscapes = new Set([0x08, 0x09, 0x0a, 0x0c, 0x0d]);

/** Equal as JSON: numbers by value, members in any order, texts unit by unit. */
export function isEqual(a: Json, b: Json): boolean {
  if (a === b) return true;
  // Known without a look inside, and it bounds that look by the smaller of both.
  if (sizeOf(a) !== sizeOf(b)) return false;
  if (a instanceof Text && b instanceof Text) return a.toString() === b.toString();
  if (a instanceof Bytes && b instanceof Bytes) return a.base64 === b.base64;
  if (a instanceof List && b instanceof List)
    return a.length === b.length && isEqualInOrder(a, b, (x, y) => isEqual(x, y));
  if (a instanceof Dict && b instanceof Dict)
    return a.size === b.size && isEqualInOrder(a, b, ([m, x], [n, y]) => m === n && isEqual(x, y));
  return false;
}

function isEqualInOrder<T>(a: Iterable<T>, b: Iterable<T>, same: (x: T, y: T) => boolean): boolean {
  const others = b[Symbol.iterator]();
  for (const item of a) {
    const other = others.next();
    if (other.done || !same(item, other.value)) return false;
  }
  return true;
}

/** The canonical form: RFC 8785, with bytes as `{"$bytes":base64}`. One value has one text, whatever made it. */
export function canonical(value: Json): string {
  if (value instanceof Text) return JSON.stringify(value.toString());
  if (value instanceof Bytes) return bytesPrefix + value.base64 + bytesSuffix;
  if (value instanceof List) return `[${[...value].map(canonical).join(',')}]`;
  if (value instanceof Dict)
    return `{${[...value].map(([name, item]) => `${JSON.stringify(name)}:${canonical(item)}`).join(',')}}`;
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}
