/** `npm run sim`: the last line of a failure is the command that repeats it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { plant } from '../../simulations/replication/planting.js';
import { exitCodes, main } from '../../simulations/run.js';

/** What it says of a failure, line by line. */
async function failureOf(args: readonly string[]): Promise<readonly string[]> {
  const said = vi.spyOn(console, 'error').mockImplementation(() => {});
  vi.spyOn(console, 'log').mockImplementation(() => {});
  try {
    expect(await main(args)).toBe(exitCodes.safety);
    return said.mock.calls.map(([line]) => String(line));
  } finally {
    vi.restoreAllMocks();
    plant(undefined);
  }
}

test('it has the faults, the checkers that were left out, the size and the planted bug', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringlog-commands-'));
  try {
    const file = join(folder, "no body's faults.txt");
    writeFileSync(file, '');
    const options = ['--plant', 'delivered-at-sync', '--schedule', file, '--without', 'I14 nothing twice'];
    const lines = await failureOf(['--seeds', '1..3', '--nodes', '3', ...options]);
    const seed = /^cluster, seed (\d+)/.exec(lines[0]!)![1];
    expect(lines.at(-1)).toBe(
      `npm run sim -- --of cluster --seed ${seed} --nodes 3 --plant delivered-at-sync ` +
        `--schedule '${folder}/no body'\\''s faults.txt' --without 'I14 nothing twice'`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
