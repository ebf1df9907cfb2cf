import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeNode, type TestGateway, gatewayInFront, hubToken } from './fake-node.js';

let node: FakeNode;
let front: TestGateway;
beforeEach(async () => {
  node = new FakeNode();
  front = await gatewayInFront(node);
});
afterEach(() => front.gateway.stop());

const path = '/v1/hubs/default/channels/notification%3Aalerts/notifications';
const ask = (token: string, to: string, body?: string) =>
  front.fetch(to, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body }),
  });

test('a client of the hub lists, creates and reads with the token of its provider', async () => {
  // The node has none: what it says is not that it does not know the client.
  expect((await ask(hubToken, `${path}?unread=true`)).status).toBe(404);
  for (const [to, body, kind] of [
    [path, '{"title":"One","data":1.50}', 'notification'],
    [`${path}/read`, '{"until":7}', 'read'],
  ] as const) {
    expect((await ask(hubToken, to, body)).status).toBe(200);
    expect(node.published.at(-1)).toMatchObject({
      principal: { actor: 'ben', hub: 'default' },
      messages: [{ channel: 'notification:alerts', kind }],
    });
    // As it came, numbers too.
    expect(Buffer.from(node.published.at(-1)!.messages[0]!.content).toString()).toContain(body);
    expect((await ask('nobodys-token', to, body)).status).toBe(401);
  }
  expect((await ask('nobodys-token', path)).status).toBe(401);
});

test('what is no notification, no reading or no JSON does not reach the node', async () => {
  for (const [to, body] of [
    [path, '{"title":""}'],
    [path, '{"title":"a","expiresAt":"soon"}'],
    [path, 'title'],
    [path, `{"title":"a","data":${'['.repeat(200)}${']'.repeat(200)}}`],
    [`${path}/read`, '{}'],
    [`${path}/read`, '{"ids":[],"until":1}'],
  ] as const)
    expect([body, (await ask(hubToken, to, body)).status]).toEqual([body, 400]);
  expect(node.published).toEqual([]);
});
