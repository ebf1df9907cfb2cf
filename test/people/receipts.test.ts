import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyPatch } from '../../src/documents/apply.js';
import { Fault } from '../../src/documents/faults.js';
import { readJsonText } from '../../src/documents/json-reader.js';
import { readPatch } from '../../src/documents/patch.js';
import { type Json, canonical } from '../../src/documents/value.js';
import { checkReceiptRequest, receiptPatch } from '../../src/people/receipts.js';

const stays = () => false;
const applied = (document: string, operations: readonly object[]): string => {
  const patch = readPatch(JSON.stringify(operations));
  const before = readJsonText(document);
  const after = patch instanceof Fault ? patch : applyPatch(before as Json, patch);
  if (after instanceof Fault) throw new Error(after.message);
  return canonical(after);
};

test('what is said in whatever order, a receipt only rises, and what was read was received', () => {
  const users = ['ada', 'a/b~c', '__proto__', 'constructor'];
  const mark = fc.record({
    user: fc.constantFrom(...users),
    received: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    read: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(mark, { maxLength: 20 }), (marks) => {
      let document = 'null';
      const expected = new Map<string, { received: number; read: number }>();
      for (const { user, received, read } of marks) {
        if (received === undefined && read === undefined) continue;
        const request = { ...(received && { received }), ...(read && { read }) };
        const patch = receiptPatch(document, user, request, stays);
        const before = expected.get(user) ?? { received: 0, read: 0 };
        const now = {
          received: Math.max(before.received, received ?? 0, read ?? 0),
          read: Math.max(before.read, read ?? 0),
        };
        expect(patch === undefined).toBe(now.received === before.received && now.read === before.read);
        if (patch) document = applied(document, patch.operations);
        expected.set(user, now);
        const receipts = new Map(Object.entries(JSON.parse(document) as Record<string, { read?: number }>));
        expect(receipts).toEqual(
          new Map(
            [...expected].map(([each, { received, read }]) => [
              each,
              { received, ...(read > 0 && { read }) },
            ]),
          ),
        );
      }
    }),
  );
});

test('a change of what is there tests what it replaces; a first one is of its version, and takes away who is gone', () => {
  const document = '{"ada":{"received":5},"bob":{"read":3,"received":3}}';
  const change = receiptPatch(document, 'ada', { received: 6 }, stays)!;
  expect(change.isOfVersion).toBe(false);
  expect(() => applied('{"ada":{"received":7}}', change.operations)).toThrow('is another one');
  const first = receiptPatch(document, 'eve', { read: 4 }, (user) => user === 'ada')!;
  expect(first.isOfVersion).toBe(true);
  expect(applied(document, first.operations)).toBe(
    '{"bob":{"read":3,"received":3},"eve":{"read":4,"received":4}}',
  );
});

test.each([
  [{}],
  [{ channel: 'u:ada' }],
  [{ channel: 'u:ada', read: 0 }],
  [{ channel: 'u:ada', read: 1.5 }],
  [{ channel: 'u:ada', read: '5' }],
  [{ channel: 'u:ada', received: Number.MAX_VALUE }],
  [{ channel: 5, read: 5 }],
  [{ channel: 'u:ada', read: 5, user: 'bob' }],
  [null],
])('%j is no receipt', (value) => {
  expect(checkReceiptRequest(value).ok).toBe(false);
});
