/** The fold: one function of the entries in their order, with or without snapshots, and the form that snapshots have. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../../src/base/bytes.js';
import { type Fold, type FoldedEntry, emptyFold, foldEntry } from '../../src/documents/fold.js';
import { readSnapshot, snapshotOf } from '../../src/documents/snapshot.js';
import { canonical } from '../../src/documents/value.js';
import { decodeContent, encodeContent } from '../../src/log/entry-wire.js';

function patch(operations: unknown, ifVersion?: number): FoldedEntry {
  const headers = ifVersion === undefined ? {} : { headers: new Map([['if-version', String(ifVersion)]]) };
  return { kind: 'patch', content: { payload: utf8(JSON.stringify(operations)), ...headers } };
}

function foldAll(entries: readonly FoldedEntry[], from: Fold = emptyFold): Fold {
  return entries.reduce((fold, entry) => foldEntry(fold, entry).fold, from);
}

const told = ({ document, version, voids }: Fold) => ({ document: canonical(document), version, voids });

describe('the fold', () => {
  test('counts what took effect and what is void, and passes over everything else', () => {
    const entries: FoldedEntry[] = [
      patch([{ op: 'add', path: '/a', value: 1 }]),
      { kind: 'publish', content: { payload: utf8('[{"op":"remove","path":"/a"}]') } },
      patch([{ op: 'remove', path: '/b' }]),
      { kind: 'merge' },
      { kind: 'patch' },
      { kind: 'patch', content: { payload: utf8('nonsense') } },
      patch([{ op: 'replace', path: '/a', value: 2 }], 1),
      patch([{ op: 'replace', path: '/a', value: 3 }], 1),
      { kind: 'trim' },
    ];
    expect(told(foldAll(entries))).toEqual({ document: '{"a":2}', version: 2, voids: 4 });
  });

  test('takes numbers in the log as it always did, those that are not let in any more too', () => {
    const numbers = '[9007199254740993.0,90071992547409930e-1,1e-400,-1e-400]';
    const payload = utf8(`[{"op":"add","path":"/a","value":${numbers}}]`);
    const document = '{"a":[9007199254740992,9007199254740992,0,0]}';
    expect(told(foldAll([{ kind: 'patch', content: { payload } }]))).toEqual({
      document,
      version: 1,
      voids: 0,
    });
  });

  test('makes the objects that are missing on the way, where the entry says so', () => {
    const entries = (createParents: boolean): FoldedEntry[] =>
      [
        [{ op: 'add', path: '/a/b/c', value: 1 }],
        [{ op: 'add', path: '/list', value: [{}] }],
        [{ op: 'add', path: '/list/0/d/e', value: 2 }],
        [{ op: 'copy', from: '/a/b', path: '/f/g' }],
        [{ op: 'move', from: '/f/g/c', path: '/h/i' }],
        // Only members, only where nothing is, and nothing but what is put somewhere.
        [{ op: 'add', path: '/list/1/d', value: 3 }],
        [{ op: 'add', path: '/a/b/c/d', value: 3 }],
        [{ op: 'add', path: '/x/$bytes', value: 3 }],
        [{ op: 'add', path: '/x/$bytes/y', value: 3 }],
        [{ op: 'replace', path: '/x/y', value: 3 }],
        [{ op: 'remove', path: '/x/y' }],
        // All or nothing.
        [
          { op: 'add', path: '/x/y', value: 3 },
          { op: 'test', path: '/x/y', value: 4 },
        ],
      ].map((operations) => ({ ...patch(operations), createParents }));
    expect(told(foldAll(entries(true)))).toEqual({
      document: '{"a":{"b":{"c":1}},"f":{"g":{}},"h":{"i":1},"list":[{"d":{"e":2}}]}',
      version: 5,
      voids: 7,
    });
    expect(told(foldAll(entries(false)))).toEqual({ document: '{"list":[{}]}', version: 1, voids: 11 });
  });

  const operation = fc.oneof(
    fc.record({
      op: fc.constantFrom('add', 'replace', 'test'),
      path: fc.constantFrom('/a', '/b', '/c', '/c/0', '/c/-', '/d/e'),
      value: fc.constantFrom<unknown>(1, 'text', [], {}),
    }),
    fc.record({ op: fc.constant('remove'), path: fc.constantFrom('/a', '/b', '/c', '/c/0') }),
    fc.record({
      op: fc.constantFrom('move', 'copy'),
      from: fc.constantFrom('/a', '/c', '/c/0'),
      path: fc.constantFrom('/b', '/c/0'),
    }),
    fc.record({
      op: fc.constant('splice'),
      path: fc.constantFrom('/a', '/b'),
      at: fc.nat(3),
      remove: fc.nat(2),
      insert: fc.string(),
    }),
  );
  const entry = fc
    .tuple(fc.array(operation, { minLength: 1, maxLength: 3 }), fc.option(fc.nat(8), { nil: undefined }))
    .map(([operations, ifVersion]) => patch(operations, ifVersion))
    .chain((entry) => fc.boolean().map((createParents) => ({ ...entry, createParents })));

  test('is the same from any snapshot on, as it is stored', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 30 }), fc.array(fc.nat(30)), (entries, cuts) => {
        const whole = told(foldAll(entries));
        for (const cut of cuts) {
          const stored = encodeContent(snapshotOf(foldAll(entries.slice(0, cut))));
          const read = decodeContent(stored);
          const from = read.ok ? readSnapshot(read.value) : undefined;
          expect(told(foldAll(entries.slice(cut), from))).toEqual(whole);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('a snapshot', () => {
  test('has the bytes it always had', () => {
    const fold = foldAll([
      patch([{ op: 'add', path: '/b', value: { $bytes: 'AQI=' } }]),
      patch([{ op: 'add', path: '/a', value: ['\u{1f600}', 1.5, null] }]),
      patch([{ op: 'remove', path: '/none' }]),
    ]);
    // Content: type, payload, headers version, voids, fold.
    const expected = [
      ['1210', '6170706c69636174696f6e2f6a736f6e'],
      ['1a2d', toHex(utf8('{"a":["\u{1f600}",1.5,null],"b":{"$bytes":"AQI="}}'))],
      ['220c', `0a07${toHex(utf8('version'))}120132`],
      ['220a', `0a05${toHex(utf8('voids'))}120131`],
      ['2209', `0a04${toHex(utf8('fold'))}120131`],
    ];
    expect(toHex(encodeContent(snapshotOf(fold)))).toBe(expected.flat().join(''));
  });

  test.each([
    ['no headers', {}],
    [
      'another fold',
      {
        headers: new Map([
          ['version', '1'],
          ['voids', '0'],
          ['fold', '2'],
        ]),
      },
    ],
    [
      'a version that is none',
      {
        headers: new Map([
          ['version', '-1'],
          ['voids', '0'],
          ['fold', '1'],
        ]),
      },
    ],
  ])('with %s is passed over', (_, rest) => {
    expect(readSnapshot({ payload: utf8('{}'), ...rest })).toBeUndefined();
  });
});
