/** A difference is a patch that a node takes, however much differs. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import { documentLimits as limits } from '../../src/base/document-limits.js';
import { wireLimits } from '../../src/base/wire-limits.js';
import { applyPatch } from '../../src/documents/apply.js';
import { diff } from '../../src/documents/diff.js';
import { Fault } from '../../src/documents/faults.js';
import { readJsonText } from '../../src/documents/json-reader.js';
import { type Patch, readPatch } from '../../src/documents/patch.js';
import { type Json, canonical, depthOf, sizeOf } from '../../src/documents/value.js';

function read(value: unknown): Json {
  const json = readJsonText(JSON.stringify(value));
  if (json instanceof Fault) throw new Error(json.message);
  return json;
}

/** The patch, which makes the one of the other and is within what a message has. */
function differing(from: Json, to: Json): Patch {
  const text = diff(from, to);
  if (text instanceof Fault) throw new Error(text.message);
  expect(utf8(text).length).toBeLessThan(wireLimits.messageBytesMax - 4_000);
  const patch = readPatch(text) as Patch;
  const result = applyPatch(from, patch);
  if (result instanceof Fault) throw new Error(`${result.code}: ${result.message}`);
  expect(canonical(result) === canonical(to)).toBe(true);
  return patch;
}

const nested = (levels: number, inside: unknown = 1): unknown =>
  levels === 0 ? inside : levels % 2 ? [nested(levels - 1, inside)] : { a: nested(levels - 1, inside) };
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);

describe('where more differs than a patch has operations', () => {
  test('the nearest place that holds it is replaced, and nothing beside it', () => {
    const from = read({ title: 'a', list: numbers(1_500), far: { of: { it: 1 } } });
    const to = read({ title: 'b', list: numbers(1_500, 7_000), far: { of: { it: 2 } } });
    const paths = differing(from, to).map(({ op, path }) => [op, path.join('/')]);
    expect(paths).toContainEqual(['replace', 'list']);
    expect(paths).toContainEqual(['replace', 'far/of/it']);
    expect(paths).toHaveLength(3);
  });

  test('in the end it is the whole', () => {
    const members = (value: number) => Object.fromEntries(numbers(1_500).map((i) => [`m${i}`, value]));
    expect(differing(read(members(1)), read(members(2)))).toMatchObject([{ op: 'replace', path: [] }]);
  });
});

test('what nests as deep as a document may is put in by more than one operation', () => {
  for (const levels of [45, 46, 47]) {
    differing(read({}), read({ a: nested(levels) }));
    differing(read([1]), read([nested(levels), nested(levels, 'other')]));
    differing(read({ a: 1, b: 2 }), read({ a: nested(levels - 2, { b: [] }) }));
    differing(read({ a: nested(levels) }), read({ a: nested(levels, 'else') }));
  }
  expect(differing(read(1), read(nested(48)))).toHaveLength(2);
});

test('a pointer that is too long for a patch has what holds it replaced', () => {
  const named = (value: number) => ({ ['n'.repeat(600)]: { ['m'.repeat(600)]: value } });
  expect(differing(read(named(1)), read(named(2)))).toHaveLength(1);
});

test('what gets smaller comes first: both are as long as a document may be', () => {
  const long = 'x'.repeat(1_000_000);
  expect(differing(read({ a: '', b: long }), read({ a: long, b: '' }))).toHaveLength(2);
  expect(differing(read([{ a: '' }, { b: long }]), read([{ a: long }, { b: '' }]))).toHaveLength(2);
});

test('a document that no patch has is said to be too large', () => {
  const [from, to] = ['x', 'y'].map((unit) => read({ text: unit.repeat(1_048_000) }));
  expect(sizeOf(to!)).toBeLessThan(limits.documentBytesMax);
  expect(diff(from!, to!)).toMatchObject({ code: 'too-large' });
  differing(from!, read({ text: `${'x'.repeat(1_048_000)}y` }));
});

test('any two large documents', () => {
  const leaf = fc.oneof(fc.nat(3), fc.constantFrom('x'.repeat(40_000), 'a text', '', null));
  const branch = fc.oneof(
    leaf,
    fc.integer({ min: 0, max: 47 }).map((levels) => nested(levels)),
    fc.record({ count: fc.nat(1_400), from: fc.nat(2) }).map(({ count, from }) => numbers(count, from)),
    fc
      .record({ count: fc.nat(1_400), value: fc.nat(2) })
      .map(({ count, value }) => Object.fromEntries(numbers(count).map((i) => [`m${i}`, [value]]))),
  );
  const document = fc.oneof(
    fc.array(branch, { maxLength: 8 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), branch, { noNullPrototype: true }),
  );
  fc.assert(
    fc.property(document, document, (a, b) => {
      const [from, to] = [read(a), read(b)];
      fc.pre(depthOf(from) <= 48 && depthOf(to) <= 48);
      expect(differing(from, to).length).toBeLessThanOrEqual(limits.patchOperationsMax);
    }),
    { numRuns: 60 },
  );
});
