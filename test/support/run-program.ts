/** Runs one of the built programs to its end. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from './project-root.js';

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** `path` is below the project. Without `env` the program has that of the test. */
export function runProgram(
  path: string,
  args: readonly string[],
  { env, input = '' }: { readonly env?: NodeJS.ProcessEnv; readonly input?: string } = {},
): Promise<Ran> {
  const child = spawn(process.execPath, [join(projectRoot(), path), ...args], { env: env ?? process.env });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  // It may have ended before it read anything.
  child.stdin.on('error', () => undefined).end(input);
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}
