/** Who is in a channel, over real processes: the same at every node, by the SDK, over HTTP and by the command; and nobody of a
 *  node that was killed. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { type Client, connect } from '../../src/client/index.js';
import { type ChannelPresence, presenceOf } from '../../src/client/presence.js';
import { type ClusterNode, ProcessCluster } from '../../simulations/processes/cluster.js';
import { projectRoot } from '../support/project-root.js';

/** Many starts of real processes: on a busy machine each takes its time. */
const limitMs = 400_000;
vi.setConfig({ testTimeout: limitMs, hookTimeout: limitMs });

const program = join(projectRoot(), 'dist/cli/main.js');
const channel = 'room:1';
const clients: Client[] = [];
let cluster: ProcessCluster | undefined;
let watching: ChildProcess | undefined;
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close({ timeoutMs: 0 })));
  watching?.kill();
  await cluster?.remove();
});

function connected(node: ClusterNode): Client {
  const client = connect({ url: node.url, reconnectMaxMs: 200 });
  clients.push(client);
  return client;
}

function ringlog(node: ClusterNode, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const env = { PATH: process.env['PATH'], RINGLOG_URL: node.url, RINGLOG_DATA: node.process.dataPath };
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], { env }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}

const until = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: limitMs / 4, interval: 50 });
const said = (room: ChannelPresence): string[] =>
  [...room.members.values()].map(({ metadata }) => String(metadata)).sort();

async function pageOf(node: ClusterNode): Promise<{ count: number; members: { session: string }[] }> {
  return (await (
    await fetch(`${node.url}/v1/hubs/default/channels/room%3A1/presence?limit=100`)
  ).json()) as never;
}

test('is the same at all nodes, and exact again after one is killed and comes back', async () => {
  cluster = await ProcessCluster.start({ nodes: 3 });
  const [first, second, third] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
  const settings = [
    ['set', 'rules', 'seen', '{"presence":true}'],
    ['set', 'namespaces', 'room', '"seen"'],
  ];
  // Claims may still be settling.
  for (const setting of settings)
    await until(async () => expect(await ringlog(first, 'hub', ...setting)).toMatchObject({ code: 0 }));
  const rooms = cluster.nodes.map((node) => presenceOf(connected(node)).follow(channel));
  const subscribers = cluster.nodes.map((node) => connected(node));
  subscribers.forEach((client, i) => client.subscribe(channel, { presence: `client ${i}` }));
  const sessions = (): string[] => subscribers.map(({ session }) => session?.sessionId ?? '').sort();
  await until(() => {
    for (const room of rooms) expect([...room.members.keys()].sort()).toEqual(sessions());
  });
  expect(said(rooms[0]!)).toEqual(['client 0', 'client 1', 'client 2']);
  for (const node of cluster.nodes) expect((await pageOf(node)).count).toBe(3);
  const command = spawn(process.execPath, [program, 'presence', channel, '--watch'], {
    env: { PATH: process.env['PATH'], RINGLOG_URL: first.url },
  });
  let watched = '';
  watching = command;
  command.stdout.setEncoding('utf8').on('data', (text: string) => (watched += text));
  await until(() => expect(watched.split('\n').filter((line) => line.includes('join'))).toHaveLength(3));

  const lost = subscribers[2]!.session!.sessionId;
  await third.kill();
  // Its clients go to others, where they are somebody else.
  await until(() => {
    expect(subscribers[2]!.session!.sessionId).not.toBe(lost);
    for (const room of rooms) expect([...room.members.keys()].sort()).toEqual(sessions());
    expect(watched).toContain(`"change":"leave","session":"${lost}"`);
  });
  for (const node of [first, second]) {
    await until(async () =>
      expect((await pageOf(node)).members.map(({ session }) => session)).toEqual(sessions()),
    );
    const { code, out } = await ringlog(node, 'presence', channel, '--count');
    expect([code, out]).toEqual([0, '{"count":3}\n']);
  }
  await third.process.start();
  subscribers.push(connected(third));
  subscribers[3]!.subscribe(channel, { presence: 'client 3' });
  await until(() => {
    for (const room of rooms) expect([...room.members.keys()].sort()).toEqual(sessions());
  });
  await until(async () => expect((await pageOf(third)).count).toBe(4));
  const { out } = await ringlog(third, 'presence', channel);
  const lines = out.trim().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { metadata: string }).metadata).sort()).toEqual(
    said(rooms[0]!),
  );
  expect(await ringlog(third, 'presence', 'elsewhere')).toMatchObject({
    code: 1,
    err: expect.stringContaining('NO_PRESENCE') as string,
  });
  command.kill('SIGINT');
  expect(await new Promise((resolve) => void command.once('close', resolve))).toBe(130);
});
