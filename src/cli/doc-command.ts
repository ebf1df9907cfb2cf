/** `ringlog doc`: a document now and before, its changes, and changes to it. */
import { type Command, InvalidArgumentError } from 'commander';
import { diff } from '../documents/diff.js';
import { Fault } from '../documents/faults.js';
import { readJsonText } from '../documents/json-reader.js';
import { type Json } from '../documents/value.js';
import { jsonPatchType } from '../protocol/content-type.js';
import type { StartOption } from '../client/index.js';
import { commandErrorOf, connectedClient } from './client.js';
import { watchDocument } from './doc-watch.js';
import { CommandError, exitCodes } from './exit-codes.js';
import { untilInterrupted } from './interrupt.js';
import { positiveInteger } from './log-command.js';
import { NodeHttp } from './node-http.js';
import { type Output, createOutput } from './output.js';
import { type Target, type TargetOptions, addTargetOptions, targetOf } from './target.js';
import { type Style, printable } from './terminal.js';
import { startFrom, timeArgument } from './time-argument.js';

interface DocOptions extends TargetOptions {
  readonly at?: string;
  readonly to?: string;
  readonly from?: StartOption;
  readonly since?: string;
  readonly until?: string;
  readonly limit?: number;
  readonly ifVersion?: number;
  readonly key?: string;
  readonly json?: boolean;
}

/** One change as the node's JSON has it. */
interface ChangeJson {
  readonly id: string;
  readonly time: string;
  readonly version: number;
  readonly actor?: string;
  readonly patch?: unknown;
  readonly void?: { readonly reason: string; readonly operation?: number; readonly message: string };
}

const timeHelp = 'ISO time, Unix ms, cursor, or how long ago ("10m", "2h", "1d")';
const pageChanges = 1_000;

export function addDocCommand(program: Command): void {
  const doc = program
    .command('doc')
    .description('Read and change documents: channels called "doc:…".')
    .addHelpText(
      'after',
      `
Examples:
  ringlog doc get doc:notes
  ringlog doc get doc:notes --at 1h
  ringlog doc patch doc:notes '[{"op": "add", "path": "/title", "value": "Notes"}]'
  ringlog doc watch doc:notes --from 1h
  ringlog doc log doc:notes --since 1d
  ringlog doc revert doc:notes --to 10m`,
    );
  add(doc, 'get <channel>', 'Print a document.', getDocument, (command) =>
    command.option('--at <time>', `as it was: ${timeHelp}`).option('--json', 'one line on a terminal too'),
  );
  add(doc, 'watch <channel>', 'Print what changes a document, until Ctrl-C.', watch, (command) =>
    command
      .option('--from <start>', `what changed it since, then live: beginning, ${timeHelp}`, startFrom)
      .option('--json', 'NDJSON on a terminal too'),
  );
  add(doc, 'log <channel>', 'List what changed a document, void changes too.', listChanges, (command) =>
    command
      .option('--since <time>', `from here: ${timeHelp}`)
      .option('--until <time>', 'to here, exclusive')
      .option('--limit <count>', 'at most so many changes', positiveInteger)
      .option('--json', 'NDJSON on a terminal too'),
  );
  add(doc, 'revert <channel>', 'Change a document back to what it was.', revert, (command) =>
    command.requiredOption('--to <time>', `what it was then: ${timeHelp}`),
  );
  const patch = doc
    .command('patch <channel> <patch>')
    .description('Change a document by a JSON patch (RFC 6902); "-" reads it from standard input.')
    .option('--if-version <version>', 'only where the document is at that version', version)
    .option('--key <key>', 'idempotency key: the same key changes it once');
  addTargetOptions(patch).action((channel: string, text: string, options: DocOptions) =>
    untilInterrupted((signal) => patchDocument(channel, text, options, signal)),
  );
}

type Run = (channel: string, options: DocOptions, signal: AbortSignal) => Promise<void>;

function add(
  doc: Command,
  usage: string,
  what: string,
  run: Run,
  options: (command: Command) => Command,
): void {
  const command = options(doc.command(usage).description(what));
  addTargetOptions(command).action((channel: string, given: DocOptions) =>
    untilInterrupted((signal) => run(channel, given, signal)),
  );
}

function pathOf({ hub }: Target, channel: string): string {
  return `/v1/hubs/${hub}/channels/${encodeURIComponent(channel)}/document`;
}

async function getDocument(channel: string, options: DocOptions, signal: AbortSignal): Promise<void> {
  const target = targetOf(options, process.env);
  const { text } = await documentAt(new NodeHttp(target, signal), pathOf(target, channel), options.at);
  const output = createOutput(options);
  await output.print(
    () => JSON.stringify(JSON.parse(text), undefined, 2),
    () => text,
  );
}

async function documentAt(http: NodeHttp, path: string, at: string | undefined) {
  const answer = await http.ask(path, { parameters: { at: at && timeArgument(at, Date.now()) } });
  return { text: await answer.text(), tag: answer.headers.get('etag') ?? '' };
}

async function patchDocument(
  channel: string,
  given: string,
  options: DocOptions,
  signal: AbortSignal,
): Promise<void> {
  const text = given === '-' ? await standardInput() : given;
  const target = targetOf(options, process.env);
  const { ifVersion, key } = options;
  const accepted = await send(new NodeHttp(target, signal), pathOf(target, channel), text, {
    ...(ifVersion !== undefined && { 'if-match': `"${ifVersion}"` }),
    ...(key !== undefined && { 'idempotency-key': key }),
  });
  await tell(createOutput({}), channel, accepted);
}

interface AcceptedJson {
  readonly id: string;
  readonly version?: number;
  readonly level: string;
  readonly copies: number;
}

async function send(
  http: NodeHttp,
  path: string,
  patch: string,
  headers: Readonly<Record<string, string>>,
): Promise<AcceptedJson> {
  const all = { ...headers, 'content-type': jsonPatchType };
  const answer = await http.ask(path, { method: 'PATCH', body: patch, headers: all });
  return (await answer.json()) as AcceptedJson;
}

async function tell(output: Output, channel: string, accepted: AcceptedJson): Promise<void> {
  const { id, version: at, level, copies } = accepted;
  const place = at === undefined ? '' : ` to version ${at}`;
  await output.print(
    () => `Changed ${channel}${place} as ${id}: ${level}, ${copies} ${copies === 1 ? 'copy' : 'copies'}.`,
    () => JSON.stringify(accepted),
  );
}

async function revert(channel: string, options: DocOptions, signal: AbortSignal): Promise<void> {
  const target = targetOf(options, process.env);
  const http = new NodeHttp(target, signal);
  const path = pathOf(target, channel);
  const wanted = await documentAt(http, path, options.to);
  const now = await documentAt(http, path, undefined);
  const patch = diff(valueOf(now.text), valueOf(wanted.text));
  if (patch instanceof Fault)
    throw new CommandError(exitCodes.failed, `No one change makes it what it was: ${patch.message}`);
  const output = createOutput({});
  if (patch === '[]')
    return output.print(
      () => `${channel} is what it was then.`,
      () => '{}',
    );
  // What somebody changes meanwhile is not taken back unseen.
  await tell(output, channel, await send(http, path, patch, { 'if-match': now.tag }));
}

function valueOf(text: string): Json {
  const value = readJsonText(text);
  if (value instanceof Fault)
    throw new CommandError(exitCodes.failed, `What came is no document: ${value.message}`);
  return value;
}

async function listChanges(channel: string, options: DocOptions, signal: AbortSignal): Promise<void> {
  const target = targetOf(options, process.env);
  const http = new NodeHttp(target, signal);
  const output = createOutput(options);
  const now = Date.now();
  const until = options.until && timeArgument(options.until, now);
  let since = options.since && timeArgument(options.since, now);
  for (let left = options.limit ?? Infinity, isMore = true; isMore && left > 0;) {
    const parameters = { since, until, limit: Math.min(left, pageChanges) };
    const answer = await http.ask(`${pathOf(target, channel)}/changes`, { parameters });
    const page = (await answer.json()) as { changes: ChangeJson[]; cursor: string; more: boolean };
    for (const change of page.changes) {
      await output.print(
        () => changeLine(output.terminal.style, change),
        () => JSON.stringify(change),
      );
    }
    left -= page.changes.length;
    since = page.cursor;
    isMore = page.more;
  }
}

function changeLine(style: Style, change: ChangeJson): string {
  const { time, version: at, actor, patch, void: reason } = change;
  const parts = [
    style.dim(time.replace('T', ' ').replace('Z', '')),
    style.cyan(`v${at}`),
    reason ? style.yellow(`void (${printable(reason.reason)})`) : '',
    actor === undefined ? '' : style.green(`${printable(actor)}:`),
    patch === undefined ? '' : printable(JSON.stringify(patch)),
  ];
  return parts.filter((part) => part !== '').join(' ');
}

async function watch(channel: string, options: DocOptions, signal: AbortSignal): Promise<void> {
  const target = targetOf(options, process.env);
  const output = createOutput(options);
  const client = await connectedClient(target, signal);
  try {
    await watchDocument(client.subscribe(channel, { start: options.from ?? 'live' }), output);
  } catch (error) {
    throw commandErrorOf(error, target);
  } finally {
    await client.close({ timeoutMs: 0 });
  }
}

async function standardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function version(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('It must be a version.');
  return value;
}
