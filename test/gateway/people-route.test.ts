import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeNode, type TestGateway, adminToken, gatewayInFront, userToken } from './fake-node.js';

let node: FakeNode;
let front: TestGateway;
beforeEach(async () => {
  node = new FakeNode();
  front = await gatewayInFront(node);
});
afterEach(() => front.gateway.stop());

const post = (action: string, body: unknown, token?: string) =>
  front.fetch(`/v1/hubs/default/users/${action}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });

test('what people ask reaches the node with who asks, and from where', async () => {
  const request = { name: 'ada', password: 'correct horse' };
  expect(await (await post('register', request)).json()).toEqual({ name: 'ada' });
  await post('profile', {}, userToken);
  expect(node.asked).toMatchObject([
    { hub: 'default', action: 'register', request, remote: '127.0.0.1', principal: { authenticated: false } },
    { hub: 'default', action: 'profile', principal: { actor: 'ada' } },
  ]);
});

test('what is no action, no object or no token is refused before', async () => {
  expect((await post('nothing', {})).status).toBe(400);
  expect((await post('login', [])).status).toBe(400);
  expect((await post('login', {}, 'wrong')).status).toBe(401);
  expect(node.asked).toEqual([]);
});

test('accounts are listed and deleted by administrators alone', async () => {
  const users = '/v1/admin/hubs/default/users';
  const as = (token: string, method: string, path: string) =>
    front.fetch(path, { method, headers: { authorization: `Bearer ${token}` } });
  expect((await as(userToken, 'GET', users)).status).toBe(403);
  expect((await as(userToken, 'DELETE', `${users}/ada`)).status).toBe(403);
  expect((await as(adminToken, 'GET', `${users}?after=a&limit=5`)).status).toBe(200);
  expect((await as(adminToken, 'DELETE', `${users}/ada`)).status).toBe(200);
  expect(node.asked).toMatchObject([
    { action: 'list', request: { after: 'a', limit: 5 }, principal: { admin: true } },
    { action: 'delete', request: { name: 'ada' }, principal: { admin: true } },
  ]);
});

test('what people ask of groups reaches the node as that', async () => {
  const join = (path: string, body: unknown, token?: string) =>
    front.fetch(`/v1/hubs/default/groups/${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
  expect((await join('join', { group: 'team' }, userToken)).status).toBe(200);
  expect((await join('nothing', {}, userToken)).status).toBe(400);
  expect((await join('join', {}, 'wrong')).status).toBe(401);
  expect(node.asked).toMatchObject([
    { action: 'groups/join', request: { group: 'team' }, principal: { actor: 'ada' } },
  ]);
});
