/** `ringlog channels`: the channels of a hub with their sizes. */
import type { Command } from 'commander';
import { untilInterrupted } from './interrupt.js';
import { NodeHttp } from './node-http.js';
import { createOutput } from './output.js';
import { type TargetOptions, addTargetOptions, targetOf } from './target.js';
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

async function showNames(options: ChannelsOptions, signal: AbortSignal): Promise<void> {
  const target = targetOf(options, process.env);
  const http = new NodeHttp(target, signal);
  const output = createOutput(options);
  for (let after: string | undefined, more = true; more;) {
    const page = (await http.json(`/v1/hubs/${target.hub}/channels`, { after, limit: 1_000 })) as {
      channels: readonly string[];
      next?: string;
    };
    for (const channel of page.channels) {
      await output.print(
        () => printable(channel),
        () => JSON.stringify({ channel }),
      );
    }
    after = page.next;
    more = page.next !== undefined;
  }
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
