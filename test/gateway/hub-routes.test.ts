import { timestampFromUnixMs } from '../../src/log/timestamp.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeNode, type TestGateway, adminToken, gatewayInFront, userToken } from './fake-node.js';

let node: FakeNode;
let front: TestGateway;
beforeEach(async () => {
  node = new FakeNode();
  front = await gatewayInFront(node);
});
afterEach(() => front.gateway.stop());

const ask = (method: string, path: string, body?: unknown, token = adminToken) =>
  front.fetch(path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const settings = '/v1/admin/hubs/default/settings';

test('a hub is made, and said to be there already', async () => {
  expect(await (await ask('PUT', '/v1/admin/hubs/acme')).json()).toEqual({ created: true });
  expect(await (await ask('PUT', '/v1/admin/hubs/default')).json()).toEqual({ created: false });
});

test('a hub and a channel are deleted by who may', async () => {
  expect(await (await ask('DELETE', '/v1/admin/hubs/default')).json()).toEqual({ done: true });
  expect((await ask('DELETE', '/v1/admin/hubs/acme')).status).toBe(404);
  const channel = '/v1/hubs/default/channels/room%3A1';
  expect(await (await ask('DELETE', channel)).json()).toEqual({ deleted: true, id: `${'ab'.repeat(12)}-3` });
  expect((await ask('DELETE', channel, undefined, userToken)).status).toBe(403);
  expect(node.deleted).toEqual(['default', 'acme', 'default/room:1']);
});

test('a message is redacted by who may, by its id', async () => {
  const message = `/v1/hubs/default/channels/room%3A1/messages/${'cd'.repeat(12)}-7`;
  expect(await (await ask('DELETE', message)).json()).toEqual({ redacted: true, id: `${'ab'.repeat(12)}-4` });
  expect((await ask('DELETE', message, undefined, userToken)).status).toBe(403);
  expect((await ask('DELETE', message.replace('-7', '-x'))).status).toBe(400);
  expect(node.deleted).toEqual([`default/room:1/${'cd'.repeat(12)}-7`]);
});

test('a channel is trimmed by force, by an administrator who says so and what is to be kept', async () => {
  const trim = '/v1/admin/hubs/default/channels/room%3A1/trim';
  const at = { hub: 'default', channel: 'room:1', actor: '$admin' };
  const since = '2026-01-01T00:00:00Z';
  const bodies = [{ entries: 10 }, { bytes: 0 }, { since }].map((keep) => ({ force: true, keep }));
  for (const body of bodies)
    expect(await (await ask('POST', trim, body)).json()).toEqual({
      trimmed: true,
      id: `${'ab'.repeat(12)}-4`,
    });
  expect(await (await ask('POST', trim, { force: true, keep: { entries: 1_000 } })).json()).toEqual({
    trimmed: false,
  });
  const sinceTimestamp = timestampFromUnixMs(Date.parse(since));
  expect(node.trimmed.slice(0, 3)).toEqual([
    { ...at, keep: { entries: 10 } },
    { ...at, keep: { bytes: 0 } },
    { ...at, keep: { since: sinceTimestamp } },
  ]);
  const wrong = [
    { keep: { entries: 1 } },
    { force: false, keep: { entries: 1 } },
    { force: true, keep: {} },
    { force: true, keep: { entries: 1, bytes: 1 } },
    { force: true, keep: { entries: -1 } },
    { force: true, keep: { since: 'long ago' } },
  ];
  for (const body of wrong) expect((await ask('POST', trim, body)).status).toBe(400);
  expect((await ask('POST', trim, bodies[0], userToken)).status).toBe(403);
});

test('settings are put, removed, exported and replaced, by name', async () => {
  await ask('PUT', `${settings}/rules/closed`, { public: false });
  await ask('PUT', `${settings}/channels/room%3A1`, 'closed');
  await ask('DELETE', `${settings}/rules/closed`);
  await ask('PUT', settings, { hub: { anonymous: false } });
  expect(node.changes).toEqual([
    {
      hub: 'default',
      actor: '$admin',
      change: { type: 'put', section: 'rules', name: 'closed', value: { public: false } },
    },
    {
      hub: 'default',
      actor: '$admin',
      change: { type: 'put', section: 'channels', name: 'room:1', value: 'closed' },
    },
    { hub: 'default', actor: '$admin', change: { type: 'remove', section: 'rules', name: 'closed' } },
    { hub: 'default', actor: '$admin', change: { type: 'replace', document: { hub: { anonymous: false } } } },
  ]);
  node.settingsDocument = { hub: { anonymous: false } };
  expect(await (await ask('GET', settings)).json()).toEqual(node.settingsDocument);
});

describe('refused', () => {
  test.each([
    ['PUT', `${settings}/rules/closed`, { public: 'no' }],
    ['PUT', `${settings}/rules/closed`, { unknown: 1 }],
    ['PUT', `${settings}/nothing/x`, {}],
    ['PUT', `${settings}/hub/unknown`, true],
    ['PUT', settings, { rules: 1 }],
    ['DELETE', `${settings}/nothing/x`, undefined],
  ])('%s %s %j', async (method, path, body) => {
    const answer = await ask(method, path, body);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: 'INVALID' });
    expect(node.changes).toEqual([]);
  });

  test.each([
    ['', 401],
    [userToken, 403],
    ['wrong', 401],
  ])('whoever is no administrator: %j', async (token, status) => {
    for (const [method, path] of [
      ['GET', settings],
      ['PUT', settings],
      ['PUT', '/v1/admin/hubs/acme'],
      ['DELETE', '/v1/admin/hubs/default'],
      ['DELETE', `${settings}/rules/x`],
    ] as const) {
      const headers = token === '' ? {} : { authorization: `Bearer ${token}` };
      expect((await front.fetch(path, { method, headers })).status).toBe(status);
    }
    expect(node.changes).toEqual([]);
  });
});
