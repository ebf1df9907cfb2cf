/** A patch from one document to another: members by name, arrays and texts by what they have in common at both ends. Parts
 *  that both versions share are not looked into. */
import { pointerText } from './pointer.js';
import { Dict, type Json, List, Text, canonical, isEqual, isInsidePair } from './value.js';

/** The JSON text of a patch, operations only where something differs. */
export function diff(from: Json, to: Json): string {
  const operations: string[] = [];
  compare(from, to, [], operations);
  return `[${operations.join(',')}]`;
}

function compare(from: Json, to: Json, path: readonly string[], out: string[]): void {
  if (isEqual(from, to)) return;
  if (from instanceof Dict && to instanceof Dict) return compareMembers(from, to, path, out);
  if (from instanceof List && to instanceof List) return compareItems([...from], [...to], path, out);
  if (isText(from) && isText(to)) return void out.push(spliceOf(String(from), String(to), path));
  out.push(operation('replace', path, to));
}

function compareMembers(from: Dict, to: Dict, path: readonly string[], out: string[]): void {
  for (const [name] of from) if (!to.has(name)) out.push(operation('remove', [...path, name]));
  for (const [name, value] of to) {
    const before = from.get(name);
    if (before === undefined) out.push(operation('add', [...path, name], value));
    else compare(before, value, [...path, name], out);
  }
}

function compareItems(
  from: readonly Json[],
  to: readonly Json[],
  path: readonly string[],
  out: string[],
): void {
  const shorter = Math.min(from.length, to.length);
  let start = 0;
  while (start < shorter && isEqual(from[start]!, to[start]!)) start++;
  let end = 0;
  while (end < shorter - start && isEqual(from[from.length - 1 - end]!, to[to.length - 1 - end]!)) end++;
  const both = Math.max(0, shorter - start - end);
  for (let i = start; i < start + both; i++) compare(from[i]!, to[i]!, [...path, String(i)], out);
  for (let i = from.length - end - 1; i >= start + both; i--)
    out.push(operation('remove', [...path, String(i)]));
  for (let i = start + both; i < to.length - end; i++)
    out.push(operation('add', [...path, String(i)], to[i]!));
}

function spliceOf(from: string, to: string, path: readonly string[]): string {
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
  const remove = from.length - end - start;
  const insert = JSON.stringify(to.slice(start, to.length - end));
  return `{"op":"splice","path":${quoted(path)},"at":${start},"remove":${remove},"insert":${insert}}`;
}

function operation(op: 'add' | 'remove' | 'replace', path: readonly string[], value?: Json): string {
  const rest = value === undefined ? '' : `,"value":${canonical(value)}`;
  return `{"op":"${op}","path":${quoted(path)}${rest}}`;
}

function quoted(path: readonly string[]): string {
  return JSON.stringify(pointerText(path));
}

function isText(value: Json): value is string | Text {
  return typeof value === 'string' || value instanceof Text;
}
