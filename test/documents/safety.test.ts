/** What is meant to hurt: names of prototypes, bombs, and JSON that does not survive (attack tests 16 to 19). */
import fc from 'fast-check';
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

  test('what is said of a long name is short', () => {
    const name = 'n'.repeat(limits.documentBytesMax / 4);
    const fault = readJsonText(`{"${name}":1,"${name}":2}`);
    expect(fault).toMatchObject({ code: 'duplicate-name' });
    expect((fault as Fault).message.length).toBeLessThan(200);
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

describe('numbers of a patch that is let in', () => {
  const patchOf = (number: string): string => `[{"op":"add","path":"/a","value":[${number}]}]`;

  test.each([
    '9007199254740993.0',
    '-9007199254740993.000',
    '9007199254740993e0',
    '90071992547409930e-1',
    '90071992547409.93E2',
    '900719925474099.30e+1',
    '0.9007199254740993e16',
    '123456789012345678901e3',
    `9007199254740993${'0'.repeat(100_000)}e-100000`,
    '1e-400',
    '-1e-400',
    '0.00001e-320',
    `0.${'0'.repeat(400)}1`,
    '1e-99999999999999999999',
    '1e400',
    '-1e99999999999999999999',
  ])('%.40s is refused: it would be another one', (number) => {
    expect(readPatch(patchOf(number), 'kept')).toMatchObject({ code: 'number' });
  });

  test.each([
    ['0.1234567890123456789', '0.12345678901234568'],
    ['9007199254740991.0', '9007199254740991'],
    ['9007199254740992.0', '9007199254740992'],
    ['9007199254740993.5', '9007199254740994'],
    ['90071992547409920e-1', '9007199254740992'],
    ['0.99999999999999999999', '1'],
    ['1e23', '1e+23'],
    ['10.0e22', '1e+23'],
    ['-1.5E300', '-1.5e+300'],
    ['1.7976931348623157e308', '1.7976931348623157e+308'],
    ['5e-324', '5e-324'],
    ['1.25e-5', '0.0000125'],
    ['-0', '0'],
    ['-0.000e-999', '0'],
    ['0e999', '0'],
    [`1${'0'.repeat(100_000)}e-100000`, '1'],
  ])('%.40s is taken, as %s', (number, expected) => {
    const patch = readPatch(patchOf(number), 'kept');
    if (patch instanceof Fault) throw new Error(patch.message);
    const document = applyPatch(read('{}'), patch);
    expect(document instanceof Fault ? document.code : canonical(document)).toBe(`{"a":[${expected}]}`);
  });

  test('every number that JSON writes is taken', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        expect(readPatch(patchOf(JSON.stringify(number)), 'kept')).not.toBeInstanceOf(Fault);
        expect(readPatch(patchOf(number.toExponential()), 'kept')).not.toBeInstanceOf(Fault);
      }),
    );
  });

  test('a whole number is taken in any form that is its value, and refused in any that is another', () => {
    const whole = fc.bigInt({ min: 2n ** 53n, max: 2n ** 60n });
    fc.assert(
      fc.property(whole, fc.nat(40), (number, places) => {
        // As the canonical form writes it, which below 10^21 has no exponent.
        const isKept = String(Number(number)) === String(number);
        const forms = [
          `${number}.${'0'.repeat(places + 1)}`,
          `${number}${'0'.repeat(places)}e-${places}`,
          `0.${number}e${String(number).length}`,
        ];
        for (const form of forms)
          expect([form, readPatch(patchOf(form), 'kept') instanceof Fault]).toEqual([form, !isKept]);
      }),
    );
  });
});
