import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { Patterns } from '../../src/channels/patterns.js';
import { type Service, Services, checkMethod, checkService } from '../../src/hubs/services.js';

const url = 'https://service.example';
const service = (...methods: string[]): Service => ({ type: 'http', url, methods });

const few = (...characters: string[]) =>
  fc.array(fc.constantFrom(...characters), { minLength: 1, maxLength: 3 });
const segment = few('a', 'b').map((all) => all.join(''));
const method = fc.array(segment, { minLength: 1, maxLength: 4 }).map((all) => all.join(':'));
const part = fc.oneof(
  fc.constant('#'),
  few('a', 'b', '*').map((all) => all.join('')),
);
const pattern = fc.array(part, { minLength: 1, maxLength: 4 }).map((all) => all.join(':'));

/** As docs/rpc.md says it, pattern by pattern. */
function naive(services: Readonly<Record<string, Service>>, asked: string): string | undefined {
  let best: { rank: readonly number[]; name: string } | undefined;
  for (const name of Object.keys(services).sort()) {
    for (const text of services[name]!.methods) {
      if (!new Patterns([text]).matches(asked)) continue;
      const wild = text.search(/[*#]/);
      const rank = [
        wild < 0 ? 1 : 0,
        wild < 0 ? 0 : wild,
        text.includes('*') ? 0 : 1,
        text.split('').filter((c) => !'*#'.includes(c)).length,
      ];
      if (!best || isAbove(rank, best.rank)) best = { rank, name };
    }
  }
  return best?.name;
}

function isAbove(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at >= 0 && a[at]! > b[at]!;
}

test('the service with the most specific pattern has a method, as a naive twin says, whatever their order', () => {
  const names = fc.uniqueArray(fc.constantFrom('w', 'x', 'y', 'z'), { maxLength: 4 });
  const lists = fc.array(fc.array(pattern, { minLength: 1, maxLength: 4 }), { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(names, lists, method, (all, methods, asked) => {
      const services = Object.fromEntries(all.map((name, i) => [name, service(...methods[i]!)]));
      const backwards = Object.fromEntries(Object.entries(services).reverse());
      const found = naive(services, asked);
      expect(new Services(services).find(asked)?.name).toBe(found);
      expect(new Services(backwards).find(asked)?.name).toBe(found);
    }),
    { numRuns: 5_000 },
  );
});

test.each([
  ['orders:find', 'named'],
  ['orders:x', 'segment'],
  ['orders:x:y', 'orders'],
  ['orders', 'rest'],
  ['other', 'rest'],
])('%s is of %s', (asked, name) => {
  const services = new Services({
    rest: service('*'),
    orders: service('orders:*'),
    segment: service('orders:#'),
    named: service('orders:find'),
  });
  expect(services.find(asked)?.name).toBe(name);
});

test('of two with the same pattern the first by name has it', () => {
  const services = new Services({ b: service('x', 'y:*'), a: service('x', 'y:*') });
  expect([services.find('x')?.name, services.find('y:1')?.name]).toEqual(['a', 'a']);
  expect(new Services({}).find('x')).toBeUndefined();
});

describe('a setting is checked', () => {
  test.each([
    service('*'),
    { ...service('a:#', 'b'), headers: { 'x-key': 'k' }, timeoutMs: limits.callMsMax, openTo: 'users' },
    { ...service('a'), openTo: 'everybody' },
  ])('%j is one', (value) => expect(checkService(value)).toMatchObject({ ok: true }));

  test.each([
    null,
    [],
    {},
    { type: 'http', url },
    { type: 'http', methods: ['a'] },
    { url, methods: ['a'] },
    { ...service('a'), type: 'nats' },
    { ...service('a'), url: 'ftp://service.example' },
    { ...service('a'), url: 'https://user@service.example' },
    { ...service('a'), timeoutMs: limits.callMsMax + 1 },
    { ...service('a'), timeoutMs: 50 },
    { ...service('a'), headers: { 'x\n': 'k' } },
    { ...service('a'), openTo: 'nobody' },
    { ...service('a'), more: 1 },
    service(),
    service('a#'),
    service(''),
    { ...service('a'), methods: [1] },
    { ...service('a'), methods: Array.from({ length: limits.methodPatternsMax + 1 }, () => 'a') },
    JSON.parse('{"type":"http","url":"https://a.example","methods":["a"],"__proto__":{}}') as unknown,
  ])('%j is none', (value) => expect(checkService(value)).toMatchObject({ ok: false }));
});

test('names of methods are those of channels that are not the system’s', () => {
  for (const name of ['a', 'orders:find', 'Z%C3%BCrich', 'a@b', 'x'.repeat(limits.methodNameBytesMax)])
    expect(checkMethod(name), name).toBeUndefined();
  const wrong = [
    '',
    'a b',
    '$a',
    'a:',
    ':a',
    'a/b',
    '*',
    'a:#',
    'é',
    'x'.repeat(limits.methodNameBytesMax + 1),
  ];
  for (const name of wrong) expect(checkMethod(name), name).toMatch(/method/);
});
