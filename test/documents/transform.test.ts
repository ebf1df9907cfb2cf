/** Edits made beside each other come to the same in both orders, or are said to touch the same. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyPatch } from '../../src/documents/apply.js';
import { type Edit, editsOf, inverseOf, operationOf } from '../../src/documents/edits.js';
import { Fault } from '../../src/documents/faults.js';
import { readJsonText } from '../../src/documents/json-reader.js';
import { type Patch, readPatch } from '../../src/documents/patch.js';
import { movedPast } from '../../src/documents/transform.js';
import { type Json, canonical } from '../../src/documents/value.js';

const path = fc.constantFrom(
  '/l/0',
  '/l/1',
  '/l/2',
  '/l/-',
  '/l/1/0',
  '/d/a',
  '/d/b',
  '/t',
  '/d',
  '/l',
  '/d/a/x',
);
const value = fc.oneof(fc.nat(99), fc.constantFrom<unknown>('text', [7, 8], { x: 1 }));
const operation = fc.oneof(
  fc.record({ op: fc.constantFrom('add', 'replace'), path, value }),
  fc.record({ op: fc.constant('remove'), path }),
  fc.record({ op: fc.constantFrom('move', 'copy'), path, from: path }),
  fc.record({
    op: fc.constant('splice'),
    path: fc.constant('/t'),
    at: fc.nat(9),
    remove: fc.nat(3),
    insert: fc.string({ unit: 'grapheme-ascii', maxLength: 3 }),
  }),
);
const operations = fc.array(operation, { maxLength: 5 });

function start(): Json {
  return readJsonText('{"l":[1,[2,3],"four",{"x":5}],"d":{"a":{"y":6}},"t":"a longer text"}') as Json;
}

/** Those that apply, one behind the other. */
function editsFrom(document: Json, given: readonly object[]): { edits: Edit[]; after: Json } {
  let after = document;
  const edits: Edit[] = [];
  for (const each of given) {
    const patch = readPatch(JSON.stringify([each])) as Patch;
    const next = applyPatch(after, patch, true);
    if (next instanceof Fault) continue;
    edits.push(...editsOf(after, patch, true));
    after = next;
  }
  return { edits, after };
}

function applied(document: Json, edits: readonly Edit[]): Json {
  const after = applyPatch(document, edits.map(operationOf), true);
  if (after instanceof Fault) throw new Error(after.message);
  return after;
}

test('a patch is its edits, and what takes them back leads to where it began', () => {
  fc.assert(
    fc.property(operations, (given) => {
      const { edits, after } = editsFrom(start(), given);
      expect(canonical(applied(start(), edits))).toBe(canonical(after));
      expect(canonical(applied(after, inverseOf(edits)))).toBe(canonical(start()));
    }),
    { numRuns: 2_000 },
  );
});

test('edits of two come to the same in both orders', () => {
  let moved = 0;
  fc.assert(
    fc.property(operations, operations, (a, b) => {
      const [mine, theirs] = [editsFrom(start(), a), editsFrom(start(), b)];
      const past = movedPast(mine.edits, theirs.edits);
      if (!past) return;
      if (mine.edits.length > 0 && theirs.edits.length > 0) moved++;
      expect(canonical(applied(theirs.after, past.mine))).toBe(canonical(applied(mine.after, past.theirs)));
    }),
    { numRuns: 3_000 },
  );
  expect(moved).toBeGreaterThan(300);
});
