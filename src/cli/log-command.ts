/** `ringlog log`: what is in a channel's log, and what comes to it. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { entryKinds } from '../log/entry.js';
import { type EntryJson, entryLine, gapLine } from './entry-text.js';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { NodeHttp, type Parameters } from './node-http.js';
import { type Output, createOutput } from './output.js';
import { type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { timeArgument } from './time-argument.js';

interface LogOptions extends TargetOptions {
  readonly since?: string;
  readonly until?: string;
  readonly event?: string;
  readonly kind?: string;
  readonly actor?: string;
  readonly writer?: string;
  readonly order?: string;
  readonly limit?: number;
  readonly follow?: boolean;
  readonly json?: boolean;
}

const pageEntries = 1_000;
const retryMs = 1_000;

export function addLogCommand(program: Command): void {
  const command = program
    .command('log <channel>')
    .description("Query a channel's log as an administrator: lines on a terminal, NDJSON in a pipe.")
    .option('--since <time>', 'from here: ISO time, Unix ms, cursor, or how long ago ("10m", "2h", "1d")')
    .option('--until <time>', 'to here, exclusive')
    .option('--event <name>', 'only this event')
    .addOption(new Option('--kind <kind>', 'only this kind').choices(entryKinds))
    .option('--actor <name>', 'only what this actor wrote')
    .option('--writer <id>', 'only what this writer appended')
    .addOption(new Option('--order <order>', 'which come first').choices(['oldest', 'newest']))
    .option('--limit <count>', 'at most so many entries', positiveInteger)
    .option('-f, --follow', 'go on with what is written later')
    .option('--json', 'NDJSON on a terminal too');
  addTargetOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  ringlog log chat
  ringlog log chat --since 10m --event join --follow
  ringlog log chat --order newest --limit 20
  ringlog log chat --kind trim --json | jq .trim`,
    )
    .action((channel: string, options: LogOptions) =>
      untilInterrupted((signal) => showLog(channel, options, signal)),
    );
}

async function showLog(channel: string, options: LogOptions, signal: AbortSignal): Promise<void> {
  if (options.follow === true && options.order === 'newest') {
    throw new CommandError(exitCodes.usage, 'A log is followed oldest first: leave out --order newest.');
  }
  const target = targetOf(options, process.env);
  const http = new NodeHttp(target, signal);
  const path = `/v1/admin/hubs/${target.hub}/channels/${encodeURIComponent(channel)}/log`;
  const output = createOutput(options);
  const state = { cursor: undefined as string | undefined, left: options.limit ?? Infinity, more: true };
  while (state.more && state.left > 0) {
    await showPage(http.lines(path, parametersOf(options, state)), state, output);
  }
  if (options.follow === true && state.left > 0) await tail(http, path, options, state, output);
}

interface Reading {
  cursor: string | undefined;
  left: number;
  more: boolean;
}

/** Goes on over broken connections and restarts of the node, from the cursor it has. */
async function tail(
  http: NodeHttp,
  path: string,
  options: LogOptions,
  state: Reading,
  output: Output,
): Promise<void> {
  while (state.left > 0) {
    try {
      await showPage(http.lines(path, { ...parametersOf(options, state), follow: 'true' }), state, output);
    } catch (error) {
      if (http.signal.aborted || !isPassing(error)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs));
    http.signal.throwIfAborted();
  }
}

function isPassing(error: unknown): boolean {
  const passing: readonly number[] = [exitCodes.unreachable, exitCodes.unavailable];
  return error instanceof CommandError && passing.includes(error.exitCode);
}

async function showPage(lines: AsyncIterable<string>, state: Reading, output: Output): Promise<void> {
  const { style } = output.terminal;
  state.more = false;
  for await (const text of lines) {
    // Numbers above 2^53 go on as they came: only people get what was parsed.
    const json = () => text;
    const line = JSON.parse(text) as Record<string, unknown>;
    if ('id' in line) {
      await output.print(() => entryLine(style, line as EntryJson, { withId: true }), json);
      if (--state.left <= 0) return;
    } else if ('gap' in line) {
      await output.print(() => gapLine(style, line['gap'] as { reason?: string }), json);
    } else if ('error' in line) {
      const { code, message } = line['error'] as { code: string; message: string };
      throw new CommandError(exitCodes.unavailable, `${message} (${code})`);
    } else {
      state.cursor = line['cursor'] as string;
      state.more = line['more'] === true;
    }
  }
}

function parametersOf(options: LogOptions, { cursor, left }: Reading): Parameters {
  const now = Date.now();
  const { since, until, event, kind, actor, writer, order } = options;
  return {
    format: 'ndjson',
    limit: Math.min(pageEntries, left),
    since: since === undefined ? undefined : timeArgument(since, now),
    until: until === undefined ? undefined : timeArgument(until, now),
    event,
    kind,
    actor,
    writer,
    order,
    cursor,
  };
}

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('It must be a whole number above 0.');
  }
  return value;
}
