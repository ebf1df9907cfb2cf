/**
 * Programs that some tests need and a machine may lack: found, else installed where that is possible, else the
 * tests skip by name. With CI=true a missing program is an error, so that nothing goes untested unseen.
 *
 *   const browser = await chromium();
 *   test.skipIf(browser === undefined)('the client runs in a browser', …);
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const installLimitMs = 300_000;

/** The path of a Chromium; RINGLOG_CHROMIUM names another one. */
export async function chromium(): Promise<string | undefined> {
  const wanted = process.env['RINGLOG_CHROMIUM'];
  return (
    wanted ??
    provided('chromium', ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'])
  );
}

/** What a browser under test needs: no sandbox as root, no traffic of its own. */
export function browserFlags(): string[] {
  const quiet = ['--disable-background-networking', '--disable-component-update', '--no-first-run'];
  return process.getuid?.() === 0 ? [...quiet, '--no-sandbox'] : quiet;
}

async function provided(debianPackage: string, places: readonly string[]): Promise<string | undefined> {
  const find = () => places.find((place) => existsSync(place));
  const found = find();
  if (found !== undefined) return found;
  const problem = mayInstall()
    ? await install(debianPackage)
    : 'it cannot be installed without root and apt-get';
  const installed = find();
  if (installed === undefined && process.env['CI'] === 'true') {
    throw new Error(`${debianPackage} is missing: ${problem ?? 'its package has no program where expected'}`);
  }
  return installed;
}

const mayInstall = () => process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');

/** Installs a Debian package; resolves with what went wrong, if anything. */
async function install(debianPackage: string): Promise<string | undefined> {
  // Test files run in several processes: the first one installs, the others wait and find it done.
  const lock = join(tmpdir(), 'ringlog-install.lock');
  const steps = 'apt-get -qq update && apt-get -qq -y --no-install-recommends install "$1"';
  const script = `exec 9>"$0"; flock 9; dpkg -s "$1" >/dev/null 2>&1 || { ${steps}; }`;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    await promisify(execFile)('sh', ['-c', script, lock, debianPackage], { env, timeout: installLimitMs });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
