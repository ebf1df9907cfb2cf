/** `ringlog sub`: what comes to channels, over every interruption, until Ctrl-C. */
import type { Command } from 'commander';
import {
  type Client,
  type Message,
  type SignalMessage,
  type StartOption,
  type Subscription,
} from '../client/index.js';
import { type Verdict, verifierOf } from '../client/people.js';
import { contentToJson } from '../protocol/content-json.js';
import { timeToJson } from '../protocol/entry-json.js';
import { commandErrorOf, connectedClient } from './client.js';
import { type EntryJson, entryLine, gapLine } from './entry-text.js';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { positiveInteger } from './log-command.js';
import { type Output, createOutput } from './output.js';
import { type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { terminalOn } from './terminal.js';
import { startFrom } from './time-argument.js';

interface SubOptions extends TargetOptions {
  readonly from?: StartOption;
  readonly last?: number;
  readonly limit?: number;
  readonly verify?: boolean;
  readonly json?: boolean;
}

export function addSubCommand(program: Command): void {
  const command = program
    .command('sub <channel...>')
    .description('Subscribe to channels: lines on a terminal, NDJSON in a pipe. Goes on over reconnects.')
    .option(
      '--from <start>',
      'live (default), beginning, a cursor, an ISO time, or how long ago ("10m")',
      startFrom,
    )
    .option('--last <count>', 'start with the last entries', positiveInteger)
    .option('--limit <count>', 'end after so many entries', positiveInteger)
    .option('--verify', 'say of each entry whether its signature is its author’s')
    .option('--json', 'NDJSON on a terminal too');
  addTargetOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  ringlog sub chat
  ringlog sub chat room:1 --last 10
  ringlog sub orders --from beginning | jq .data
  ringlog sub orders --from 2h --limit 100`,
    )
    .action((channels: string[], options: SubOptions) =>
      untilInterrupted((signal) => subscribe(channels, options, signal)),
    );
}

async function subscribe(
  channels: readonly string[],
  options: SubOptions,
  signal: AbortSignal,
): Promise<void> {
  if (options.from !== undefined && options.last !== undefined) {
    throw new CommandError(exitCodes.usage, 'Give one of --from and --last.');
  }
  if (typeof options.from === 'object' && 'cursor' in options.from && channels.length > 1) {
    throw new CommandError(exitCodes.usage, 'A cursor belongs to one channel: subscribe to one.');
  }
  const target = targetOf(options, process.env);
  const output = createOutput(options);
  const client = await connectedClient(target, signal);
  if (output.isForPeople) {
    const { line, style } = errorTerminal();
    line(style.dim(`Subscribed to ${channels.join(', ')}; Ctrl-C ends.`));
  }
  tellInterruptions(client);
  const start: StartOption = options.last === undefined ? (options.from ?? 'live') : { last: options.last };
  const state: Printing = {
    output,
    withChannel: channels.length > 1,
    left: options.limit ?? Infinity,
    verifier: options.verify === true ? verifierOf(client) : undefined,
  };
  const subscriptions = [...new Set(channels)].map((channel) => client.subscribe(channel, { start }));
  try {
    await Promise.race([
      Promise.all(subscriptions.map((each) => printAll(each, state))),
      limitReached(state),
    ]);
  } catch (error) {
    throw commandErrorOf(error, target);
  } finally {
    tellPlace(subscriptions, output);
    await client.close({ timeoutMs: 0 });
  }
}

interface Printing {
  readonly output: Output;
  readonly withChannel: boolean;
  left: number;
  readonly verifier: ReturnType<typeof verifierOf> | undefined;
  done?: () => void;
}

async function limitReached(state: Printing): Promise<void> {
  await new Promise<void>((resolve) => (state.done = resolve));
}

async function printAll(subscription: Subscription, state: Printing): Promise<void> {
  const { output, withChannel } = state;
  const { style } = output.terminal;
  subscription.on('gap', (gap) => {
    const { channel, reason, ranges } = gap;
    void output.print(
      () => gapLine(style, gap),
      () => JSON.stringify({ gap: { channel, reason, ranges } }),
    );
  });
  subscription.on('signal', (signal) => {
    void output.print(
      () => entryLine(style, textForm(signal), { withChannel }),
      () => signalJson(signal),
    );
  });
  for await (const message of subscription) {
    if (state.left <= 0) return;
    state.left--;
    const verdict = await state.verifier?.check(message);
    await output.print(
      () =>
        [...(verdict ? [`[${verdict}]`] : []), entryLine(style, textForm(message), { withChannel })].join(
          ' ',
        ),
      () => messageJson(message, verdict),
    );
    if (state.left <= 0) return state.done?.();
  }
}

function textForm(received: Message | SignalMessage): EntryJson {
  const { channel, time, actor, event, contentType, data, bytes } = received;
  const entry = 'id' in received ? { kind: received.kind, late: received.late } : { kind: 'signal' };
  return {
    ...entry,
    channel,
    time: time.toISOString(),
    ...(actor !== undefined && { actor }),
    ...(event !== undefined && { event }),
    ...(contentType !== undefined && { contentType }),
    ...(data instanceof Uint8Array ? { dataBase64: Buffer.from(bytes).toString('base64url') } : { data }),
  };
}

function messageJson(message: Message, verdict?: Verdict): string {
  const members = [`"channel":${JSON.stringify(message.channel)}`, `"id":"${message.id}"`];
  if (verdict) members.push(`"signed":"${verdict}"`);
  if (message.late) members.push('"late":true');
  if (message.retained) members.push('"retained":true');
  return `{${[...members, ...receivedMembers(message)].join(',')}}`;
}

function signalJson(signal: SignalMessage): string {
  const members = [`"channel":${JSON.stringify(signal.channel)}`, '"signal":true'];
  return `{${[...members, ...receivedMembers(signal)].join(',')}}`;
}

/** The payload as it was published: a number above 2^53 stays what it is. */
function receivedMembers({
  timestamp,
  actor,
  event,
  contentType,
  headers,
  bytes,
}: Message | SignalMessage): string[] {
  const members = [timeToJson(timestamp)];
  if (actor !== undefined) members.push(`"actor":${JSON.stringify(actor)}`);
  const content = contentToJson({
    payload: bytes,
    headers,
    ...(event !== undefined && { event }),
    ...(contentType !== undefined && { contentType }),
  });
  return [...members, ...content.map((member) => member.replaceAll(/[\r\n]/g, ' '))];
}

/** On standard error, so that a pipe gets entries only. */
function tellInterruptions(client: Client): void {
  const { line, style } = errorTerminal();
  let isLost = false;
  client.on('state', ({ state }) => {
    if (state === 'open' && isLost) line(style.dim('Connected again.'));
    if (state !== 'open' && state !== 'closed' && !isLost) line(style.dim('Connection lost; reconnecting …'));
    isLost = state !== 'open';
  });
}

/** Where a person can go on later. */
function tellPlace(subscriptions: readonly Subscription[], output: Output): void {
  const [subscription] = subscriptions;
  if (!output.isForPeople || subscriptions.length !== 1 || subscription?.cursor === undefined) return;
  const { line, style } = errorTerminal();
  line();
  line(style.dim(`To go on from here: ringlog sub ${subscription.channel} --from ${subscription.cursor}`));
}

function errorTerminal() {
  const terminal = terminalOn(process.stderr, process.env);
  return { line: (text?: string) => terminal.line(text), style: terminal.style };
}
