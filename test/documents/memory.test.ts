/** What is said of a value's memory, beside what the engine has taken for it. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { Fault } from '../../src/documents/faults.js';
import { emptyFold, foldEntry } from '../../src/documents/fold.js';
import { readJson } from '../../src/documents/json-reader.js';
import { Dict, type Json, List, memoryOf, textOf } from '../../src/documents/value.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heapUsed(): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

/** What `make` gives, and the heap that it keeps. What is compiled or grown once is there before. */
function heapOf<T>(make: () => T): { made: T; heap: number } {
  make();
  const before = heapUsed();
  const made = make();
  return { made, heap: heapUsed() - before };
}

function read(text: string): Json {
  const json = readJson(utf8(text));
  if (json instanceof Fault) throw new Error(json.message);
  return json;
}

/** As many as a document may have. */
function filled(item: (i: number) => string): string {
  const items: string[] = [];
  for (let length = 2; length < limits.documentBytesMax;) {
    const next = item(items.length);
    items.push(next);
    length += next.length + 1;
  }
  return items.slice(1).join(',');
}

describe('what is said of memory is about what a document takes', () => {
  test.each([
    ['[1]', () => `[${filled(() => '[1]')}]`],
    ['{"a":1}', () => `[${filled(() => '{"a":1}')}]`],
    ['[[[[1]]]]', () => `[${filled(() => '[[[[1]]]]')}]`],
    ['{}', () => `[${filled(() => '{}')}]`],
    ['numbers', () => `[${filled(() => '1')}]`],
    ['members', () => `{${filled((i) => `"${i}":1`)}}`],
    ['names', () => `[${filled((i) => `"person ${i}"`)}]`],
    ['rows', () => `[${filled((i) => `{"id":${i},"name":"person ${i}","tags":["a","b"]}`)}]`],
    ['a text', () => `"${'x'.repeat(limits.documentBytesMax - 2)}"`],
  ])('%s', (_, text) => {
    const json = text();
    const { made, heap } = heapOf(() => read(json));
    const ratio = memoryOf(made) / heap;
    expect(ratio).toBeGreaterThan(0.6);
    expect(ratio).toBeLessThan(3);
  });
});

test('what is put in place of another counts for it, and no more', () => {
  const long = textOf('x'.repeat(5_000));
  const items = Array.from({ length: 100 }, (_, i) => read(`[${i}]`));
  const list = List.of(items);
  expect(memoryOf(list.with(50, long)) - memoryOf(list)).toBe(memoryOf(long) - memoryOf(items[50]!));
  expect(memoryOf(list.with(50, long).with(50, items[50]!))).toBe(memoryOf(list));
  const dict = Dict.of(items.map((item, i) => [`n${i}`, item] as const));
  expect(memoryOf(dict.with('n50', long)) - memoryOf(dict)).toBe(memoryOf(long) - memoryOf(items[50]!));
  expect(memoryOf(dict.with('n50', long).with('n50', items[50]!))).toBe(memoryOf(dict));
});

const long = 'x'.repeat(limits.documentBytesMax / 2);
const short = 'y'.repeat(20);

test.each([
  ['a text', [{ op: 'add', path: '/a', value: short }]],
  ['a name', [{ op: 'add', path: '/a', value: { [short]: 1 } }]],
  [
    'a name of a path',
    [
      { op: 'remove', path: '/a' },
      { op: 'add', path: `/${short}`, value: 1 },
    ],
  ],
  ['what is left of a text', [{ op: 'splice', path: '/a', at: 1_000, remove: long.length - 2_000 }]],
])('a document does not keep the patch in memory that it has %s from', (_, operations) => {
  const patch = utf8(JSON.stringify([{ op: 'add', path: '/a', value: long }, ...operations]));
  const { made, heap } = heapOf(() =>
    Array.from(
      { length: 20 },
      () => foldEntry(emptyFold, { kind: 'patch', content: { payload: patch } }).fold,
    ),
  );
  expect(made.map(({ version }) => version)).toEqual(made.map(() => 1));
  expect(heap).toBeLessThan(2 * long.length);
});
