/** What can be said on the command line. */
import { parseArgs } from 'node:util';

export interface Options {
  readonly file: string | undefined;
  /** Lines a second; without it as fast as the node takes them. */
  readonly speed: number | undefined;
  /** A running node, which is left running. */
  readonly url: string | undefined;
  readonly kill: boolean;
  readonly subscribers: number;
  readonly days: number | undefined;
  readonly seed: number;
  readonly json: boolean;
}

/** Told with the usage; exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const usage = `usage: irc-replay [file] [options]

Replays IRC days through a node: a session for each nick speaking that day publishes what was said, verifying
subscribers read it, the node is killed half-way and started again. At the end everything is counted.

  file               NDJSON, gzipped or not (default: irc/ubuntu.ndjson.gz of the test data)
  --speed <n>        lines a second (default: as fast as the node takes them)
  --days <n>         only the first n days
  --subscribers <n>  verifying subscribers (default: 10)
  --no-kill          let the node live
  --url <url>        use this running node; it is neither killed nor stopped, so its store is not read
  --seed <n>         of everything left to chance (default: 1)
  --json             the result as NDJSON
  --help

exit status: 0 all is there once and in order, 1 something is not, 2 wrong usage or input, 3 no node at --url,
130 interrupted`;

const subscribersMax = 200;

/** `undefined` when help was asked for. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const { values, positionals } = parse(args);
  if (values.help === true) return undefined;
  if (positionals.length > 1) throw new UsageError(`one file, not ${positionals.length}`);
  return {
    file: positionals[0],
    url: values.url === undefined ? undefined : httpUrl(values.url),
    // A node that is not ours is not ours to kill.
    kill: values['no-kill'] !== true && values.url === undefined,
    speed: numberOf('speed', values.speed, 1),
    days: numberOf('days', values.days, 1),
    subscribers: numberOf('subscribers', values.subscribers, 1, subscribersMax) ?? 10,
    seed: numberOf('seed', values.seed, 0) ?? 1,
    json: values.json === true,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        speed: { type: 'string' },
        url: { type: 'string' },
        'no-kill': { type: 'boolean' },
        subscribers: { type: 'string' },
        days: { type: 'string' },
        seed: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function numberOf(
  name: string,
  text: string | undefined,
  min: number,
  max = 1_000_000_000,
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new UsageError(`--${name} is a whole number from ${min} to ${max}, not "${text}"`);
  return value;
}

function httpUrl(text: string): string {
  if (!/^https?:\/\/[^/]+\/?$/.test(text))
    throw new UsageError(`--url is the address of a node, such as http://127.0.0.1:8080, not "${text}"`);
  return text.replace(/\/$/, '');
}
