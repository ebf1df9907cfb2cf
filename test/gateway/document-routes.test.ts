import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeNode, type TestGateway, gatewayInFront, hubToken } from './fake-node.js';

let node: FakeNode;
let front: TestGateway;
beforeEach(async () => {
  node = new FakeNode();
  front = await gatewayInFront(node);
});
afterEach(() => front.gateway.stop());

const path = '/v1/hubs/default/channels/doc%3Anotes/document';
const ask = (token: string, from = path) =>
  front.fetch(from, { headers: { authorization: `Bearer ${token}` } });
const patch = (token: string) =>
  front.fetch(path, {
    method: 'PATCH',
    body: '[]',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json-patch+json' },
  });

test('a client of the hub reads and changes documents with the token of its provider', async () => {
  // The node has none: what it says is not that it does not know the client.
  expect((await ask(hubToken)).status).toBe(404);
  expect((await ask(hubToken, `${path}/changes`)).status).toBe(404);
  expect((await patch(hubToken)).status).toBe(200);
  expect(node.published.at(-1)).toMatchObject({
    principal: { actor: 'ben', hub: 'default' },
    messages: [{ channel: 'doc:notes', kind: 'patch' }],
  });
  for (const from of [path, `${path}/changes`]) expect((await ask('nobodys-token', from)).status).toBe(401);
  expect((await patch('nobodys-token')).status).toBe(401);
});
