/** What administrators do, by the SDK, at a real node. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { administrationOf } from '../../src/client/admin.js';
import { type Client, type RinglogError, connect } from '../../src/client/index.js';
import { freePort } from '../support/free-port.js';
import { NodeProcess } from '../support/node-process.js';

let node: NodeProcess;
const clients: Client[] = [];
beforeAll(async () => {
  node = await NodeProcess.start();
});
afterAll(async () => {
  for (const client of clients) await client.close();
  await node.remove();
});

const adminToken = () => readFileSync(join(node.dataPath, 'admin-token'), 'utf8').trim();
const administration = () => administrationOf({ url: node.url, token: adminToken });

async function codeOf(asked: Promise<unknown>): Promise<string> {
  return asked.then(
    () => 'ok',
    (error: RinglogError) => `${error.name} ${error.code} ${error.outcome}`,
  );
}

async function joined(hub: string, channel: string): Promise<Client> {
  const client = connect({ url: node.url, hub, token: adminToken() });
  clients.push(client);
  const subscription = client.subscribe(channel, { presence: { name: 'Ada' } });
  await new Promise((resolve) => void subscription.on('subscribed', resolve));
  return client;
}

test('hubs are made, listed and deleted', async () => {
  const admin = administration();
  expect([await admin.createHub('short'), await admin.createHub('short')]).toEqual([true, false]);
  expect(await admin.hubs()).toContain('short');
  await admin.deleteHub('short');
  expect(await admin.hubs()).not.toContain('short');
  expect(await admin.status()).toMatchObject({ state: 'serving' });
});

test('what goes in a hub is set, exported, imported at another, and revoked', async () => {
  const admin = administration();
  for (const name of ['acme', 'other']) await admin.createHub(name);
  const acme = admin.hub('acme');
  await acme.set('rules', 'members', { public: false });
  await acme.set('namespaces', 'room', 'members');
  await acme.set('channels', 'room:1', 'members');
  await acme.set('metadata', 'room:1', { topic: 'Tea' });
  await acme.set('hub', 'userMessagesPerSecondMax', 50);
  await acme.set('hub', 'groups', true);
  await acme.unset('hub', 'groups');
  const settings = await acme.settings();
  expect(settings).toEqual({
    rules: { members: { public: false } },
    namespaces: { room: 'members' },
    channels: { 'room:1': 'members' },
    metadata: { 'room:1': { topic: 'Tea' } },
    hub: { userMessagesPerSecondMax: 50 },
  });
  await admin.hub('other').replaceSettings(settings);
  expect(await admin.hub('other').settings()).toEqual(settings);
  const before = Date.now();
  await acme.revoke('ada');
  await acme.revoke('bob', new Date(5_000));
  const { revoked } = await acme.settings();
  expect(revoked!['ada']).toBeGreaterThanOrEqual(before);
  expect(revoked!['bob']).toBe(5_000);
});

test('people and groups are made, listed and removed', async () => {
  const admin = administration();
  await admin.createHub('people');
  const hub = admin.hub('people');
  await hub.set('providers', 'people', { type: 'directory' });
  for (const name of ['ada', 'bob', 'eve']) await hub.user('register', { name, password: 'correct horse' });
  expect(await hub.user('profile', { name: 'ada' })).toMatchObject({ name: 'ada', hasPassword: true });
  expect(await hub.users({ limit: 2 })).toMatchObject({
    users: [{ name: 'ada' }, { name: 'bob' }],
    next: 'bob',
  });
  await hub.group('create', { group: 'team', owner: 'ada' });
  await hub.group('join', { group: 'team', user: 'bob' });
  expect((await hub.group('members', { group: 'team' }))['members']).toMatchObject([
    { user: 'ada' },
    { user: 'bob' },
  ]);
  expect(await hub.acceptLosses()).toEqual({ users: false, groups: false });
  await hub.deleteUser('ada');
  expect((await hub.users()).users.map(({ name }) => name)).toEqual(['bob', 'eve']);
});

test('channels are listed, read, trimmed and deleted, and who is in them is told', async () => {
  const admin = administration();
  await admin.createHub('channels');
  const hub = admin.hub('channels');
  await hub.set('rules', 'seen', { presence: true });
  await hub.set('hub', 'rules', 'seen');
  const client = await joined('channels', 'room:1');
  for (const text of ['one', 'two', 'three']) await client.publish('room:1', text);
  const { channels } = await hub.channels({ after: 'room' });
  expect(channels).toMatchObject([{ channel: 'room:1', entries: 3 }]);
  const first = await hub.log('room:1', { limit: 2 });
  expect([first.entries.map(({ data }) => data), first.more]).toEqual([['one', 'two'], true]);
  const rest = await hub.log('room:1', { cursor: first.cursor });
  expect(rest.entries.map(({ data }) => data)).toEqual(['three']);
  expect(await hub.presence('room:1')).toMatchObject({ count: 1, members: [{ metadata: { name: 'Ada' } }] });
  expect(await hub.trim('room:1', { entries: 1 })).toBe(true);
  expect((await hub.log('room:1', { kind: 'publish' })).entries.map(({ data }) => data)).toEqual(['three']);
  await hub.deleteChannel('room:1');
  expect((await hub.log('room:1', { kind: 'publish' })).entries).toEqual([]);
});

test('what is refused, and what nobody answers, says so', async () => {
  const nobody = administrationOf({ url: node.url, token: 'wrong' });
  expect(await codeOf(nobody.hubs())).toBe('RinglogError UNAUTHENTICATED rejected');
  const admin = administration();
  expect(await codeOf(admin.hub('nowhere').settings())).toBe('RinglogError HUB_NOT_FOUND rejected');
  expect(await codeOf(admin.hub('default').set('rules', 'a', { public: 1 }))).toBe(
    'RinglogError INVALID rejected',
  );
  const away = administrationOf({ url: `http://127.0.0.1:${await freePort()}`, timeoutMs: 2_000 });
  expect(await codeOf(away.hubs())).toBe('RinglogError UNREACHABLE rejected');
  // It may have been done before the connection broke.
  expect(await codeOf(away.createHub('x'))).toBe('RinglogError UNREACHABLE indeterminate');
});
