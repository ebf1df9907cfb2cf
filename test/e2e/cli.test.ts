import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NodeProcess } from '../support/node-process.js';
import { projectRoot } from '../support/project-root.js';

const program = join(projectRoot(), 'dist/cli/main.js');

let node: NodeProcess;
let folder: string;
const running = new Set<Command>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ringlog-cli-'));
  node = await NodeProcess.start();
});
afterAll(async () => {
  for (const command of running) command.child.kill('SIGKILL');
  await node.remove();
  rmSync(folder, { recursive: true });
});

interface Options {
  readonly input?: string;
  readonly environment?: Record<string, string>;
}

/** The built command as a child, in an empty folder, talking to `node` unless told otherwise. */
class Command {
  readonly child: ChildProcess;
  out = '';
  err = '';
  readonly ended: Promise<number | null>;

  constructor(args: readonly string[], { input, environment = {} }: Options = {}) {
    const env = {
      PATH: process.env['PATH'],
      RINGLOG_URL: node.url,
      RINGLOG_DATA: node.dataPath,
      ...environment,
    };
    this.child = spawn(process.execPath, [program, ...args], { cwd: folder, env });
    running.add(this);
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.out += text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.err += text));
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code) => {
        running.delete(this);
        resolve(code);
      });
    });
    this.child.stdin!.on('error', () => {});
    this.child.stdin!.end(input ?? '');
  }

  get lines(): Record<string, unknown>[] {
    const whole = this.out.split('\n').slice(0, -1);
    return whole.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async until(condition: () => boolean): Promise<void> {
    const late = AbortSignal.timeout(20_000);
    while (!condition()) {
      if (late.aborted) throw new Error(`did not happen; standard error: ${this.err}`);
      await pause(20);
    }
  }

  async interrupt(): Promise<number | null> {
    this.child.kill('SIGINT');
    return this.ended;
  }
}

async function run(args: readonly string[], options?: Options) {
  const command = new Command(args, options);
  const code = await command.ended;
  return { code, out: command.out, err: command.err, lines: () => command.lines };
}

describe('start', () => {
  const args = (data: string) => ['start', '--listen', '127.0.0.1:0', '--data', join(folder, data)];
  const noSettings = { environment: { RINGLOG_DATA: '' } };

  test('tells what it does, the token once, and ends with 0 at Ctrl-C', async () => {
    const first = new Command(args('first'), noSettings);
    await first.until(() => first.out.includes('Ctrl-C'));
    const token = readFileSync(join(folder, 'first/admin-token'), 'utf8').trim();
    expect(first.out).toContain('First start');
    expect(first.out).toMatch(/Listening +http:\/\/127\.0\.0\.1:\d+/);
    expect(first.out.split(token).length).toBe(2);
    expect(first.out).not.toContain('\u001b');
    expect(await first.interrupt()).toBe(0);
    expect(first.out).toContain('Stopped.');
    for (const line of first.err.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('level');
    expect(first.err).not.toContain(token);

    const second = new Command(args('first'), noSettings);
    await second.until(() => second.out.includes('Ctrl-C'));
    expect(second.out).not.toContain('First start');
    expect(second.out).not.toContain(token);
    second.child.kill('SIGTERM');
    expect(await second.ended).toBe(0);
  });

  test('a directory in use, a port in use: one sentence each, and what to do', async () => {
    const sameData = await run(['start', '--listen', '127.0.0.1:0', '--data', node.dataPath]);
    expect(sameData.code).toBe(1);
    expect(sameData.err).toContain('--data');
    const samePort = await run([
      'start',
      '--listen',
      new URL(node.url).host,
      '--data',
      join(folder, 'other'),
    ]);
    expect(samePort.code).toBe(1);
    expect(samePort.err).toContain('Another program listens on');
    expect(`${sameData.err}${samePort.err}`).not.toMatch(/^ +at /m);
  });

  test.each([
    [['--session-ping-intervall-ms', '1000'], 'session-ping-interval-ms'],
    [['--session-ping-interval-ms', 'soon'], 'session.pingIntervalMs must be integer'],
    [['--listen', '0.0.0.0:0'], 'anyone on the network'],
    [['--config', 'none.yaml'], 'cannot be read'],
  ])('usage: %j', async (more, sentence) => {
    const { code, err } = await run([...args('usage'), ...more], noSettings);
    expect([code, err.includes(sentence)]).toEqual([2, true]);
  });

  test('a setting of the file that is not known', async () => {
    writeFileSync(join(folder, 'wrong.yaml'), 'sesion: {}\n');
    const { code, err } = await run([...args('usage'), '--config', 'wrong.yaml'], noSettings);
    expect(code).toBe(2);
    expect(err).toContain('Did you mean "session"?');
  });
});

describe('publishing and reading', () => {
  test('one message, with its acknowledgement; the same key publishes once', async () => {
    const args = [
      'pub',
      'orders',
      '{"n": 12345678901234567890}',
      '--json',
      '--event',
      'made',
      '--key',
      'order-1',
    ];
    const first = await run(args);
    expect(first.code).toBe(0);
    expect(first.lines()[0]).toMatchObject({ level: 'quorum', copies: 1 });
    const again = await run(args);
    expect(again.lines()[0]).toMatchObject({ id: first.lines()[0]!['id'], duplicate: true });
    const read = await run(['sub', 'orders', '--from', 'beginning', '--limit', '1']);
    expect(read.code).toBe(0);
    expect(read.out).toContain('"data":{"n": 12345678901234567890}');
    expect(read.lines()[0]).toMatchObject({ channel: 'orders', event: 'made', actor: '$admin' });
  });

  test('lines of standard input, in order; the log shows them by filter', async () => {
    const input = Array.from({ length: 3_000 }, (_, i) => `line ${i}\n`).join('');
    const published = await run(['pub', 'lines', '-', '--event', 'line'], { input });
    expect([published.code, published.lines().length]).toEqual([0, 3_000]);
    const shown = await run(['log', 'lines', '--event', 'line', '--since', '10m']);
    expect(shown.lines().map(({ data }) => data)).toEqual(
      Array.from({ length: 3_000 }, (_, i) => `line ${i}`),
    );
    const newest = await run(['log', 'lines', '--order', 'newest', '--limit', '2']);
    expect(newest.lines().map(({ data }) => data)).toEqual(['line 2999', 'line 2998']);
    expect((await run(['log', 'lines', '--event', 'other'])).out).toBe('');
    const channels = await run(['channels']);
    expect(channels.lines()).toContainEqual(expect.objectContaining({ channel: 'lines', entries: 3_000 }));
  });

  test('a reader and a tail go on over a killed node', async () => {
    const reader = new Command(['sub', 'steady', '--from', 'beginning']);
    const tail = new Command(['log', 'steady', '--follow']);
    await run(['pub', 'steady', '-'], { input: 'a\nb\n' });
    for (const command of [reader, tail]) await command.until(() => command.lines.length === 2);
    await node.kill();
    await node.start();
    await run(['pub', 'steady', '-'], { input: 'c\n' });
    for (const command of [reader, tail]) {
      await command.until(() => command.lines.length === 3);
      expect(command.lines.map(({ data }) => data)).toEqual(['a', 'b', 'c']);
      expect(await command.interrupt()).toBe(130);
    }
    expect(reader.err).toContain('reconnecting');
  });

  test('a pipe that ends early is no error', async () => {
    const command = new Command(['log', 'lines']);
    await command.until(() => command.out !== '');
    command.child.stdout!.destroy();
    expect(await command.ended).toBe(0);
  });

  test('status', async () => {
    const { code, lines } = await run(['status']);
    expect([code, lines()[0]!['state']]).toEqual([0, 'serving']);
  });
});

describe('exit codes and sentences', () => {
  const nowhere = { environment: { RINGLOG_URL: 'http://127.0.0.1:1', RINGLOG_DATA: '' } };
  const wrongToken = { environment: { RINGLOG_TOKEN: 'wrong' } };

  test.each([
    ['nobody there', ['pub', 'a', 'x'], 3, 'npx ringlog start', nowhere],
    ['nobody there', ['sub', 'a'], 3, 'npx ringlog start', nowhere],
    ['nobody there', ['status'], 3, 'npx ringlog start', nowhere],
    ['a wrong token', ['pub', 'a', 'x'], 4, 'admin-token', wrongToken],
    ['a wrong token', ['log', 'a'], 4, 'admin-token', wrongToken],
    ['a name that is none', ['pub', 'a::b', 'x'], 2, 'channel name', {}],
    ['a name that is none', ['log', 'a::b'], 2, 'channel name', {}],
    ['a system channel', ['pub', '$settings', 'x'], 4, 'DENIED', {}],
    ['what is no notification', ['pub', 'notification:a', 'x'], 1, 'INVALID', {}],
    ['a hub that is not there', ['channels', '--hub', 'other'], 1, 'HUB_NOT_FOUND', {}],
    ['no message', ['pub', 'a'], 2, 'standard input', {}],
    ['JSON that is none', ['pub', 'a', '{', '--json'], 2, 'not JSON', {}],
    ['a mistyped command', ['pubb', 'a'], 2, 'pub', {}],
    ['a level that is none', ['pub', 'a', 'x', '--level', 'best'], 2, 'owner', {}],
    ['a log followed backwards', ['log', 'a', '-f', '--order', 'newest'], 2, 'oldest first', {}],
  ] as const)('%s: %j ends with %i', async (_, args, exitCode, sentence, options) => {
    const { code, err } = await run(args, options);
    expect([code, err]).toEqual([exitCode, expect.stringContaining(sentence)]);
    expect(err).not.toMatch(/^ +at /m);
  });

  test('help has examples, and there is a version', async () => {
    const help = await run(['pub', '--help']);
    expect([help.code, help.out]).toEqual([0, expect.stringContaining('Examples:')]);
    const { version } = JSON.parse(readFileSync(join(projectRoot(), 'package.json'), 'utf8')) as {
      version: string;
    };
    expect((await run(['--version'])).out.trim()).toBe(version);
  });
});
