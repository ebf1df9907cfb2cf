/** `ringlog receipts`: who has received and read what, in the channels of users and groups. */
import type { Command } from 'commander';
import type { Receipt } from '../client/people.js';
import { unixMsOf } from '../log/timestamp.js';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { NodeHttp } from './node-http.js';
import { createOutput } from './output.js';
import { type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { printable } from './terminal.js';

interface ReceiptsOptions extends TargetOptions {
  readonly json?: boolean;
  readonly received?: string;
  readonly read?: string;
}

export function addReceiptsCommand(program: Command): void {
  const command = program
    .command('receipts <channel>')
    .description('Show up to where each reader of a channel has received and read, or say that one has.')
    .option('--received <timestamp>', 'of an entry: it has come, and all before it')
    .option('--read <timestamp>', 'of an entry: it was read, and all before it')
    .option('--json', 'NDJSON on a terminal too')
    .addHelpText(
      'after',
      `
Examples:
  ringlog hub set rules told '{"receipts": true}'
  ringlog hub set namespaces g '"told"'
  ringlog receipts g:team --token-file ada.token
  ringlog receipts g:team --read 373481196642304 --token-file bob.token`,
    );
  addTargetOptions(command).action((channel: string, options: ReceiptsOptions) =>
    untilInterrupted((signal) =>
      options.received === undefined && options.read === undefined
        ? show(channel, options, signal)
        : mark(channel, options, signal),
    ),
  );
}

async function show(channel: string, options: ReceiptsOptions, signal: AbortSignal): Promise<void> {
  const target = targetOf(options, process.env);
  const path = `/v1/hubs/${target.hub}/channels/${encodeURIComponent(`receipts:${channel}`)}/document`;
  const receipts = (await new NodeHttp(target, signal).json(path)) as Readonly<
    Record<string, Receipt>
  > | null;
  const output = createOutput(options);
  const time = (timestamp: number | undefined) =>
    timestamp === undefined ? '–'.padEnd(24) : new Date(unixMsOf(timestamp)).toISOString();
  for (const [user, receipt] of Object.entries(receipts ?? {}))
    await output.print(
      () => `received ${time(receipt.received)}  read ${time(receipt.read)}  ${printable(user)}`,
      () => JSON.stringify({ user, ...receipt }),
    );
}

async function mark(channel: string, options: ReceiptsOptions, signal: AbortSignal): Promise<void> {
  const target = targetOf(options, process.env);
  const { received, read } = options;
  const answer = await new NodeHttp(target, signal).post(`/v1/hubs/${target.hub}/receipts/mark`, {
    channel,
    ...(received === undefined ? {} : { received: timestampIn(received) }),
    ...(read === undefined ? {} : { read: timestampIn(read) }),
  });
  createOutput(options).terminal.line(JSON.stringify(answer));
}

function timestampIn(text: string): number {
  const timestamp = Number(text);
  if (Number.isSafeInteger(timestamp) && timestamp > 0) return timestamp;
  throw new CommandError(
    exitCodes.usage,
    'A timestamp is what `ringlog pub` and `ringlog sub` show of an entry.',
  );
}
