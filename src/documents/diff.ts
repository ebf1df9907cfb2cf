/** A patch from one document to another: members by name, arrays and texts by what they have in common at both ends. Parts
 *  that both versions share are not looked into. It is within what a patch may be: where there were too many operations, the
 *  nearest that holds them is replaced, in the end the whole. What gets smaller comes before what grows, so that no document
 *  on the way is larger than both. */
import { utf8 } from '../base/bytes.js';
import { documentLimits as limits } from '../base/document-limits.js';
import { wireLimits } from '../base/wire-limits.js';
import { Fault } from './faults.js';
import { type Operation, readPatch, writePatch } from './patch.js';
import type { Pointer } from './pointer.js';
import { Dict, type Json, List, Text, depthOf, isEqual, isInsidePair, sizeOf } from './value.js';

/** Headers have room beside it in a message. */
const patchBytesMax = wireLimits.messageBytesMax - 4_096;
/** A value is in an operation, which is in a patch. */
const valueDepthMax = limits.documentDepthMax - 2;
/** More operations than that below one place are one that replaces it: tried one after the other where all are too many. */
const bounds = [256, 64, 16, 4, 1, 0];

/** The JSON text of a patch, operations only where something differs. A fault where no patch is short enough. */
export function diff(from: Json, to: Json): string | Fault {
  const difference = compare(from, to, []);
  if (!difference) return '[]';
  const patch = textOf(difference, Infinity);
  const fault = faultOf(patch);
  if (!fault) return patch;
  for (const bound of bounds) {
    const coarser = textOf(difference, bound);
    if (!faultOf(coarser)) return coarser;
  }
  return fault;
}

function faultOf(patch: string): Fault | undefined {
  if (utf8(patch).length > patchBytesMax)
    return new Fault('too-large', `What differs is more than a patch of ${patchBytesMax} bytes has.`);
  const read = readPatch(patch);
  return read instanceof Fault ? read : undefined;
}

interface Difference {
  readonly path: Pointer;
  readonly to: Json;
  /** By how much it makes the document longer. */
  readonly growth: number;
  /** In their order; those that are differences themselves are in between. */
  readonly first: readonly Operation[];
  readonly parts: readonly Difference[];
  readonly last: readonly Operation[];
}

function compare(from: Json, to: Json, path: Pointer): Difference | undefined {
  if (isEqual(from, to)) return undefined;
  const about = { path, to, growth: sizeOf(to) - sizeOf(from) };
  const parts: Difference[] = [];
  if (from instanceof Dict && to instanceof Dict)
    return { ...about, ...compareMembers(from, to, path, parts) };
  if (from instanceof List && to instanceof List)
    return { ...about, ...compareItems([...from], [...to], path, parts) };
  const isTexts = isText(from) && isText(to);
  const first = isTexts ? [spliceOf(String(from), String(to), path)] : put('replace', path, to);
  return { ...about, first, parts, last: [] };
}

type Parts = Pick<Difference, 'first' | 'parts' | 'last'>;

function compareMembers(from: Dict, to: Dict, path: Pointer, parts: Difference[]): Parts {
  const [first, last]: [Operation[], Operation[]] = [[], []];
  for (const [name] of from) if (!to.has(name)) first.push({ op: 'remove', path: [...path, name] });
  for (const [name, value] of to) {
    const before = from.get(name);
    if (before === undefined) last.push(...put('add', [...path, name], value));
    else push(parts, compare(before, value, [...path, name]));
  }
  return { first, parts, last };
}

function compareItems(from: readonly Json[], to: readonly Json[], path: Pointer, parts: Difference[]): Parts {
  const [first, last]: [Operation[], Operation[]] = [[], []];
  const shorter = Math.min(from.length, to.length);
  let start = 0;
  while (start < shorter && isEqual(from[start]!, to[start]!)) start++;
  let end = 0;
  while (end < shorter - start && isEqual(from[from.length - 1 - end]!, to[to.length - 1 - end]!)) end++;
  const both = Math.max(0, shorter - start - end);
  for (let i = start; i < start + both; i++) push(parts, compare(from[i]!, to[i]!, [...path, String(i)]));
  for (let i = from.length - end - 1; i >= start + both; i--)
    first.push({ op: 'remove', path: [...path, String(i)] });
  for (let i = start + both; i < to.length - end; i++) last.push(...put('add', [...path, String(i)], to[i]!));
  return { first, parts, last };
}

function push(parts: Difference[], part: Difference | undefined): void {
  if (part) parts.push(part);
}

function textOf(difference: Difference, bound: number): string {
  return writePatch(operationsOf(difference, bound));
}

function operationsOf({ path, to, first, parts, last }: Difference, bound: number): readonly Operation[] {
  const inside = [...parts].sort((a, b) => a.growth - b.growth).flatMap((part) => operationsOf(part, bound));
  const all = [...first, ...inside, ...last];
  return all.length > bound ? put('replace', path, to) : all;
}

/** One operation, or more for what is too deep for one: what is in its depths comes after it. */
function put(op: 'add' | 'replace', path: Pointer, value: Json): Operation[] {
  const tooDeep = depthOf(value) - valueDepthMax;
  if (tooDeep <= 0) return [{ op, path, value }];
  const deep: Operation[] = [];
  return [
    { op, path, value: without(value, { levels: tooDeep, depthMax: valueDepthMax }, path, deep) },
    ...deep,
  ];
}

/** Without what is deeper than `depthMax`: so many levels down it is nothing for now. */
function without(
  value: Json,
  { levels, depthMax }: { readonly levels: number; readonly depthMax: number },
  path: Pointer,
  deep: Operation[],
): Json {
  if (depthOf(value) <= depthMax) return value;
  if (levels === 0) {
    deep.push({ op: 'replace', path, value });
    return null;
  }
  const inside = (item: Json, token: string) =>
    without(item, { levels: levels - 1, depthMax: depthMax - 1 }, [...path, token], deep);
  if (value instanceof List) return List.of([...value].map((item, i) => inside(item, String(i))));
  return Dict.of([...(value as Dict)].map(([name, item]) => [name, inside(item, name)] as const));
}

function spliceOf(from: string, to: string, path: Pointer): Operation {
  const shorter = Math.min(from.length, to.length);
  let start = 0;
  while (start < shorter && from.charCodeAt(start) === to.charCodeAt(start)) start++;
  if (isInsidePair(from, start) || isInsidePair(to, start)) start--;
  let end = 0;
  while (
    end < shorter - start &&
    from.charCodeAt(from.length - 1 - end) === to.charCodeAt(to.length - 1 - end)
  )
    end++;
  if (isInsidePair(from, from.length - end) || isInsidePair(to, to.length - end)) end--;
  const insert = to.slice(start, to.length - end);
  return { op: 'splice', path, at: start, remove: from.length - end - start, insert };
}

function isText(value: Json): value is string | Text {
  return typeof value === 'string' || value instanceof Text;
}
