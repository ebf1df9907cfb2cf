import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  FakeNode,
  type TestGateway,
  adminToken,
  cursorAt,
  entry,
  gatewayInFront,
  userToken,
  writer,
} from './fake-node.js';

let node: FakeNode;
let front: TestGateway;

beforeEach(async () => {
  node = new FakeNode();
  node.entries = [1, 2, 3, 4, 5].map((seq) => entry(seq, `text ${seq}`, { actor: 'ada' }));
  front = await gatewayInFront(node);
});
afterEach(() => front.gateway.stop());

const log = '/v1/admin/hubs/default/channels/chat/log';
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
type Page = { entries: Record<string, unknown>[]; cursor: string; more: boolean };

describe('who may ask', () => {
  const paths = [
    '/v1/admin/hubs',
    '/v1/admin/hubs/default/channels',
    log,
    '/v1/admin/hubs/default/channels/chat/digest',
    '/v1/admin/status',
  ];

  test.each(paths)('%s is for administrators', async (path) => {
    expect((await front.fetch(path)).status).toBe(401);
    const asUser = await front.fetch(path, { headers: { authorization: `Bearer ${userToken}` } });
    expect(asUser.status).toBe(403);
    expect((await front.asAdmin(path)).status).toBe(200);
  });

  test('who may not ask learns nothing of what there is', async () => {
    const answers = await Promise.all(
      ['default', 'nothing'].map(async (hub) => {
        const answer = await front.fetch(`/v1/admin/hubs/${hub}/channels`);
        const { requestId: _, ...problem } = (await answer.json()) as Record<string, unknown>;
        return problem;
      }),
    );
    expect(answers[0]).toEqual(answers[1]);
  });
});

describe('hubs, channels, digests', () => {
  test('channels come in pages', async () => {
    const first = (await (await front.asAdmin('/v1/admin/hubs/default/channels?limit=2')).json()) as {
      channels: { channel: string }[];
      next: string;
    };
    expect(first.channels.map(({ channel }) => channel)).toEqual(['a', 'b']);
    expect(first.channels[0]).toMatchObject({ entries: 3, bytes: 300, lastTime: '2026-01-02T03:04:05.678Z' });
    const second = await (
      await front.asAdmin(`/v1/admin/hubs/default/channels?limit=2&after=${first.next}`)
    ).json();
    expect(second).toMatchObject({ channels: [{ channel: 'chat' }] });
    expect(second).not.toHaveProperty('next');
  });

  test('a digest with floors and heads as ids', async () => {
    const answer = await front.asAdmin('/v1/admin/hubs/default/channels/chat/digest');
    expect(await answer.json()).toMatchObject({ entries: 2, heads: [`${writer}-2`], floors: [] });
  });

  test('a hub that is not there', async () => {
    const answer = await front.asAdmin('/v1/admin/hubs/other/channels');
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ code: 'HUB_NOT_FOUND' });
  });
});

describe('log queries', () => {
  test('filters reach the node as they are meant', async () => {
    const filters = `event=join&kind=publish&actor=ada&writer=${writer}&limit=2`;
    await front.asAdmin(`${log}?${filters}&since=2026-01-02T03:04:05Z&until=${base64(cursorAt(4))}`);
    expect(node.queries[0]).toEqual({
      event: 'join',
      kind: 'publish',
      actor: 'ada',
      writer,
      limit: 2,
      since: Date.parse('2026-01-02T03:04:05Z'),
      until: new Uint8Array(cursorAt(4)),
    });
  });

  test('pages go on by their cursor, towards the end they were read to', async () => {
    const first = (await (await front.asAdmin(`${log}?limit=3`)).json()) as Page;
    expect(first.entries.map(({ data }) => data)).toEqual(['text 1', 'text 2', 'text 3']);
    expect(first.entries[0]).toMatchObject({ id: `${writer}-1`, actor: 'ada', kind: 'publish', bytes: 100 });
    expect(first.more).toBe(true);
    const second = (await (await front.asAdmin(`${log}?limit=3&cursor=${first.cursor}`)).json()) as Page;
    expect(second.entries.map(({ data }) => data)).toEqual(['text 4', 'text 5']);
    await front.asAdmin(`${log}?order=newest&cursor=${first.cursor}`);
    expect(node.queries.at(-1)).toMatchObject({ order: 'newest', until: new Uint8Array(cursorAt(3)) });
  });

  test.each(['format=ndjson', 'accept'])(
    'NDJSON by %s: an entry a line, then where to go on',
    async (how) => {
      node.entries[0] = entry(1, '', {
        content: { payload: Buffer.from('{\n"a":1}'), contentType: 'application/json' },
      });
      const headers = { authorization: `Bearer ${adminToken}`, accept: 'application/x-ndjson' };
      const answer =
        how === 'accept'
          ? await front.fetch(`${log}?limit=2`, { headers })
          : await front.asAdmin(`${log}?limit=2&${how}`);
      expect(answer.headers.get('content-type')).toContain('application/x-ndjson');
      const lines = (await answer.text())
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(lines.map((line) => line['data'] ?? line['more'])).toEqual([{ a: 1 }, 'text 2', true]);
    },
  );

  test('following goes on with what is written later, until the node stops', async () => {
    const answer = await front.asAdmin(`${log}?follow=true&format=ndjson&limit=2`);
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const until = async (pattern: RegExp) => {
      while (!pattern.test(text)) {
        const { done, value } = await reader.read();
        if (done) return;
        text += value;
      }
    };
    await until(/text 5.*\n.*"more":false/);
    node.add(entry(6, 'text 6'));
    await until(/text 6/);
    expect([...text.matchAll(/"text (\d)"/g)].map((match) => match[1])).toEqual([
      '1',
      '2',
      '3',
      '4',
      '5',
      '6',
    ]);
    front.gateway.refuseNew();
    await until(/never/);
  });

  test('following as JSON waits for the next page', async () => {
    const waiting = front.asAdmin(`${log}?follow=true&cursor=${base64(cursorAt(5))}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    node.add(entry(6, 'text 6'));
    const page = (await (await waiting).json()) as Page;
    expect(page.entries.map(({ data }) => data)).toEqual(['text 6']);
  });

  test('a log is not followed backwards', async () => {
    expect((await front.asAdmin(`${log}?follow=true&order=newest`)).status).toBe(400);
  });
});

describe('operation', () => {
  test('health and readiness', async () => {
    expect(await (await front.fetch('/healthz')).json()).toEqual({ status: 'ok' });
    expect((await front.fetch('/readyz')).status).toBe(200);
    for (const [standing, status] of [
      ['joining', 'joining'],
      ['synced', 'joining'],
      ['draining', 'draining'],
      ['gone', 'removed'],
    ] as const) {
      node.standing = standing;
      const answer = await front.fetch('/readyz');
      expect([answer.status, await answer.json()]).toEqual([503, { status }]);
    }
    node.standing = 'active';
    expect((await front.fetch('/readyz')).status).toBe(200);
    node.state = 'reopening';
    const answer = await front.fetch('/readyz');
    expect([answer.status, await answer.json()]).toEqual([503, { status: 'reopening' }]);
  });

  test('metrics are open to this machine, and need a token through a proxy', async () => {
    const answer = await front.fetch('/metrics');
    expect(answer.headers.get('content-type')).toContain('text/plain');
    const text = await answer.text();
    expect(text).toContain('ringlog_entries_committed_total 42');
    expect(text).toContain('ringlog_up 1');
    expect(text).toContain('ringlog_connections_refused_total 0');
    expect(text).toMatch(/ringlog_info\{version="9\.9\.9",node_id="f{32}"\} 1/);
    const forwarded = { 'x-forwarded-for': '203.0.113.9' };
    expect((await front.fetch('/metrics', { headers: forwarded })).status).toBe(401);
    const asAdmin = { ...forwarded, authorization: `Bearer ${adminToken}` };
    expect((await front.fetch('/metrics', { headers: asAdmin })).status).toBe(200);
  });

  test('status shows the node and its connections', async () => {
    expect(await (await front.asAdmin('/v1/admin/status')).json()).toMatchObject({
      state: 'serving',
      version: '9.9.9',
      connections: expect.any(Number),
      counters: { commits: 7 },
    });
  });

  test('the description has every route, and problems', async () => {
    const description = (await (await front.fetch('/v1/openapi.json')).json()) as {
      openapi: string;
      paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
    };
    expect(description.openapi).toBe('3.1.0');
    expect(Object.keys(description.paths).sort()).toEqual([
      '/healthz',
      '/metrics',
      '/readyz',
      '/v1/admin/cluster',
      '/v1/admin/cluster/changes',
      '/v1/admin/cluster/join',
      '/v1/admin/cluster/verify',
      '/v1/admin/hubs',
      '/v1/admin/hubs/{hub}',
      '/v1/admin/hubs/{hub}/channels',
      '/v1/admin/hubs/{hub}/channels/{channel}/digest',
      '/v1/admin/hubs/{hub}/channels/{channel}/log',
      '/v1/admin/hubs/{hub}/channels/{channel}/trim',
      '/v1/admin/hubs/{hub}/losses/accept',
      '/v1/admin/hubs/{hub}/settings',
      '/v1/admin/hubs/{hub}/settings/{section}/{name}',
      '/v1/admin/hubs/{hub}/users',
      '/v1/admin/hubs/{hub}/users/{name}',
      '/v1/admin/status',
      '/v1/hubs/{hub}/channels',
      '/v1/hubs/{hub}/channels/{channel}',
      '/v1/hubs/{hub}/channels/{channel}/document',
      '/v1/hubs/{hub}/channels/{channel}/document/changes',
      '/v1/hubs/{hub}/channels/{channel}/history',
      '/v1/hubs/{hub}/channels/{channel}/messages/{id}',
      '/v1/hubs/{hub}/channels/{channel}/metadata',
      '/v1/hubs/{hub}/channels/{channel}/notifications',
      '/v1/hubs/{hub}/channels/{channel}/notifications/read',
      '/v1/hubs/{hub}/channels/{channel}/occupancy',
      '/v1/hubs/{hub}/channels/{channel}/presence',
      '/v1/hubs/{hub}/channels/{channel}/publish',
      '/v1/hubs/{hub}/groups/{action}',
      '/v1/hubs/{hub}/publish',
      '/v1/hubs/{hub}/receipts/mark',
      '/v1/hubs/{hub}/rpc/{method}',
      '/v1/hubs/{hub}/sse',
      '/v1/hubs/{hub}/tickets',
      '/v1/hubs/{hub}/users/{action}',
    ]);
    const publish = description.paths['/v1/hubs/{hub}/publish']!['post']!;
    expect(Object.keys(publish.responses).sort()).toEqual(['200', 'default']);
  });

  test('an address that is not there is a problem', async () => {
    const answer = await front.fetch('/v1/nothing');
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([404, 'NOT_FOUND']);
  });

  test('an allowed origin may ask from its pages, any other not', async () => {
    await front.gateway.stop();
    front = await gatewayInFront(node, { origins: ['https://app.example'] });
    const preflight = await front.fetch('/v1/hubs/default/publish', {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization');
    const other = await front.fetch('/healthz', { headers: { origin: 'https://evil.example' } });
    expect([other.status, other.headers.get('access-control-allow-origin')]).toEqual([403, null]);
  });
});
