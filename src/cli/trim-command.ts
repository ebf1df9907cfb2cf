/** `ringlog channel trim`: room on a full disk, at the price of what is removed. */
import type { Command } from 'commander';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { NodeHttp } from './node-http.js';
import { type Output, createOutput } from './output.js';
import { type Target, type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { formatBytes, printable } from './terminal.js';
import { timeArgument } from './time-argument.js';

interface TrimOptions extends TargetOptions {
  readonly keep?: string;
  readonly before?: string;
  readonly largest?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

type Keep = { readonly entries: number } | { readonly bytes: number } | { readonly since: string };

export function addTrimCommand(parent: Command): void {
  const command = parent
    .command('trim [channel]')
    .description('Remove old entries now, whether they were read or not. Works on a full disk.')
    .option('--keep <what>', 'what is left: "1000" entries, about "64MiB", or the last "2h"')
    .option('--before <time>', 'what is older goes: ISO time, Unix milliseconds, or "2h" ago')
    .option(
      '--largest <n>',
      'the largest n channels of the hub that this node holds, in place of one by name',
    )
    .option('--force', 'do it: nothing of it can be brought back')
    .option('--json', 'NDJSON on a terminal too');
  addTargetOptions(command)
    .addHelpText(
      'after',
      `
Whoever has not read what goes is told so: a gap with the reason "forced".

Examples:
  ringlog channel trim logs --keep 2h --force
  ringlog channel trim --largest 5 --keep 64MiB --force --hub acme`,
    )
    .action((channel: string | undefined, options: TrimOptions) =>
      untilInterrupted((signal) => trimChannels(channel, options, signal)),
    );
}

async function trimChannels(
  channel: string | undefined,
  options: TrimOptions,
  signal: AbortSignal,
): Promise<void> {
  const keep = keepOf(options, Date.now());
  const largest = options.largest === undefined ? undefined : Number(options.largest);
  if ((channel === undefined) === (largest === undefined))
    throw usage('Name one channel, or say --largest with a number.');
  if (largest !== undefined && !(Number.isSafeInteger(largest) && largest > 0))
    throw usage('--largest takes a number of channels.');
  if (!options.force)
    throw usage('This removes entries for good, also those that nobody has read. Say --force to do it.');
  const target = targetOf(options, process.env);
  const http = new NodeHttp(target, signal);
  const output = createOutput(options);
  const channels = channel === undefined ? await largestOf(http, target, largest!) : [channel];
  let failed: CommandError | undefined;
  for (const name of channels) {
    try {
      await trimOne(http, target, output, name, keep);
    } catch (error) {
      // The others may make room all the same.
      if (!(error instanceof CommandError) || channels.length === 1) throw error;
      process.stderr.write(`${printable(name)}: ${error.message}\n`);
      failed = error;
    }
  }
  if (failed) throw new CommandError(failed.exitCode, 'Not all of them could be trimmed.');
}

async function trimOne(
  http: NodeHttp,
  { hub }: Target,
  output: Output,
  channel: string,
  keep: Keep,
): Promise<void> {
  const path = `/v1/admin/hubs/${hub}/channels/${encodeURIComponent(channel)}/trim`;
  const answer = (await http.post(path, { force: true, keep })) as { trimmed: boolean };
  await output.print(
    () => `Channel ${printable(channel)}: ${answer.trimmed ? 'trimmed.' : 'nothing had to go.'}`,
    () => JSON.stringify({ channel, ...answer }),
  );
}

interface Size {
  readonly channel: string;
  readonly bytes: number;
}

/** Channels of the system are left alone. */
async function largestOf(http: NodeHttp, { hub }: Target, count: number): Promise<string[]> {
  let largest: Size[] = [];
  for (let after: string | undefined, more = true; more;) {
    const page = (await http.json(`/v1/admin/hubs/${hub}/channels`, { after, limit: 1_000 })) as {
      channels: readonly Size[];
      next?: string;
    };
    const users = page.channels.filter(({ channel }) => !channel.startsWith('$'));
    largest = [...largest, ...users].sort((a, b) => b.bytes - a.bytes).slice(0, count);
    after = page.next;
    more = page.next !== undefined;
  }
  return largest.map(({ channel }) => channel);
}

const bytesIn: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

export function keepOf({ keep, before }: Pick<TrimOptions, 'keep' | 'before'>, nowMs: number): Keep {
  if ((keep === undefined) === (before === undefined)) throw usage('Say either --keep or --before.');
  if (before !== undefined) return { since: timeArgument(before, nowMs) };
  if (/^\d+$/.test(keep!)) return { entries: Number(keep) };
  const size = /^(\d+(?:\.\d+)?)\s*([KMG]i?B|B)$/.exec(keep!);
  if (size) return { bytes: Math.round(Number(size[1]) * bytesIn[size[2]!]!) };
  const since = timeArgument(keep!, nowMs);
  if (since !== keep) return { since };
  throw usage(`--keep takes entries ("1000"), bytes ("${formatBytes(67_108_864)}") or a time ("2h").`);
}

function usage(message: string): CommandError {
  return new CommandError(exitCodes.usage, message);
}
