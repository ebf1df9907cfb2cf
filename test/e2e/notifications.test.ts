/** Notifications of real nodes: over HTTP, by the command, in the SDK, and on three nodes of which the owner is killed. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProcessCluster } from '../../simulations/processes/cluster.js';
import { type Client, RinglogError, connect } from '../../src/client/index.js';
import { NotificationChannel, listNotifications, notify } from '../../src/client/notifications.js';
import { NodeProcess } from '../support/node-process.js';
import { tokenOf } from '../support/rings.js';
import { projectRoot } from '../support/project-root.js';

let node: NodeProcess;
let token: string;
beforeAll(async () => {
  node = await NodeProcess.start();
  token = tokenOf(node);
}, 120_000);
afterAll(() => node.remove());

function url(channel: string, rest = ''): string {
  return `${node.url}/v1/hubs/default/channels/${encodeURIComponent(channel)}/notifications${rest}`;
}

function post(to: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(to, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
}

const create = (channel: string, body: string, headers: Record<string, string> = {}) =>
  post(url(channel), body, { authorization: `Bearer ${token}`, ...headers });

describe('over HTTP', () => {
  test('a notification is created, listed and read', async () => {
    const channel = 'notification:http';
    const created = await create(channel, '{"title":"One","data":{"n":1.50},"severity":"warning"}');
    expect(created.status).toBe(200);
    const { id } = (await created.json()) as { id: string };
    await create(channel, '{"title":"Two"}');
    const answer = await fetch(url(channel, '?unread=true&order=oldest&limit=1'));
    expect(answer.headers.get('content-type')).toContain('application/json');
    const text = await answer.text();
    // As it came.
    expect(text).toContain('"data":{"n":1.50}');
    const page = JSON.parse(text) as { cursor: string };
    expect(page).toMatchObject({
      channel,
      info: { unread: 2, total: 2 },
      notifications: [{ id, actor: '$admin', state: 'unread', notification: { title: 'One' } }],
      more: true,
    });
    const rest = await fetch(url(channel, `?unread=true&order=oldest&cursor=${page.cursor}`));
    expect(await rest.json()).toMatchObject({
      notifications: [{ notification: { title: 'Two' } }],
      more: false,
    });
    // Whoever may read may mark.
    expect((await post(url(channel, '/read'), JSON.stringify({ ids: [id] }))).status).toBe(200);
    const left = (await (await fetch(url(channel))).json()) as { notifications: { state: string }[] };
    expect(left).toMatchObject({ info: { unread: 1, total: 2 } });
    expect(left.notifications.map(({ state }) => state)).toEqual(['unread', 'read']);
    expect((await post(url(channel, '/read'), `{"until":${Date.now() + 1_000}}`)).status).toBe(200);
    expect(await (await fetch(url(channel, '?unread=true'))).json()).toMatchObject({ notifications: [] });
  });

  test('what is refused says why', async () => {
    const channel = 'notification:why';
    expect((await post(url(channel), '{"title":"Buy"}')).status).toBe(403);
    for (const wrong of [
      '{}',
      '{"title":7}',
      '[]',
      'no json',
      '{"title":"a","read":true}',
      '{"title":"a","severity":"x"}',
    ])
      expect([wrong, (await create(channel, wrong)).status]).toEqual([wrong, 400]);
    // What no schema sees.
    for (const wrong of [
      '{"title":"a","title":"b"}',
      '{"title":"a","expiresAt":1}',
      '{"title":"a","data":1e999}',
    ])
      expect([wrong, (await create(channel, wrong)).status]).toEqual([wrong, 400]);
    expect((await create('lobby', '{"title":"a"}')).status).toBe(400);
    const unknown = await post(url(channel, '/read'), `{"ids":["${'0'.repeat(24)}-1"]}`);
    expect([unknown.status, ((await unknown.json()) as { code: string }).code]).toEqual([404, 'NOT_FOUND']);
    for (const wrong of ['{}', '{"ids":[]}', '{"ids":["x"]}', '{"until":"now"}', '{"ids":["x"],"until":1}'])
      expect([wrong, (await post(url(channel, '/read'), wrong)).status]).toEqual([wrong, 400]);
    for (const query of [
      '?order=random',
      '?limit=0',
      '?limit=501',
      '?since=soon',
      '?cursor=AAAA',
      '?all=true',
    ])
      expect([query, (await fetch(url(channel, query))).status]).toEqual([query, 400]);
    expect(await (await fetch(url(channel))).json()).toMatchObject({ info: { unread: 0, total: 0 } });
  });

  test('the same key creates it once', async () => {
    const ids = [];
    for (let i = 0; i < 2; i++) {
      const answer = await create('notification:once', '{"title":"One"}', { 'idempotency-key': 'k' });
      ids.push(((await answer.json()) as { id: string }).id);
    }
    expect(ids[1]).toBe(ids[0]);
  });
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function ringlog(
  args: readonly string[],
  own: Record<string, string> = { RINGLOG_TOKEN: token },
): Promise<Ended> {
  const env = { PATH: process.env['PATH'], RINGLOG_URL: node.url, ...own };
  const child = spawn(process.execPath, [join(projectRoot(), 'dist/cli/main.js'), 'notify', ...args], {
    env,
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}

describe('by the command', () => {
  const channel = 'notification:cli';

  test('notifications are sent, listed and read', async () => {
    const sent = await ringlog([
      'send',
      channel,
      'Disk full',
      '--severity',
      'error',
      '--with',
      '{"n":1.50}',
      '--expires',
      '1d',
    ]);
    expect([sent.code, sent.err]).toEqual([0, '']);
    const { id } = JSON.parse(sent.out) as { id: string };
    await ringlog(['send', channel, 'Disk fuller', '--body', 'By the hour.']);
    const lines = (await ringlog(['list', channel, '--unread', '--oldest'])).out.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { id, state: 'unread', notification: { title: 'Disk full', severity: 'error', data: { n: 1.5 } } },
      { notification: { title: 'Disk fuller', body: 'By the hour.' } },
    ]);
    expect((await ringlog(['read', channel, id], {})).code).toBe(0);
    expect((await ringlog(['list', channel, '--unread'])).out.trim().split('\n')).toHaveLength(1);
    expect((await ringlog(['read', channel, '--until', 'now'], {})).code).toBe(0);
    expect((await ringlog(['list', channel, '--unread'])).out).toBe('');
    expect((await ringlog(['list', channel, '--limit', '1'])).out.trim().split('\n')).toHaveLength(1);
  }, 120_000);

  test('what goes wrong has its exit code', async () => {
    const denied = await ringlog(['send', channel, 'Buy'], {});
    expect([denied.code, denied.err]).toEqual([4, expect.stringContaining('DENIED')]);
    const unknown = await ringlog(['read', channel, `${'0'.repeat(24)}-1`]);
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining('NOT_FOUND')]);
    for (const args of [
      ['read', channel],
      ['read', channel, 'x', '--until', 'now'],
      ['read', channel, '--until', 'soon'],
      ['send', channel, 'x', '--with', '{'],
      ['send', channel, 'x', '--expires', 'soon'],
      ['send', channel, 'x', '--severity', 'panic'],
    ])
      expect([args, (await ringlog(args)).code]).toEqual([args, 2]);
    expect((await ringlog(['list', channel, '--url', 'http://127.0.0.1:1'])).code).toBe(3);
    const help = await ringlog(['--help']);
    for (const name of ['send', 'list', 'read', 'watch']) expect(help.out).toContain(`  ${name} `);
  }, 120_000);

  test('they are watched as they come', async () => {
    const env = { PATH: process.env['PATH'], RINGLOG_URL: node.url };
    const args = [join(projectRoot(), 'dist/cli/main.js'), 'notify', 'watch', 'notification:watched'];
    const child = spawn(process.execPath, args, { env });
    try {
      const lines: object[] = [];
      const seen = new Promise<void>((resolve) => {
        let rest = '';
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          const parts = (rest + text).split('\n');
          rest = parts.pop()!;
          lines.push(...parts.map((line) => JSON.parse(line) as object));
          if (lines.length === 1) void create('notification:watched', '{"title":"Now"}');
          if (lines.length >= 3) resolve();
        });
      });
      await seen;
      expect(lines).toMatchObject([{ unread: 0, total: 0 }, { title: 'Now' }, { unread: 1, total: 1 }]);
    } finally {
      child.kill('SIGKILL');
    }
  }, 120_000);
});

test('three nodes, the owner is killed: what is unread is the same before and after, at each node and for each session', async () => {
  const channel = 'notification:three';
  const cluster = await ProcessCluster.start({ nodes: 3 });
  const clients: Client[] = [];
  const client = (at: string, admin?: string): Client => {
    const made = connect({ url: at, ...(admin === undefined ? {} : { token: admin }) });
    clients.push(made);
    return made;
  };
  try {
    const admin = tokenOf(cluster.nodes[0]!.process);
    const service = client(cluster.urls[0]!, admin);
    const created = [];
    for (let i = 0; i < 12; i++)
      created.push(await notify(service, channel, { title: `${i}` }, { idempotencyKey: `k${i}` }));
    const channels = await Promise.all(
      cluster.urls.map((at) => NotificationChannel.open(client(at), channel)),
    );
    await channels[1]!.read(created.slice(0, 4).map(({ id }) => id!));
    await channels[2]!.read(created[7]!.id!);
    for (const each of channels) await expect.poll(() => each.unread, { timeout: 60_000 }).toBe(7);
    const before = await channels[0]!.list({ limit: 100 });
    expect(before).toMatchObject({ unread: 7, total: 12 });
    const owner = (await cluster.nodeOf(created[0]!.dot!.writer))!;
    await owner.kill();
    // Those whose node is gone have moved, and have the same.
    for (const each of channels) {
      const after = await each.list({ limit: 100, timeoutMs: 60_000 });
      expect(after.notifications).toEqual(before.notifications);
      expect(after).toMatchObject({ unread: 7, total: 12 });
      await expect.poll(() => [each.unread, each.total], { timeout: 60_000 }).toEqual([7, 12]);
    }
    const rejected = await channels[0]!
      .read(`${created[0]!.dot!.writer}-9999`)
      .catch((error: unknown) => error);
    expect(rejected).toBeInstanceOf(RinglogError);
    expect(rejected).toMatchObject({ code: 'NOT_FOUND', outcome: 'rejected' });
    await channels[2]!.read(created[11]!.id!);
    const alive = cluster.nodes.filter((each) => each.isUp);
    for (const each of alive) {
      const own = client(each.url);
      const opened = await NotificationChannel.open(own, channel);
      await expect.poll(() => opened.unread, { timeout: 60_000 }).toBe(6);
    }
    for (const each of channels) await expect.poll(() => each.unread, { timeout: 60_000 }).toBe(6);
    await owner.process.start();
    await cluster.together();
    await expect
      .poll(async () => (await listNotifications(client(owner.url), channel)).unread, { timeout: 60_000 })
      .toBe(6);
  } finally {
    await Promise.all(clients.map((each) => each.close({ timeoutMs: 0 })));
    await cluster.remove();
  }
}, 400_000);
