/** `ringlog pub`: one message, or standard input line by line. */
import { createInterface } from 'node:readline';
import { type Command, Option } from 'commander';
import { utf8 } from '../base/bytes.js';
import type { Client, PublishOptions, Published } from '../client/index.js';
import { signerOf } from '../client/people.js';
import { keyPairIn } from './key-file.js';
import type { Level } from '../protocol/messages.js';
import { commandErrorOf, connectedClient } from './client.js';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { type Output, createOutput } from './output.js';
import { type Target, type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { formatCount } from './terminal.js';

interface PubOptions extends TargetOptions {
  readonly event?: string;
  readonly json?: boolean;
  readonly key?: string;
  readonly level?: Level;
  readonly retain?: boolean;
  readonly push?: boolean;
  readonly sign?: string;
}

/** Lines under way at once: enough to fill commits, few enough to stop soon after an error. */
const linesUnderWayMax = 2_000;

export function addPubCommand(program: Command): void {
  const command = program
    .command('pub <channel> [message]')
    .description('Publish a message; "-" publishes each line of standard input.')
    .option('--event <name>', 'event name')
    .option('--json', 'the message is JSON')
    .option('--key <key>', 'idempotency key: the same key publishes once; lines get "<key>-<line number>"')
    .addOption(new Option('--level <level>', 'how safe').choices(['memory', 'owner', 'quorum']))
    .option('--retain', 'make it the retained message of the channel')
    .option('--push', 'mark it for push services')
    .option('--sign <file>', 'sign by the Ed25519 key of the account (PKCS #8, PEM)');
  addTargetOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  ringlog pub chat 'hello'
  ringlog pub chat '{"text": "hello"}' --json --event said
  tail -f app.log | ringlog pub logs -
  ringlog pub orders "$ORDER" --json --key "$ORDER_ID"     safe to run again`,
    )
    .action((channel: string, message: string | undefined, options: PubOptions) =>
      untilInterrupted((signal) => publish(channel, message, options, signal)),
    );
}

async function publish(
  channel: string,
  message: string | undefined,
  options: PubOptions,
  signal: AbortSignal,
): Promise<void> {
  if (message === undefined) {
    throw new CommandError(exitCodes.usage, 'Give a message, or "-" to publish standard input line by line.');
  }
  if (message !== '-') checkJson(message, options, 'The message');
  const target = targetOf(options, process.env);
  const output = createOutput({});
  // A key is known within its publisher, and a run again must be the same one.
  const publisher = options.key === undefined ? {} : { publisherId: options.key };
  const client = await connectedClient(target, signal, publisher);
  try {
    if (message === '-') {
      await publishLines(client, channel, options, output, target);
    } else {
      const publisher = await publisherOf(client, options);
      const published = await publisher.publish(channel, dataOf(message, options), publishOptions(options));
      await output.print(
        () => sentenceOf(channel, published),
        () => jsonOf(published),
      );
    }
  } catch (error) {
    throw commandErrorOf(error, target);
  } finally {
    await client.close({ timeoutMs: 0 });
  }
}

async function publishLines(
  client: Client,
  channel: string,
  options: PubOptions,
  output: Output,
  target: Target,
): Promise<void> {
  const underWay: { line: number; result: Promise<Published | Error> }[] = [];
  let line = 0;
  const settleFirst = async () => {
    const first = underWay.shift()!;
    const published = await first.result;
    if (published instanceof Error) throw lineError(first.line, commandErrorOf(published, target));
    if (!output.isForPeople) await output.print(String, () => jsonOf(published));
  };
  const publisher = await publisherOf(client, options);
  for await (const text of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    line++;
    checkJson(text, options, `Line ${line}`);
    const key = options.key === undefined ? {} : { idempotencyKey: `${options.key}-${line}` };
    const result = publisher
      .publish(channel, dataOf(text, options), { ...publishOptions(options), ...key })
      // A failure is looked at in its turn, and must not count as unhandled until then.
      .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
    underWay.push({ line, result });
    if (underWay.length >= linesUnderWayMax) await settleFirst();
  }
  while (underWay.length > 0) await settleFirst();
  if (output.isForPeople) output.terminal.line(`Published ${formatCount(line)} messages to ${channel}.`);
}

async function publisherOf(client: Client, { sign: file }: PubOptions): Promise<Pick<Client, 'publish'>> {
  if (file === undefined) return client;
  const user = client.identity?.user;
  if (user === undefined || user === '')
    throw new CommandError(exitCodes.usage, 'Who signs has a token: give --token-file.');
  return signerOf(client, { user, ...(await keyPairIn(file)) });
}

function lineError(line: number, error: unknown): unknown {
  return error instanceof CommandError
    ? new CommandError(error.exitCode, `Line ${line}: ${error.message}`)
    : error;
}

function checkJson(text: string, options: PubOptions, what: string): void {
  if (options.json !== true) return;
  try {
    JSON.parse(text);
  } catch (error) {
    throw new CommandError(exitCodes.usage, `${what} is not JSON: ${(error as Error).message}.`);
  }
}

/** JSON goes on as the text it is, so that no number is rounded. */
const dataOf = (text: string, options: PubOptions) => (options.json === true ? utf8(text) : text);

function publishOptions(options: PubOptions): PublishOptions {
  return {
    ...(options.event !== undefined && { event: options.event }),
    ...(options.json === true && { contentType: 'application/json' }),
    ...(options.level !== undefined && { level: options.level }),
    ...(options.key !== undefined && { idempotencyKey: options.key }),
    ...(options.retain === true && { retain: true }),
    ...(options.push === true && { push: true }),
  };
}

function sentenceOf(channel: string, { id, level, copies, duplicate }: Published): string {
  if (id === undefined) return `Sent to ${channel} as a signal, to whoever listens now.`;
  const before = duplicate ? ' (published before with this key)' : '';
  return `Published to ${channel} as ${id}: ${level}, ${copies} ${copies === 1 ? 'copy' : 'copies'}${before}.`;
}

function jsonOf({ id, timestamp, time, level, copies, duplicate }: Published): string {
  return JSON.stringify({ id, timestamp, time, level, copies, ...(duplicate && { duplicate }) });
}
