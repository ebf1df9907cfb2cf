/** Methods of a real service, called over every way there is: by the SDK, JSON over WebSocket, HTTP and the command. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { type Client, RinglogError, connect } from '../../src/client/index.js';
import { Service, claims, issuer, keys, token } from '../services/auth/tokens.js';
import { NodeProcess } from '../support/node-process.js';
import { projectRoot } from '../support/project-root.js';

let node: NodeProcess;
let service: Service;
const clients: Client[] = [];

interface Asked {
  readonly method: string;
  readonly data?: unknown;
  readonly user?: string;
  readonly admin?: boolean;
  readonly metadata?: unknown;
  readonly sessionId?: string;
}

/** What an application's service would be. */
function answer({ method, data, ...who }: Asked): object {
  if (method === 'orders:close') return { error: { code: 'order-closed', message: 'It is closed already.' } };
  if (method === 'orders:echo') return { data };
  return { data: who };
}

beforeAll(async () => {
  service = await new Service().start();
  service.answer = (response, body) => {
    // Text, so that large numbers stay what they are.
    const number = /"data":(\[9007199254740993\])/.exec(body)?.[1];
    const asked = JSON.parse(body) as Asked;
    if (asked.method === 'orders:slow') return;
    response.end(number ? `{"data":${number}}` : JSON.stringify(answer(asked)));
  };
  node = await NodeProcess.start({ args: ['--rpc-internal-origins', service.origin] });
  await admin('PUT', '/v1/admin/hubs/acme');
  await set('providers/issuer', { type: 'jwt', issuer, keys: [keys.rsa] });
  await set('services/orders', { type: 'http', url: `${service.origin}/calls`, methods: ['orders:#'] });
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});
afterAll(async () => {
  service.stop();
  await node.remove();
});

const adminToken = () => readFileSync(join(node.dataPath, 'admin-token'), 'utf8').trim();
async function admin(method: string, path: string, body?: unknown): Promise<unknown> {
  const headers = { authorization: `Bearer ${adminToken()}` };
  const json = { headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const given = await fetch(`${node.url}${path}`, { method, ...(body === undefined ? { headers } : json) });
  const text = await given.text();
  expect(given.status, text).toBe(200);
  return JSON.parse(text);
}
const set = (name: string, value: unknown) => admin('PUT', `/v1/admin/hubs/acme/settings/${name}`, value);

const good = (permissions: object = { rpc: ['orders:*'] }) =>
  token({ alg: 'RS256', kid: 'rsa' }, claims({ permissions, metadata: { name: 'Ada' } }));

async function client(given?: string): Promise<Client> {
  const made = connect({ url: node.url, hub: 'acme', ...(given === undefined ? {} : { token: given }) });
  clients.push(made);
  await made.ready();
  return made;
}

test('a client calls what it was granted, and the service knows who it is', async () => {
  const ada = await client(good());
  expect(ada.identity?.permissions).toEqual({ publish: [], subscribe: [], rpc: ['orders:*'], delete: [] });
  expect(await ada.call('orders:who')).toMatchObject({
    hub: 'acme',
    user: 'ada',
    metadata: { name: 'Ada' },
    sessionId: ada.session!.sessionId,
  });
  expect(await ada.call('orders:echo', { text: 'Grüße' })).toEqual({ text: 'Grüße' });
  await expect(ada.call('orders:close')).rejects.toMatchObject({
    code: 'CALL_REFUSED',
    reason: 'order-closed',
    message: 'It is closed already.',
  });
  await expect((await client(good({}))).call('orders:who')).rejects.toMatchObject({ code: 'DENIED' });
  await expect((await client()).call('orders:who')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
});

test('the same in JSON over a WebSocket and over HTTP, no number of it rounded', async () => {
  const socket = new WebSocket(`${node.url.replace('http', 'ws')}/v1/hubs/acme/ws`, {
    headers: { authorization: `Bearer ${good()}` },
  });
  const said = new Promise<string>((resolve) => {
    socket.on('message', (frame: Buffer) => {
      const text = frame.toString();
      if (text.includes('"requestId":1')) resolve(text);
    });
  });
  socket.once('open', () =>
    socket.send('{"requestId":1,"rpc":{"method":"orders:echo","data":[9007199254740993]}}'),
  );
  expect(await said).toBe(
    '{"requestId":1,"rpc":{"contentType":"application/json","data":[9007199254740993]}}',
  );
  socket.close();
  const answered = await fetch(`${node.url}/v1/hubs/acme/rpc/orders:echo`, {
    method: 'POST',
    headers: { authorization: `Bearer ${good()}`, 'content-type': 'application/json' },
    body: '[9007199254740993]',
  });
  expect([answered.status, await answered.text()]).toEqual([200, '[9007199254740993]']);
  const refused = await fetch(`${node.url}/v1/hubs/acme/rpc/orders:echo`, { method: 'POST' });
  expect(refused.status).toBe(401);
});

test('a client that goes takes its call along: the service sees the connection end', async () => {
  const ended = new Promise<void>((resolve) => {
    service.server.once('request', (_request, response) => void response.once('close', resolve));
  });
  const before = service.requests.length;
  const ada = await client(good());
  const lost = ada.call('orders:slow').catch((error: unknown) => error);
  await expect.poll(() => service.requests.length).toBe(before + 1);
  await ada.close();
  expect(await lost).toMatchObject({ code: 'NO_ANSWER', outcome: 'indeterminate' });
  await ended;
});

test('the services of a hub are exported, and imported into another', async () => {
  const { services, providers } = (await admin('GET', '/v1/admin/hubs/acme/settings')) as {
    services: Record<string, object>;
    providers: object;
  };
  expect(services).toEqual({
    orders: { type: 'http', url: `${service.origin}/calls`, methods: ['orders:#'] },
  });
  await admin('PUT', '/v1/admin/hubs/other');
  const open = { ...services, orders: { ...services['orders'], openTo: 'everybody' } };
  await admin('PUT', '/v1/admin/hubs/other/settings', { services: open, providers });
  const nobody = connect({ url: node.url, hub: 'other' });
  clients.push(nobody);
  expect(await nobody.call('orders:who')).toMatchObject({ hub: 'other' });
});

/** The built command; `node` is where it calls. */
async function ringlog(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const program = join(projectRoot(), 'dist/cli/main.js');
  const env = {
    PATH: process.env['PATH'],
    RINGLOG_URL: node.url,
    RINGLOG_DATA: node.dataPath,
    RINGLOG_HUB: 'acme',
  };
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err] = [[] as Buffer[], [] as Buffer[]];
  child.stdout.on('data', (chunk: Buffer) => void out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => void err.push(chunk));
  const code = await new Promise<number | null>((resolve) => void child.once('close', resolve));
  return { code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() };
}

test('the command calls, shows what is answered, and ends as the outcome says', async () => {
  expect(await ringlog('call', 'orders:echo', '[9007199254740993]', '--json')).toEqual({
    code: 0,
    out: '[9007199254740993]\n',
    err: '',
  });
  expect(await ringlog('call', 'orders:echo', 'hello')).toMatchObject({ code: 0, out: 'hello\n' });
  const who = await ringlog('call', 'orders:who');
  expect(JSON.parse(who.out)).toMatchObject({ admin: true });
  expect(await ringlog('call', 'orders:close')).toMatchObject({
    code: 1,
    err: 'ringlog: The service refuses: It is closed already. (order-closed)\n',
  });
  expect(await ringlog('call', 'orders:echo', '{', '--json')).toMatchObject({ code: 2 });
  expect(await ringlog('call', 'nothing')).toMatchObject({ code: 1 });
  expect(await ringlog('call', 'orders:slow', '--timeout', '300')).toMatchObject({ code: 5 });
  const file = join(node.dataPath, 'ada.token');
  writeFileSync(file, good({}));
  expect(await ringlog('call', 'orders:who', '--token-file', file)).toMatchObject({ code: 4 });
});

test('a service that is down is told to the operator, counted, and refuses nothing else', async () => {
  await set('services/gone', {
    type: 'http',
    url: 'https://127.0.0.1:1/',
    methods: ['gone'],
    openTo: 'users',
  });
  const ada = await client(good());
  const error = await ada.call('gone').catch((found: unknown) => found);
  expect(error).toBeInstanceOf(RinglogError);
  expect(error).toMatchObject({ code: 'UNAVAILABLE', outcome: 'rejected' });
  // What a node logs comes by another way than its answers.
  const told = 'The service gone of the hub acme at https://127.0.0.1:1 cannot be used';
  await vi.waitUntil(() => node.output.includes(told), { timeout: 20_000 });
  expect(await ada.call('orders:who')).toMatchObject({ user: 'ada' });
  const metrics = await (await fetch(`${node.url}/metrics`)).text();
  expect(Number(/^ringlog_rpc_calls_total (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(5);
  expect(Number(/^ringlog_rpc_failures_total (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0);
});
