/** Real processes and what goes wrong with them, as a person runs it: a short run of the chaos, and the demonstration. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { projectRoot } from '../support/project-root.js';

/** Many starts of real processes: on a busy machine each takes its time. */
const limitMs = 900_000;
vi.setConfig({ testTimeout: limitMs, hookTimeout: 60_000 });

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringlog-chaos-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

function run(program: string, args: readonly string[]): Promise<Ended> {
  const path = join(projectRoot(), 'dist-tools', program);
  if (!existsSync(path)) throw new Error('dist-tools/ is not built: run `npm run build`');
  // What nodes leave behind lies below the folder; real input is not wanted.
  const env = { ...process.env, TMPDIR: folder, RINGLOG_TEST_DATA: folder };
  const child = spawn(process.execPath, ['--enable-source-maps', path, ...args], { env });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}

describe('chaos', () => {
  // Cutting needs to know who dials, which other systems do not tell. All of these are drawn before any comes again; a wiped disk takes
  // longer than the others and is left to longer runs.
  const anywhere = 'kill,pause,clock,clock steps,slow disk';
  const cuts = 'isolate,one way,packets,connections,restart,join and drain,full disk';
  const kinds = process.platform === 'linux' ? `${anywhere},${cuts}` : anywhere;

  test('leaves nothing lost, doubled or out of order', async () => {
    const { code, output } = await run('simulations/chaos.js', [
      '--minutes',
      '1.7',
      '--seed',
      '1',
      '--rate',
      '40',
      '--only',
      kinds,
    ]);
    expect(output).toContain('lost 0, duplicated 0,');
    expect(output).toContain('verify clean');
    expect(code, output).toBe(0);
  });

  test.each([
    [['--minutes', 'x'], '--minutes is a number'],
    [['--only', 'rain'], 'there is no fault "rain"'],
    [['--what'], "Unknown option '--what'"],
  ])('%j is wrong usage', async (args, said) => {
    const { code, output } = await run('simulations/chaos.js', args);
    expect(output).toContain(said);
    expect(code).toBe(2);
  });
});

describe('the demonstration', () => {
  test.skipIf(process.platform !== 'linux')('tells its story and ends with a table', async () => {
    const { code, output } = await run('examples/demo/main.js', ['--fast', '--speed', '100']);
    expect(code, output).toBe(0);
    for (const step of ['is killed', 'is cut off', 'disk wiped', 'all are killed', 'hold the same'])
      expect(output).toContain(step);
    expect(output).toMatch(/^lost +0$/m);
    expect(output).toMatch(/^duplicated +0$/m);
    expect(output).toMatch(/^verify +clean$/m);
    expect(output).toMatch(/^failover after a kill +\d+ ms$/m);
  });

  test('wants lines of IRC', async () => {
    const { code, output } = await run('examples/demo/main.js', [join(folder, 'missing')]);
    expect(output).toContain('cannot be read');
    expect(code).toBe(2);
  });
});
