/** `ringlog redact`: takes the content of one message out, everywhere. */
import type { Command } from 'commander';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { NodeHttp } from './node-http.js';
import { createOutput } from './output.js';
import { type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { printable } from './terminal.js';

type RedactOptions = TargetOptions & { json?: boolean; yes?: boolean };

export function addRedactCommand(program: Command): void {
  const command = program
    .command('redact <channel> <id>')
    .description('Remove the content of one message at every node; its place in the log stays.')
    .option('--yes', 'do it: the content cannot be brought back')
    .option('--json', 'JSON on a terminal too');
  addTargetOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  ringlog log chat --order newest --limit 5
  ringlog redact chat 0199e8c2f4a1b2c3d4e5f607-42 --yes`,
    )
    .action((channel: string, id: string, options: RedactOptions) =>
      untilInterrupted((signal) => redact(channel, id, options, signal)),
    );
}

async function redact(
  channel: string,
  id: string,
  options: RedactOptions,
  signal: AbortSignal,
): Promise<void> {
  if (!options.yes)
    throw new CommandError(
      exitCodes.usage,
      `This removes the content of ${id} in ${channel} for good. Say --yes to do it.`,
    );
  const target = targetOf(options, process.env);
  const path = `/v1/hubs/${target.hub}/channels/${encodeURIComponent(channel)}/messages/${encodeURIComponent(id)}`;
  const answer = await new NodeHttp(target, signal).delete(path);
  await createOutput(options).print(
    () => `Message ${printable(id)} of ${printable(channel)} is redacted.`,
    () => JSON.stringify(answer),
  );
}
