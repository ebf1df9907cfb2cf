/** Values against plain JavaScript ones, which do the same by copying everything. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.js';
import { applyPatch } from '../../src/documents/apply.js';
import { diff } from '../../src/documents/diff.js';
import { Fault } from '../../src/documents/faults.js';
import { readJsonText } from '../../src/documents/json-reader.js';
import { type Patch, readPatch } from '../../src/documents/patch.js';
import {
  type Json,
  canonical,
  depthOf,
  isEqual,
  sizeOf,
  spliceText,
  textOf,
} from '../../src/documents/value.js';

type Plain = null | boolean | number | string | Plain[] | { [name: string]: Plain };

const name = fc.constantFrom('a', 'b', 'c', '__proto__', 'ö', '\u{1f600}');
const leaf: fc.Arbitrary<Plain> = fc.oneof(
  fc.constantFrom(null, true, false),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value)),
  fc.string({ unit: 'binary' }),
  fc.string({ minLength: 1_500, maxLength: 3_000 }),
);
const plain: fc.Arbitrary<Plain> = fc.letrec<{ value: Plain }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('value'), { maxLength: 50 }),
    fc.dictionary(name, tie('value'), { noNullPrototype: false }).map((members) => {
      // Own names, this one too.
      const copy: { [name: string]: Plain } = Object.create(null) as { [name: string]: Plain };
      for (const [key, value] of Object.entries(members)) copy[key] = value;
      return copy;
    }),
  ),
})).value;

function read(value: Plain): Json {
  const json = readJsonText(JSON.stringify(value));
  if (json instanceof Fault) throw new Error(json.message);
  return json;
}

function patchOf(a: Json, b: Json): Patch {
  const text = diff(a, b);
  const patch = text instanceof Fault ? text : readPatch(text);
  if (patch instanceof Fault) throw new Error(patch.message);
  return patch;
}

/** RFC 8785, said once more. */
function plainCanonical(value: Plain): string {
  if (Array.isArray(value)) return `[${value.map(plainCanonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const names = Object.keys(value).sort((a, b) => (a < b ? -1 : 1));
  return `{${names.map((each) => `${JSON.stringify(each)}:${plainCanonical(value[each]!)}`).join(',')}}`;
}

function plainDepth(value: Plain): number {
  if (value === null || typeof value !== 'object') return 0;
  return 1 + Math.max(0, ...Object.values(value as object).map((each) => plainDepth(each as Plain)));
}

test('a text is as long as it is quoted, unit by unit', () => {
  for (let code = 0; code < 0x1_0000; code++) {
    const text = `${String.fromCharCode(code)}x`;
    expect(sizeOf(text)).toBe(Buffer.byteLength(JSON.stringify(text)));
  }
  expect(sizeOf('😀')).toBe(6);
  expect(sizeOf('\ude00\ud83d')).toBe(14);
});

describe('values', () => {
  test('have the canonical form of what they were read from, and know its length', () => {
    fc.assert(
      fc.property(plain, (value) => {
        const json = read(value);
        const text = canonical(json);
        expect(text).toBe(plainCanonical(value));
        expect(sizeOf(json)).toBe(utf8(text).length);
        expect(isEqual(json, read(JSON.parse(text) as Plain))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test('a text that is spliced is what a string would be, and its old versions stay', () => {
    const edit = fc.record({ at: fc.nat(), remove: fc.nat(200), insert: fc.string({ maxLength: 400 }) });
    fc.assert(
      fc.property(fc.string({ maxLength: 5_000 }), fc.array(edit, { maxLength: 60 }), (start, edits) => {
        let expected = start;
        let text = textOf(start);
        const versions: [typeof text, string][] = [];
        for (const { at, remove, insert } of edits) {
          const from = at % (expected.length + 1);
          const gone = Math.min(remove, expected.length - from);
          versions.push([text, expected]);
          expected = expected.slice(0, from) + insert + expected.slice(from + gone);
          text = spliceText(text, from, gone, insert);
        }
        expect(String(text)).toBe(expected);
        expect(text.length).toBe(expected.length);
        expect(sizeOf(text)).toBe(utf8(JSON.stringify(expected)).length);
        for (const [version, was] of versions) expect(String(version)).toBe(was);
        expect(isEqual(text, textOf(expected))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('arrays and objects are what a twin says after any operations, and the trees stay flat', () => {
    const operation = fc.record({
      op: fc.constantFrom('add', 'remove', 'replace'),
      at: fc.nat(),
      // A replaced one may be longer, shorter, deeper or flatter than what was there.
      value: fc.oneof(
        fc.integer(),
        fc.constantFrom<Plain>([], [[1]], { a: { b: [] } }, 'a "\\\b\t\n\f\r\u0001\u007fé€😀', ''),
      ),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 400 }), (operations) => {
        const items: Plain[] = [];
        const members = new Map<string, Plain>();
        let json = read({ list: [], dict: {} });
        for (const { op, at, value } of operations) {
          const index = op === 'add' ? at % (items.length + 1) : at % Math.max(1, items.length);
          const key = `k${at % 97}`;
          const inList = op === 'add' || items.length > 0;
          const inDict = op === 'add' || members.has(key);
          const patch = readPatch(
            JSON.stringify([
              ...(inList ? [{ op, path: `/list/${index}`, value }] : []),
              ...(inDict ? [{ op, path: `/dict/${key}`, value }] : []),
            ]),
          );
          if (patch instanceof Fault) throw new Error(patch.message);
          const next = applyPatch(json, patch);
          if (next instanceof Fault) throw new Error(next.message);
          json = next;
          if (inList) items.splice(index, op === 'add' ? 0 : 1, ...(op === 'remove' ? [] : [value]));
          if (inDict && op === 'remove') members.delete(key);
          else if (inDict) members.set(key, value);
        }
        const expected = { list: items, dict: Object.fromEntries(members) };
        expect(canonical(json)).toBe(plainCanonical(expected));
        expect(sizeOf(json)).toBe(utf8(canonical(json)).length);
        expect(depthOf(json)).toBe(plainDepth(expected));
      }),
      { numRuns: 60 },
    );
  });

  test('a difference leads from one document to the other', () => {
    fc.assert(
      fc.property(plain, plain, (a, b) => {
        const patch = patchOf(read(a), read(b));
        const result = applyPatch(read(a), patch);
        if (result instanceof Fault) throw new Error(result.message);
        expect(canonical(result)).toBe(plainCanonical(b));
      }),
      { numRuns: 40 },
    );
  });
});
