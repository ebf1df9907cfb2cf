/** How much is looked at for a change: what lies beside it, however long, is not measured again. Counted, not timed. */
import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { applyPatch } from '../../src/documents/apply.js';
import { Fault } from '../../src/documents/faults.js';
import { readJsonText } from '../../src/documents/json-reader.js';
import { readPatch } from '../../src/documents/patch.js';
import { type Json, sizeOf } from '../../src/documents/value.js';

const operations = limits.patchOperationsMax;

function read(value: unknown): Json {
  const json = readJsonText(JSON.stringify(value));
  if (json instanceof Fault) throw new Error(json.message);
  return json;
}

/** Units of texts that are looked at one by one while `path` is given the value and loses it, for a whole patch. */
function lookedAt(document: unknown, path: string, value: unknown = 1): number {
  const before = read(document);
  const pair = [
    { op: 'add', path, value },
    { op: 'remove', path },
  ];
  const patch = readPatch(JSON.stringify(Array.from({ length: operations / 2 }, () => pair).flat()));
  if (patch instanceof Fault) throw new Error(patch.message);
  const { result, units } = counted(() => applyPatch(before, patch));
  if (result instanceof Fault) throw new Error(result.message);
  expect(sizeOf(result)).toBe(sizeOf(before));
  return units;
}

function counted<T>(run: () => T): { result: T; units: number } {
  const original = Object.getOwnPropertyDescriptor(String.prototype, 'charCodeAt')!;
  const charCodeAt = original.value as (this: string, index: number) => number;
  let units = 0;
  Object.defineProperty(String.prototype, 'charCodeAt', {
    ...original,
    value(this: string, index: number): number {
      units++;
      return charCodeAt.call(this, index);
    },
  });
  try {
    const result = run();
    return { result, units };
  } finally {
    Object.defineProperty(String.prototype, 'charCodeAt', original);
  }
}

/** What a chunk of the longest plain strings has: a change looks at a few of those. */
const chunkUnits = 32 * 128;

test('what is looked at is counted', () => {
  expect(lookedAt({ text: 'x'.repeat(100) }, '/a')).toBeGreaterThan(operations * 100);
});

test('names are measured once, however long', () => {
  const name = 'n'.repeat(limits.documentBytesMax - 100);
  expect(lookedAt({ [name]: 1 }, '/c')).toBeLessThan(operations * 10);
  expect(lookedAt({ inner: { [name]: 1 } }, '/inner/c')).toBeLessThan(operations * 10);
});

test('long texts beside a change are not measured again', () => {
  const texts = Array.from({ length: 24 }, () => 'x'.repeat(1_024));
  expect(lookedAt(texts, '/3')).toBeLessThan(operations * chunkUnits);
  expect(lookedAt(Object.fromEntries(texts.entries()), '/c')).toBeLessThan(operations * chunkUnits);
});

test('a change that makes its place deeper and flatter measures nothing on the way there', () => {
  const levels = limits.documentDepthMax - 3;
  const beside = Array.from({ length: 31 }, () => 'x'.repeat(128));
  let document: unknown = [];
  for (let i = 1; i < levels; i++) document = [...beside, document];
  const path = `/${beside.length}`.repeat(levels - 1);
  expect(lookedAt(document, `${path}/0`, [[]])).toBeLessThan(operations * chunkUnits);
});
