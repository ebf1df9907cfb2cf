/** The IRC replay as a person runs it: a process with arguments, a table, an exit status. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { testData } from '../support/data.js';
import { NodeProcess } from '../support/node-process.js';
import { projectRoot } from '../support/project-root.js';

const program = join(projectRoot(), 'dist-tools/examples/irc-replay/main.js');
const realDays = testData('irc/ubuntu.ndjson.gz');
let folder: string;

beforeEach(() => {
  if (!existsSync(program)) throw new Error('dist-tools/ is not built: run `npm run build`');
  folder = mkdtempSync(join(tmpdir(), 'ringlog-irc-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `interruptAfter`: SIGINT once that has been written to standard error. */
function replay(
  args: readonly string[],
  options: { readonly data?: string; readonly interruptAfter?: string } = {},
): Promise<Ended> {
  const { data = folder, interruptAfter } = options;
  // Its node's data goes below the folder, so that a test sees what is left there.
  const env = { ...process.env, TMPDIR: folder, RINGLOG_TEST_DATA: data };
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  let interrupted = false;
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
      if (interrupted || interruptAfter === undefined || !said.stderr.includes(interruptAfter)) return;
      interrupted = true;
      child.kill('SIGINT');
    });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, ...said })));
}

type Row = Readonly<Record<string, unknown>>;
const rowsOf = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);

const nothingWrong = {
  lost: 0,
  doubled: 0,
  duplicate: 0,
  'out-of-order': 0,
  gap: 0,
  phantom: 0,
  altered: 0,
  damaged: 0,
};

describe('the replay of IRC days', () => {
  test('without data replays a small file of its own, and says so', async () => {
    const { code, stdout, stderr } = await replay(['--json', '--subscribers', '3']);
    expect(stderr).toContain('test data is not here');
    expect(stderr).toContain('The node is killed');
    expect(code).toBe(0);
    const [result, ...counts] = rowsOf(stdout);
    expect(result).toMatchObject({ lines: 3_000, published: 3_000, acked: 3_000, passed: true });
    expect(counts).toMatchObject([
      { by: 'store', entries: 3_000, ...nothingWrong },
      { by: '3 raw readers', entries: 9_000, ...nothingWrong },
      { by: '3 SDK readers', entries: 9_000, ...nothingWrong },
    ]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test.skipIf(realDays === undefined)(
    'of a real day loses nothing to the kill (needs the test data)',
    async () => {
      const { code, stdout } = await replay([realDays!, '--days', '1']);
      expect(stdout).toContain('Nothing is lost, doubled or out of order.');
      expect(stdout).toMatch(/^killed +after [\d,]+ acked lines/m);
      expect(code).toBe(0);
    },
  );

  test('takes a file of any name, gzipped or not, with channels of any name', async () => {
    const lines = ['#linux', 'ünï', 'a:b'].map((channel, i) =>
      JSON.stringify({
        day: '2004-01-01',
        time: `00:0${i}`,
        kind: 'message',
        nick: '[x]',
        text: '',
        channel,
      }),
    );
    const plain = join(folder, 'plain');
    const packed = join(folder, 'packed');
    writeFileSync(plain, lines.join('\n'));
    writeFileSync(packed, gzipSync(`${lines.join('\r\n')}\r\n`));
    for (const file of [plain, packed]) {
      const { code, stdout } = await replay([file, '--no-kill', '--subscribers', '1', '--json']);
      expect(rowsOf(stdout)[0]).toMatchObject({
        lines: 3,
        acked: 3,
        channels: ['irc:=23linux', 'irc:=C3=BCn=C3=AF', 'irc:a=3Ab'],
      });
      expect(code).toBe(0);
    }
  });

  test('runs against a node of somebody else again and again, and leaves it running', async () => {
    const node = await NodeProcess.start();
    try {
      for (const run of [1, 2]) {
        const { code, stdout } = await replay([
          '--url',
          node.url,
          '--json',
          '--subscribers',
          '2',
          '--days',
          '1',
        ]);
        const [result, ...counts] = rowsOf(stdout);
        expect(result, `run ${run}`).toMatchObject({ acked: 1_000, passed: true });
        expect(counts.slice(1)).toMatchObject([
          { entries: 2_000, ...nothingWrong },
          { entries: 3_000, ...nothingWrong },
        ]);
        expect(code).toBe(0);
      }
      expect(node.isRunning).toBe(true);
    } finally {
      await node.remove();
    }
  });

  test.each([
    ['not JSON', '{"day":', 'not JSON'],
    ['no object', '[1]', 'not a JSON object'],
    ['no nick', '{"day":"2004-01-01","time":"00:00","kind":"join","channel":"c"}', '"nick" is missing'],
    ['an unknown kind', '{"day":"d","time":"t","kind":"quit","nick":"n","channel":"c"}', '"kind" is "quit"'],
    [
      'a message without text',
      '{"day":"d","time":"t","kind":"message","nick":"n","channel":"c"}',
      '"text" of a message is missing',
    ],
  ])('names the line that is wrong: %s', async (_, line, problem) => {
    const file = join(folder, 'days.ndjson');
    const good = '{"day":"2004-01-01","time":"00:00","kind":"join","nick":"n","channel":"c"}';
    writeFileSync(file, `${good}\n${line}\n`);
    const { code, stderr, stdout } = await replay([file]);
    expect(stderr).toContain('line 2: ');
    expect(stderr).toContain(problem);
    expect([code, stdout]).toEqual([2, '']);
  });

  test.each([
    [['--speed', 'fast'], 2, '--speed is a whole number'],
    [['--loud'], 2, 'usage: irc-replay'],
    [['nothing-there.ndjson'], 2, 'cannot be read'],
    [['--url', 'http://127.0.0.1:9'], 3, 'no node answers'],
  ])('%s ends with %i', async (args, status, said) => {
    const { code, stderr } = await replay(args);
    expect(stderr).toContain(said);
    expect(code).toBe(status);
  });

  test('interrupted leaves no process and no data behind', async () => {
    const { code } = await replay(['--speed', '2000'], { interruptAfter: 'The node is killed' });
    expect(code).toBe(130);
    expect(readdirSync(folder)).toEqual([]);
  });
});
