/** The machine of a node that is not as usual, as a process of its own sees it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { projectRoot } from '../support/project-root.js';

const preload = join(projectRoot(), 'dist-tools/simulations/processes/odd-machine.js');
/** Says the time and how long a sync takes, whenever it is asked. */
const program = `
  import { closeSync, fdatasync, openSync } from 'node:fs';
  const file = openSync(process.argv[1], 'w');
  process.stdin.on('data', () => {
    const begun = performance.now();
    fdatasync(file, () => console.log(JSON.stringify([Date.now(), new Date().getTime(), new Date(5).getTime(), performance.now() - begun])));
  });
  process.stdin.on('end', () => closeSync(file));
`;

const folder = mkdtempSync(join(tmpdir(), 'ringlog-odd-'));
let child: ChildProcess | undefined;
afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

test.skipIf(process.platform === 'win32')(
  'a clock and a disk are as the file says, at the start and later',
  async () => {
    const file = join(folder, 'odd.json');
    writeFileSync(file, JSON.stringify({ aheadMs: 3_600_000 }));
    child = spawn(process.execPath, ['--input-type=module', '-e', program, join(folder, 'synced')], {
      env: { ...process.env, NODE_OPTIONS: `--import=${pathToFileURL(preload).href}`, ODD_MACHINE: file },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (said += text));
    const look = async (): Promise<number[]> => {
      said = '';
      child!.stdin!.write('look\n');
      await expect.poll(() => said, { timeout: 60_000 }).toContain('\n');
      return JSON.parse(said) as number[];
    };
    const [now, made, given] = await look();
    for (const time of [now!, made!]) expect(Math.abs(time - Date.now() - 3_600_000)).toBeLessThan(60_000);
    expect(given).toBe(5);
    writeFileSync(file, JSON.stringify({ aheadMs: -3_600_000, syncMs: 300 }));
    child.kill('SIGUSR2');
    await expect.poll(async () => (await look())[0]! < Date.now(), { timeout: 60_000 }).toBe(true);
    expect((await look())[3]).toBeGreaterThan(250);
  },
);
