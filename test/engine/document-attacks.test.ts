/** Attacks 16 to 18, through the wire of a node: what a patch may not reach, bombs, and JSON that does not survive. What is refused
 *  leaves nothing in the log, and the document is what it was. */
import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { type Json, type TestSession, World } from './harness.js';

const channel = 'doc:target';
const start = '{"list":[1,2],"text":"😀","value":{"a":1}}';

async function target(): Promise<{ world: World; eve: TestSession; before: Json }> {
  const world = await World.start();
  const eve = world.connect();
  const begun = await send(eve, `[{"op":"replace","path":"","value":${start}}]`);
  expect(begun).toHaveProperty('ack');
  return { world, eve, before: await get(eve) };
}

async function get(session: TestSession): Promise<Json> {
  return (await session.ask({ documentGet: { channel } })).document;
}

/** As bytes that no JSON of a frame has looked at. */
function send(session: TestSession, patch: string): Promise<Json> {
  const dataBase64 = Buffer.from(patch).toString('base64');
  const contentType = 'application/json-patch+json';
  return session.ask({ publish: { channel, kind: 'patch', contentType, dataBase64 } });
}

async function refused(eve: TestSession, patch: string): Promise<string> {
  const { error } = await send(eve, patch);
  return error ? `${error.code} ${error.reason}` : 'taken';
}

async function isUntouched(world: World, eve: TestSession, before: Json): Promise<void> {
  expect(await get(eve)).toEqual(before);
  const { history } = await eve.ask({ history: { channel } });
  expect(history.entries).toHaveLength(1);
  expect(world.observations.filter(({ type }) => type === 'alarm')).toEqual([]);
}

test.each([
  ['/__proto__/x', 'not-found'],
  ['/constructor/prototype/x', 'not-found'],
  ['/value/__proto__/x', 'not-found'],
  ['/value/~0~1/x', 'not-found'],
  ['/list/-1', 'index'],
  ['/list/01', 'index'],
  ['/list/1e9', 'index'],
  ['/list/length', 'index'],
  ['/list/4294967296', 'not-found'],
  ['/text/0', 'not-found'],
  ['/value/~2', 'pointer'],
  ['value', 'pointer'],
])('attack 16: a pointer %s reaches nothing', async (path, reason) => {
  const { world, eve, before } = await target();
  const code = reason === 'pointer' ? 'INVALID' : 'PATCH_FAILED';
  for (const operation of [
    `{"op":"add","path":"${path}","value":{"polluted":true}}`,
    `{"op":"copy","from":"${path}","path":"/copied"}`,
    `{"op":"move","from":"${path}","path":"/moved"}`,
    `{"op":"splice","path":"${path}","at":0,"insert":"x"}`,
  ])
    expect([operation, await refused(eve, `[${operation}]`)]).toEqual([operation, `${code} ${reason}`]);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  await isUntouched(world, eve, before);
});

test('attack 16: names of JavaScript are names like any other, in both directions', async () => {
  const { world, eve } = await target();
  for (const name of ['__proto__', 'constructor', 'toString'])
    expect(await send(eve, `[{"op":"add","path":"/value/${name}","value":{"x":1}}]`)).toHaveProperty('ack');
  eve.sendText(`{"requestId":9,"documentGet":{"channel":"${channel}"}}`);
  await world.settle();
  const { document } = eve.messages.find(({ requestId }) => requestId === 9);
  expect(Object.keys(document.value.value as object).sort()).toEqual([
    '__proto__',
    'a',
    'constructor',
    'toString',
  ]);
  expect(({} as { x?: unknown }).x).toBeUndefined();
});

test('attack 17: bombs are refused whole, and the node goes on', async () => {
  const { world, eve, before } = await target();
  const doubled = Array.from({ length: 100 }, (_, i) => `{"op":"copy","from":"","path":"/value/${i}"}`);
  expect(await refused(eve, `[${doubled.join(',')}]`)).toMatch(/^PATCH_FAILED (?:too-large|depth)$/);
  const block = 'x'.repeat(limits.documentBytesMax / 16);
  const flat = Array.from({ length: 20 }, (_, i) => `{"op":"copy","from":"/big","path":"/b${i}"}`);
  const big = `{"op":"add","path":"/big","value":"${block}"}`;
  expect(await refused(eve, `[${[big, ...flat].join(',')}]`)).toBe('PATCH_FAILED too-large');
  const test = '{"op":"test","path":"","value":0}';
  expect(await refused(eve, `[${Array.from({ length: 30_000 }, () => test).join(',')}]`)).toBe(
    'INVALID too-many-operations',
  );
  const deep = `{"op":"add","path":"/deep","value":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  expect(await refused(eve, `[${deep}]`)).toBe('INVALID depth');
  for (const path of [`/${'a'.repeat(2_000)}`, '/a'.repeat(100), `/${'(a+)+'.repeat(300)}`])
    expect(await refused(eve, `[{"op":"test","path":"${path}","value":1}]`)).toBe('INVALID pointer');
  // More than a message may have.
  const { error } = await send(eve, `[{"op":"add","path":"/x","value":"${'x'.repeat(1_100_000)}"}]`);
  expect(error.code).toBe('TOO_LARGE');
  await isUntouched(world, eve, before);
});

test.each([
  ['half a pair', '"\\ud800"', 'surrogate'],
  ['the other half, as a name', '{"\\udc00":1}', 'surrogate'],
  ['half a pair in UTF-8', '"\xed\xa0\x80"', 'json'],
  ['a name twice', '{"a":1,"a":2}', 'duplicate-name'],
  ['a name twice, once escaped', '{"a":1,"\\u0061":2}', 'duplicate-name'],
  ['a number that is rounded', '9007199254740993', 'number'],
  ['a number that is rounded, as a fraction', '9007199254740993.0', 'number'],
  ['a number that is rounded, with an exponent', '90071992547409930e-1', 'number'],
  ['a number that becomes zero', '1e-400', 'number'],
  ['a number that is none', '1e400', 'number'],
  ['bytes that are none', '{"$bytes":"*"}', 'bytes'],
  ['bytes with a neighbour', '{"$bytes":"AAAA","b":1}', 'bytes'],
  ['no JSON', '[1,]', 'json'],
])('JSON that does not survive is refused: %s', async (_, value, reason) => {
  const { world, eve, before } = await target();
  const patch = Buffer.from(`[{"op":"add","path":"/x","value":${value}}]`, 'latin1');
  const publish = { channel, kind: 'patch', contentType: 'application/json-patch+json' };
  const { error } = await eve.ask({ publish: { ...publish, dataBase64: patch.toString('base64') } });
  expect([error?.code, error?.reason]).toEqual(['INVALID', reason]);
  await isUntouched(world, eve, before);
});

test('a splice parts no surrogate pair, and a patch that fails half-way leaves nothing', async () => {
  const { world, eve, before } = await target();
  for (const [operation, reason] of [
    ['{"op":"splice","path":"/text","at":1,"insert":"x"}', 'surrogate'],
    ['{"op":"splice","path":"/text","at":0,"remove":1}', 'surrogate'],
    ['{"op":"splice","path":"/text","at":2,"remove":1}', 'range'],
    ['{"op":"splice","path":"/value","at":0,"remove":1}', 'type'],
  ] as const)
    expect([operation, await refused(eve, `[{"op":"remove","path":"/list"},${operation}]`)]).toEqual([
      operation,
      `PATCH_FAILED ${reason}`,
    ]);
  await isUntouched(world, eve, before);
});
