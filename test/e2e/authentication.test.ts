/** Clients with tokens of an issuer of their own, against a real node. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Client, type ConnectOptions, type RinglogError, connect } from '../../src/client/index.js';
import { Service, claims, issuer, keys, signers, token } from '../services/auth/tokens.js';
import { NodeProcess } from '../support/node-process.js';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

let node: NodeProcess;
let service: Service;
const clients: Client[] = [];

beforeAll(async () => {
  service = await new Service().start();
  node = await NodeProcess.start({ args: ['--auth-internal-origins', service.origin] });
  await admin('PUT', '/v1/admin/hubs/acme');
  await set('rules/closed', { public: false, clientPublish: false });
  await set('hub/rules', 'closed');
  await set('providers/issuer', { type: 'jwt', issuer, keys: [keys.rsa], jwksUrl: `${service.origin}/keys` });
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});
afterAll(async () => {
  service.stop();
  await node.remove();
});

const adminToken = () => readFileSync(join(node.dataPath, 'admin-token'), 'utf8').trim();

async function admin(method: string, path: string, body?: unknown): Promise<void> {
  const headers = {
    authorization: `Bearer ${adminToken()}`,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await fetch(`${node.url}${path}`, { method, headers, ...sent });
  expect(answer.status, await answer.text()).toBe(200);
}
const set = (name: string, value: unknown) => admin('PUT', `/v1/admin/hubs/acme/settings/${name}`, value);

const permissions = { publish: ['room:#'], subscribe: ['room:#'], delete: ['room:ada:*'] };
const none = { publish: [], subscribe: [], rpc: [], delete: [] };
const header = { alg: 'RS256', kid: 'rsa' };
const good = (more: object = {}) =>
  token(header, claims({ permissions, metadata: { name: 'Ada' }, ...more }));

function client(given: ConnectOptions['token']): Client {
  const made = connect({ url: node.url, hub: 'acme', ...(given === undefined ? {} : { token: given }) });
  clients.push(made);
  return made;
}

test('a client with a token is who it says, may what it says, and is told so', async () => {
  const ada = client(good());
  await ada.ready();
  expect(ada.identity).toMatchObject({
    user: 'ada',
    authenticated: true,
    permissions: { ...permissions, rpc: [] },
    metadata: { name: 'Ada' },
  });
  const seen = (async () => {
    for await (const message of ada.subscribe('room:1', { start: 'beginning' })) return message;
    return undefined;
  })();
  await ada.publish('room:1', 'hello');
  expect(await seen).toMatchObject({ data: 'hello', actor: 'ada' });
  await expect(ada.publish('hall', 'x')).rejects.toMatchObject({ code: 'DENIED' });
  const nobody = client(undefined);
  await nobody.ready();
  expect(nobody.identity).toEqual({ authenticated: false, permissions: none });
  await expect(nobody.publish('room:1', 'x')).rejects.toMatchObject({ code: 'DENIED' });
});

test('a client with a token that is none is told, and does not come back', async () => {
  const eve = client(token(header, claims({ aud: 'ringlog:other' })));
  await expect(eve.ready()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
});

test('a key that is published later is found', async () => {
  service.answer = (response) => response.end(JSON.stringify({ keys: [keys.ed] }));
  const ada = client(token({ alg: 'EdDSA', kid: 'ed' }, claims({ permissions }), signers.EdDSA));
  await ada.ready();
  expect(await ada.publish('room:1', 'by another key')).toMatchObject({ level: 'quorum' });
});

test('over HTTP, server-sent events and tickets a token is worth the same', async () => {
  const headers = { authorization: `Bearer ${good()}` };
  const at = (path: string, more: RequestInit = {}) => fetch(`${node.url}/v1/hubs/acme${path}`, more);
  expect((await at('/channels/room:2/publish', { method: 'POST', body: 'x', headers })).status).toBe(200);
  expect((await at('/channels/hall/publish', { method: 'POST', body: 'x', headers })).status).toBe(403);
  expect((await at('/channels/room:2/publish', { method: 'POST', body: 'x' })).status).toBe(403);
  expect((await at('/channels/room:2/history', { headers })).status).toBe(200);
  const bad = { authorization: `Bearer ${good({ exp: 1 })}` };
  expect((await at('/channels/room:2/history', { headers: bad })).status).toBe(401);
  // In another hub it is worth nothing.
  const elsewhere = `${node.url}/v1/hubs/default/channels/room:2/history`;
  expect((await fetch(elsewhere, { headers })).status).toBe(401);
  expect((await fetch(`${node.url}/v1/admin/status`, { headers })).status).toBe(401);

  const { ticket } = (await (await at('/tickets', { method: 'POST', headers })).json()) as { ticket: string };
  const stop = new AbortController();
  const stream = await at(`/sse?channels=room:2&from=beginning&ticket=${ticket}`, { signal: stop.signal });
  expect(stream.status).toBe(200);
  stop.abort();
});

test('the token of the hub’s own that every client is told is worth the same over HTTP, and asks nobody', async () => {
  await set('providers/slow', { type: 'http', url: `${service.origin}/who` });
  let asked = 0;
  service.answer = (response) => {
    asked++;
    response.end(JSON.stringify({ user: 'eve', permissions, metadata: { name: 'Eve' } }));
  };
  for (const [shown, user] of [
    [good(), 'ada'],
    ['opaque', 'eve'],
  ] as const) {
    const known = client(shown);
    await known.ready();
    const own = known.identity?.token;
    expect(own).toMatch(/^rl1\./);
    const headers = { authorization: `Bearer ${own}` };
    const publish = (channel: string) =>
      fetch(`${node.url}/v1/hubs/acme/channels/${channel}/publish`, { method: 'POST', body: 'x', headers });
    const before = asked;
    expect((await publish('room:5')).status).toBe(200);
    expect((await publish('hall')).status).toBe(403);
    expect(asked).toBe(before);
    const elsewhere = `${node.url}/v1/hubs/default/channels/room:5/history`;
    expect((await fetch(elsewhere, { headers })).status).toBe(401);
    expect((await fetch(`${node.url}/v1/admin/status`, { headers })).status).toBe(401);
    const another = client(own);
    await another.ready();
    expect(another.identity).toMatchObject({ user, permissions: { ...permissions, rpc: [] } });
    await set(`revoked/${user}`, Date.now());
    expect((await publish('room:5')).status).toBe(401);
    await admin('DELETE', `/v1/admin/hubs/acme/settings/revoked/${user}`);
  }
  await admin('DELETE', '/v1/admin/hubs/acme/settings/providers/slow');
});

test('a client that can fetch tokens has the next one before the last one ends, on the same connection', async () => {
  let fetched = 0;
  const ada = client(() => {
    fetched++;
    return good({ exp: Math.floor(Date.now() / 1000) + 4 });
  });
  const states: string[] = [];
  await ada.ready();
  ada.on('state', ({ state }) => void states.push(state));
  const until = Date.now() + 9_000;
  while (Date.now() < until) {
    await ada.publish('room:3', 'x');
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  expect(fetched).toBeGreaterThan(2);
  expect(states).toEqual([]);
});

test('nobody gets the name that administrators act under, by a signed token or by a service', async () => {
  const publish = (authorization: string) =>
    fetch(`${node.url}/v1/hubs/acme/channels/room:4/publish`, {
      method: 'POST',
      body: 'x',
      headers: { authorization },
    });
  const refused = async (authorization: string) => {
    const answer = await publish(authorization);
    return [answer.status, ((await answer.json()) as { code: string }).code];
  };
  const named = (sub: string) => `Bearer ${good({ sub })}`;
  expect(await refused(named('$admin'))).toEqual([401, 'UNAUTHENTICATED']);
  await set('providers/asked', { type: 'http', url: `${service.origin}/who` });
  service.answer = (response, body) => {
    const { token: shown } = JSON.parse(body) as { token: string };
    response.end(JSON.stringify({ user: shown, permissions }));
  };
  expect(await refused('Bearer $admin')).toEqual([401, 'UNAUTHENTICATED']);
  // Who is called "admin" is a user like any other, and what is written says which of the two it was.
  for (const who of [named('admin'), 'Bearer admin', `Bearer ${adminToken()}`])
    expect((await publish(who)).status).toBe(200);
  const log = await fetch(`${node.url}/v1/hubs/acme/channels/room:4/history`, {
    headers: { authorization: `Bearer ${adminToken()}` },
  });
  const { entries } = (await log.json()) as { entries: { actor: string }[] };
  expect(entries.map(({ actor }) => actor)).toEqual(['admin', 'admin', '$admin']);
});

test('a user who is revoked is cut', async () => {
  const ada = client(good({ sub: 'mallory' }));
  await ada.ready();
  const error = new Promise<RinglogError>((resolve) => void ada.on('error', resolve));
  await set('revoked/mallory', Date.now());
  expect(await error).toMatchObject({ code: 'UNAUTHENTICATED' });
});

test('where a service says when a token was issued, a revocation ends the token too, however often it is asked again', async () => {
  const issued: Record<string, unknown> = { 'of-before': Date.now() - 3_600_000, 'of-nonsense': 'today' };
  service.answer = (response, body) => {
    const { token: shown } = JSON.parse(body) as { token: string };
    response.end(JSON.stringify({ user: 'mia', permissions, issuedAt: issued[shown] }));
  };
  // A provider that is set anew has not been asked about anybody.
  let timeoutMs = 3_000;
  const status = async (shown: string) => {
    await set('providers/asked', { type: 'http', url: `${service.origin}/who`, timeoutMs: timeoutMs++ });
    const headers = { authorization: `Bearer ${shown}` };
    return (await fetch(`${node.url}/v1/hubs/acme/channels/room:5/history`, { headers })).status;
  };
  expect(await status('of-before')).toBe(200);
  await set('revoked/mia', 'now');
  expect(await status('of-before')).toBe(401);
  issued['of-now'] = Date.now() + 1;
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await status('of-now')).toBe(200);
  expect(await status('of-before')).toBe(401);
  // One that says nothing is as old as its answer.
  expect(await status('of-no-time')).toBe(200);
  expect(await status('of-nonsense')).toBe(503);
});
