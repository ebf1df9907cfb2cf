/** Hubs and settings by the built command, and what a client of the SDK sees of them. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RinglogError, connect } from '../../src/client/index.js';
import { peopleOf } from '../../src/client/people.js';
import { NodeProcess } from '../support/node-process.js';
import { projectRoot } from '../support/project-root.js';

const program = join(projectRoot(), 'dist/cli/main.js');
let node: NodeProcess;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ringlog-hubs-'));
  node = await NodeProcess.start();
});
afterAll(async () => {
  await node.remove();
  rmSync(folder, { recursive: true });
});

const adminToken = () => readFileSync(join(node.dataPath, 'admin-token'), 'utf8').trim();

const run = (...args: string[]) => runBy([], ...args);

function runBy(
  options: readonly string[],
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const env = { PATH: process.env['PATH'], RINGLOG_URL: node.url, RINGLOG_DATA: node.dataPath };
  return new Promise((resolve) => {
    execFile(process.execPath, [...options, program, ...args], { cwd: folder, env }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}

test('a hub is made, set, exported and imported, and its clients are told', async () => {
  expect(await run('hub', 'create', 'acme')).toMatchObject({ code: 0, out: '{"created":true}\n' });
  const client = connect({ url: node.url, hub: 'acme' });
  await client.ready();
  const subscription = client.subscribe('vault');
  const ended = new Promise<RinglogError>((resolve) => void subscription.on('error', resolve));
  await new Promise((resolve) => void subscription.on('subscribed', resolve));
  const settings = [
    ['set', 'rules', 'closed', '{"public":false,"clientPublish":false}'],
    ['set', 'channels', 'vault', '"closed"'],
  ];
  for (const each of settings) expect(await run('hub', ...each, '--hub', 'acme')).toMatchObject({ code: 0 });
  expect(await ended).toMatchObject({ code: 'DENIED', channel: 'vault' });
  await expect(client.publish('vault', 'x')).rejects.toMatchObject({ code: 'DENIED' });
  await client.publish('lobby', 'x');
  await client.close();

  const exported = await run('hub', 'export', '--hub', 'acme');
  expect(JSON.parse(exported.out)).toEqual({
    rules: { closed: { public: false, clientPublish: false } },
    channels: { vault: 'closed' },
  });
  writeFileSync(join(folder, 'acme.json'), exported.out);
  expect(await run('hub', 'import', 'acme.json')).toMatchObject({ code: 0 });
  expect(await run('hub', 'export')).toEqual(exported);
  expect((await run('hub', 'unset', 'channels', 'vault')).code).toBe(0);
  const log = await run('log', '$settings', '--json');
  const events = log.out
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line).event as string]));
  expect(events).toEqual(['replace', 'remove']);
});

test('a revocation goes by the clock of the node, and not by that of who revokes', async () => {
  const hour = 3_600_000;
  const revokedAt = async () => {
    const { out } = await run('hub', 'export', '--hub', 'acme');
    return (JSON.parse(out) as { revoked: { ada: number } }).revoked.ada;
  };
  const behind = `data:text/javascript,const now=Date.now;Date.now=()=>now()-${hour}`;
  const before = Date.now();
  expect(await runBy(['--import', behind], 'hub', 'revoke', 'ada', '--hub', 'acme')).toMatchObject({
    code: 0,
  });
  expect(await revokedAt()).toBeGreaterThanOrEqual(before);
  expect(await revokedAt()).toBeLessThanOrEqual(Date.now());
  const until = '2026-01-31T12:00:00Z';
  expect(await run('hub', 'revoke', 'ada', until, '--hub', 'acme')).toMatchObject({ code: 0 });
  expect(await revokedAt()).toBe(Date.parse(until));
  expect((await run('hub', 'revoke', 'ada', 'tomorrow', '--hub', 'acme')).code).toBe(2);
});

test('where nothing of people is lost there is nothing to go on without', async () => {
  expect(await run('hub', 'accept-losses', 'acme')).toMatchObject({
    code: 0,
    out: '{"users":false,"groups":false}\n',
  });
});

test('what is said of a channel is set and shown', async () => {
  const about = { topic: 'Tea' };
  const at = ['room:1', '--hub', 'acme'];
  expect(await run('hub', 'set', 'metadata', 'room:1', JSON.stringify(about), '--hub', 'acme')).toMatchObject(
    {
      code: 0,
    },
  );
  const shown = await run('channel', 'metadata', ...at);
  expect(JSON.parse(shown.out)).toEqual({ channel: 'room:1', metadata: about });
  const client = connect({ url: node.url, hub: 'acme', token: adminToken() });
  expect(await peopleOf(client).metadata('room:1')).toEqual(about);
  expect(await peopleOf(client).metadata('room:2')).toBeUndefined();
  await client.close();
  expect((await run('hub', 'unset', 'metadata', 'room:1', '--hub', 'acme')).code).toBe(0);
  expect(JSON.parse((await run('channel', 'metadata', ...at)).out)).toEqual({ channel: 'room:1' });
});

test.each([
  ['no such hub', ['hub', 'export', '--hub', 'nothing'], 1, 'HUB_NOT_FOUND'],
  ['no such setting', ['hub', 'unset', 'rules', 'nothing'], 1, 'NOT_FOUND'],
  ['no such section', ['hub', 'set', 'nothing', 'x', '1'], 1, 'INVALID'],
  ['no JSON', ['hub', 'set', 'channels', 'x', 'closed'], 2, 'not JSON'],
  ['no file', ['hub', 'import', 'nothing.json'], 2, 'cannot be read'],
  ['no name', ['hub', 'create', 'No Good'], 2, 'BAD_NAME'],
  ['no token', ['hub', 'list', '--token', 'wrong'], 4, 'UNAUTHENTICATED'],
])('the command says what is wrong: %s', async (_, args, code, text) => {
  const ended = await run(...args);
  expect([ended.code, ended.err]).toEqual([code, expect.stringContaining(text)]);
});
