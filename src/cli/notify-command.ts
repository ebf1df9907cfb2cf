/** `ringlog notify`: notifications of a channel created, listed, marked as read, and watched. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { severities } from '../base/notification-limits.js';
import {
  type Listed,
  type NewNotification,
  type Notification,
  NotificationChannel,
  type NotificationEvents,
  type OpenOptions,
  type Severity,
} from '../client/notifications.js';
import type { Client } from '../client/index.js';
import { commandErrorOf, connectedClient } from './client.js';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { positiveInteger } from './log-command.js';
import { NodeHttp } from './node-http.js';
import { type Output, createOutput } from './output.js';
import { type Target, type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { type Style, printable } from './terminal.js';
import { timeArgument } from './time-argument.js';

interface NotifyOptions extends TargetOptions {
  readonly body?: string;
  readonly severity?: Severity;
  readonly expires?: number;
  readonly with?: string;
  readonly key?: string;
  readonly unread?: boolean;
  readonly oldest?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly limit?: number;
  readonly json?: boolean;
}

const timeHelp = 'ISO time, Unix ms, or how long ago ("10m", "2h", "1d")';
const pageNotifications = 500;
const listedDefault = 50;
const durationUnitsMs: Readonly<Record<string, number>> = { s: 1e3, m: 6e4, h: 36e5, d: 864e5 };

export function addNotifyCommand(program: Command): void {
  const notify = program
    .command('notify')
    .description('Create and read notifications: channels called "notification:…".')
    .addHelpText(
      'after',
      `
Examples:
  ringlog notify send notification:alerts "Disk full" --severity error --expires 1d
  ringlog notify list notification:alerts --unread
  ringlog notify read notification:alerts 01a1fd2fd41b69b56a697af4-7
  ringlog notify read notification:alerts --until 1h
  ringlog notify watch notification:alerts`,
    );
  const sending = notify
    .command('send <channel> <title>')
    .description('Create a notification: with a token of an administrator or a service.')
    .option('--body <text>', 'what else there is to say')
    .addOption(new Option('--severity <severity>', 'how much it matters').choices([...severities]))
    .option('--expires <duration>', 'after so long it does not count: "30s", "10m", "2h", "1d"', duration)
    .option('--with <json>', 'data for programs')
    .option('--key <key>', 'idempotency key: the same key creates it once')
    .option('--json', 'one line of JSON on a terminal too');
  addTargetOptions(sending).action((channel: string, title: string, options: NotifyOptions) =>
    untilInterrupted((signal) => send(channel, title, options, signal)),
  );
  const listing = notify
    .command('list <channel>')
    .description('List notifications, newest first.')
    .option('--unread', 'only those that are not read')
    .option('--oldest', 'oldest first')
    .option('--since <time>', `created from here on: ${timeHelp}`)
    .option('--until <time>', 'created before')
    .option('--limit <count>', `at most so many (default: ${listedDefault})`, positiveInteger)
    .option('--json', 'NDJSON on a terminal too');
  addTargetOptions(listing).action((channel: string, options: NotifyOptions) =>
    untilInterrupted((signal) => list(channel, options, signal)),
  );
  const reading = notify
    .command('read <channel> [ids...]')
    .description('Mark notifications as read, for everybody.')
    .option('--until <time>', `all that were created by then: ${timeHelp}, or "now"`)
    .option('--json', 'one line of JSON on a terminal too');
  addTargetOptions(reading).action((channel: string, ids: string[], options: NotifyOptions) =>
    untilInterrupted((signal) => read(channel, ids, options, signal)),
  );
  const watching = notify
    .command('watch <channel>')
    .description('Print notifications and how many are not read, until Ctrl-C.')
    .option('--json', 'NDJSON on a terminal too');
  addTargetOptions(watching).action((channel: string, options: NotifyOptions) =>
    untilInterrupted((signal) => watch(channel, options, signal)),
  );
}

function pathOf({ hub }: Target, channel: string): string {
  return `/v1/hubs/${hub}/channels/${encodeURIComponent(channel)}/notifications`;
}

interface AcceptedJson {
  readonly id: string;
  readonly level: string;
  readonly copies: number;
}

async function send(
  channel: string,
  title: string,
  options: NotifyOptions,
  signal: AbortSignal,
): Promise<void> {
  const { body, severity, expires, with: data, key } = options;
  const notification: NewNotification = {
    title,
    ...(body !== undefined && { body }),
    ...(severity !== undefined && { severity }),
    ...(expires !== undefined && { expiresAt: Date.now() + expires }),
  };
  const text = JSON.stringify(notification);
  // Numbers stay as they were typed.
  const whole = data === undefined ? text : `${text.slice(0, -1)},"data":${jsonText(data)}}`;
  await post(channel, '', whole, options, signal, `Created in ${channel}`, key);
}

async function read(
  channel: string,
  ids: readonly string[],
  options: NotifyOptions,
  signal: AbortSignal,
): Promise<void> {
  const { until } = options;
  if ((ids.length === 0) === (until === undefined))
    throw new CommandError(exitCodes.usage, 'Name ids of notifications, or a time with --until.');
  const reading = until === undefined ? { ids } : { until: unixMsOf(until) };
  await post(channel, '/read', JSON.stringify(reading), options, signal, `Marked as read in ${channel}`);
}

async function post(
  channel: string,
  rest: string,
  body: string,
  options: NotifyOptions,
  signal: AbortSignal,
  done: string,
  key?: string,
): Promise<void> {
  const target = targetOf(options, process.env);
  const headers = {
    'content-type': 'application/json',
    ...(key !== undefined && { 'idempotency-key': key }),
  };
  const http = new NodeHttp(target, signal);
  const answer = await http.ask(`${pathOf(target, channel)}${rest}`, { method: 'POST', body, headers });
  const accepted = (await answer.json()) as AcceptedJson;
  const { id, level, copies } = accepted;
  await createOutput(options).print(
    () => `${done} as ${id}: ${level}, ${copies} ${copies === 1 ? 'copy' : 'copies'}.`,
    () => JSON.stringify(accepted),
  );
}

interface ListedJson {
  readonly id: string;
  readonly time: string;
  readonly actor?: string;
  readonly state: Listed['state'];
  readonly notification: NewNotification;
}

interface PageJson {
  readonly info: { readonly unread: number; readonly total: number };
  readonly notifications: readonly ListedJson[];
  readonly cursor: string;
  readonly more: boolean;
}

async function list(channel: string, options: NotifyOptions, signal: AbortSignal): Promise<void> {
  const target = targetOf(options, process.env);
  const http = new NodeHttp(target, signal);
  const output = createOutput(options);
  const now = Date.now();
  const fixed = {
    unread: options.unread ? 'true' : undefined,
    order: options.oldest ? 'oldest' : undefined,
    since: options.since && timeArgument(options.since, now),
    until: options.until && timeArgument(options.until, now),
  };
  let cursor: string | undefined;
  for (let left = options.limit ?? listedDefault, isMore = true; isMore && left > 0;) {
    const parameters = { ...fixed, cursor, limit: Math.min(left, pageNotifications) };
    const page = (await http.json(pathOf(target, channel), parameters)) as PageJson;
    for (const listed of page.notifications) {
      const { notification, ...about } = listed;
      await output.print(
        () => line(output.terminal.style, { ...about, ...notification }),
        () => JSON.stringify(listed),
      );
    }
    left -= page.notifications.length;
    ({ cursor } = page);
    isMore = page.more;
    if (!isMore || left <= 0) await printCount(output, page.info, isMore);
  }
}

/** For people alone: a program counts lines. */
async function printCount(
  output: Output,
  { unread, total }: PageJson['info'],
  isMore: boolean,
): Promise<void> {
  if (!output.isForPeople) return;
  const more = isMore ? ' There are more: --limit.' : '';
  await output.print(
    () => output.terminal.style.dim(`${unread} of ${total} not read.${more}`),
    () => '',
  );
}

interface Shown extends Omit<NewNotification, 'expiresAt'> {
  readonly id: string;
  readonly time: string;
  readonly actor?: string;
  readonly state: string;
}

function line(style: Style, { id, time, actor, state, severity, title, body }: Shown): string {
  const isUnread = state === 'unread';
  const parts = [
    style.dim(time.replace('T', ' ').replace('Z', '')),
    isUnread ? style.cyan('●') : state === 'expired' ? style.dim('×') : ' ',
    severityText(style, severity),
    actor === undefined ? '' : style.green(`${printable(actor)}:`),
    isUnread ? style.bold(printable(title)) : printable(title),
    body === undefined ? '' : printable(body),
    style.dim(id),
  ];
  return parts.filter((part) => part !== '').join(' ');
}

function severityText(style: Style, severity: Severity | undefined): string {
  if (severity === undefined || severity === 'info') return '';
  return severity === 'error' ? style.red(severity) : style.yellow(severity);
}

async function watch(channel: string, options: NotifyOptions, signal: AbortSignal): Promise<void> {
  const target = targetOf(options, process.env);
  const output = createOutput(options);
  const client = await connectedClient(target, signal);
  try {
    await printEvents(client, channel, output, signal);
  } catch (error) {
    throw commandErrorOf(error, target);
  } finally {
    await client.close({ timeoutMs: 0 });
  }
}

function printEvents(client: Client, channel: string, output: Output, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    // One behind another: what is printed is waited for.
    let printing: Promise<void> = Promise.resolve();
    const print = (text: (style: Style) => string, json: object): void => {
      printing = printing.then(() =>
        output.print(
          () => text(output.terminal.style),
          () => JSON.stringify(json),
        ),
      );
      printing.catch(reject);
    };
    const on: OpenOptions['on'] = {
      unread: (count) => print((style) => style.dim(`${count.unread} of ${count.total} not read`), count),
      notification: (each) => print((style) => line(style, shownOf(each)), each),
      read: (reading) => print((style) => style.dim(readingText(reading)), { read: reading }),
      error: reject,
    };
    NotificationChannel.open(client, channel, { on }).catch(reject);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function readingText({ ids, until, actor }: NotificationEvents['read']): string {
  const by = actor === undefined ? '' : ` by ${printable(actor)}`;
  return `read${by}: ${ids?.join(' ') ?? `all until ${until?.toISOString()}`}`;
}

function shownOf({ expiresAt: _expiresAt, time, ...rest }: Notification): Shown {
  return { ...rest, time: time.toISOString(), state: 'unread' };
}

function jsonText(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    throw new CommandError(exitCodes.usage, '--with is JSON.');
  }
}

function unixMsOf(text: string): number {
  const now = Date.now();
  if (text === 'now') return now;
  const time = timeArgument(text, now);
  const unixMs = /^\d+$/.test(time) ? Number(time) : Date.parse(time);
  if (Number.isNaN(unixMs)) throw new CommandError(exitCodes.usage, `"${text}" is no time: ${timeHelp}.`);
  return unixMs;
}

function duration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text);
  if (!match) throw new InvalidArgumentError('It must be a duration such as "10m", "2h" or "1d".');
  return Math.round(Number(match[1]) * durationUnitsMs[match[2]!]!);
}
