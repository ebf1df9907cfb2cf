/** Processes that serve clients beside their node, on one port. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { administrationOf } from '../../src/client/admin.js';
import { fetchTrusting } from '../../src/cli/trusting.js';
import { type Client, connect } from '../../src/client/index.js';
import { freePort } from '../support/free-port.js';
import { NodeProcess } from '../support/node-process.js';

/** Many starts of real processes: on a busy machine each takes its time. */
const limitMs = 120_000;
vi.setConfig({ testTimeout: limitMs, hookTimeout: limitMs });

const nodes: NodeProcess[] = [];
const clients: Client[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await Promise.all(nodes.splice(0).map((node) => node.remove()));
});

async function until<T>(look: () => Promise<T | false> | T | false, what: string): Promise<T> {
  const end = performance.now() + limitMs / 2;
  for (;;) {
    const found = await look();
    if (found !== false) return found;
    if (performance.now() > end) throw new Error(`${what}\n${nodes.map(({ output }) => output).join('\n')}`);
    await pause(50);
  }
}

interface Status {
  readonly nodeId: string;
  readonly cluster: { readonly members: { node: string; role: string; state: string; address: string }[] };
}

/** On a connection of its own: one that was kept open belongs to a process that may stand still or have ended since. */
function get(url: string, headers = {}): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.once('end', () => resolve({ status: answer.statusCode!, text }));
    });
    asked.once('error', reject).end();
  });
}

async function statusOf(node: NodeProcess): Promise<Status> {
  const token = readFileSync(join(node.dataPath, 'admin-token'), 'utf8').trim();
  const { text } = await get(`${node.url}/v1/admin/status`, { authorization: `Bearer ${token}` });
  return JSON.parse(text) as Status;
}

const edgesOf = ({ cluster }: Status): string[] =>
  cluster.members.flatMap(({ node, role, state }) => (role === 'edge' && state === 'alive' ? [node] : []));

/** Processes that the node has started, as the system lists them. */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

function listener(url: string): { readonly client: Client; readonly seen: unknown[] } {
  const client = connect(url);
  clients.push(client);
  const seen: unknown[] = [];
  client.subscribe('room', { start: 'beginning', onEntry: ({ data }) => void seen.push(data) });
  return { client, seen };
}

async function startNode(...args: string[]): Promise<NodeProcess> {
  const node = await NodeProcess.start({ args });
  nodes.push(node);
  return node;
}

test('serve clients on one port, and none that asks is told of the ports of their own', async () => {
  const node = await startNode('--workers', '2');
  const status = await until(async () => {
    const found = await statusOf(node);
    return edgesOf(found).length === 2 && found;
  }, 'both are there');
  const listeners = Array.from({ length: 4 }, () => listener(node.url));
  const said: string[] = [];
  for (const [i, { client }] of listeners.entries()) {
    await client.publish('room', `from ${i}`);
    said.push(`from ${i}`);
  }
  await until(() => listeners.every(({ seen }) => seen.length === said.length), 'all have all');
  for (const { seen } of listeners) expect(seen).toEqual(said);

  // What administrators ask is answered by the node, whichever process takes the connection.
  for (let i = 0; i < 4; i++) expect((await statusOf(node)).nodeId).toBe(status.nodeId);
  expect((await fetch(`${node.url}/readyz`)).status).toBe(200);
  expect((await fetch(`${node.url}/metrics`)).status).toBe(200);
  expect((await fetch(`${node.url}/v1/admin/status`)).status).toBe(401);
  expect((await fetch(`${node.url}/v1/openapi.json`)).status).toBe(200);

  // Clients know of no other address than the one they came to.
  const told: unknown[] = [];
  const socket = new WebSocket(`${node.url.replace('http', 'ws')}/v1/hubs/default/ws`, 'ringlog.v1.json');
  socket.on('message', (data: Buffer) => void told.push(JSON.parse(data.toString())));
  await until(() => told.length > 0, 'the session begins');
  await pause(500);
  socket.close();
  const urls = told.flatMap((message) => (message as { nodes?: { urls: string[] } }).nodes?.urls ?? []);
  expect(new Set([...urls, node.url])).toEqual(new Set([node.url]));
  expect((await node.stop()).code).toBe(0);
});

test('a ticket that one process gave is good at the next, which takes the next connection', async () => {
  const node = await startNode('--workers', '2');
  await until(async () => edgesOf(await statusOf(node)).length === 2, 'both are there');
  const token = readFileSync(join(node.dataPath, 'admin-token'), 'utf8').trim();
  const headers = { authorization: `Bearer ${token}`, connection: 'close' };
  const hub = `${node.url}/v1/hubs/default`;
  for (let i = 0; i < 6; i++) {
    const given = await fetch(`${hub}/tickets`, { method: 'POST', headers });
    const { ticket } = (await given.json()) as { ticket: string };
    // With an odd number of connections from one to the next, all pairs of processes have their turn.
    if (i % 2 === 1) await fetch(`${node.url}/healthz`, { headers: { connection: 'close' } });
    const stop = new AbortController();
    const stream = await fetch(`${hub}/sse?channels=room&ticket=${ticket}`, { signal: stop.signal });
    expect(stream.status).toBe(200);
    stop.abort();
    // And at neither a second time.
    for (let again = 0; again < 2; again++)
      expect((await fetch(`${hub}/sse?channels=room&ticket=${ticket}`)).status).toBe(401);
  }
  expect((await node.stop()).code).toBe(0);
});

test('who fails to log in is counted over all processes', async () => {
  const node = await startNode('--workers', '2');
  await until(async () => edgesOf(await statusOf(node)).length === 2, 'both are there');
  const admin = administrationOf({
    url: node.url,
    token: () => readFileSync(join(node.dataPath, 'admin-token'), 'utf8').trim(),
  });
  await admin.hub('default').set('providers', 'people', { type: 'directory' });
  await admin.hub('default').user('register', { name: 'ada', password: 'correct horse' });
  const statuses: number[] = [];
  const begun = performance.now();
  for (let i = 0; i < 8; i++) {
    const answer = await fetch(`${node.url}/v1/hubs/default/users/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify({ name: 'ada', password: 'wrong password' }),
    });
    statuses.push(answer.status);
  }
  // The fifth failure brings a wait of a second, each later one of twice as long: on a busy machine some are over by the next try.
  const waitsOver = Math.floor(Math.log2(1 + (performance.now() - begun) / 1_000));
  expect(statuses.slice(0, 5)).toEqual([401, 401, 401, 401, 401]);
  expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(3 - waitsOver);
  expect((await node.stop()).code).toBe(0);
});

test.skipIf(process.platform !== 'linux')(
  'one that is killed is replaced, and its clients go on; all end with their node',
  async () => {
    const node = await startNode('--workers', '2');
    await until(async () => edgesOf(await statusOf(node)).length === 2, 'both are there');
    const listeners = Array.from({ length: 4 }, () => listener(node.url));
    const said: string[] = [];
    const say = async (i: number): Promise<void> => {
      const text = `${said.length}`;
      await listeners[i % listeners.length]!.client.publish('room', text);
      said.push(text);
    };
    for (let i = 0; i < 4; i++) await say(i);
    const before = childrenOf(node.pid!);
    expect(before).toHaveLength(2);
    for (const victim of before) {
      process.kill(victim, 'SIGKILL');
      for (let i = 0; i < 8; i++) await say(i);
      await until(() => {
        const now = childrenOf(node.pid!);
        return now.length === 2 && !now.includes(victim);
      }, 'another one is started');
    }
    await until(() => listeners.every(({ seen }) => seen.length >= said.length), 'all have all');
    for (const { seen } of listeners) expect(seen).toEqual(said);
    const last = childrenOf(node.pid!);
    await node.kill();
    const isThere = (pid: number): boolean => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    await until(() => !last.some(isThere), 'none is left');
  },
);

test('of two nodes serve the channels of both', async () => {
  const cluster = `test-${randomBytes(6).toString('hex')}`;
  const ports = [await freePort(), await freePort()];
  const found = ports.map((port) => `127.0.0.1:${port}`).join();
  const started = ports.map((port) =>
    NodeProcess.start({
      cluster,
      args: ['--workers', '1', '--join', found, '--peer-listen', `127.0.0.1:${port}`],
    }),
  );
  nodes.push(...(await Promise.all(started)));
  const [one, two] = nodes.map(({ url }) => listener(url)) as [
    ReturnType<typeof listener>,
    ReturnType<typeof listener>,
  ];
  // What one node alone has is no earlier than what the other one writes meanwhile.
  await one.client.publish('room', 'at one', { degrade: false });
  await two.client.publish('room', 'at two', { degrade: false });
  await until(() => one.seen.length === 2 && two.seen.length === 2, 'both have both');
  expect([one.seen, two.seen]).toEqual([
    ['at one', 'at two'],
    ['at one', 'at two'],
  ]);
  for (const node of nodes) expect((await node.stop()).code).toBe(0);
});

const onLinux = process.platform === 'linux';

/** Of what only processes that serve clients answer. */
async function ask(node: NodeProcess, path = '/v1/hubs/default/channels'): Promise<number> {
  return (await get(`${node.url}${path}`)).status;
}

async function allReady(node: NodeProcess, count: number): Promise<number[]> {
  await until(async () => edgesOf(await statusOf(node)).length >= count, 'all are there');
  const serving = () => node.output.split('A worker serves clients.').length - 1;
  await until(() => serving() >= count, 'all serve');
  return childrenOf(node.pid!);
}

test.skipIf(!onLinux)(
  'one that stands still is told, given nothing new, and ended and replaced when it goes on',
  async () => {
    const node = await startNode('--workers', '2', '--worker-stuck-ms', '1000');
    const [victim] = await allReady(node, 2);
    process.kill(victim!, 'SIGSTOP');
    await until(() => node.output.includes('given no new connections'), 'it is told');
    expect(node.output).toContain(`The worker ${victim} has not answered`);
    for (let i = 0; i < 8; i++) expect(await ask(node)).not.toBe(503);
    await until(() => node.output.includes('it is ended, and another one started'), 'it is ended');
    await until(() => {
      const now = childrenOf(node.pid!);
      return now.length === 2 && !now.includes(victim!);
    }, 'another one is started');
  },
);

test.skipIf(!onLinux)('none is ended for standing still together with its node', async () => {
  const node = await startNode('--workers', '2', '--worker-stuck-ms', '2000');
  const workers = await allReady(node, 2);
  const all = [node.pid!, ...workers];
  for (const pid of all) process.kill(pid, 'SIGSTOP');
  await pause(8_000);
  for (const pid of all) process.kill(pid, 'SIGCONT');
  for (let i = 0; i < 8; i++) expect(await ask(node)).not.toBe(503);
  await pause(3_000);
  expect(childrenOf(node.pid!)).toEqual(workers);
  expect(node.output).not.toContain('is ended');
});

test.skipIf(!onLinux)('connections handed to one that ends before it took them are handed on', async () => {
  const node = await startNode('--workers', '2', '--worker-stuck-ms', '600000');
  const [victim] = await allReady(node, 2);
  process.kill(victim!, 'SIGSTOP');
  const answers: number[] = [];
  const asked = Array.from({ length: 8 }, async () => void answers.push(await ask(node)));
  await until(() => answers.length >= 4, 'the other one answers its own');
  await pause(500);
  expect(answers).toHaveLength(4);
  process.kill(victim!, 'SIGKILL');
  await Promise.all(asked);
  expect(answers).toHaveLength(8);
  expect(answers).not.toContain(503);
});

test.skipIf(!onLinux).each([false, true])(
  'while there is none the node answers by itself, and at once (TLS: %s)',
  async (tls) => {
    const node = await NodeProcess.start({ tls, args: ['--workers', '1', '--worker-stuck-ms', '4000'] });
    nodes.push(node);
    const get = (path: string) => {
      const headers = { connection: 'close' };
      const options = { method: 'GET', headers, signal: AbortSignal.timeout(60_000) };
      return tls
        ? fetchTrusting(node.certificate, `${node.url}${path}`, options)
        : fetch(`${node.url}${path}`, options);
    };
    await until(async () => (await get('/readyz')).status === 200, 'it serves');
    const [worker] = childrenOf(node.pid!);
    process.kill(worker!, 'SIGSTOP');
    await until(() => node.output.includes('given no new connections'), 'it is told');
    expect((await get('/healthz')).status).toBe(200);
    const ready = await get('/readyz');
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'no-workers' }]);
    const metrics = await get('/metrics');
    expect([metrics.status, await metrics.text()]).toEqual([200, expect.stringContaining('ringlog_up 1')]);
    const other = await get('/v1/hubs/default/channels');
    expect(other.status).toBe(503);
    expect(other.headers.get('retry-after')).toBe('1');
    expect(await other.json()).toMatchObject({ code: 'UNAVAILABLE' });
    process.kill(worker!, 'SIGCONT');
    await until(async () => (await get('/readyz')).status === 200, 'it serves again');
    expect(node.output).toContain('A worker answers again.');
  },
);
