/** Documents of a real node: over HTTP, by the command, and with the cases of RFC 6902 all the way through. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, connect } from '../../src/client/index.js';
import { SharedDocument } from '../../src/client/documents-entry.js';
import { JsonSource } from '../../src/protocol/json-text.js';
import { testData } from '../support/data.js';
import { NodeProcess } from '../support/node-process.js';
import { projectRoot } from '../support/project-root.js';

let node: NodeProcess;

beforeAll(async () => {
  node = await NodeProcess.start();
}, 120_000);
afterAll(() => node.remove());

function url(channel: string, rest = ''): string {
  return `${node.url}/v1/hubs/default/channels/${encodeURIComponent(channel)}/document${rest}`;
}

function patch(channel: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  const all = { 'content-type': 'application/json-patch+json', ...headers };
  return fetch(url(channel), { method: 'PATCH', body, headers: all });
}

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function ringlog(args: readonly string[], input = ''): Promise<Ended> {
  const env = { PATH: process.env['PATH'], RINGLOG_URL: node.url };
  const child = spawn(process.execPath, [join(projectRoot(), 'dist/cli/main.js'), 'doc', ...args], { env });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdin.end(input);
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}

describe('over HTTP', () => {
  test('a document has an entity tag, and is changed where it still has it', async () => {
    const created = await patch('doc:tags', '[{"op":"add","path":"/a","value":1}]');
    expect(await created.json()).toMatchObject({ version: 1, level: 'quorum' });
    const first = await fetch(url('doc:tags'));
    const tag = first.headers.get('etag')!;
    expect(tag).toMatch(/^"1-[0-9a-f]{16}"$/);
    expect(first.headers.get('content-type')).toContain('application/json');
    expect(await first.text()).toBe('{"a":1}');
    expect((await fetch(url('doc:tags'), { headers: { 'if-none-match': tag } })).status).toBe(304);
    const bigger = '[{"op":"replace","path":"/a","value":2}]';
    expect((await patch('doc:tags', bigger, { 'if-match': tag })).status).toBe(200);
    const late = await patch('doc:tags', bigger, { 'if-match': tag });
    expect(late.status).toBe(412);
    expect(await late.json()).toMatchObject({ code: 'VERSION_MISMATCH', outcome: 'rejected' });
    // Weak ones never match, and what is no list of tags is no condition.
    const now = (await fetch(url('doc:tags'))).headers.get('etag')!;
    expect((await patch('doc:tags', bigger, { 'if-match': `W/${now}` })).status).toBe(412);
    for (const malformed of ['5', '"5', `${now} ${now}`, '', ','])
      expect((await patch('doc:tags', bigger, { 'if-match': malformed })).status).toBe(400);
    expect((await patch('doc:tags', bigger, { 'if-match': `${tag}, "x", ${now}` })).status).toBe(200);
    expect((await patch('doc:tags', bigger, { 'if-match': `${tag}, ${now}` })).status).toBe(412);
    expect((await patch('doc:tags', bigger, { 'if-match': '*' })).status).toBe(200);
    // The version alone is one too; its hash counts where it is given.
    expect((await patch('doc:tags', bigger, { 'if-match': '"4"' })).status).toBe(200);
    const another = await patch('doc:tags', bigger, { 'if-match': '"5-0123456789abcdef"' });
    expect(another.status).toBe(412);
    expect(await another.json()).toMatchObject({ code: 'VERSION_MISMATCH', outcome: 'rejected' });
  });

  test('whoever has the document is told so, by any of its tags', async () => {
    await patch('doc:had', '[{"op":"add","path":"/a","value":1}]');
    const tag = (await fetch(url('doc:had'))).headers.get('etag')!;
    const asked = (ifNoneMatch: string) =>
      fetch(url('doc:had'), { headers: { 'if-none-match': ifNoneMatch } });
    for (const known of [tag, `W/${tag}`, `"x", ${tag}`, '*']) {
      const answer = await asked(known);
      expect([answer.status, answer.headers.get('etag'), await answer.text()]).toEqual([304, tag, '']);
    }
    for (const unknown of ['"x"', 'W/"1"', tag.replaceAll('"', ''), ''])
      expect((await asked(unknown)).status).toBe(200);
  });

  test('what is refused says why and where', async () => {
    const failed = await patch('doc:why', '[{"op":"add","path":"/a","value":1},{"op":"remove","path":"/b"}]');
    expect(failed.status).toBe(409);
    expect(await failed.json()).toMatchObject({ code: 'PATCH_FAILED', operation: 1, reason: 'not-found' });
    expect((await patch('doc:why', 'no json')).status).toBe(400);
    expect((await patch('lobby', '[]')).status).toBe(400);
    const text = await fetch(url('doc:why'), {
      method: 'PATCH',
      body: '[]',
      headers: { 'content-type': 'text/plain' },
    });
    expect(text.status).toBe(400);
  });

  test('the same key changes it once', async () => {
    const add = '[{"op":"add","path":"/list","value":[]},{"op":"add","path":"/list/-","value":1}]';
    const answers = [];
    for (let i = 0; i < 2; i++)
      answers.push(await (await patch('doc:once', add, { 'idempotency-key': 'k1' })).json());
    expect(answers[1]).toMatchObject({ id: (answers[0] as { id: string }).id, duplicate: true });
    expect((await fetch(url('doc:once'))).headers.get('x-ringlog-version')).toBe('1');
  });

  test('the past and the changes are there', async () => {
    await patch('doc:past', '[{"op":"add","path":"/n","value":1}]');
    const cursor = (await fetch(url('doc:past'))).headers.get('x-ringlog-cursor')!;
    await patch('doc:past', '[{"op":"add","path":"/n","value":2}]');
    expect(await (await fetch(url('doc:past', `?at=${cursor}`))).text()).toBe('{"n":1}');
    expect(await (await fetch(url('doc:past', '?at=2024-06-01'))).text()).toBe('{}');
    const changes = await (await fetch(url('doc:past', '/changes?limit=1'))).json();
    expect(changes).toMatchObject({ more: true, changes: [{ version: 1, patch: [{ op: 'add' }] }] });
    const rest = await (
      await fetch(url('doc:past', `/changes?since=${(changes as { cursor: string }).cursor}`))
    ).json();
    expect(rest).toMatchObject({ more: false, changes: [{ version: 2 }] });
  });

  test('what a document holds is data: it is never sent as anything else', async () => {
    await patch('doc:script', '[{"op":"add","path":"/html","value":"<script>alert(1)</script>"}]');
    const answer = await fetch(url('doc:script'));
    expect(answer.headers.get('content-type')).toContain('application/json');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  });
});

describe('by the command', () => {
  test('a document is changed, shown, listed and put back', async () => {
    const first = await ringlog(['patch', 'doc:cli', '-'], '[{"op":"add","path":"/text","value":"hello"}]');
    expect([first.code, first.err]).toEqual([0, '']);
    expect(JSON.parse(first.out)).toMatchObject({ version: 1, level: 'quorum' });
    const { headers } = await fetch(url('doc:cli'));
    const cursor = headers.get('x-ringlog-cursor')!;
    await ringlog(['patch', 'doc:cli', '[{"op":"splice","path":"/text","at":0,"remove":1,"insert":"J"}]']);
    expect((await ringlog(['get', 'doc:cli'])).out).toBe('{"text":"Jello"}\n');
    expect((await ringlog(['get', 'doc:cli', '--at', cursor])).out).toBe('{"text":"hello"}\n');
    const stale = await ringlog(['patch', 'doc:cli', '[]', '--if-version', '1']);
    expect(stale.code).toBe(1);
    expect(stale.err).toContain('VERSION_MISMATCH');
    expect((await ringlog(['revert', 'doc:cli', '--to', cursor])).code).toBe(0);
    expect((await ringlog(['get', 'doc:cli'])).out).toBe('{"text":"hello"}\n');
    const lines = (await ringlog(['log', 'doc:cli'])).out.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { version: number }).version)).toEqual([1, 2, 3]);
    expect((await ringlog(['get', 'doc:cli', '--url', 'http://127.0.0.1:1'])).code).toBe(3);
  }, 120_000);

  test('changes are watched as they come', async () => {
    const env = { PATH: process.env['PATH'], RINGLOG_URL: node.url };
    const child = spawn(
      process.execPath,
      [join(projectRoot(), 'dist/cli/main.js'), 'doc', 'watch', 'doc:watched'],
      { env },
    );
    try {
      let out = '';
      const came = new Promise<void>((resolve) => {
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          out += text;
          if (out.includes('\n')) resolve();
        });
      });
      // It says nothing when it is ready: changes go on until one is seen.
      const changing = setInterval(
        () => void patch('doc:watched', '[{"op":"add","path":"/n","value":1.50}]'),
        200,
      );
      await came.finally(() => clearInterval(changing));
      expect(JSON.parse(out.split('\n')[0]!)).toMatchObject({
        patch: [{ op: 'add', path: '/n', value: 1.5 }],
      });
      expect(out).toContain('1.50');
    } finally {
      child.kill('SIGKILL');
    }
  }, 120_000);
});

test('what changed a document in the past is played, then what comes', async () => {
  await patch('doc:film', '[{"op":"add","path":"/n","value":1}]');
  const cursor = (await fetch(url('doc:film'))).headers.get('x-ringlog-cursor')!;
  await patch('doc:film', '[{"op":"add","path":"/n","value":2}]');
  const env = { PATH: process.env['PATH'], RINGLOG_URL: node.url };
  const watch = ['doc', 'watch', 'doc:film', '--from', cursor];
  const child = spawn(process.execPath, [join(projectRoot(), 'dist/cli/main.js'), ...watch], { env });
  try {
    let out = '';
    await new Promise<void>((resolve) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        const isFirst = out === '';
        out += text;
        if (isFirst) void patch('doc:film', '[{"op":"add","path":"/n","value":3}]');
        if (out.split('\n').length > 2) resolve();
      });
    });
    const lines = out.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { patch: { value: number }[] }).patch[0]!.value)).toEqual(
      [2, 3],
    );
  } finally {
    child.kill('SIGKILL');
  }
}, 120_000);

describe('held by several clients', () => {
  const clients: Client[] = [];
  const open = async (channel: string): Promise<SharedDocument<Record<string, unknown>>> => {
    const client = connect(node.url);
    clients.push(client);
    return await SharedDocument.open(client, channel);
  };
  const equal = async (...documents: SharedDocument[]): Promise<void> => {
    await expect
      .poll(() => new Set(documents.map(({ json, pending }) => `${pending} ${json}`)).size, {
        timeout: 60_000,
      })
      .toBe(1);
  };
  afterAll(() => Promise.all(clients.map((client) => client.close({ timeoutMs: 0 }))));

  test('a change of one document alone is refused where there is another', async () => {
    const client = connect(node.url);
    clients.push(client);
    const put = (value: number, options = {}) =>
      client.patch('doc:alone', [{ op: 'add', path: '/n', value }], options);
    await put(1);
    const { version: ifVersion, hash: bytes } = await client.document('doc:alone');
    const hash = Buffer.from(bytes).toString('hex');
    const other = { ifVersion, ifHash: hash.startsWith('00') ? '11111111' : '00000000' };
    await expect(put(2, other)).rejects.toMatchObject({ code: 'VERSION_MISMATCH' });
    expect(await put(2, { ifVersion, ifHash: hash })).toMatchObject({ version: 2 });
    await expect(put(3, { ifHash: hash })).rejects.toMatchObject({ code: 'VERSION_MISMATCH' });
  });

  test('a change shows at once, and all come to the same', async () => {
    const [a, b] = [await open('doc:both'), await open('doc:both')];
    const changed = a.change([{ op: 'add', path: '/text', value: 'hello' }]);
    expect(a.value).toEqual({ text: 'hello' });
    expect(a.pending).toBe(1);
    expect(await changed).toMatchObject({ version: 1 });
    await equal(a, b);
    // Both at once, at different places of one text.
    await Promise.all([
      ...Array.from({ length: 20 }, (_, i) => a.splice('/text', 0, 0, `a${i}`)),
      ...Array.from({ length: 20 }, (_, i) =>
        b.splice('/text', b.text('/text')!.length, 0, `b${i}`).catch(() => undefined),
      ),
    ]);
    await equal(a, b);
    expect(a.version).toBeGreaterThanOrEqual(21);
    expect(await (await fetch(url('doc:both'))).text()).toBe(a.json);
  }, 120_000);

  test('what is refused is taken back and told; what makes no sense throws', async () => {
    const a = await open('doc:back');
    await a.change([{ op: 'add', path: '/n', value: 1 }]);
    const refused: (string | undefined)[] = [];
    a.on('refused', ({ reason }) => void refused.push(reason));
    const late = a.change([{ op: 'add', path: '/m', value: 2 }], { ifVersion: 7 });
    expect(a.value).toEqual({ m: 2, n: 1 });
    await expect(late).rejects.toMatchObject({ code: 'VERSION_MISMATCH' });
    expect(a.value).toEqual({ n: 1 });
    expect(refused).toEqual(['version']);
    expect(() => void a.change([{ op: 'remove', path: '/none' }])).toThrow('There is nothing');
  }, 120_000);

  test('own changes are undone, those of others stay', async () => {
    const [a, b] = [await open('doc:undo'), await open('doc:undo')];
    await a.change([{ op: 'add', path: '/a', value: [1, 2, 3] }]);
    await equal(a, b);
    await a.change([{ op: 'remove', path: '/a/1' }]);
    await equal(a, b);
    await b.change([{ op: 'add', path: '/b', value: true }]);
    await equal(a, b);
    await a.undo();
    await equal(a, b);
    expect(b.value).toEqual({ a: [1, 2, 3], b: true });
  }, 120_000);

  test('one opens in its past, plays what came since, and becomes again what it was', async () => {
    const a = await open('doc:played');
    await a.change([{ op: 'add', path: '/n', value: 1 }]);
    await expect.poll(() => a.version).toBe(1);
    const { cursor } = await clients.at(-1)!.document('doc:played');
    for (const value of [2, 3]) await a.change([{ op: 'replace', path: '/n', value }]);
    const client = connect(node.url);
    clients.push(client);
    const seen: unknown[] = [];
    const b = await SharedDocument.open<{ n: number }>(client, 'doc:played', { at: cursor });
    seen.push(b.value.n);
    b.watch('/n', ({ value }) => seen.push(value));
    await equal(a, b);
    expect(seen).toEqual([1, 2, 3]);
    expect(await b.revert(cursor)).toMatchObject({ version: 4 });
    await equal(a, b);
    expect(a.value).toEqual({ n: 1 });
    expect(seen).toEqual([1, 2, 3, 1]);
  }, 120_000);

  test('changes wait while the node is away', async () => {
    const [a, b] = [await open('doc:away'), await open('doc:away')];
    await a.change([{ op: 'add', path: '/list', value: [] }]);
    await equal(a, b);
    await node.kill();
    const waiting = [1, 2, 3].map((value) => a.change([{ op: 'add', path: '/list/-', value }]));
    expect(a.value).toEqual({ list: [1, 2, 3] });
    await node.start();
    await Promise.all(waiting);
    await equal(a, b);
    expect(b.value).toEqual({ list: [1, 2, 3] });
  }, 240_000);
});

describe.each(['json-patch/tests.json', 'json-patch/spec_tests.json'])(
  'the cases of %s through the wire',
  (name) => {
    const path = testData(name);
    test.skipIf(path === undefined)(
      `come out as they should${path ? '' : `: skipped, there is no ${name}`}`,
      async () => {
        const text = readFileSync(path!, 'utf8');
        const source = new JsonSource(text);
        const cases = JSON.parse(text) as {
          patch?: unknown;
          error?: string;
          expected?: unknown;
          doc: unknown;
        }[];
        const wrong: string[] = [];
        for (const [i, each] of cases.entries()) {
          if (each.patch === undefined) continue;
          const channel = `doc:${name.length}-${i}`;
          const doc = source.element(i).member('doc').text;
          await patch(channel, `[{"op":"replace","path":"","value":${doc}}]`);
          const answer = await patch(channel, source.element(i).member('patch').text);
          const isRefused = [400, 409].includes(answer.status);
          const now = await (await fetch(url(channel))).json();
          const expected = each.error === undefined ? (each.expected ?? each.doc) : each.doc;
          const isRight = isRefused === (each.error !== undefined);
          try {
            expect(now).toEqual(expected);
            if (!isRight) wrong.push(`${i}: ${answer.status}`);
          } catch {
            wrong.push(`${i}: ${JSON.stringify(now)}`);
          }
        }
        expect(wrong).toEqual([]);
      },
      240_000,
    );
  },
);
