/** What bombs cost (attack tests 16 and 17): no more processor time than some plain patches of their size. */
import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { applyPatch } from '../../src/documents/apply.js';
import { Fault } from '../../src/documents/faults.js';
import { readJsonText } from '../../src/documents/json-reader.js';
import { readPatch } from '../../src/documents/patch.js';
import type { Json } from '../../src/documents/value.js';

/** Generous: a bomb that is one takes thousands of times as much. */
const factor = 50;
/** Of each the cheapest counts: others work on the same machine. */
const rounds = 3;
const runs = 2;
const kibi = 1_024;
const most = limits.documentBytesMax - 200;
const half = most / 2;

function read(value: unknown): Json {
  const json = readJsonText(JSON.stringify(value));
  if (json instanceof Fault) throw new Error(json.message);
  return json;
}

/** As where it is let in. */
function outcome(document: Json, text: string): string {
  const patch = readPatch(text, 'kept');
  if (patch instanceof Fault) return patch.code;
  const result = applyPatch(document, patch);
  return result instanceof Fault ? result.code : 'taken';
}

/** Microseconds of processor time. */
function cost(run: () => void): number {
  let least = Infinity;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    for (let i = 0; i < runs; i++) run();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, user + system);
  }
  return least;
}

/** Rows as people have them, of so many bytes. */
function plainPatch(bytes: number): string {
  const rows: string[] = [];
  for (let length = 0; length < bytes; length += rows.at(-1)!.length + 1)
    rows.push(`{"id":${rows.length},"name":"person ${rows.length}"}`);
  return `[{"op":"add","path":"/rows","value":[${rows.join(',')}]}]`;
}

const plainCosts = new Map<number, number>();

/** Of a plain patch that is no longer, and at least half as long. */
function plainCost(bytes: number): number {
  const size = 2 ** Math.floor(Math.log2(bytes));
  const known = plainCosts.get(size);
  if (known !== undefined) return known;
  const patch = plainPatch(size);
  const empty = read({});
  const found = cost(() => outcome(empty, patch));
  plainCosts.set(size, found);
  return found;
}

function patchOf(operation: (i: number) => unknown, count: number = limits.patchOperationsMax): string {
  return JSON.stringify(Array.from({ length: count }, (_, i) => operation(i)));
}

/** There and gone again. */
function inTurn(path: string, value: unknown = 1): string {
  return patchOf((i) => (i % 2 === 0 ? { op: 'add', path, value } : { op: 'remove', path }));
}

function valuePatch(json: string): string {
  return `[{"op":"add","path":"/a","value":${json}}]`;
}

function nested(levels: number, beside: readonly unknown[]): unknown {
  let document: unknown = [];
  for (let i = 1; i < levels; i++) document = [...beside, document];
  return document;
}

const levels = limits.documentDepthMax - 3;
const texts = Array.from({ length: 31 }, () => 'x'.repeat(600));
const rows = Array.from({ length: 20_000 }, (_, i) => ({ a: i }));
const zeros = '0'.repeat(most);

test.each<[name: string, document: unknown, patch: string, expected: string]>([
  ['names of prototypes', {}, patchOf(() => ({ op: 'add', path: '/__proto__', value: { x: 1 } })), 'taken'],
  [
    'an index that no array has',
    [1],
    patchOf(() => ({ op: 'test', path: '/4294967296', value: 1 })),
    'not-found',
  ],
  ['copies that double', [], patchOf(() => ({ op: 'copy', from: '', path: '/-' }), 100), 'too-large'],
  [
    'copies of a long text',
    { a: 'x'.repeat(most / 50) },
    patchOf((i) => ({ op: 'copy', from: '/a', path: `/b${i}` })),
    'too-large',
  ],
  [
    'copies of many rows',
    { a: rows },
    patchOf((i) => (i % 2 === 0 ? { op: 'copy', from: '/a', path: '/b' } : { op: 'remove', path: '/b' })),
    'taken',
  ],
  [
    'many rows that move',
    { a: rows },
    patchOf((i) =>
      i % 2 === 0 ? { op: 'move', from: '/a', path: '/b' } : { op: 'move', from: '/b', path: '/a' },
    ),
    'taken',
  ],
  [
    'too many operations',
    {},
    patchOf(() => ({ op: 'test', path: '', value: {} }), 30_000),
    'too-many-operations',
  ],
  ['a patch of nothing but brackets', {}, valuePatch('['.repeat(most)), 'depth'],
  ['a long pointer', {}, patchOf(() => ({ op: 'test', path: `/${'a'.repeat(2_000)}`, value: 1 })), 'pointer'],
  [
    'a pointer as long as a patch',
    {},
    patchOf(() => ({ op: 'test', path: '/a'.repeat(half), value: 1 }), 1),
    'pointer',
  ],
  [
    'a pointer like an expression',
    {},
    patchOf(() => ({ op: 'test', path: `/${'(a+)+'.repeat(300)}`, value: 1 })),
    'pointer',
  ],
  ['a pointer of escapes', {}, patchOf(() => ({ op: 'remove', path: `/${'~0'.repeat(500)}~` })), 'pointer'],
  ['changes beside a long name', { ['n'.repeat(most)]: 1 }, inTurn('/c'), 'taken'],
  ['changes beside long texts', Array.from({ length: 900 }, () => 'x'.repeat(kibi)), inTurn('/400'), 'taken'],
  [
    'changes far down, deeper and flatter',
    nested(levels, texts),
    inTurn('/31'.repeat(levels - 1) + '/0', [[]]),
    'taken',
  ],
  [
    'splices of a long text',
    { a: 'x'.repeat(most) },
    patchOf((i) => ({ op: 'splice', path: '/a', at: (i * 7_919) % half, remove: 1, insert: 'y' })),
    'taken',
  ],
  ['a number of many digits', {}, valuePatch(`1${zeros}`), 'number'],
  [
    'a number of many digits, as small as others',
    {},
    valuePatch(`9007199254740993${zeros}e-${zeros.length}`),
    'number',
  ],
  ['digits between zeros', {}, valuePatch(`1${`${'0'.repeat(1_000)}1`.repeat(1_000)}e-1000900`), 'taken'],
  ['a text of escapes', {}, valuePatch(`"${'\\u0041'.repeat(most / 6)}"`), 'taken'],
  ['a text that does not end', {}, valuePatch(`"${'\\\\'.repeat(half)}`), 'json'],
  [
    'names of one beginning',
    {},
    valuePatch(`{${texts.map((text, i) => `"${text.repeat(50)}${i}":1`).join(',')}}`),
    'taken',
  ],
  [
    'a name twice at the end',
    {},
    valuePatch(`{${rows.map((_, i) => `"${i}":1`).join(',')},"0":1}`),
    'duplicate-name',
  ],
  ['nothing but arrays', {}, valuePatch(`[${'[1],'.repeat(most / 4 - 20)}1]`), 'taken'],
  ['bytes', {}, valuePatch(`{"$bytes":"${'A'.repeat(most - 4 - (most % 4))}"}`), 'taken'],
])('%s', (_, value, patch, expected) => {
  const document = read(value);
  expect(outcome(document, patch)).toBe(expected);
  expect(cost(() => outcome(document, patch))).toBeLessThan(factor * plainCost(patch.length));
});
