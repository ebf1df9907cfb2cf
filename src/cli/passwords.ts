/** Passwords for a command; never as an argument: other users of a machine can see those. */
import { text } from 'node:stream/consumers';
import { CommandError, exitCodes } from './exit-codes.js';

/** What is left of standard input, once it was read. */
let rest: string | undefined;

export async function password(): Promise<string> {
  const found = process.env['RINGLOG_PASSWORD'] ?? (await standardInput()).replace(/\r?\n$/, '');
  if (found !== '') return found;
  throw new CommandError(exitCodes.usage, 'Give the password on standard input, or in RINGLOG_PASSWORD.');
}

/** Read before the new one, and as the first line alone. */
export async function currentPassword(): Promise<string> {
  const fromEnvironment = process.env['RINGLOG_CURRENT_PASSWORD'];
  if (fromEnvironment) return fromEnvironment;
  const [line, ...others] = (await standardInput()).split('\n');
  rest = others.join('\n');
  const found = line!.replace(/\r$/, '');
  if (found !== '') return found;
  throw new CommandError(
    exitCodes.usage,
    'Give the present password as the first line of standard input, or in RINGLOG_CURRENT_PASSWORD.',
  );
}

async function standardInput(): Promise<string> {
  rest ??= process.stdin.isTTY ? '' : await text(process.stdin);
  return rest;
}
