/** What of HTTP counts in the rates of hubs and users: every request of a hub's clients, once. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dotText } from '../../src/base/ids.js';
import { failure } from '../../src/protocol/errors.js';
import { FakeNode, type TestGateway, adminToken, gatewayInFront, userToken, writer } from './fake-node.js';

let node: FakeNode;
let front: TestGateway;
beforeEach(async () => {
  node = new FakeNode();
  front = await gatewayInFront(node);
});
afterEach(() => front.gateway.stop());

const chat = '/v1/hubs/default/channels/chat';
const counted: readonly [method: string, template: string, path: string, body?: unknown][] = [
  ['get', '/v1/hubs/{hub}/channels', '/v1/hubs/default/channels'],
  ['delete', '/v1/hubs/{hub}/channels/{channel}', chat],
  ['get', '/v1/hubs/{hub}/channels/{channel}/document', `${chat}/document`],
  ['get', '/v1/hubs/{hub}/channels/{channel}/document/changes', `${chat}/document/changes`],
  ['get', '/v1/hubs/{hub}/channels/{channel}/history', `${chat}/history`],
  ['get', '/v1/hubs/{hub}/channels/{channel}/metadata', `${chat}/metadata`],
  ['get', '/v1/hubs/{hub}/channels/{channel}/notifications', `${chat}/notifications`],
  ['get', '/v1/hubs/{hub}/channels/{channel}/presence', `${chat}/presence`],
  ['get', '/v1/hubs/{hub}/channels/{channel}/occupancy', `${chat}/occupancy`],
  ['post', '/v1/hubs/{hub}/groups/{action}', '/v1/hubs/default/groups/list', {}],
  ['post', '/v1/hubs/{hub}/receipts/mark', '/v1/hubs/default/receipts/mark', {}],
  ['post', '/v1/hubs/{hub}/tickets', '/v1/hubs/default/tickets'],
  ['post', '/v1/hubs/{hub}/users/{action}', '/v1/hubs/default/users/challenge', { name: 'ada' }],
];
/** Of these each message counts, where the node takes it. */
const byMessage: readonly string[] = [
  'post /v1/hubs/{hub}/channels/{channel}/publish',
  'post /v1/hubs/{hub}/publish',
  'patch /v1/hubs/{hub}/channels/{channel}/document',
  'post /v1/hubs/{hub}/channels/{channel}/notifications',
  'post /v1/hubs/{hub}/channels/{channel}/notifications/read',
  'post /v1/hubs/{hub}/rpc/{method}',
  'get /v1/hubs/{hub}/sse',
];

test.each(counted)('%s %s is refused where it is one too many', async (method, _template, path, body) => {
  node.refuseCount = failure('RATE_LIMITED', { retryAfterMs: 1_200 });
  const answer = await front.fetch(path, {
    method: method.toUpperCase(),
    headers: {
      authorization: `Bearer ${userToken}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '2']);
  expect(await answer.json()).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 1_200 });
  expect(node.counted).toMatchObject([{ principal: { actor: 'ada' }, hub: 'default' }]);
  expect(node.asked).toEqual([]);
});

test('a redaction is refused as well', async () => {
  node.refuseCount = failure('RATE_LIMITED', { retryAfterMs: 1_000 });
  const path = `${chat}/messages/${dotText({ writer, seq: 1 })}`;
  const headers = { authorization: `Bearer ${userToken}` };
  expect((await front.fetch(path, { method: 'DELETE', headers })).status).toBe(429);
});

test('a publish and a call count by what they bring alone, and nothing that is not of a hub’s clients', async () => {
  const headers = { authorization: `Bearer ${userToken}` };
  await front.fetch(`${chat}/publish`, { method: 'POST', body: 'x', headers });
  await front.fetch('/v1/hubs/default/rpc/a:b', { method: 'POST', body: 'x', headers });
  for (const path of ['/healthz', '/readyz', '/metrics', '/v1/openapi.json']) await front.fetch(path);
  await front.fetch('/v1/admin/hubs', { headers: { authorization: `Bearer ${adminToken}` } });
  await front.fetch(`${chat}/history`, { headers: { authorization: 'Bearer wrong' } });
  expect(node.counted).toEqual([]);
});

test('there is no other request of a hub’s clients', async () => {
  const { paths } = (await (await front.fetch('/v1/openapi.json')).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const known = [...counted.map(([method, template]) => `${method} ${template}`), ...byMessage];
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    path.startsWith('/v1/hubs/') ? Object.keys(methods).map((method) => `${method} ${path}`) : [],
  );
  expect(all.sort()).toEqual([...known, 'delete /v1/hubs/{hub}/channels/{channel}/messages/{id}'].sort());
});
