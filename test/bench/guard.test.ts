/** A minute of the bench: whether what it counts is right, and where Ringlog stands beside its floors today. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot } from '../support/project-root.js';

interface Result {
  readonly suites: readonly {
    readonly name: string;
    readonly rows: readonly { readonly cell: string; readonly target: string; readonly samples: object[] }[];
    readonly goals: readonly { readonly name: string; readonly value: number; readonly unit: string }[];
    readonly problems: readonly string[];
  }[];
}

const cells = [
  '1 in flight, 1 connection,',
  '64 in flight, 1 connection, 1 a frame',
  '100 subscribers, 8 in flight',
  'entries in runs',
];
const limitMs = 240_000;

test(
  'every publish of a short bench is acknowledged once and synced, and every delivery comes once',
  async () => {
    const what = ['--only', 'publish,fanout,replay', '--cells', cells.join('|')];
    expect(await measured(what)).toEqual(['publish', 'fanout', 'replay']);
  },
  limitMs,
);

test(
  'a document is what its changes make of it, also after a stop and after a crash',
  async () => {
    const what = ['--only', 'documents', '--cells', '64 in flight, 1 connection|opened'];
    expect(await measured(what)).toEqual(['documents']);
  },
  limitMs,
);

test(
  'one more in a channel is seen by all who are there, and rights are looked at',
  async () => expect(await measured(['--only', 'rights,presence'])).toEqual(['rights', 'presence']),
  limitMs,
);

test(
  'what two of three nodes acknowledged is at all three',
  async () => expect(await measured(['--cluster', '--cells', '64 in flight'])).toEqual(['cluster']),
  limitMs,
);

/** Names of the suites that measured something; nothing is wrong. */
async function measured(what: readonly string[]): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ringlog-guard-'));
  try {
    const file = join(folder, 'result.json');
    const { code, output } = await bench(['--quick', '--seconds', '0.4', '--json', file, ...what]);
    expect(code, output).toBe(0);
    const { suites } = JSON.parse(readFileSync(file, 'utf8')) as Result;
    expect(suites.flatMap(({ problems }) => problems)).toEqual([]);
    // How fast it is depends on what else this machine does: told, never judged.
    for (const { name, value, unit } of suites.flatMap(({ goals }) => goals))
      console.log(`bench: ${name}: ${value.toFixed(2)} ${unit}`);
    return suites.filter(({ rows }) => rows.length > 0).map(({ name }) => name);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function bench(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const program = join(projectRoot(), 'dist-tools/bench/main.js');
  if (!existsSync(program)) throw new Error('dist-tools/ is not built: run `npm run build`');
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const killAtExit = () => void child.kill('SIGTERM');
  process.once('exit', killAtExit);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve) => {
    child.once('close', (code) => {
      process.off('exit', killAtExit);
      resolve({ code, output });
    });
  });
}
