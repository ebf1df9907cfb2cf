import { expect, test } from 'vitest';
import { hasTag, tagCondition } from '../../src/gateway/entity-tags.js';

const strong = (value: string) => ({ isWeak: false, value });

test.each([
  ['*', '*'],
  [' * ', '*'],
  ['"a"', [strong('a')]],
  ['W/"a"', [{ isWeak: true, value: 'a' }]],
  ['"a", W/"b" ,"c"', [strong('a'), { isWeak: true, value: 'b' }, strong('c')]],
  ['"with, comma"', undefined],
  ['"a,b"', [strong('a,b')]],
  [', "a",, "b",', [strong('a'), strong('b')]],
  ['""', [strong('')]],
  ['', undefined],
  [',', undefined],
  ['a', undefined],
  ['"a" "b"', undefined],
  ['"a', undefined],
  ['w/"a"', undefined],
  ['*, "a"', undefined],
  ['"a", *', undefined],
] as const)('the condition %s', (text, expected) => {
  expect(tagCondition(text)).toEqual(expected);
});

test('a reader has what any of its tags says, weak ones too', () => {
  expect(hasTag(undefined, '"a"')).toBe(false);
  expect(hasTag('*', '"a"')).toBe(true);
  expect(hasTag([strong('b'), { isWeak: true, value: 'a' }], '"a"')).toBe(true);
  expect(hasTag([strong('b')], '"a"')).toBe(false);
});

test('a long list takes no longer for what is no tag behind it', () => {
  const many = Array.from({ length: 2_000 }, (_, i) => `"${i}"`).join(' , ');
  expect(tagCondition(many)).toHaveLength(2_000);
  expect(tagCondition(`${many} ${','.repeat(10_000)}x`)).toBeUndefined();
});
