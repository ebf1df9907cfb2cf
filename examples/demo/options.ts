/** What can be said on the command line. */
import { parseArgs } from 'node:util';

export interface Options {
  readonly file: string | undefined;
  readonly isFast: boolean;
  readonly seed: number;
  /** Lines a second, of all channels together. */
  readonly speed: number;
}

/** Told with the usage; exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const usage = `usage: demo [file] [options]

Three real processes become a cluster, IRC days flow through it, a channel a day, and one thing after another goes wrong:
the owner of a channel is killed, a node is cut off, a disk is wiped, all are restarted. Then everything is counted, from
the frames that came over the wire and from the files of the stopped nodes.

  file         NDJSON, gzipped or not (default: irc/ubuntu.ndjson.gz of the test data, else a made-up one)
  --speed <n>  lines a second (default: 400)
  --fast       less time between one thing and the next
  --seed <n>   of everything left to chance (default: 1)
  --help

exit status: 0 nothing is lost or doubled and all nodes hold the same, 1 otherwise, 2 wrong usage or input,
130 interrupted`;

/** Undefined when the usage was asked for. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const { values, positionals } = parsed(args);
  if (values.help === true) return undefined;
  if (positionals.length > 1) throw new UsageError(`one file, not ${positionals.length}`);
  return {
    file: positionals[0],
    isFast: values.fast ?? false,
    speed: numberOf('--speed', values.speed, 400),
    seed: numberOf('--seed', values.seed, 1),
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        speed: { type: 'string' },
        seed: { type: 'string' },
        fast: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function numberOf(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError(`${name} is a whole number from 1, not "${text}"`);
  return Number(text);
}
