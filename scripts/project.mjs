/**
 * What every script shares: where the project is, what is installed and built, and how a child is run.
 * Plain Node, no dependency: these run before anything is installed.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const at = (...parts) => join(root, ...parts);

/** All files below a folder of the project, as sorted paths with forward slashes; none when it is missing. */
export function filesBelow(folder, matches = () => true) {
  if (!existsSync(at(folder))) return [];
  return readdirSync(at(folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => matches(path))
    .sort();
}

/** How Node runs what is not the product. Simulations make much that is dropped at once: where the young generation is twice as
 *  large as usual (MiB), they take a tenth less processor time. */
export const toolFlags = ['--enable-source-maps', '--max-semi-space-size=32'];

export const isTypeScript = (path) => path.endsWith('.ts') && !path.endsWith('.d.ts');

/** Runs a command with the terminal as its own; resolves with its exit status. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}

/** Runs a command and keeps what it says; resolves with status and output. */
export function capture(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => (output += text));
    }
    child.once('error', reject);
    child.once('close', (code) => resolve({ status: code ?? 1, output }));
  });
}

/** Runs a Node program in the foreground: signals are passed on, its exit status becomes ours. */
export async function become(file, args, nodeOptions = []) {
  const child = spawn(process.execPath, [...nodeOptions, file, ...args], { stdio: 'inherit' });
  const lastPassed = new Map();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // One Ctrl-C arrives here twice: from the terminal, and from npm, which passes on what it got too.
      if (Date.now() - (lastPassed.get(signal) ?? 0) < 500) return;
      lastPassed.set(signal, Date.now());
      child.kill(signal);
    });
  }
  process.exitCode = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}

const isWindows = process.platform === 'win32';

/** The program of a development dependency, run by this very Node. */
export function tool(packageName, program) {
  const manifest = JSON.parse(readFileSync(at('node_modules', packageName, 'package.json'), 'utf8'));
  const bin = typeof manifest.bin === 'string' ? manifest.bin : manifest.bin[program];
  return at('node_modules', packageName, bin);
}

/** Installs what the lock file names, unless exactly that is there already. */
export async function ensureInstalled() {
  if (!isInstalled()) {
    console.log('ringlog: installing dependencies (npm ci)');
    const status = await run('npm', ['ci', '--no-audit', '--no-fund'], { shell: isWindows });
    if (status !== 0) throw new Failure('npm ci failed; see its message above', status);
  }
  linkOwnCommand();
}

// npm notes at the very end of an install what it put there, so a broken install leaves no such note.
function isInstalled() {
  const note = at('node_modules/.package-lock.json');
  if (!existsSync(note)) return false;
  const wanted = JSON.parse(readFileSync(at('package-lock.json'), 'utf8')).packages;
  const present = JSON.parse(readFileSync(note, 'utf8')).packages;
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === '') return true;
    return present[path] ? present[path].version === version : optional === true;
  });
}

// npm does not link a package's own command, and `npx ringlog` in a clone should be this clone.
function linkOwnCommand() {
  const link = at('node_modules/.bin/ringlog');
  if (isWindows || lstatSync(link, { throwIfNoEntry: false })) return;
  mkdirSync(dirname(link), { recursive: true });
  chmodSync(at('bin/ringlog.js'), 0o755);
  try {
    symlinkSync('../../bin/ringlog.js', link);
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
}

/** A stamp of everything a build reads; it changes when a file is edited, added or removed. */
export function sourceStamp(folders) {
  const hash = createHash('sha256');
  const configs = readdirSync(root).filter((name) => /^(tsconfig.*|package-lock)\.json$/.test(name));
  for (const path of [...configs.sort(), ...folders.flatMap((folder) => filesBelow(folder))]) {
    const { mtimeMs, size } = statSync(at(path));
    hash.update(`${path} ${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex');
}

export const remove = (path) => rmSync(path, { recursive: true, force: true, maxRetries: 3 });

/** An expected failure: told in one sentence, without a stack. */
export class Failure extends Error {
  constructor(message, status = 1) {
    super(message);
    this.status = status;
  }
}

/** Runs a script's body and turns a failure into a sentence and an exit status. */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    console.error(error instanceof Failure ? `ringlog: ${error.message}` : error);
    process.exitCode = error instanceof Failure ? error.status : 1;
  }
}
