/** `ringlog presence`: who is in a channel. */
import type { Command } from 'commander';
import type { Member } from '../client/presence.js';
import { presenceOf } from '../client/presence.js';
import { commandErrorOf, connectedClient } from './client.js';
import { untilInterrupted } from './interrupt.js';
import { NodeHttp } from './node-http.js';
import { type Output, createOutput } from './output.js';
import { type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { type Style, printable } from './terminal.js';

interface PresenceOptions extends TargetOptions {
  readonly watch?: boolean;
  readonly count?: boolean;
  readonly json?: boolean;
}

interface Page {
  readonly count: number;
  readonly members: readonly Member[];
  readonly next?: string;
}

/** What is printed of somebody with `--watch`. */
type Change = 'join' | 'update' | 'leave';

export function addPresenceCommand(program: Command): void {
  const command = program
    .command('presence <channel>')
    .description('List who is in a channel, where its rules keep that.')
    .option('--watch', 'go on with who comes and goes, until Ctrl-C')
    .option('--count', 'only how many')
    .option('--json', 'NDJSON on a terminal too')
    .addHelpText(
      'after',
      `
Examples:
  ringlog hub set rules seen '{"presence": true}'
  ringlog hub set namespaces room '"seen"'
  ringlog presence room:1
  ringlog presence room:1 --watch
  ringlog presence room:1 --count --watch`,
    );
  addTargetOptions(command).action((channel: string, options: PresenceOptions) =>
    untilInterrupted((signal) =>
      options.watch === true ? watch(channel, options, signal) : show(channel, options, signal),
    ),
  );
}

async function show(channel: string, options: PresenceOptions, signal: AbortSignal): Promise<void> {
  const target = targetOf(options, process.env);
  const http = new NodeHttp(target, signal);
  const output = createOutput(options);
  const path = `/v1/hubs/${target.hub}/channels/${encodeURIComponent(channel)}`;
  if (options.count === true) return printCount(output, (await http.json(`${path}/occupancy`)) as Page);
  for (let after: string | undefined, more = true; more;) {
    const page = (await http.json(`${path}/presence`, { after })) as Page;
    for (const member of page.members) {
      await output.print(
        () => memberLine(output.terminal.style, member),
        () => JSON.stringify(member),
      );
    }
    after = page.next;
    more = after !== undefined;
  }
}

async function watch(channel: string, options: PresenceOptions, signal: AbortSignal): Promise<void> {
  const target = targetOf(options, process.env);
  const output = createOutput(options);
  const client = await connectedClient(target, signal);
  try {
    await new Promise<void>((resolve, reject) => {
      // One after the other, whatever the pipe takes.
      let printed = Promise.resolve();
      const print = (line: () => Promise<void>): void => {
        printed = printed.then(() => line());
        printed.catch(reject);
      };
      client.on('state', ({ state }) => state === 'closed' && resolve());
      if (options.count === true) {
        presenceOf(client).followCount(
          channel,
          (count) => print(() => printCount(output, { count })),
          reject,
        );
        return;
      }
      const room = presenceOf(client).follow(channel);
      room.on('error', reject);
      for (const change of ['join', 'update', 'leave'] as const)
        room.on(change, (member) => print(() => printChange(output, change, member)));
    });
  } catch (error) {
    throw commandErrorOf(error, target);
  } finally {
    await client.close({ timeoutMs: 0 });
  }
}

async function printCount(output: Output, { count }: { readonly count: number }): Promise<void> {
  await output.print(
    () => `${count} present`,
    () => JSON.stringify({ count }),
  );
}

async function printChange(output: Output, change: Change, member: Member): Promise<void> {
  const { style } = output.terminal;
  const sign = { join: style.green('+'), update: style.yellow('~'), leave: style.red('-') }[change];
  await output.print(
    () => `${sign} ${memberLine(style, member)}`,
    () => JSON.stringify({ change, ...member }),
  );
}

function memberLine(style: Style, { session, user, metadata, since }: Member): string {
  const parts = [
    style.dim(new Date(since).toISOString().replace('T', ' ').replace('Z', '')),
    session,
    user === undefined ? '' : style.green(printable(user)),
    metadata === undefined ? '' : printable(JSON.stringify(metadata)),
  ];
  return parts.filter((part) => part !== '').join('  ');
}
