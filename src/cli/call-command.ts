/** `ringlog call`: a method of one of the hub's services. */
import type { Command } from 'commander';
import { utf8, utf8Text } from '../base/bytes.js';
import { callOf } from '../client/call.js';
import { RinglogError } from '../client/index.js';
import { isJsonType, isTextType } from '../protocol/content-type.js';
import type { RpcAnswer } from '../protocol/messages.js';
import { commandErrorOf, connectedClient } from './client.js';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { positiveInteger } from './log-command.js';
import { createOutput } from './output.js';
import { type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { formatBytes, printable } from './terminal.js';

interface CallCommandOptions extends TargetOptions {
  readonly json?: boolean;
  readonly timeout?: number;
}

export function addCallCommand(program: Command): void {
  const command = program
    .command('call <method> [data]')
    .description('Call a method of one of the hub’s services, and show what it answers.')
    .option('--json', 'the data is JSON')
    .option('--timeout <ms>', 'how long an answer is waited for (default: 30000)', positiveInteger)
    .addHelpText(
      'after',
      `
Examples:
  ringlog hub set services orders '{"type": "http", "url": "https://app.example/calls", "methods": ["orders:*"]}'
  ringlog call orders:count
  ringlog call orders:find '{"after": 17}' --json`,
    );
  addTargetOptions(command).action((method: string, data: string | undefined, options: CallCommandOptions) =>
    untilInterrupted((signal) => call(method, data, options, signal)),
  );
}

async function call(
  method: string,
  data: string | undefined,
  { json, timeout, ...rest }: CallCommandOptions,
  signal: AbortSignal,
): Promise<void> {
  const isJson = json === true && data !== undefined;
  if (isJson) checkJson(data);
  const target = targetOf(rest, process.env);
  const client = await connectedClient(target, signal);
  try {
    // JSON goes on as the text it is, both ways, so that no number is rounded.
    const message = callOf(
      method,
      isJson ? utf8(data) : data,
      isJson ? { contentType: 'application/json' } : {},
    );
    await show(await client.ask(message, timeout));
  } catch (error) {
    throw refusalOf(error) ?? commandErrorOf(error, target);
  } finally {
    await client.close({ timeoutMs: 0 });
  }
}

/** Bytes for a program are what they are. */
async function show({ contentType = '', payload }: RpcAnswer): Promise<void> {
  const output = createOutput({});
  if (isTextType(contentType) || isJsonType(contentType)) {
    const text = utf8Text(payload);
    await output.print(
      () => text.split('\n').map(printable).join('\n'),
      () => text,
    );
  } else if (output.isForPeople) {
    output.terminal.line(`<${formatBytes(payload.length)} of ${printable(contentType)}>`);
  } else process.stdout.write(payload);
}

function refusalOf(error: unknown): CommandError | undefined {
  if (!(error instanceof RinglogError) || error.code !== 'CALL_REFUSED') return undefined;
  const { message, reason = '' } = error;
  return new CommandError(
    exitCodes.failed,
    `The service refuses: ${printable(message)} (${printable(reason)})`,
  );
}

function checkJson(text: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    throw new CommandError(exitCodes.usage, `The data is not JSON: ${(error as Error).message}.`);
  }
}
