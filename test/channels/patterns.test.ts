import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Grants, type Permissions, checkPermissions } from '../../src/channels/grants.js';
import { Patterns, checkPattern } from '../../src/channels/patterns.js';
import { callRefusal, refusal } from '../../src/channels/permissions.js';
import { defaultRules } from '../../src/channels/rules.js';

/** The definition: `*` is anything, a segment `#` one segment. */
function naive(pattern: string, name: string): boolean {
  const parts = pattern
    .split(':')
    .map((segment) => (segment === '#' ? '[^:]+' : segment.replace(/[.+]/g, '\\$&').replaceAll('*', '.*')));
  return new RegExp(`^${parts.join(':')}$`).test(name);
}

const few = (...characters: string[]) =>
  fc.array(fc.constantFrom(...characters), { minLength: 1, maxLength: 5 });
const segment = few('a', 'b', '.').map((all) => all.join(''));
const name = fc.array(segment, { minLength: 1, maxLength: 5 }).map((all) => all.join(':'));
const part = fc.oneof(
  fc.constant('#'),
  few('a', 'b', '.', '*').map((all) => all.join('')),
);
const pattern = fc.array(part, { minLength: 1, maxLength: 5 }).map((all) => all.join(':'));

test('patterns match what a naive twin says', () => {
  fc.assert(
    fc.property(pattern, name, (text, channel) => {
      // "#" behind a star that may take its ":" along is a segment wherever it stands.
      expect(new Patterns([text]).matches(channel), `${text} ${channel}`).toBe(naive(text, channel));
    }),
    { numRuns: 20_000 },
  );
});

test('a list of patterns matches what any of them does, asked again too', () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 8 }), fc.array(name, { maxLength: 8 }), (texts, channels) => {
      const grants = new Grants({ publish: texts });
      for (const channel of [...channels, ...channels]) {
        expect(grants.allows('publish', channel)).toBe(texts.some((text) => naive(text, channel)));
        expect(grants.allows('subscribe', channel)).toBe(false);
      }
    }),
  );
});

test('who goes round more channels than are remembered, and then uses a few, may what the patterns say', () => {
  const texts = ['game:#:1', 'room:1*', 'a*b*2', '*:3', 'hall:7'];
  const grants = new Grants({ publish: texts });
  const all = ['game:x:', 'room:', 'axbx', 'b:', 'hall:'].flatMap((head) =>
    Array.from({ length: 500 }, (_, i) => `${head}${i}`),
  );
  const expected = all.map((channel) => texts.some((text) => naive(text, channel)));
  for (let round = 0; round < 20; round++)
    expect(all.map((channel) => grants.allows('publish', channel))).toEqual(expected);
  const few = all.slice(0, 10);
  for (let round = 0; round < 5_000; round++)
    expect(few.map((channel) => grants.allows('publish', channel))).toEqual(expected.slice(0, 10));
});

test('methods are granted by patterns of their own, and by nothing that is said of channels', () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 8 }), name, (texts, method) => {
      const asker = { actor: 'ada', authenticated: true, admin: false };
      const may = (permissions: Permissions): boolean =>
        callRefusal({ ...asker, grants: new Grants(permissions) }, method, undefined) === undefined;
      expect(may({ rpc: texts })).toBe(texts.some((text) => naive(text, method)));
      expect(may({ publish: texts, subscribe: texts, delete: texts })).toBe(false);
      expect(new Grants({ rpc: texts }).allows('publish', method)).toBe(false);
    }),
  );
});

test('the worst pattern costs little', () => {
  const text = `${'*a'.repeat(120)}:#`;
  const channel = `${'a'.repeat(200)}:${'b:'.repeat(20)}c`;
  const patterns = new Patterns([text]);
  for (let i = 0; i < 200; i++) patterns.matches(channel);
  expect(patterns.matches(channel)).toBe(false);
});

describe('refused', () => {
  test.each(['', 'a b', 'a/b', 'a#', '#a', '*#', 'x:#y', `${'a'.repeat(256)}`, 'a\u0000', '../a\\'])(
    '%j as a pattern',
    (text) => expect(checkPattern(text).ok).toBe(false),
  );
  test.each([
    [[]],
    ['*'],
    [{ publish: '*' }],
    [{ publish: [1] }],
    [{ call: ['*'] }],
    [{ rpc: ['a#'] }],
    [{ publish: Array(1001).fill('a') }],
    [null],
    [JSON.parse('{"__proto__": ["*"]}')],
  ])('%j as permissions', (value: unknown) => expect(checkPermissions(value).ok).toBe(false));
});

test('a grant goes beyond the rules, and never to a channel of the system', () => {
  const rules = { ...defaultRules, public: false, clientPublish: false };
  const grants = new Grants({ publish: ['*'], subscribe: ['room:#'] });
  const asker = { actor: 'ada', authenticated: true, admin: false, grants };
  expect(refusal(asker, 'publish', 'anything', rules)).toBeUndefined();
  expect(refusal(asker, 'subscribe', 'room:1', rules)).toBeUndefined();
  expect(refusal(asker, 'subscribe', 'room:1:2', rules)).toMatchObject({ code: 'DENIED' });
  expect(refusal(asker, 'publish', '$settings', rules)).toMatchObject({ code: 'DENIED' });
  const other = { ...asker, grants: undefined };
  expect(refusal(other, 'publish', 'x', rules)).toMatchObject({ code: 'DENIED' });
});
