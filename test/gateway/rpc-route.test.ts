import { afterEach, beforeEach, expect, test } from 'vitest';
import { utf8, utf8Text } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { err, ok } from '../../src/base/result.js';
import { failure } from '../../src/protocol/errors.js';
import { FakeNode, RawConnection, type TestGateway, gatewayInFront, userToken } from './fake-node.js';

let node: FakeNode;
let front: TestGateway;
beforeEach(async () => {
  node = new FakeNode();
  front = await gatewayInFront(node);
});
afterEach(() => front.gateway.stop());

const post = (method: string, init: RequestInit = {}) =>
  front.fetch(`/v1/hubs/default/rpc/${method}`, { method: 'POST', ...init });

test('the body goes to the method with who calls, and what is answered comes back as it is', async () => {
  const payload = utf8('{"orders":[9007199254740993]}');
  node.callAnswer = Promise.resolve(ok({ contentType: 'application/json', payload }));
  const answer = await post('orders:find', {
    headers: { authorization: `Bearer ${userToken}`, 'content-type': 'application/json' },
    body: '{"after": 9007199254740993}',
  });
  expect([answer.status, await answer.text()]).toEqual([200, utf8Text(payload)]);
  expect(answer.headers.get('content-type')).toBe('application/json');
  const [{ principal, hub, message }] = node.called as [(typeof node.called)[0]];
  expect([principal.actor, hub, message.method, message.contentType]).toEqual([
    'ada',
    'default',
    'orders:find',
    'application/json',
  ]);
  expect(utf8Text(message.payload)).toBe('{"after": 9007199254740993}');
});

test('nothing, a form of curl, and bytes', async () => {
  await post('ping');
  await post('ping', { body: 'hello', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  await post('ping', {
    body: Uint8Array.of(0, 255),
    headers: { 'content-type': 'application/octet-stream' },
  });
  expect(node.called.map(({ message }) => [message.contentType, [...message.payload]])).toEqual([
    [undefined, []],
    [undefined, [...utf8('hello')]],
    ['application/octet-stream', [0, 255]],
  ]);
});

test('a page that a service answers with is no page of the node', async () => {
  node.callAnswer = Promise.resolve(ok({ contentType: 'text/html', payload: utf8('<script>1</script>') }));
  const { headers } = await post('page');
  expect(headers.get('content-security-policy')).toBe('sandbox');
  expect(headers.get('x-content-type-options')).toBe('nosniff');
});

test('a refusal is a problem, with the service’s own code beside the node’s', async () => {
  node.callAnswer = Promise.resolve(
    err(failure('CALL_REFUSED', { reason: 'order-closed', message: 'Order 17 is closed.' })),
  );
  const answer = await post('orders:find');
  expect(answer.status).toBe(422);
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  expect(await answer.json()).toMatchObject({
    code: 'CALL_REFUSED',
    reason: 'order-closed',
    detail: 'Order 17 is closed.',
    outcome: 'rejected',
  });
  node.callAnswer = Promise.resolve(err(failure('NO_ANSWER')));
  const lost = await post('orders:find');
  expect([lost.status, await lost.json()]).toMatchObject([
    502,
    { code: 'NO_ANSWER', outcome: 'indeterminate' },
  ]);
});

test('what is too large, has too long a type, a token that is none, or no POST, calls nothing', async () => {
  const most = 'x'.repeat(limits.callBytesMax);
  expect((await post('ping', { body: `${most}x` })).status).toBe(413);
  expect((await post('ping', { headers: { 'content-type': `a/${'b'.repeat(200)}` } })).status).toBe(400);
  expect((await post('ping', { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);
  expect((await front.fetch('/v1/hubs/default/rpc/ping')).status).toBe(404);
  expect(node.called).toEqual([]);
  expect((await post('ping', { body: most })).status).toBe(200);
});

test('whoever goes before the answer takes the call along', async () => {
  let answered: (() => void) | undefined;
  node.callAnswer = new Promise((resolve) => {
    answered = () => resolve(ok({ payload: new Uint8Array() }));
  });
  const connection = new RawConnection(front.port);
  connection.socket.write(
    'POST /v1/hubs/default/rpc/ping HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n',
  );
  await expect.poll(() => node.called.length).toBe(1);
  expect(node.callsCancelled).toBe(0);
  connection.socket.destroy();
  await expect.poll(() => node.callsCancelled).toBe(1);
  answered!();
});
