/** `ringlog channels`: the channels of a hub with their sizes. */
import type { Command } from 'commander';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { NodeHttp } from './node-http.js';
import { createOutput } from './output.js';
import { type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { addTrimCommand } from './trim-command.js';
import { formatBytes, formatCount, printable } from './terminal.js';

interface ChannelJson {
  readonly channel: string;
  readonly entries: number;
  readonly bytes: number;
  readonly lastTime: string;
}

interface ChannelsOptions extends TargetOptions {
  readonly json?: boolean;
  readonly names?: boolean;
}

export function addChannelsCommand(program: Command): void {
  const command = program
    .command('channels')
    .description('List the channels of a hub with their sizes.')
    .option('--json', 'NDJSON on a terminal too')
    .option('--names', 'names alone, of those that the rules list: for users');
  addTargetOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  ringlog channels
  ringlog channels --hub acme --json | jq -r .channel`,
    )
    .action((options: ChannelsOptions) =>
      untilInterrupted((signal) =>
        options.names === true ? showNames(options, signal) : showChannels(options, signal),
      ),
    );
}

/** `ringlog channel`: what is done to one of them. */
export function addChannelCommand(program: Command): void {
  const command = program.command('channel').description('Delete or trim a channel, or show its metadata.');
  const remove = command
    .command('delete <channel>')
    .description('Delete all that a channel holds, at every node. What is published later is a new channel.')
    .option('--yes', 'do it: nothing of it can be brought back')
    .option('--json', 'JSON on a terminal too');
  addTargetOptions(remove).action((channel: string, options: DeleteOptions) =>
    untilInterrupted((signal) => deleteChannel(channel, options, signal)),
  );
  const metadata = command
    .command('metadata <channel>')
    .description('What administrators say of a channel: ringlog hub set metadata <channel> <value>.')
    .option('--json', 'JSON on a terminal too');
  addTargetOptions(metadata).action((channel: string, options: TargetOptions & { json?: boolean }) =>
    untilInterrupted((signal) => showMetadata(channel, options, signal)),
  );
  addTrimCommand(command);
}

type DeleteOptions = TargetOptions & { json?: boolean; yes?: boolean };

async function deleteChannel(channel: string, options: DeleteOptions, signal: AbortSignal): Promise<void> {
  if (!options.yes)
    throw new CommandError(exitCodes.usage, `This deletes all of ${channel} for good. Say --yes to do it.`);
  const target = targetOf(options, process.env);
  const path = `/v1/hubs/${target.hub}/channels/${encodeURIComponent(channel)}`;
  const answer = await new NodeHttp(target, signal).delete(path);
  await createOutput(options).print(
    () => `Channel ${printable(channel)} is deleted.`,
    () => JSON.stringify(answer),
  );
}

async function showMetadata(
  channel: string,
  options: TargetOptions & { json?: boolean },
  signal: AbortSignal,
): Promise<void> {
  const target = targetOf(options, process.env);
  const path = `/v1/hubs/${target.hub}/channels/${encodeURIComponent(channel)}/metadata`;
  const { metadata } = (await new NodeHttp(target, signal).json(path)) as { metadata?: unknown };
  await createOutput(options).print(
    () =>
      metadata === undefined
        ? `Nothing is said of ${printable(channel)}.`
        : printable(JSON.stringify(metadata)),
    () => JSON.stringify({ channel, metadata }),
  );
}

async function showNames(options: ChannelsOptions, signal: AbortSignal): Promise<void> {
  const target = targetOf(options, process.env);
  const http = new NodeHttp(target, signal);
  const output = createOutput(options);
  let isPartial = false;
  for (let after: string | undefined, more = true; more;) {
    const page = (await http.json(`/v1/hubs/${target.hub}/channels`, { after, limit: 1_000 })) as {
      channels: readonly string[];
      next?: string;
      partial?: boolean;
    };
    isPartial ||= page.partial === true;
    for (const channel of page.channels) {
      await output.print(
        () => printable(channel),
        () => JSON.stringify({ channel }),
      );
    }
    after = page.next;
    more = page.next !== undefined;
  }
  if (isPartial) process.stderr.write('Some may be missing: not all nodes that hold channels answered.\n');
}

async function showChannels(options: ChannelsOptions, signal: AbortSignal): Promise<void> {
  const target = targetOf(options, process.env);
  const http = new NodeHttp(target, signal);
  const output = createOutput(options);
  const { style } = output.terminal;
  let shown = 0;
  for (let after: string | undefined, more = true; more;) {
    const page = (await http.json(`/v1/admin/hubs/${target.hub}/channels`, { after, limit: 1_000 })) as {
      channels: readonly ChannelJson[];
      next?: string;
    };
    if (output.isForPeople && shown === 0 && page.channels.length > 0) {
      output.terminal.line(style.dim(row('entries', 'size', 'last entry', 'channel')));
    }
    for (const channel of page.channels) {
      await output.print(
        () => rowOf(channel),
        () => JSON.stringify(channel),
      );
    }
    shown += page.channels.length;
    after = page.next;
    more = page.next !== undefined;
  }
  if (output.isForPeople && shown === 0) {
    output.terminal.line(`Hub ${target.hub} has no channels yet. Make one: ringlog pub chat 'hello'`);
  }
}

function rowOf({ channel, entries, bytes, lastTime }: ChannelJson): string {
  const time = lastTime.replace('T', ' ').replace('Z', '');
  return row(formatCount(entries), formatBytes(bytes), time, printable(channel));
}

function row(entries: string, size: string, last: string, channel: string): string {
  return `${entries.padStart(12)}  ${size.padStart(9)}  ${last.padEnd(23)}  ${channel}`;
}
