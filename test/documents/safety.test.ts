/** What is meant to hurt: names of prototypes, bombs, and JSON that does not survive (attack tests 16 to 19). */
import { describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { applyPatch } from '../../src/documents/apply.js';
import { Fault } from '../../src/documents/faults.js';
import { readJsonText } from '../../src/documents/json-reader.js';
import { readPatch } from '../../src/documents/patch.js';
import { type Json, canonical } from '../../src/documents/value.js';

function read(text: string): Json {
  const value = readJsonText(text);
  if (value instanceof Fault) throw new Error(value.message);
  return value;
}

function patched(document: string, patch: string): string {
  const operations = readPatch(patch);
  if (operations instanceof Fault) return operations.code;
  const result = applyPatch(read(document), operations);
  return result instanceof Fault ? result.code : canonical(result);
}

describe('names that mean something to JavaScript', () => {
  const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'length'];

  test.each(names)('"%s" is a name like any other', (name) => {
    expect(patched('{}', `[{"op":"add","path":"/${name}","value":1}]`)).toBe(`{"${name}":1}`);
    expect(patched('{}', `[{"op":"test","path":"/${name}","value":1}]`)).toBe('not-found');
    expect(patched('{}', `[{"op":"add","path":"/${name}/polluted","value":1}]`)).toBe('not-found');
    expect(patched('[]', `[{"op":"add","path":"/${name}","value":1}]`)).toBe('index');
    expect(patched('"x"', `[{"op":"copy","from":"/${name}","path":""}]`)).toBe('not-found');
    expect(patched('{}', `[{"op":"add","path":"","value":{"${name}":{"polluted":1}}}]`)).toBe(
      `{"${name}":{"polluted":1}}`,
    );
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('what is decoded is not decoded again', () => {
    expect(patched('{"~1":1,"/":2}', '[{"op":"remove","path":"/~01"}]')).toBe('{"/":2}');
    expect(patched('{}', '[{"op":"add","path":"/~2","value":1}]')).toBe('pointer');
    expect(patched('{}', '[{"op":"add","path":"a","value":1}]')).toBe('pointer');
  });
});

describe('bombs', () => {
  test('copies that double stop at the size of a document', () => {
    const copies = Array.from({ length: 100 }, () => '{"op":"copy","from":"","path":"/-"}').join(',');
    expect(patched('[]', `[{"op":"add","path":"/0","value":"x"},${copies}]`)).toMatch(
      /^(?:too-large|depth)$/,
    );
    const flat = Array.from(
      { length: 100 },
      (_, i) => `{"op":"copy","from":"/a","path":"/${'b'.repeat(i + 1)}"}`,
    );
    const text = 'x'.repeat(limits.documentBytesMax / 50);
    expect(patched(`{"a":"${text}"}`, `[${flat.join(',')}]`)).toBe('too-large');
  });

  test('operations, nesting and pointers have bounds', () => {
    const many = Array.from({ length: 100_000 }, () => '{"op":"test","path":"","value":{}}').join(',');
    expect(patched('{}', `[${many}]`)).toBe('too-many-operations');
    expect(patched('{}', `[{"op":"add","path":"/a","value":${'['.repeat(100_000)}}]`)).toBe('depth');
    expect(patched('{}', `[{"op":"add","path":"/${'a'.repeat(2_000)}","value":1}]`)).toBe('pointer');
    expect(patched('{}', `[{"op":"test","path":"${'/a'.repeat(100)}","value":1}]`)).toBe('pointer');
    const deep = `${'['.repeat(limits.documentDepthMax - 3)}${']'.repeat(limits.documentDepthMax - 3)}`;
    const into = '/0'.repeat(limits.documentDepthMax - 4);
    expect(patched(deep, `[{"op":"add","path":"${into}/0","value":[[[[]]]]}]`)).toBe('depth');
  });

  test('a patch that fails half-way changes nothing', () => {
    const document = read('{"a":[1,2],"b":"text"}');
    const patch = readPatch(
      '[{"op":"remove","path":"/a/0"},{"op":"add","path":"/b","value":0},{"op":"remove","path":"/c"}]',
    );
    if (patch instanceof Fault) throw new Error(patch.message);
    const result = applyPatch(document, patch);
    expect(result).toMatchObject({ code: 'not-found', operation: 2 });
    expect(canonical(document)).toBe('{"a":[1,2],"b":"text"}');
  });
});

describe('JSON', () => {
  test.each([
    ['{"a":1,"a":2}', 'duplicate-name'],
    ['{"a":1,"\\u0061":2}', 'duplicate-name'],
    ['9007199254740993', 'number'],
    ['-9007199254740995', 'number'],
    ['1e400', 'number'],
    ['"\\ud800"', 'surrogate'],
    ['{"\\udc00":1}', 'surrogate'],
    ['{"$bytes":"***"}', 'bytes'],
    ['{"$bytes":"AAAA","b":1}', 'bytes'],
    ['{"$bytes":1}', 'bytes'],
    ['01', 'json'],
    ['1 2', 'json'],
    ['[1,]', 'json'],
    ['{"a"}', 'json'],
    ['{a:1}', 'json'],
    ['"\u0001"', 'json'],
    ['"\\x"', 'json'],
    ['"abc', 'json'],
    ['NaN', 'json'],
    ['-', 'json'],
    ['', 'json'],
    ['toString', 'json'],
  ])('%s is refused as %s', (text, code) => {
    expect(readJsonText(text)).toMatchObject({ code });
  });

  test.each([
    ['{"b":1,"a":[true,false,null]}', '{"a":[true,false,null],"b":1}'],
    ['-0', '0'],
    ['1E3', '1000'],
    ['0.1e1', '1'],
    ['1e21', '1e+21'],
    ['1e17', '100000000000000000'],
    ['100000000000000000', '100000000000000000'],
    ['9007199254740991', '9007199254740991'],
    ['"\\u0041\\n\\u001f\\/"', '"A\\n\\u001f/"'],
    ['"\\ud83d\\ude00"', '"\u{1f600}"'],
    ['{"\\ufb33":1,"\\ud83d\\ude00":2,"a":3}', '{"a":3,"\u{1f600}":2,"\ufb33":1}'],
    ['{"$bytes":"-_8"}', '{"$bytes":"+/8="}'],
    ['{"10":1,"9":2}', '{"10":1,"9":2}'],
  ])('%s is %s in canonical form', (text, expected) => {
    expect(canonical(read(text))).toBe(expected);
  });
});
