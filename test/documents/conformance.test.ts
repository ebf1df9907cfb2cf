/** RFC 6902: the published cases where they are at hand, and a small set of our own always. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { applyPatch } from '../../src/documents/apply.js';
import { Fault } from '../../src/documents/faults.js';
import { readJsonText } from '../../src/documents/json-reader.js';
import { readPatch } from '../../src/documents/patch.js';
import { canonical } from '../../src/documents/value.js';
import { JsonSource } from '../../src/protocol/json-text.js';
import { testData } from '../support/data.js';

interface Case {
  readonly comment?: string;
  readonly doc: unknown;
  readonly patch: unknown;
  readonly expected?: unknown;
  readonly error?: string;
  readonly disabled?: boolean;
}

function patched(doc: unknown, patch: unknown): string {
  return patchedText(JSON.stringify(doc), JSON.stringify(patch));
}

function patchedText(doc: string, patch: string): string {
  const document = readJsonText(doc);
  const operations = readPatch(patch);
  if (document instanceof Fault) return `fault ${document.code}`;
  if (operations instanceof Fault) return `fault ${operations.code}`;
  const result = applyPatch(document, operations);
  return result instanceof Fault ? `fault ${result.code} in ${result.operation}` : canonical(result);
}

function canonicalOf(value: unknown): string {
  const read = readJsonText(JSON.stringify(value));
  if (read instanceof Fault) throw new Error(read.message);
  return canonical(read);
}

describe.each(['json-patch/tests.json', 'json-patch/spec_tests.json'])('the cases of %s', (name) => {
  const path = testData(name);
  const text = path ? readFileSync(path, 'utf8') : '[]';
  // As texts: what comes twice in an object is gone once it is parsed.
  const source = new JsonSource(text);
  const cases = (JSON.parse(text) as Case[]).map((each, i) => ({
    ...each,
    title: `${i} ${each.comment ?? ''}`,
    doc: source.element(i).member('doc').text,
    patch: source.element(i).member('patch').text,
  }));
  test.skipIf(path === undefined)('are there', () => {
    expect(cases.length).toBeGreaterThan(0);
  });
  // All of them, those that their authors disabled too.
  test.each(cases.filter(({ patch }) => patch !== '{}'))('$title', ({ doc, patch, expected, error }) => {
    const result = patchedText(doc, patch);
    const isFault = result.startsWith('fault');
    // Where nothing is said of the outcome the patch applies.
    const wanted = expected === undefined || error !== undefined ? result : canonicalOf(expected);
    expect([isFault, result]).toEqual([error !== undefined, wanted]);
  });
});

describe('cases of our own', () => {
  test.each([
    [{ a: 1 }, [{ op: 'add', path: '/b', value: [1, 2] }], '{"a":1,"b":[1,2]}'],
    [{ a: [1, 3] }, [{ op: 'add', path: '/a/1', value: 2 }], '{"a":[1,2,3]}'],
    [{ a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }], '{"a":[1,2]}'],
    [{ a: 1, b: 2 }, [{ op: 'remove', path: '/a' }], '{"b":2}'],
    [{ a: 1 }, [{ op: 'replace', path: '', value: [] }], '[]'],
    [{ a: { b: 1 } }, [{ op: 'move', from: '/a/b', path: '/c' }], '{"a":{},"c":1}'],
    [{ a: [1] }, [{ op: 'copy', from: '/a', path: '/b' }], '{"a":[1],"b":[1]}'],
    [{ a: null }, [{ op: 'test', path: '/a', value: null }], '{"a":null}'],
    [
      { 'a/b': 1, 'c~d': 2 },
      [
        { op: 'remove', path: '/a~1b' },
        { op: 'remove', path: '/c~0d' },
      ],
      '{}',
    ],
    [
      { a: 1 },
      [
        { op: 'remove', path: '/a' },
        { op: 'remove', path: '/a' },
      ],
      'fault not-found in 1',
    ],
    [{ a: [1] }, [{ op: 'replace', path: '/a/01', value: 2 }], 'fault index in 0'],
    [{ a: [1] }, [{ op: 'add', path: '/a/-1', value: 2 }], 'fault index in 0'],
    [{ a: [1] }, [{ op: 'add', path: '/a/1e0', value: 2 }], 'fault index in 0'],
    [{ a: [1] }, [{ op: 'test', path: '/a/length', value: 1 }], 'fault index in 0'],
    [{ a: { b: 1 } }, [{ op: 'move', from: '/a', path: '/a/b' }], 'fault into-itself in 0'],
    [{ a: 1 }, [{ op: 'remove', path: '' }], 'fault root in 0'],
    [{ a: 1 }, [{ op: 'test', path: '/a', value: '1' }], 'fault test-failed in 0'],
    [{ a: 'hello' }, [{ op: 'splice', path: '/a', at: 1, remove: 3, insert: 'ipp' }], '{"a":"hippo"}'],
    [{ a: '\u{1f600}' }, [{ op: 'splice', path: '/a', at: 1, insert: 'x' }], 'fault surrogate in 0'],
    [{ a: 'x' }, [{ op: 'splice', path: '/a', at: 1, remove: 1 }], 'fault range in 0'],
    [{ a: 1 }, [{ op: 'splice', path: '/a', at: 0, insert: 'x' }], 'fault type in 0'],
  ])('%j with %j', (doc, patch, expected) => {
    expect(patched(doc, patch)).toBe(expected);
  });
});
